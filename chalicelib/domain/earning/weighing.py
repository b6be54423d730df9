"""What a rule weighs: how much of an order, or of an activity, counts for it.

A weighing gives each line of an order a weight (money, units, ...), and an activity one. That is
all it may do, and therefore a refund can be its exact inverse: the weight of what came back is
known, whatever the kind.
"""

from typing import Protocol

from chalicelib.domain.activities import Activity
from chalicelib.domain.occasions import Occasion
from chalicelib.domain.orders import Order

Cause = Order | Activity | Occasion


class Weighing(Protocol):
    """One kind of weighing."""

    @property
    def about(self) -> type:
        """What it weighs: orders, activities or occasions."""

    def weigh(self, cause: Cause) -> tuple[int, ...]:
        """The weight of each line, and last that of the shipping; none is negative.

        Of an activity and of an occasion there is one weight.
        """

    def describe(self, give: int, per: int, weight: int, money: str) -> str:
        """Why `weight` gives `give` for each `per`, in a sentence for the shop."""
