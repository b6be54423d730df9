"""An order as every rule sees it, and the sharing of its totals over its lines.

All amounts are integers in minor units of the order's currency.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property

from chalicelib.domain.errors import FieldError
from chalicelib.kernel.canonical import fingerprint
from chalicelib.kernel.clock import Instant
from chalicelib.kernel.money import MAX_AMOUNT

GIFT_CARD = "gift_card"


@dataclass(frozen=True)
class OrderLine:
    """One line: `quantity` of one thing at `unit_price`, less `discount` in all."""

    id: str
    quantity: int
    unit_price: int
    sku: str | None = None
    name: str | None = None
    categories: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    discount: int = 0
    tax: int | None = None  # of the whole line; inside the price if the order says tax_included
    gift_card: bool = False  # a gift card is bought

    @property
    def price(self) -> int:
        """After the line's own discount, before its share of the order's."""
        return self.unit_price * self.quantity - self.discount


@dataclass(frozen=True)
class Payment:
    """A part of the bill and what paid it."""

    kind: str
    amount: int


@dataclass(frozen=True)
class Order:
    """What somebody bought, once."""

    source: str
    id: str
    currency: str
    placed_at: Instant
    lines: tuple[OrderLine, ...]
    channel: str | None = None
    store: str | None = None
    shipping: int = 0
    tax: int = 0  # of the whole order, where the lines do not say theirs
    tax_included: bool = True
    discount: int = 0  # of the whole order, beside those of the lines
    tip: int = 0
    paid_with: tuple[Payment, ...] = ()
    redemptions: tuple[str, ...] = ()  # what members took for it: comes back when all of it does
    updated_at: Instant | None = None  # when the store changed it: an older content is outdated

    @cached_property
    def goods(self) -> tuple[int, ...]:
        """What each line costs after every discount, tax as the prices have it."""
        prices = [line.price for line in self.lines]
        shares = allocate(self.discount, prices)
        return tuple(price - share for price, share in zip(prices, shares, strict=True))

    @cached_property
    def places(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """At which places the lines stand that carry a name: by SKU, category and label."""
        found: dict[str, dict[str, tuple[int, ...]]] = {"skus": {}, "categories": {}, "labels": {}}
        for at, line in enumerate(self.lines):
            names = {"skus": (line.sku,), "categories": line.categories, "labels": line.labels}
            for kind, carried in names.items():
                for name in carried:
                    if name is not None:
                        found[kind][name] = (*found[kind].get(name, ()), at)
        return found

    @cached_property
    def derived(self) -> dict[object, tuple[int, ...]]:
        """What rules have worked out of the order already: many ask for the same."""
        return {}

    @cached_property
    def quantities(self) -> tuple[int, ...]:
        return tuple(line.quantity for line in self.lines)

    @cached_property
    def full_prices(self) -> tuple[int, ...]:
        """What each line costs before every discount."""
        return tuple(line.unit_price * line.quantity for line in self.lines)

    @cached_property
    def taxes(self) -> tuple[int, ...]:
        """The tax of each line: its own, or its share of the order's."""
        if any(line.tax is not None for line in self.lines):
            return tuple(line.tax or 0 for line in self.lines)
        return allocate(self.tax, self.goods)

    @cached_property
    def paid_lines(self) -> tuple[int, ...]:
        """What was paid for each line, tax included."""
        if self.tax_included:
            return self.goods
        return tuple(goods + tax for goods, tax in zip(self.goods, self.taxes, strict=True))

    @cached_property
    def total(self) -> int:
        """What was paid in all: the most that refunds can give back."""
        return sum(self.paid_lines) + self.shipping + self.tip

    @cached_property
    def fingerprint(self) -> bytes:
        """16 bytes over everything that the order says."""
        return fingerprint(asdict(self))

    def is_outdated_by(self, other: "Order") -> bool:
        """Whether the store said the other later. Of two of one time that with the greater
        fingerprint is the later; what bears no time is never outdated."""
        if self.updated_at is None:
            return False
        mine, its = (self.updated_at, self.fingerprint), (other.updated_at or 0, other.fingerprint)
        return mine < its

    def says_as(self, other: "Order") -> bool:
        """Whether both say the same, whenever they say it."""
        return replace(self, updated_at=other.updated_at) == other


def without_free_text(order: Order) -> Order:
    """The order without what people wrote: no rule reads it, and it may tell of a person."""
    return replace(order, lines=tuple(replace(line, name=None) for line in order.lines))


def check_order(order: Order) -> list[FieldError]:
    """The contradictions in an order, none for a sound one."""
    errors: list[FieldError] = []
    identifiers = [line.id for line in order.lines]
    for index, line in enumerate(order.lines):
        at = f"lines[{index}]"
        if line.id in identifiers[:index]:
            errors.append(FieldError(f"{at}.id", "another line has this id"))
        if line.price < 0:
            errors.append(FieldError(f"{at}.discount", "is above the price of the line"))
        elif order.tax_included and (line.tax or 0) > line.price:
            errors.append(FieldError(f"{at}.tax", "is above the price that includes it"))
    if errors:
        return errors
    if order.discount > sum(line.price for line in order.lines):
        return [FieldError("discount", "is above the price of all lines")]
    if order.tax_included and order.tax > sum(order.goods) + order.shipping:
        return [FieldError("tax", "is above the prices that include it")]
    if order.total > MAX_AMOUNT:
        return [FieldError("lines", f"the order is above {MAX_AMOUNT}")]
    return []


def allocate(total: int, weights: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    """Shares of `total` in proportion to `weights`, by the largest remainder.

    The shares sum to `total` exactly; a tie goes to the earlier one. With no weight at all the
    first share takes everything. An empty list of weights takes nothing.
    """
    whole = sum(weights)
    if not weights:
        return ()
    if whole == 0:
        return (total, *(0 for _ in weights[1:]))
    shares = [total * weight // whole for weight in weights]
    left = total - sum(shares)
    by_remainder = sorted(
        range(len(weights)), key=lambda index: (-(total * weights[index] % whole), index)
    )
    for index in by_remainder[:left]:
        shares[index] += 1
    return tuple(shares)
