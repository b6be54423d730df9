"""`make bench`: every figure as a ratio of two things measured in the same run."""

import os
import sys
from contextlib import redirect_stdout

from benchmarks import handlers, imports, passes, pushes, rules


def main() -> None:
    """Prints a line a figure. What the application logs is written too, and not shown."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        for measure in (rules.run, handlers.run, imports.run, passes.run, pushes.run):
            for line in measure():
                print(line, flush=True, file=sys.__stdout__)


if __name__ == "__main__":
    main()
