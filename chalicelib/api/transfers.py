"""Transfers: a member gives points to another."""

from http import HTTPStatus

import msgspec

from chalicelib.api.endpoints import SHOP, Answer, Call, Resource, Told
from chalicelib.api.shapes import CurrencyName, Identifier, PositiveAmount, ShortText
from chalicelib.api.views import BalanceView, EffectView, EntryPointer, appended_fields
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import Transfer
from chalicelib.services import transfers

resource = Resource(__name__, "transfers")


class TransferRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much, and to whom. The points keep the expiry that they have."""

    to_member_id: Identifier
    currency: CurrencyName
    amount: PositiveAmount
    reason: ShortText | None = None


class TransferView(msgspec.Struct, frozen=True):
    """A transfer, as the giver's account shows it."""

    member_id: str
    to_member_id: str
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/transfers",
    callers=SHOP,
    body=TransferRequest,
    answer=TransferView,
    status=HTTPStatus.CREATED,
    keyed=True,
    key_required=True,
    audited=True,
)
def transfer(call: Call, member_id: str) -> Answer | Refusal:
    """Transfer points to another member: both accounts change, or none.

    Needs an `Idempotency-Key`: the same key again is answered with the same transfer, for ever.
    """
    request: TransferRequest = call.body
    command = Transfer(
        call.idempotency_key or "", request.to_member_id, request.currency, request.amount
    )
    appended = transfers.transfer(call.context, call.here, member_id, command, request.reason)
    if isinstance(appended, Refusal):
        return appended
    view = TransferView(
        member_id=member_id,
        to_member_id=request.to_member_id,
        **appended_fields(call.context.catalog, call.here, appended),
    )
    done = {**msgspec.to_builtins(request), "version": view.entry.version}
    return Answer(view, replayed=appended.replayed, told=Told(member_id, None, done))
