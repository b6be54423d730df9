"""Activities: what members do that is no order."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, Answer, Call, Resource
from chalicelib.api.shapes import Identifier, Moment, Source
from chalicelib.api.views import (
    BalanceView,
    EffectView,
    EntryPointer,
    TierChangeView,
    appended_fields,
    tier_change_view,
)
from chalicelib.domain.activities import Activity
from chalicelib.domain.errors import Refusal
from chalicelib.kernel.clock import from_datetime
from chalicelib.kernel.money import MAX_AMOUNT
from chalicelib.services import activities

resource = Resource(__name__, "activities")

Number = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
PropertyText = Annotated[str, Meta(max_length=128)]


class ActivityRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An activity of a type that the program knows, and what it says: numbers, texts, truths."""

    source: Source
    id: Identifier
    member_id: Identifier
    type: Annotated[str, Meta(min_length=1, max_length=40)]
    occurred_at: Moment
    properties: Annotated[
        dict[Annotated[str, Meta(max_length=40)], bool | Number | PropertyText], Meta(max_length=20)
    ] = {}


class ActivityView(msgspec.Struct, frozen=True):
    """What an activity gave."""

    source: str
    id: str
    member_id: str
    tier_changed: TierChangeView | None
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer


@resource.endpoint(
    "POST",
    "/v1/activities",
    callers=SHOP,
    body=ActivityRequest,
    answer=ActivityView,
    status=HTTPStatus.CREATED,
)
def record_activity(call: Call) -> Answer | Refusal:
    """Record what a member did.

    Once for ever for one source and id of a member: the same activity again is answered with what
    it gave the first time, another content is refused.
    """
    request: ActivityRequest = call.body
    at = from_datetime(request.occurred_at)
    activity = Activity(request.source, request.id, request.type, at, dict(request.properties))
    appended = activities.record_activity(call.context, call.here, request.member_id, activity)
    if isinstance(appended, Refusal):
        return appended
    catalog, here = call.context.catalog, call.here
    view = ActivityView(
        source=request.source,
        id=request.id,
        member_id=appended.stored.key.member_id,
        tier_changed=tier_change_view(catalog, here, appended.entry),
        **appended_fields(catalog, here, appended),
    )
    return Answer(view, replayed=appended.replayed)
