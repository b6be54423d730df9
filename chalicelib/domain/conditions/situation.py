"""What a condition may ask about: an order or an activity, the moment, and the member.

Of the member there are codes only (his tier, his segments), never personal data: what is known is
kept in the entry, so that a change of the order is decided on what was known then.
"""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from chalicelib.domain.activities import Activity
from chalicelib.domain.occasions import Occasion
from chalicelib.domain.orders import Order
from chalicelib.kernel.clock import Instant, local_date, to_datetime


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What was known of the member when something was decided, in the program's numbers."""

    tier: int = 0  # 0: none
    nth: int = 1  # which of his orders it is
    segments: tuple[int, ...] = ()
    held_out: tuple[int, ...] = ()  # the campaigns that he is kept out of
    campaigns: tuple[int, ...] = ()  # whose budget is used up
    plan: int = 0  # the paid plan that he has; 0: none


NOBODY = Known()


@dataclass(frozen=True)
class Situation:
    """Everything that the rules of one program may know of one cause."""

    cause: Order | Activity | Occasion
    zone: ZoneInfo
    joined_at: Instant
    known: Known = NOBODY
    is_member: bool = True

    @cached_property
    def local(self) -> datetime:
        """The moment of the cause on the program's clock."""
        return to_datetime(self.cause.placed_at).astimezone(self.zone)

    @cached_property
    def day(self) -> date:
        return self.local.date()

    @cached_property
    def joined_on(self) -> date:
        return local_date(self.joined_at, self.zone)

    @property
    def order(self) -> Order | None:
        return self.cause if isinstance(self.cause, Order) else None

    @cached_property
    def total(self) -> int:
        """What is paid for goods, as the prices have tax."""
        return sum(self.order.goods) if self.order else 0

    @cached_property
    def units(self) -> int:
        return sum(line.quantity for line in self.order.lines) if self.order else 0

    @cached_property
    def skus(self) -> frozenset[str]:
        return frozenset(line.sku for line in self.order.lines if line.sku) if self.order else _NONE

    @cached_property
    def categories(self) -> frozenset[str]:
        lines = self.order.lines if self.order else ()
        return frozenset(name for line in lines for name in line.categories)

    @cached_property
    def labels(self) -> frozenset[str]:
        lines = self.order.lines if self.order else ()
        return frozenset(name for line in lines for name in line.labels)

    @cached_property
    def payments(self) -> frozenset[str]:
        payments = self.order.paid_with if self.order else ()
        return frozenset(one.kind for one in payments)

    @property
    def channel(self) -> str:
        return (self.order.channel if self.order else None) or ""

    @property
    def store(self) -> str:
        return (self.order.store if self.order else None) or ""

    def property(self, name: str, default: Any) -> Any:
        """What an activity says of itself."""
        cause = self.cause
        return cause.properties.get(name, default) if isinstance(cause, Activity) else default


_NONE: frozenset[str] = frozenset()
