"""Tiers: which one a member has, until when, and what the next one needs.

A tier is reached by counters and is then kept until a day. What time takes away is a fact of time
(`ledger/time.py`); what a refund takes away falls at once, as far as it was the refunded order
that had reached it. A floor that the shop set by hand holds beside all that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.counting.tallies import Tally
from chalicelib.domain.texts import Text
from chalicelib.kernel.clock import add_months

FOR_EVER = 0
NONE = 0  # the number of no tier
LOWEST = -1  # the position below every tier that has to be reached


class Held(msgspec.Struct, frozen=True, array_like=True):
    """The tier that a member has reached and keeps, and the floor that the shop gave him."""

    level: int = NONE
    until: int = FOR_EVER  # the first day on which it is held no longer
    floor: int = NONE
    floor_until: int = FOR_EVER

    @property
    def ends(self) -> int:
        """The next day on which something of it ends, `FOR_EVER` where nothing does."""
        days = [
            until
            for level, until in ((self.level, self.until), (self.floor, self.floor_until))
            if level != NONE and until != FOR_EVER
        ]
        return min(days, default=FOR_EVER)


@dataclass(frozen=True)
class Level:
    """One tier of a compiled program."""

    id: str
    number: int
    label: Text
    needs: tuple[tuple[Counter, int], ...]
    benefits: tuple[str, ...]


@dataclass(frozen=True)
class Reached:
    """What counters say: a position among the levels, and the first day it is over."""

    position: int
    until: int


@dataclass(frozen=True)
class Tiers:
    """The tiers of a compiled program, the lowest first."""

    levels: tuple[Level, ...]
    to_end_of_next_period: bool = False
    kept_months: int = 0
    grace_days: int = 0
    one_down: bool = False

    def position(self, number: int) -> int:
        """Where a tier stands; one that the program no longer has is below all."""
        return next((at for at, one in enumerate(self.levels) if one.number == number), LOWEST)

    def tier(self, held: Held, today: int) -> Level | None:
        """The tier that counts on a day."""
        position = max(
            self.position(held.level) if _holds(held.until, today) else LOWEST,
            self.position(held.floor) if _holds(held.floor_until, today) else LOWEST,
            self._lowest,
        )
        return self.levels[position] if position != LOWEST else None

    def above(self, tier: Level | None) -> Level | None:
        """The next tier, None above the highest."""
        following = self.position(tier.number) + 1 if tier else 0
        return self.levels[following] if following < len(self.levels) else None

    def reached(self, tallies: Sequence[Tally], today: int) -> Reached:
        """The highest tier whose counters are high enough, or were in the period before."""
        for position in range(len(self.levels) - 1, LOWEST, -1):
            until = self._until(self.levels[position], tallies, today)
            if until is not None:
                return Reached(position, until)
        return Reached(LOWEST, FOR_EVER)

    def rise(self, held: Held, tallies: Sequence[Tally], today: int) -> Held:
        """After something was counted: a tier is won, or kept for longer; it never falls here."""
        now = self.reached(tallies, today)
        was = self.position(held.level) if _holds(held.until, today) else LOWEST
        if now.position > was or (
            now.position == was and _later(now.until, held.until) != held.until
        ):
            return self._with(held, now)
        return held

    def fall(self, held: Held, before: Sequence[Tally], after: Sequence[Tally], today: int) -> Held:
        """After something was taken back: what it had reached is lost, what was promised is not."""
        supported = self.reached(before, today)
        was = Reached(self.position(held.level), held.until)
        if was.position > supported.position or (
            was.position == supported.position
            and _later(was.until, supported.until) != supported.until
        ):
            return held
        return self._with(held, self.reached(after, today))

    def end(self, held: Held, tallies: Sequence[Tally], today: int) -> Held:
        """On a day on which something of it ends."""
        if held.floor != NONE and not _holds(held.floor_until, today):
            held = Held(held.level, held.until)
        if held.level == NONE or _holds(held.until, today):
            return held
        now = self.reached(tallies, today)
        below = self.position(held.level) - 1
        if self.one_down and below > now.position:
            return self._with(held, Reached(below, self._one_more_period(below, today)))
        return self._with(held, now)

    def better(self, one: Held, other: Held) -> Held:
        """The better of two tiers, and of two floors: of members who are merged."""
        level = self._better((one.level, one.until), (other.level, other.until))
        floor = self._better((one.floor, one.floor_until), (other.floor, other.floor_until))
        return Held(*level, *floor)

    def _better(self, one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
        ranks = [
            (self.position(number), until == FOR_EVER, until) for number, until in (one, other)
        ]
        return one if ranks[0] >= ranks[1] else other

    def _with(self, held: Held, now: Reached) -> Held:
        if now.position == LOWEST:
            return Held(NONE, FOR_EVER, held.floor, held.floor_until)
        return Held(self.levels[now.position].number, now.until, held.floor, held.floor_until)

    @property
    def _lowest(self) -> int:
        """The tier that everybody has, if there is one."""
        return 0 if not self.levels[0].needs else LOWEST

    def _until(self, level: Level, tallies: Sequence[Tally], today: int) -> int | None:
        """The first day on which a tier is over; None where it is not reached."""
        if not level.needs:
            return FOR_EVER
        ends = [self._need_until(one, need, tallies, today) for one, need in level.needs]
        if any(end is None for end in ends):
            return None
        days = [end for end in ends if end]
        until = min(days, default=FOR_EVER)
        if self.kept_months and until != FOR_EVER:
            until = max(until, _months_after(today, self.kept_months))
        return until + self.grace_days if until != FOR_EVER else FOR_EVER

    def _need_until(
        self, counter: Counter, need: int, tallies: Sequence[Tally], today: int
    ) -> int | None:
        """The first day on which one condition holds no longer; None where it does not hold."""
        mine = counter.mine(tallies)
        window = counter.window
        end = window.ends(today)
        if window.value(mine, today) >= need:
            if end is None:
                return window.falls(mine, today, need)
            return window.ends(end) if self.to_end_of_next_period else end
        if self.to_end_of_next_period and window.value_before(mine, today) >= need:
            return end
        if self.grace_days and window.value_before(mine, today) >= need:
            return self._in_grace(window.started(today), today)
        return None

    def _in_grace(self, started: int | None, today: int) -> int | None:
        """The end of the period before, as long as its days of grace last."""
        if started is None or today >= started + self.grace_days:
            return None
        return started

    def _one_more_period(self, position: int, today: int) -> int:
        """Until when a tier is held to which a member fell by one."""
        needs = self.levels[position].needs
        if not needs:
            return FOR_EVER
        ends = [counter.window.ends(today) for counter, _ in needs]
        days = [end for end in ends if end is not None]
        until = min(days) if days else _months_after(today, self.kept_months or _A_YEAR)
        return until + self.grace_days


_A_YEAR = 12  # months


def _holds(until: int, today: int) -> bool:
    return until == FOR_EVER or today < until


def _later(one: int, other: int) -> int:
    return FOR_EVER if FOR_EVER in (one, other) else max(one, other)


def _months_after(day: int, months: int) -> int:
    return add_months(date.fromordinal(day), months).toordinal()
