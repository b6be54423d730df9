"""The cheapest free: of so many units that are bought, the cheapest ones."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.pricing.discount import (
    Basket,
    DiscountDocument,
    Percent,
    basis_points,
    share,
)

Units = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class CheapestDocument(
    DiscountDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="cheapest"
):
    """Whoever buys `buy` units of the chosen lines has `free` more of them off, the cheapest.

    `percent` is what is taken off those: 100 is free. `times` is how often in one order.
    """

    buy: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    free: Units = 1
    percent: Percent = 100
    times: Units | None = None


@dataclass(frozen=True)
class Cheapest:
    """The cheapest units of each bundle."""

    buy: int
    free: int
    basis_points: int
    times: int | None

    @classmethod
    def of(cls, document: CheapestDocument) -> "Cheapest":
        return cls(document.buy, document.free, basis_points(document.percent), document.times)

    def off(self, basket: Basket, lines: Lines) -> tuple[int, ...] | str:
        prices = basket.chosen(lines)
        quantities = [
            line.quantity if price else 0
            for line, price in zip(basket.order.lines, prices, strict=True)
        ]
        bundles = sum(quantities) // (self.buy + self.free)
        if not bundles:
            return f"{sum(quantities)} of {self.buy + self.free} units"
        left = min(bundles, self.times or bundles) * self.free
        free = [0] * len(prices)
        # By what a unit costs; of a line that does not divide, its cheaper units come first.
        for at in sorted(range(len(prices)), key=lambda at: _unit(prices[at], quantities[at])):
            units = min(left, quantities[at])
            if units:
                free[at] = prices[at] * units // quantities[at]
                left -= units
        return share(free, self.basis_points)


def _unit(price: int, quantity: int) -> tuple[bool, float]:
    return (not quantity, price / quantity if quantity else 0.0)
