"""Adjustments: the shop gives or takes points by hand."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, Answer, Call, Resource, Told
from chalicelib.api.shapes import CurrencyName, Day, ShortText, day_of
from chalicelib.api.views import BalanceView, EffectView, EntryPointer, appended_fields
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.commands import Adjust
from chalicelib.kernel.money import MAX_AMOUNT
from chalicelib.services import adjustments

resource = Resource(__name__, "adjustments")

SignedAmount = Annotated[int, Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]


class AdjustRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points to give (above zero) or to take, and why.

    `expires_on` is the first day on which given points are gone; without it they last as the
    program says. `allow_debt` takes more than there is.
    """

    currency: CurrencyName
    amount: SignedAmount
    reason: ShortText
    expires_on: Day | None = None
    allow_debt: bool = False


class AdjustmentView(msgspec.Struct, frozen=True):
    """What was given or taken."""

    member_id: str
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/adjustments",
    callers=SHOP,
    body=AdjustRequest,
    answer=AdjustmentView,
    status=HTTPStatus.CREATED,
    keyed=True,
    key_required=True,
    audited=True,
)
def adjust(call: Call, member_id: str) -> Answer | Refusal:
    """Give or take points by hand.

    Needs an `Idempotency-Key`: the same key again is answered with the same adjustment, for ever.
    """
    request: AdjustRequest = call.body
    expires_on = None if request.expires_on is None else day_of(request.expires_on)
    if request.amount == 0:
        return _refuse("amount", "is zero")
    if request.expires_on is not None and (expires_on is None or request.amount < 0):
        return _refuse("expires_on", "is a day of the calendar, for points that are given")
    command = Adjust(
        call.idempotency_key or "",
        request.currency,
        request.amount,
        request.reason,
        expires_on,
        request.allow_debt,
    )
    appended = adjustments.adjust(call.context, call.here, member_id, command)
    if isinstance(appended, Refusal):
        return appended
    view = AdjustmentView(
        member_id=member_id, **appended_fields(call.context.catalog, call.here, appended)
    )
    done = {**msgspec.to_builtins(request), "version": view.entry.version}
    return Answer(view, replayed=appended.replayed, told=Told(member_id, None, done))


def _refuse(field: str, reason: str) -> Refusal:
    return Refusal("invalid_request", f"{field} {reason}", (FieldError(field, reason),))
