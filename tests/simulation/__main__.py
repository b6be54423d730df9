"""Plays many seeds: `make soak SEEDS=1000`, or one again: `make soak FROM=17 SEEDS=1`."""

import argparse
import sys
from collections import Counter
from time import monotonic

from tests.simulation.play import ROUNDS, Play
from tests.simulation.promises import check_all


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Plays a seeded world in which all goes wrong.")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    began = monotonic()
    done: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    entries = 0
    for seed in range(asked.first, asked.first + asked.seeds):
        play = Play(seed, asked.rounds)
        try:
            play.run()
            check_all(play)
        except BaseException:
            sys.stderr.write(f"seed {seed} fails; again: --first {seed} --seeds 1\n")
            raise
        done += play.done
        faults += play.world.faults
        entries += len(play.world.ledger.commits)
    sys.stdout.write(
        f"{asked.seeds} seeds: {sum(done.values())} operations, {sum(faults.values())} faults, "
        f"{entries} entries, {monotonic() - began:.0f} s; every promise held\n"
    )
    for name, count in sorted((done + faults).items()):
        sys.stdout.write(f"  {name:14}{count:9}\n")


if __name__ == "__main__":
    main()
