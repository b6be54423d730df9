"""What a basket costs a member: every discount of the program, one after the other, and why.

From the highest priority on, each is taken from what those before have left; no line costs less
than nothing or more than it did. Tax follows the price: a line that costs half bears half its tax.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.conditions.situation import Situation
from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.orders import Order
from chalicelib.domain.pricing.discount import Basket, Discount
from chalicelib.kernel.rounding import Rounding


@dataclass(frozen=True)
class Given:
    """What one discount takes off each line, or why it does not."""

    discount: Discount
    off: tuple[int, ...] = ()
    why_not: str | None = None

    @property
    def amount(self) -> int:
        return sum(self.off)


@dataclass(frozen=True)
class Priced:
    """An order with its discounts in it, and what each of them did."""

    order: Order
    given: tuple[Given, ...]


def price(
    discounts: Sequence[Discount],
    situation: Situation,
    order: Order,
    counted: Callable[[Counter], int],
    coded: Collection[str] = (),
) -> Priced:
    """Prices an order. `counted` is what a counter of the member says now; `coded` are the
    discounts that somebody has a voucher for."""
    discounts = [one for one in discounts if not one.by_code or one.id in coded]
    basket = Basket(order, order.goods, situation, counted)
    given: dict[str, Given] = {}
    first = alone = None
    for one in sorted(discounts, key=lambda discount: -discount.priority):
        if one.id in given:  # of a group that was decided
            continue
        rivals = [other for other in discounts if other.group == one.group] if one.group else [one]
        found = [_one(other, basket, first, alone) for other in rivals]
        best = max(found, key=lambda row: row.amount)
        for row in found:
            lost = row is not best and row.amount
            reason = f"{best.discount.id} takes more off" if lost else row.why_not
            given[row.discount.id] = replace(row, off=(), why_not=reason) if lost else row
        if best.amount:
            first = first or best.discount.id
            alone = best.discount.id if best.discount.exclusive else alone
            left = tuple(price - off for price, off in zip(basket.prices, best.off, strict=True))
            basket = replace(basket, prices=left)
    return Priced(_discounted(order, basket.prices), tuple(given[one.id] for one in discounts))


def _one(discount: Discount, basket: Basket, first: str | None, alone: str | None) -> Given:
    if alone is not None:
        return Given(discount, why_not=f"{alone} is given alone")
    if discount.exclusive and first is not None:
        return Given(discount, why_not=f"is given alone or not at all, and {first} is given")
    off = discount.off(basket)
    return Given(discount, why_not=off) if isinstance(off, str) else Given(discount, off)


def _discounted(order: Order, prices: Sequence[int]) -> Order:
    """The order as it would be sent: each line with its discounts and its tax."""
    if tuple(prices) == order.goods:
        return order
    lines = []
    for line, before, now, tax in zip(order.lines, order.goods, prices, order.taxes, strict=True):
        less = _follow(tax, before, now)
        lines.append(replace(line, discount=line.quantity * line.unit_price - now, tax=less))
    return replace(order, lines=tuple(lines), discount=0, tax=sum(line.tax or 0 for line in lines))


def _follow(tax: int, before: int, now: int) -> int:
    return Rounding.HALF_UP.divide(tax * now, before) if before else tax
