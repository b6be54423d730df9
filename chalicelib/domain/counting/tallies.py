"""What was counted: one tally a bucket of a counter.

Days are `date.toordinal()` days of the program's time zone. Tallies are packed as they are
stored: an account with one for each day of a year stays far below the ceiling of an entry.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple


class Tally(NamedTuple):
    """How much was counted in one bucket."""

    counter: int
    start: int  # of the bucket
    last: int  # the last day on which something was counted
    amount: int

    def grown(self, day: int, amount: int) -> "Tally":
        """With `amount` more of a day; what is taken back leaves the last day as it was."""
        last = max(self.last, day) if amount > 0 else self.last
        start = min(self.start, day)
        return Tally(self.counter, start, last, max(0, self.amount + amount))


class Tallies:
    """All tallies of an account, by counter and bucket.

    Packed they are one list of numbers: for each counter its number and a count, then so many
    triples of the start (counted from the one before), the distance to the last day, the amount.
    Where every bucket is a single day the count is below zero and the distances are left out.
    """

    __slots__ = ("_tallies",)

    def __init__(self, tallies: Iterable[Tally] = ()) -> None:
        self._tallies = tuple(sorted(tallies))

    def __iter__(self) -> Iterator[Tally]:
        return iter(self._tallies)

    def __len__(self) -> int:
        return len(self._tallies)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tallies) and self._tallies == other._tallies

    def __hash__(self) -> int:
        return hash(self._tallies)

    def __repr__(self) -> str:
        return f"Tallies({self._tallies!r})"

    def packed(self) -> list[int]:
        """As they are stored."""
        by_counter: dict[int, list[Tally]] = {}
        for one in self._tallies:
            by_counter.setdefault(one.counter, []).append(one)
        numbers: list[int] = []
        for counter, tallies in by_counter.items():
            single_days = all(one.last == one.start for one in tallies)
            numbers += (counter, -len(tallies) if single_days else len(tallies))
            day = 0
            for one in tallies:
                numbers += (
                    (one.start - day,) if single_days else (one.start - day, one.last - one.start)
                )
                numbers.append(one.amount)
                day = one.start
        return numbers

    @classmethod
    def unpacked(cls, stored: Sequence[Any]) -> "Tallies":
        """What `packed` made."""
        tallies = []
        at = 0
        while at < len(stored):
            counter, count = stored[at : at + 2]
            at += 2
            day = 0
            size = 2 if count < 0 else 3
            for _ in range(abs(count)):
                distance, *lasted, amount = stored[at : at + size]
                at += size
                day += distance
                tallies.append(Tally(counter, day, day + sum(lasted), amount))
        return cls(tallies)


NO_TALLIES = Tallies()
