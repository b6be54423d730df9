"""So many percent off."""

from dataclasses import dataclass

from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.pricing.discount import (
    Basket,
    DiscountDocument,
    Percent,
    basis_points,
    share,
)


class PercentDocument(
    DiscountDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="percent"
):
    """`percent` off the chosen lines: a whole number, or a text with decimals like "2.5"."""

    percent: Percent


@dataclass(frozen=True)
class PercentOff:
    """A share of what the chosen lines cost."""

    basis_points: int

    @classmethod
    def of(cls, document: PercentDocument) -> "PercentOff":
        return cls(basis_points(document.percent))

    def off(self, basket: Basket, lines: Lines) -> tuple[int, ...]:
        return share(basket.chosen(lines), self.basis_points)
