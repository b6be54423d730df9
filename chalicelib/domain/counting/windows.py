"""Windows of counters: which of what was counted still counts on a day.

A counter keeps a tally a bucket. What is counted on a day falls into the bucket of that day; a
window says which buckets count on another day, and for how long a bucket is kept. What was
counted in the period before the running one is kept too, for refunds and late orders.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from chalicelib.domain.counting.tallies import Tally
from chalicelib.kernel.clock import add_months


class Window(Protocol):
    """Which buckets of a counter count."""

    def add(self, tallies: Sequence[Tally], of: int, day: int, amount: int) -> list[Tally]:
        """The tallies after `amount` more was counted on a day."""

    def together(self, tallies: Sequence[Tally]) -> list[Tally]:
        """What two members who become one have counted, as if one had."""

    def value(self, tallies: Sequence[Tally], today: int) -> int:
        """What counts on a day."""

    def value_before(self, tallies: Sequence[Tally], today: int) -> int:
        """What counted in the period before, where there are periods; else 0."""

    def ends(self, today: int) -> int | None:
        """The first day after the period of a day, None where there are no periods."""

    def started(self, today: int) -> int | None:
        """The first day of the period of a day, None where there are no periods."""

    def falls(self, tallies: Sequence[Tally], today: int, need: int) -> int:
        """Where there are no periods: the first day on which less than `need` counts, if nothing
        is counted any more; 0 for never."""

    def kept(self, tally: Tally, today: int) -> bool:
        """Whether a tally may still matter."""

    @property
    def buckets(self) -> int:
        """How many tallies there are at most."""


class _WithoutPeriods:
    """What windows have in common that know no period."""

    def value_before(self, tallies: Sequence[Tally], today: int) -> int:  # noqa: ARG002
        return 0

    def ends(self, today: int) -> None:  # noqa: ARG002
        return

    def started(self, today: int) -> None:  # noqa: ARG002
        return


@dataclass(frozen=True)
class Lifetime(_WithoutPeriods):
    """All there ever was."""

    buckets: int = 1

    def add(self, tallies: Sequence[Tally], of: int, day: int, amount: int) -> list[Tally]:
        one = _as_one(tallies)
        return [one.grown(day, amount) if one else Tally(of, day, day, amount)]

    def together(self, tallies: Sequence[Tally]) -> list[Tally]:
        one = _as_one(tallies)
        return [one] if one else []

    def value(self, tallies: Sequence[Tally], today: int) -> int:  # noqa: ARG002
        return sum(one.amount for one in tallies)

    def falls(self, tallies: Sequence[Tally], today: int, need: int) -> int:  # noqa: ARG002
        return 0

    def kept(self, tally: Tally, today: int) -> bool:  # noqa: ARG002
        return True


@dataclass(frozen=True)
class Calendar:
    """The running day, week (from Monday on), month, quarter or year."""

    period: str
    buckets: int = 2

    def add(self, tallies: Sequence[Tally], of: int, day: int, amount: int) -> list[Tally]:
        return _into(tallies, of, self._start(day), day, amount)

    def together(self, tallies: Sequence[Tally]) -> list[Tally]:
        return _by_start(tallies)

    def value(self, tallies: Sequence[Tally], today: int) -> int:
        start = self._start(today)
        return sum(one.amount for one in tallies if self._start(one.start) == start)

    def value_before(self, tallies: Sequence[Tally], today: int) -> int:
        return self.value(tallies, self._start(today) - 1)

    def ends(self, today: int) -> int:
        start = date.fromordinal(self._start(today))
        return (
            add_months(start, _MONTHS[self.period]).toordinal()
            if self.period in _MONTHS
            else start.toordinal() + _DAYS[self.period]
        )

    def started(self, today: int) -> int:
        return self._start(today)

    def falls(self, tallies: Sequence[Tally], today: int, need: int) -> int:  # noqa: ARG002
        return self.ends(today)

    def kept(self, tally: Tally, today: int) -> bool:
        return tally.start >= self._start(self._start(today) - 1)

    def _start(self, day: int) -> int:
        return _STARTS[self.period](date.fromordinal(day)).toordinal()


@dataclass(frozen=True)
class Rolling(_WithoutPeriods):
    """The last so many days or months, today included: what was counted on 15 January counts for
    twelve months up to 14 January."""

    days: int = 0
    months: int = 0

    @property
    def buckets(self) -> int:
        return self.days + 31 * self.months

    def add(self, tallies: Sequence[Tally], of: int, day: int, amount: int) -> list[Tally]:
        return _into(tallies, of, day, day, amount)

    def together(self, tallies: Sequence[Tally]) -> list[Tally]:
        return _by_start(tallies)

    def value(self, tallies: Sequence[Tally], today: int) -> int:
        return sum(one.amount for one in tallies if one.start <= today < self.leaves(one.start))

    def falls(self, tallies: Sequence[Tally], today: int, need: int) -> int:
        left = self.value(tallies, today)
        for one in sorted(tallies):
            day = self.leaves(one.start)
            if one.start <= today < day:
                left -= one.amount
                if left < need:
                    return day
        return 0

    def kept(self, tally: Tally, today: int) -> bool:
        return today < self.leaves(tally.start)

    def leaves(self, day: int) -> int:
        """The first day on which what was counted on `day` no longer counts."""
        return _later(day, self.days, self.months)


@dataclass(frozen=True)
class UntilIdle(_WithoutPeriods):
    """Everything since the last pause: so many days or months without anything set it to zero."""

    days: int = 0
    months: int = 0
    buckets: int = 1

    def add(self, tallies: Sequence[Tally], of: int, day: int, amount: int) -> list[Tally]:
        one = _as_one(tallies)
        if one is None:
            return [Tally(of, day, day, amount)] if amount > 0 else []
        if amount < 0:  # what is taken back is no activity
            return [one.grown(one.last, amount)] if one.start <= day <= one.last else [one]
        if day >= self._over(one.last):
            return [Tally(of, day, day, amount)]
        return [one] if one.start >= self._over(day) else [one.grown(day, amount)]

    def together(self, tallies: Sequence[Tally]) -> list[Tally]:
        """What lies before a pause of both no longer counts."""
        whole: list[Tally] = []
        for one in sorted(tallies, key=lambda tally: tally.start):
            if whole and one.start < self._over(whole[0].last):
                whole = [_joined(whole[0], one)]
            else:
                whole = [one]
        return whole

    def value(self, tallies: Sequence[Tally], today: int) -> int:
        return sum(one.amount for one in tallies if today < self._over(one.last))

    def falls(self, tallies: Sequence[Tally], today: int, need: int) -> int:  # noqa: ARG002
        return max((self._over(one.last) for one in tallies), default=today)

    def kept(self, tally: Tally, today: int) -> bool:
        return today < self._over(tally.last)

    def _over(self, last: int) -> int:
        return _later(last, self.days, self.months)


def _as_one(tallies: Sequence[Tally]) -> Tally | None:
    """All in one bucket: an earlier version of the program may have had several."""
    if not tallies:
        return None
    whole = tallies[0]
    for one in tallies[1:]:
        whole = _joined(whole, one)
    return whole


def _joined(one: Tally, other: Tally) -> Tally:
    start, last = min(one.start, other.start), max(one.last, other.last)
    return Tally(one.counter, start, last, one.amount + other.amount)


def _by_start(tallies: Sequence[Tally]) -> list[Tally]:
    """One tally a bucket."""
    found: dict[int, Tally] = {}
    for one in tallies:
        found[one.start] = _joined(found[one.start], one) if one.start in found else one
    return list(found.values())


def _into(tallies: Sequence[Tally], of: int, start: int, day: int, amount: int) -> list[Tally]:
    """Adds to the bucket that starts on a day; what is taken back may find it gone."""
    grown = [one.grown(day, amount) if one.start == start else one for one in tallies]
    if amount > 0 and all(one.start != start for one in tallies):
        grown.append(Tally(of, start, day, amount))
    return grown


def _later(day: int, days: int, months: int) -> int:
    try:
        return add_months(date.fromordinal(day), months).toordinal() + days
    except (ValueError, OverflowError):  # beyond the calendar
        return date.max.toordinal()


_STARTS: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
    "quarter": lambda day: day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
    "year": lambda day: day.replace(month=1, day=1),
}
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
