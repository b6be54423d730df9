"""An earn rule: a weighing of the order or the activity, a rate, and when it applies.

A rule weighs each line (money, units, ...) and gives `give` points for each `per` of the sum.
A new kind of rule is one file beside this one (a `Weighing`, and the struct of its document) and
one line in `kinds.py`.
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum

from chalicelib.domain.conditions.condition import WhyNot
from chalicelib.domain.earning.campaigns import Campaign
from chalicelib.domain.earning.caps import Cap
from chalicelib.domain.earning.weighing import Cause, Weighing
from chalicelib.kernel.rounding import Rounding

UNTIL_CONFIRMED = date.max.toordinal()  # a day that never comes
SCALE = 10_000  # of weights that were multiplied: they keep four decimals


@dataclass(frozen=True)
class Rate:
    """`give` points for each `per`; what is left over is rounded, or carried to the next order.

    A `fixed` rate gives `give`, whatever the weight is.
    """

    give: int
    per: int
    rounding: Rounding = Rounding.FLOOR
    carry_remainder: bool = False
    fixed: bool = False

    def points(self, weight: int, multiplied: int | None = None) -> int:
        """What a weight earns by itself; `multiplied` is the weight times its factors, scaled."""
        if not weight:
            return 0
        whole = weight * self.per if self.fixed else self.per
        if multiplied is None:
            return self.rounding.divide((weight if not self.fixed else whole) * self.give, whole)
        return self.rounding.divide(multiplied * self.give, whole * SCALE)

    def points_carried(self, weight: int, remainder: int) -> tuple[int, int]:
        """What a weight earns on top of a remainder, and the new remainder.

        With a negative weight it is the exact inverse: points below zero are to be taken back. A
        remainder above a whole point (of two accounts that were merged) waits for the next order.
        """
        total = remainder + weight * self.give
        points, left = divmod(total, self.per)
        return (0, total) if weight <= 0 < points else (points, left)


@dataclass(frozen=True)
class Pending:
    """Points wait for some days, or, without them, until somebody confirms their order."""

    days: int | None

    def until(self, start: date) -> int:
        """The day from which points of `start` can be spent, as `date.toordinal()`."""
        if self.days is None:
            return UNTIL_CONFIRMED
        return min(start.toordinal() + self.days, UNTIL_CONFIRMED - 1)


class Pays(Enum):
    """Which rule of a group pays."""

    BEST = "best"
    FIRST = "first"


@dataclass(frozen=True)
class EarnRule:
    """One earn rule of a compiled program."""

    id: str
    number: int  # the program's small number of the rule and its rate: what entries store
    currency: int
    rate: Rate
    weighing: Weighing
    pending: Pending | None = None  # how long its points cannot be spent; None: they can at once
    condition: WhyNot | None = None
    caps: tuple[Cap, ...] = ()
    campaign: Campaign | None = None
    priority: int = 0
    exclusive: bool = False
    group: str | None = None
    bonus: bool = False  # not multiplied where bonuses come after the multipliers

    def weigh(self, cause: Cause) -> tuple[int, ...]:
        """The weight of each line, and last that of the shipping; none is negative."""
        return self.weighing.weigh(cause)

    def describe(self, weight: int, money: str) -> str:
        """Why `weight` earned something, in a sentence for the shop."""
        return self.weighing.describe(self.rate.give, self.rate.per, weight, money)
