"""What every kind of earn rule is: a weighing of the order, and a rate.

A rule weighs each line (money, units, ...) and gives `give` points for each `per` of the sum.
That is all it may do, and therefore a refund can be its exact inverse: the weight of what came
back is known, whatever the kind.

A new kind is one file beside this one (a frozen dataclass with `weigh` and `describe`, and the
struct of its document) and one line in `kinds.py`.
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Protocol

from chalicelib.domain.orders import Order

UNTIL_CONFIRMED = date.max.toordinal()  # a day that never comes


class Rounding(Enum):
    """What becomes of a part of a point."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    CEILING = "ceiling"

    def divide(self, amount: int, by: int) -> int:
        """`amount / by` (both at least 0, `by` above 0), rounded."""
        if self is Rounding.FLOOR:
            return amount // by
        if self is Rounding.CEILING:
            return -(-amount // by)
        return (2 * amount + by) // (2 * by)


@dataclass(frozen=True)
class Rate:
    """`give` points for each `per`; what is left over is rounded, or carried to the next order."""

    give: int
    per: int
    rounding: Rounding = Rounding.FLOOR
    carry_remainder: bool = False

    def points(self, weight: int) -> int:
        """What a weight earns by itself."""
        return self.rounding.divide(weight * self.give, self.per)

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


class EarnRule(Protocol):
    """One earn rule of a compiled program."""

    @property
    def id(self) -> str: ...

    @property
    def number(self) -> int:
        """The program's small number of the rule and its rate: what entries store."""

    @property
    def currency(self) -> int: ...

    @property
    def rate(self) -> Rate: ...

    @property
    def pending(self) -> Pending | None:
        """How long its points cannot be spent; None where they can at once."""

    def weigh(self, order: Order) -> tuple[int, ...]:
        """The weight of each line, and last that of the shipping; none is negative."""

    def describe(self, weight: int, order_currency: str) -> str:
        """Why `weight` earned something, in a sentence for the shop."""
