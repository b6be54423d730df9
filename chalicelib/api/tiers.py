"""Tiers: the shop gives a member one by hand."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, Answer, Call, Resource, Told
from chalicelib.api.shapes import Day, ShortText, day_of
from chalicelib.api.views import EntryPointer, TierChangeView, tier_change_view
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.commands import SetTier
from chalicelib.services import tiers
from chalicelib.services.notes import keep_note

resource = Resource(__name__, "tiers")


class TierRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The tier below which the member does not fall; null takes it away.

    `until` is the first day on which it holds no longer; without it, it holds for ever.
    """

    tier: Annotated[str, Meta(min_length=1, max_length=40)] | None
    until: Day | None = None
    reason: ShortText


class TierSetView(msgspec.Struct, frozen=True):
    """What it made of the member's tier: null where it stayed as it was."""

    member_id: str
    tier_changed: TierChangeView | None
    entry: EntryPointer


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/tier",
    callers=SHOP,
    body=TierRequest,
    answer=TierSetView,
    status=HTTPStatus.CREATED,
    keyed=True,
    key_required=True,
    audited=True,
)
def set_tier(call: Call, member_id: str) -> Answer | Refusal:
    """Give a member a tier by hand: what he reaches himself counts beside it.

    Needs an `Idempotency-Key`: the same key again is answered with the same, for ever.
    """
    request: TierRequest = call.body
    until = None if request.until is None else day_of(request.until)
    if request.until is not None and (until is None or request.tier is None):
        error = FieldError("until", "is a day of the calendar, for a tier that is given")
        return Refusal("invalid_request", error.reason, (error,))
    command = SetTier(call.idempotency_key or "", request.tier, until)
    appended = tiers.set_tier(call.context, call.here, member_id, command)
    if isinstance(appended, Refusal):
        return appended
    keep_note(call.context, appended, request.reason)
    stored = appended.stored
    view = TierSetView(
        member_id,
        tier_change_view(call.context.catalog, call.here, appended.entry),
        EntryPointer(stored.version, stored.event_id),
    )
    done = {**msgspec.to_builtins(request), "version": stored.version}
    return Answer(view, replayed=appended.replayed, told=Told(member_id, None, done))
