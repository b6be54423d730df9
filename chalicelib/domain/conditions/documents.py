"""How conditions are written: named facts, all of which must hold, and `all`, `any`, `not`.

Amounts of money are integers in minor units of the program's currency. Days and hours are those
of the program's time zone, at the moment when an order was placed or an activity done.
"""

from typing import Annotated, Literal

import msgspec

from chalicelib.kernel.money import MAX_AMOUNT
from chalicelib.kernel.patterns import whole

Identifier = Annotated[str, msgspec.Meta(pattern=whole(r"[a-z][a-z0-9_]{0,39}"))]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Names = Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=1000)]
Day = Annotated[str, msgspec.Meta(pattern=whole(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
Hour = Annotated[str, msgspec.Meta(pattern=whole(r"([01][0-9]|2[0-3]):[0-5][0-9]"))]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT)]
Identifiers = Annotated[tuple[Identifier, ...], msgspec.Meta(min_length=1, max_length=100)]


class HoursDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From one time of the day up to, and without, another; past midnight where it is earlier."""

    from_: Hour = msgspec.field(name="from")
    to: Hour


class DatesDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days, the first and the last included; either may be left out."""

    from_: Day | None = msgspec.field(name="from", default=None)
    to: Day | None = None


class NthDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a member's orders the `exactly`-th, or every `every`-th."""

    exactly: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    every: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)] | None = None


class ConditionDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that is named must hold. `when` is an expression, for what the names cannot say."""

    min_total: Number | None = None  # what is paid for goods
    max_total: Number | None = None
    min_units: Number | None = None
    skus: Names | None = None  # any line has one of them
    categories: Names | None = None
    labels: Names | None = None
    channels: Names | None = None
    stores: Names | None = None
    paid_with: Names | None = None  # any part of the bill: card, gift_card, ...
    members: bool | None = None  # whether it is a member; guests ask for quotes only
    tiers: Identifiers | None = None
    segments: Identifiers | None = None  # in any of them
    plans: Identifiers | None = None  # has one of these paid plans
    weekdays: Annotated[tuple[Weekday, ...], msgspec.Meta(min_length=1, max_length=7)] | None = None
    hours: HoursDocument | None = None
    dates: DatesDocument | None = None
    purchase: NthDocument | None = None
    joined_within_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    when: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | None = None
    all_: Annotated[tuple["ConditionDocument", ...], msgspec.Meta(max_length=20)] | None = (
        msgspec.field(name="all", default=None)
    )
    any_: Annotated[tuple["ConditionDocument", ...], msgspec.Meta(max_length=20)] | None = (
        msgspec.field(name="any", default=None)
    )
    not_: "ConditionDocument | None" = msgspec.field(name="not", default=None)
