"""Prices of a list: for members, for a tier, for registered trade customers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from chalicelib.domain.conditions.documents import Name
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.pricing.discount import Basket, DiscountDocument
from chalicelib.kernel.money import MAX_AMOUNT

UnitPrice = Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT)]


class PriceListDocument(
    DiscountDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="price_list"
):
    """What a unit of each SKU costs, in minor units; what is not on the list keeps its price.

    A list never makes anything dearer.
    """

    prices: Annotated[dict[Name, UnitPrice], msgspec.Meta(min_length=1, max_length=5000)]


@dataclass(frozen=True)
class PriceList:
    """The price of a unit, by SKU."""

    prices: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, document: PriceListDocument) -> "PriceList":
        return cls(document.prices)

    def off(self, basket: Basket, lines: Lines) -> tuple[int, ...] | str:
        off = []
        for line, price in zip(basket.order.lines, basket.chosen(lines), strict=True):
            listed = self.prices.get(line.sku or "")
            off.append(0 if listed is None else max(0, price - listed * line.quantity))
        if not any(line.sku in self.prices for line in basket.order.lines):
            return "nothing in the order is on the list"
        return tuple(off)
