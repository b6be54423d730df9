"""Points for things: `give` points for each `per` units of the chosen lines."""

from dataclasses import dataclass

from chalicelib.domain.earning.documents import EarnRuleDocument
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.earning.weighing import Cause
from chalicelib.domain.orders import Order


class PerUnitDocument(
    EarnRuleDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="per_unit"
):
    """`give` points for each `per` units bought."""


@dataclass(frozen=True)
class Units:
    """How many units the chosen lines have."""

    lines: Lines
    about: type = Order

    @classmethod
    def of(cls, document: PerUnitDocument) -> "Units":
        return cls(Lines.of(document.include, document.exclude))

    def weigh(self, cause: Cause) -> tuple[int, ...]:
        assert isinstance(cause, Order)  # noqa: S101 (it is of orders)
        return (*self.lines.choose(cause.quantities, cause), 0)

    def describe(self, give: int, per: int, weight: int, money: str) -> str:  # noqa: ARG002
        each = "each" if per == 1 else f"each {per}"
        return f"{give} for {each} of {weight} units"
