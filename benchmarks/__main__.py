"""`make bench`: every figure as a ratio of two things measured in the same run."""

import os
import sys
from contextlib import redirect_stdout

from benchmarks import bulk, handlers, imports, latency, passes, pushes, rules


def main() -> None:
    """Prints a line a figure. What the application logs is written too, and not shown."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        measures = (rules, handlers, bulk, imports, passes, pushes, latency)
        for measure in measures:
            for line in measure.run():
                print(line, flush=True, file=sys.__stdout__)


if __name__ == "__main__":
    main()
