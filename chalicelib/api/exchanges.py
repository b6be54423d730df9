"""Exchanges: points of one currency for points of another, at the program's rate."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, Answer, Call, Resource
from chalicelib.api.shapes import PositiveAmount
from chalicelib.api.views import BalanceView, EffectView, EntryPointer, appended_fields
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import Exchange
from chalicelib.services import exchanges

resource = Resource(__name__, "exchanges")


class ExchangeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which exchange of the program, and at most how many points are to be taken."""

    exchange: Annotated[str, Meta(min_length=1, max_length=40)]
    amount: PositiveAmount


class ExchangeView(msgspec.Struct, frozen=True):
    """What was taken and given: whole steps; what is below one stays."""

    member_id: str
    exchange: str
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/exchanges",
    callers=SHOP,
    body=ExchangeRequest,
    answer=ExchangeView,
    status=HTTPStatus.CREATED,
    keyed=True,
    key_required=True,
)
def exchange(call: Call, member_id: str) -> Answer | Refusal:
    """Exchange points for points of another currency.

    Needs an `Idempotency-Key`: the same key again is answered with the same exchange, for ever.
    """
    request: ExchangeRequest = call.body
    command = Exchange(call.idempotency_key or "", request.exchange, request.amount)
    appended = exchanges.exchange(call.context, call.here, member_id, command)
    if isinstance(appended, Refusal):
        return appended
    view = ExchangeView(
        member_id=member_id,
        exchange=request.exchange,
        **appended_fields(call.context.catalog, call.here, appended),
    )
    return Answer(view, replayed=appended.replayed)
