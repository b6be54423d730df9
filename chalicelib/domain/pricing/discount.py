"""What every kind of discount is: an amount off some lines of a basket, or why there is none.

A new kind is one file beside this one (the struct of its document, and a frozen dataclass with
`off`) and one line in `kinds.py`. Amounts are integers in minor units; a share of money is rounded
half up once and spread over the lines by the largest remainder, so that the lines sum to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import msgspec

from chalicelib.domain.conditions.condition import WhyNot
from chalicelib.domain.conditions.documents import ConditionDocument, Identifier
from chalicelib.domain.conditions.situation import Situation
from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.earning.campaigns import Campaign, why_not
from chalicelib.domain.earning.documents import Count, Priority, SelectionDocument
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.orders import Order, allocate
from chalicelib.kernel.patterns import whole
from chalicelib.kernel.rounding import Rounding

BASIS_POINTS = 10_000  # the whole
Percent = (
    Annotated[int, msgspec.Meta(ge=1, le=100)]
    | Annotated[str, msgspec.Meta(pattern=whole(r"(0|[1-9][0-9]?)\.[0-9]{1,2}"))]
)


class DiscountDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every kind of discount says.

    Discounts are taken one after the other, from the highest priority on, each from what the ones
    before have left. An `exclusive` one is alone: it is given only if none was before, and then no
    other is. Of one `group` only the largest is given. `at_most` is the most that it takes off, in
    minor units. One that is given `by_code` needs a voucher, or a public code, that names it.
    """

    id: Identifier
    include: SelectionDocument | None = None
    exclude: SelectionDocument | None = None
    condition: ConditionDocument | None = msgspec.field(name="if", default=None)
    campaign: Identifier | None = None
    priority: Priority = 0
    exclusive: bool = False
    group: Identifier | None = None
    at_most: Count | None = None
    by_code: bool = False


@dataclass(frozen=True)
class Basket:
    """An order while it is priced: what each line costs now."""

    order: Order
    prices: tuple[int, ...]
    situation: Situation
    counted: Callable[[Counter], int]

    def chosen(self, lines: Lines) -> tuple[int, ...]:
        """The prices of the chosen lines; 0 for the others. A gift card is never cheaper."""
        return tuple(
            price if lines.hold(line) and not line.gift_card else 0
            for line, price in zip(self.order.lines, self.prices, strict=True)
        )


class Terms(Protocol):
    """One kind of discount."""

    def off(self, basket: Basket, lines: Lines) -> tuple[int, ...] | str:
        """What each line costs less, or why none does. No more than it costs."""


@dataclass(frozen=True)
class Discount:
    """One discount of a compiled program."""

    id: str
    terms: Terms
    lines: Lines
    condition: WhyNot | None = None
    campaign: Campaign | None = None
    priority: int = 0
    exclusive: bool = False
    group: str | None = None
    at_most: int | None = None
    by_code: bool = False

    def off(self, basket: Basket) -> tuple[int, ...] | str:
        """What each line costs less, or why none does."""
        reason = why_not(self.campaign, self.condition, basket.situation)
        if reason:
            return reason
        if not any(basket.chosen(self.lines)):
            return "nothing in the order counts for this discount"
        off = self.terms.off(basket, self.lines)
        if isinstance(off, str):
            return off
        off = tuple(min(one, price) for one, price in zip(off, basket.prices, strict=True))
        if self.at_most is not None and sum(off) > self.at_most:
            off = allocate(self.at_most, off)
        return off if any(off) else "it takes nothing off"


def share(prices: Sequence[int], basis_points: int) -> tuple[int, ...]:
    """So many hundredths of a percent of some prices."""
    amount = Rounding.HALF_UP.divide(sum(prices) * basis_points, BASIS_POINTS)
    return allocate(amount, tuple(prices)) if amount else tuple(0 for _ in prices)


def basis_points(percent: int | str) -> int:
    """Hundredths of a percent: 250 of `"2.5"`."""
    if isinstance(percent, int):
        return percent * 100
    units, _, parts = percent.partition(".")
    return int(units) * 100 + int(parts.ljust(2, "0"))
