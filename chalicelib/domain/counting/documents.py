"""How counters are written in a program document."""

from typing import Annotated, Literal

import msgspec

from chalicelib.domain.conditions.documents import Identifier, Names
from chalicelib.domain.earning.documents import SelectionDocument
from chalicelib.domain.earning.per_amount import BasisDocument


class WindowDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly one: the last so many days or months, or everything since a pause of so many."""

    rolling_days: Annotated[int, msgspec.Meta(ge=1, le=400)] | None = None
    rolling_months: Annotated[int, msgspec.Meta(ge=1, le=13)] | None = None
    until_idle_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None
    until_idle_months: Annotated[int, msgspec.Meta(ge=1, le=120)] | None = None


Window = Literal["lifetime", "day", "week", "month", "quarter", "year"] | WindowDocument


class CounterDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is counted of each member, for tiers, segments and ladders.

    `spend` is money of paid orders, `units` are things bought, `orders` are paid orders, `points`
    are points of `currency` that orders and activities earned (spending them changes nothing),
    `activity` counts the activities of a type, or sums one of their properties. What comes back is
    taken away again.
    """

    of: Literal["spend", "units", "orders", "points", "activity"]
    window: Window = "lifetime"
    currency: Identifier | None = None
    activity: Identifier | None = None
    property: Identifier | None = None
    basis: BasisDocument | None = None
    include: SelectionDocument | None = None
    exclude: SelectionDocument | None = None
    channels: Names | None = None
    stores: Names | None = None
