"""Redemptions: a member takes a reward, or gives back what it took."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, Answer, Call, Resource
from chalicelib.api.views import BalanceView, EffectView, EntryPointer, appended_fields
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import Redeem
from chalicelib.services import redemptions
from chalicelib.services.redemptions import REDEMPTION, event_of, public_id

resource = Resource(__name__, "redemptions")


class RedeemRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which reward, and how often. What it costs is the program's word."""

    reward: Annotated[str, Meta(min_length=1, max_length=40)]
    quantity: Annotated[int, Meta(ge=1, le=1000)] = 1


class RedemptionView(msgspec.Struct, frozen=True):
    """A reward that was taken."""

    id: str
    member_id: str
    reward: str
    quantity: int
    status: str
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/redemptions",
    callers=SHOP,
    body=RedeemRequest,
    answer=RedemptionView,
    status=HTTPStatus.CREATED,
    keyed=True,
    key_required=True,
)
def redeem(call: Call, member_id: str) -> Answer | Refusal:
    """Redeem a reward.

    Needs an `Idempotency-Key`: the same key again is answered with the same redemption, for ever.
    """
    request: RedeemRequest = call.body
    command = Redeem(call.idempotency_key or "", request.reward, request.quantity)
    appended = redemptions.redeem(call.context, call.here, member_id, command)
    if isinstance(appended, Refusal):
        return appended
    view = RedemptionView(
        id=public_id(REDEMPTION, appended.stored),
        member_id=member_id,
        reward=request.reward,
        quantity=request.quantity,
        status="fulfilled",
        **appended_fields(call.context.catalog, call.here, appended),
    )
    return Answer(view, replayed=appended.replayed)


class GivenBackView(msgspec.Struct, frozen=True):
    """What a cancelled redemption gave back."""

    id: str
    member_id: str
    status: str
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/redemptions/{redemption_id}/cancel",
    callers=SHOP,
    answer=GivenBackView,
)
def cancel(call: Call, member_id: str, redemption_id: str) -> Answer | Refusal:
    """Cancel a redemption: what it took comes back with its own expiry, once for ever."""
    event_id = event_of(redemption_id, REDEMPTION)
    if event_id is None:
        return redemptions.REDEMPTION_NOT_FOUND
    appended = redemptions.cancel(call.context, call.here, member_id, event_id)
    if isinstance(appended, Refusal):
        return appended
    view = GivenBackView(
        id=redemption_id,
        member_id=member_id,
        status="cancelled",
        **appended_fields(call.context.catalog, call.here, appended),
    )
    return Answer(view, replayed=appended.replayed)
