"""Points for money: `give` points for each `per` minor units of what counts.

What counts is the basis. Its defaults are what shops are used to: goods after discounts, without
tax and shipping; a gift card that is bought earns nothing (what it pays for will), and paying
by gift card takes nothing away (Odoo's case C17: 100 bought, 50 of it by gift card, 100 points).
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

from chalicelib.domain.earning.documents import EarnRuleDocument
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.earning.weighing import Cause
from chalicelib.domain.orders import GIFT_CARD, Order, allocate
from chalicelib.kernel.money import format_amount


class BasisDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which parts of a bill earn."""

    tax: Literal["included", "excluded"] = "excluded"
    shipping: Literal["included", "excluded"] = "excluded"
    discounts: Literal["deducted", "ignored"] = "deducted"
    gift_cards_bought: Literal["included", "excluded"] = "excluded"
    gift_card_payments: Literal["included", "excluded"] = "included"


class PerAmountDocument(
    EarnRuleDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="per_amount"
):
    """`give` points for each `per` minor units of the basis."""

    basis: BasisDocument = BasisDocument()


@dataclass(frozen=True)
class Basis:
    """Which parts of a bill earn."""

    tax: bool = False
    shipping: bool = False
    discounts_deducted: bool = True
    gift_cards_bought: bool = False
    gift_card_payments: bool = True

    @classmethod
    def of(cls, document: BasisDocument) -> "Basis":
        return cls(
            tax=document.tax == "included",
            shipping=document.shipping == "included",
            discounts_deducted=document.discounts == "deducted",
            gift_cards_bought=document.gift_cards_bought == "included",
            gift_card_payments=document.gift_card_payments == "included",
        )

    def amounts(self, order: Order) -> tuple[int, ...]:
        """What counts of each line."""
        known = order.derived.get(self)
        if known is None:
            prices = order.goods if self.discounts_deducted else order.full_prices
            lines = zip(order.lines, prices, order.taxes, strict=True)
            known = order.derived[self] = tuple(
                self._with_tax_or_not(price, tax, order)
                if self.gift_cards_bought or not line.gift_card
                else 0
                for line, price, tax in lines
            )
        return known

    def _with_tax_or_not(self, price: int, tax: int, order: Order) -> int:
        if self.tax == order.tax_included:
            return price
        return price + tax if self.tax else max(0, price - tax)


@dataclass(frozen=True)
class Money:
    """The money of the chosen lines."""

    lines: Lines
    basis: Basis
    about: type = Order

    @classmethod
    def of(cls, document: PerAmountDocument) -> "Money":
        return cls(Lines.of(document.include, document.exclude), Basis.of(document.basis))

    def weigh(self, cause: Cause) -> tuple[int, ...]:
        assert isinstance(cause, Order)  # noqa: S101 (it is of orders)
        amounts = self.lines.choose(self.basis.amounts(cause), cause)
        shipping = cause.shipping if self.basis.shipping else 0
        weights = (*amounts, shipping)
        if self.basis.gift_card_payments:
            return weights
        return _less_gift_cards(weights, cause)

    def describe(self, give: int, per: int, weight: int, money: str) -> str:
        of = f"{format_amount(weight, money)} {money}"
        return f"{give} for each {format_amount(per, money)} of {of}"


def _less_gift_cards(weights: tuple[int, ...], order: Order) -> tuple[int, ...]:
    """The weights without the share of the bill that gift cards paid."""
    by_gift_card = sum(one.amount for one in order.paid_with if one.kind == GIFT_CARD)
    if not by_gift_card or not order.total:
        return weights
    paid = min(by_gift_card, order.total)
    less = allocate(sum(weights) * paid // order.total, weights)
    return tuple(weight - part for weight, part in zip(weights, less, strict=True))
