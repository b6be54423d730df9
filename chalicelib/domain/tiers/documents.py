"""How tiers are written in a program document."""

from typing import Annotated, Literal

import msgspec

from chalicelib.domain.conditions.documents import Identifier
from chalicelib.domain.texts import Text
from chalicelib.kernel.money import MAX_AMOUNT

Threshold = Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT)]


class LevelDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One tier: who reaches all of `at_least`, by counter, has it. The first may ask for nothing.

    `benefits` are names that stores and apps ask for: `free_shipping`, `lounge`.
    """

    id: Identifier
    label: Text
    at_least: Annotated[dict[Identifier, Threshold], msgspec.Meta(max_length=4)] = {}
    benefits: Annotated[tuple[Identifier, ...], msgspec.Meta(max_length=50)] = ()


class TiersDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Tiers, the lowest first.

    A tier that was reached is kept as long as its counters are high enough, or longer: to the end
    of the next period of calendar counters, or for some months after it was reached last; and for
    `grace_days` more. At the end it falls to what the counters say, or by one tier at most. Points
    that are spent change no counter; what a refund takes back does.
    """

    levels: Annotated[tuple[LevelDocument, ...], msgspec.Meta(min_length=1, max_length=12)]
    kept: Literal["while_reached", "to_end_of_next_period"] = "while_reached"
    kept_months: Annotated[int, msgspec.Meta(ge=1, le=120)] | None = None
    grace_days: Annotated[int, msgspec.Meta(ge=1, le=366)] | None = None
    falls: Literal["directly", "one_down"] = "directly"
