"""Points for money: `give` points for each `per` minor units of what counts.

What counts is the basis. Its defaults are what shops are used to: goods after discounts, without
tax and shipping; a gift card that is bought earns nothing (what it pays for will), and paying
by gift card takes nothing away (Odoo's case C17: 100 bought, 50 of it by gift card, 100 points).
"""

from dataclasses import dataclass

from chalicelib.domain.earning.rule import Pending, Rate
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.orders import GIFT_CARD, Order, allocate
from chalicelib.kernel.money import format_amount


@dataclass(frozen=True)
class Basis:
    """Which parts of a bill earn."""

    tax: bool = False
    shipping: bool = False
    discounts_deducted: bool = True
    gift_cards_bought: bool = False
    gift_card_payments: bool = True


@dataclass(frozen=True)
class PerAmount:
    """An earn rule on money."""

    id: str
    number: int
    currency: int
    rate: Rate
    pending: Pending | None
    lines: Lines
    basis: Basis

    def weigh(self, order: Order) -> tuple[int, ...]:
        amounts = self._line_amounts(order)
        shipping = order.shipping if self.basis.shipping else 0
        weights = (*amounts, shipping)
        if self.basis.gift_card_payments:
            return weights
        return _less_gift_cards(weights, order)

    def describe(self, weight: int, order_currency: str) -> str:
        return (
            f"{self.rate.give} for each {format_amount(self.rate.per, order_currency)} "
            f"of {format_amount(weight, order_currency)} {order_currency}"
        )

    def _line_amounts(self, order: Order) -> list[int]:
        prices = (
            order.goods
            if self.basis.discounts_deducted
            else tuple(line.unit_price * line.quantity for line in order.lines)
        )
        amounts = []
        for line, price, tax in zip(order.lines, prices, order.taxes, strict=True):
            counts = self.lines.hold(line) and (self.basis.gift_cards_bought or not line.gift_card)
            amounts.append(self._with_tax_or_not(price, tax, order) if counts else 0)
        return amounts

    def _with_tax_or_not(self, price: int, tax: int, order: Order) -> int:
        if self.basis.tax == order.tax_included:
            return price
        return price + tax if self.basis.tax else max(0, price - tax)


def _less_gift_cards(weights: tuple[int, ...], order: Order) -> tuple[int, ...]:
    """The weights without the share of the bill that gift cards paid."""
    by_gift_card = sum(one.amount for one in order.paid_with if one.kind == GIFT_CARD)
    if not by_gift_card or not order.total:
        return weights
    paid = min(by_gift_card, order.total)
    less = allocate(sum(weights) * paid // order.total, weights)
    return tuple(weight - part for weight, part in zip(weights, less, strict=True))
