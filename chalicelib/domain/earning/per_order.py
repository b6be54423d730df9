"""Points for an order, or for a visit: a fixed number, however large the order is.

A refund takes back the share of the order's chosen lines that came back: half of the goods, half
of the bonus.
"""

from dataclasses import dataclass

from chalicelib.domain.earning.documents import EarnRuleDocument
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.earning.weighing import Cause
from chalicelib.domain.orders import Order


class PerOrderDocument(
    EarnRuleDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="per_order"
):
    """`give` points for each order that has one of the chosen lines."""


class PerVisitDocument(
    EarnRuleDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="per_visit"
):
    """`give` points for the first order of a business day that has one of the chosen lines."""


@dataclass(frozen=True)
class Whole:
    """An order as a whole; what its chosen lines cost says how much of it came back."""

    lines: Lines
    about: type = Order

    @classmethod
    def of(cls, document: PerOrderDocument | PerVisitDocument) -> "Whole":
        return cls(Lines.of(document.include, document.exclude))

    def weigh(self, cause: Cause) -> tuple[int, ...]:
        assert isinstance(cause, Order)  # noqa: S101 (it is of orders)
        prices = self.lines.choose(cause.goods, cause)
        if any(prices):
            return (*prices, 0)
        return (*self.lines.choose(cause.quantities, cause), 0)

    def describe(self, give: int, per: int, weight: int, money: str) -> str:  # noqa: ARG002
        return f"{give} for the order"
