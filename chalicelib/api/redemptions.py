"""Redemptions: a member takes a reward, or gives back what it took."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, Answer, Call, Resource
from chalicelib.api.shapes import Amount, PositiveAmount
from chalicelib.api.views import (
    BalanceView,
    EffectView,
    EntryPointer,
    VoucherView,
    appended_fields,
    voucher_view,
)
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import Redeem
from chalicelib.services import redemptions
from chalicelib.services.appending import Appended
from chalicelib.services.redemptions import REDEMPTION, event_of, public_id

resource = Resource(__name__, "redemptions")


class RedeemRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which reward, and how often. What it costs is the program's word.

    Of a reward of kind `cash` the `amount` of points that shall pay, and the `total` of the bill:
    as much is taken as the program allows, in whole steps.
    """

    reward: Annotated[str, Meta(min_length=1, max_length=40)]
    quantity: Annotated[int, Meta(ge=1, le=1000)] = 1
    amount: PositiveAmount | None = None
    total: Amount | None = None


class MoneyView(msgspec.Struct, frozen=True):
    """Money, in minor units."""

    amount: int
    currency: str


class RedemptionView(msgspec.Struct, frozen=True):
    """A reward that was taken; `worth` is what it pays of the bill, `voucher` the code it is."""

    id: str
    member_id: str
    reward: str
    quantity: int
    worth: MoneyView | None
    voucher: VoucherView | None
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
    command = Redeem(
        call.idempotency_key or "",
        request.reward,
        request.quantity,
        request.amount,
        request.total,
    )
    appended = redemptions.redeem(call.context, call.here, member_id, command)
    if isinstance(appended, Refusal):
        return appended
    view = RedemptionView(
        id=public_id(REDEMPTION, appended.stored),
        member_id=member_id,
        reward=request.reward,
        quantity=request.quantity,
        worth=_worth(call, appended),
        voucher=_voucher(call, appended),
        status="fulfilled",
        **appended_fields(call.context.catalog, call.here, appended),
    )
    return Answer(view, replayed=appended.replayed)


def _voucher(call: Call, appended: Appended) -> VoucherView | None:
    program_id = appended.stored.key.program_id
    found = call.context.store.vouchers.of_event(program_id, appended.stored.event_id)
    return None if found is None else voucher_view(found, call.here.now)


def _worth(call: Call, appended: Appended) -> MoneyView | None:
    """What the points pay, by the program version that took them."""
    entry = appended.entry
    program = call.context.catalog.version(call.here.program_id, entry.program_version)
    points = -sum(effect.amount for effect in entry.effects)
    worth = program.rewards_by_number[entry.reward].worth_of(points)
    return None if worth is None else MoneyView(worth, program.money)


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
