"""`make bench`: every figure as a ratio of two things measured in the same run."""

from benchmarks import handlers, imports, passes


def main() -> None:
    """Prints a line a figure."""
    for measure in (handlers.run, imports.run, passes.run):
        for line in measure():
            print(line, flush=True)


if __name__ == "__main__":
    main()
