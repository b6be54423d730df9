"""Counters: what is counted of a member, for tiers, caps, ladders and segments.

What an order adds is known from the order, from what came back of it and from what it gave, so
that a refund takes exactly its part away again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from chalicelib.domain.counting.tallies import Tally
from chalicelib.domain.counting.windows import Window
from chalicelib.domain.earning.weighing import Cause, Weighing
from chalicelib.domain.orders import Order


class Measure(Enum):
    """What a counter counts."""

    WEIGHT = "weight"  # what its weighing finds in paid orders, or in activities
    ORDERS = "orders"  # paid orders of which something is left
    EARNED = "earned"  # points of a currency that orders and activities gave
    RULE_POINTS = "rule_points"  # points that one rule gave, for its caps
    RULE_TIMES = "rule_times"  # how often one rule paid, for its caps
    REDEEMED = "redeemed"  # how often a reward was taken, for its limit
    REFERRED = "referred"  # friends, or what they brought, for the caps of referrals


@dataclass(frozen=True)
class Counter:
    """One counter of a compiled program."""

    name: str
    number: int
    measure: Measure
    window: Window
    weighing: Weighing | None = None
    of: int = 0  # the currency, or the rule
    channels: frozenset[str] | None = None
    stores: frozenset[str] | None = None

    @property
    def declared(self) -> bool:
        """Whether the document names it; the others belong to rules."""
        return " " not in self.name

    @property
    def of_caps(self) -> bool:
        """Whether what nobody has paid yet is counted too."""
        return self.measure in (Measure.RULE_POINTS, Measure.RULE_TIMES)

    def looks_at(self, cause: Cause) -> bool:
        """Whether it counts such a cause at all."""
        if self.weighing is not None and not isinstance(cause, self.weighing.about):
            return False
        if isinstance(cause, Order):
            return (self.channels is None or cause.channel in self.channels) and (
                self.stores is None or cause.store in self.stores
            )
        return self.measure is not Measure.ORDERS

    def mine(self, tallies: Iterable[Tally]) -> list[Tally]:
        """The tallies of this counter."""
        return [one for one in tallies if one.counter == self.number]

    def value(self, tallies: Iterable[Tally], today: int) -> int:
        """What counts on a day."""
        return self.window.value(self.mine(tallies), today)
