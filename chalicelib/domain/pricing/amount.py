"""An amount of money off."""

from dataclasses import dataclass

from chalicelib.domain.earning.documents import Count
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.orders import allocate
from chalicelib.domain.pricing.discount import Basket, DiscountDocument


class AmountDocument(
    DiscountDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="amount"
):
    """`amount` minor units off the chosen lines together, or off `each` unit of them."""

    amount: Count
    each: bool = False


@dataclass(frozen=True)
class AmountOff:
    """A fixed amount, never more than there is to pay."""

    amount: int
    each: bool

    @classmethod
    def of(cls, document: AmountDocument) -> "AmountOff":
        return cls(document.amount, document.each)

    def off(self, basket: Basket, lines: Lines) -> tuple[int, ...]:
        prices = basket.chosen(lines)
        if self.each:
            counts = (line.quantity for line in basket.order.lines)
            return tuple(
                min(price, self.amount * count) for price, count in zip(prices, counts, strict=True)
            )
        return allocate(min(self.amount, sum(prices)), prices)
