"""Points for things: `give` points for each `per` units of the chosen lines."""

from dataclasses import dataclass

from chalicelib.domain.earning.rule import Pending, Rate
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.orders import Order


@dataclass(frozen=True)
class PerUnit:
    """An earn rule on the number of things bought."""

    id: str
    number: int
    currency: int
    rate: Rate
    pending: Pending | None
    lines: Lines

    def weigh(self, order: Order) -> tuple[int, ...]:
        return (*(line.quantity if self.lines.hold(line) else 0 for line in order.lines), 0)

    def describe(self, weight: int, order_currency: str) -> str:  # noqa: ARG002
        each = "each" if self.rate.per == 1 else f"each {self.rate.per}"
        return f"{self.rate.give} for {each} of {weight} units"
