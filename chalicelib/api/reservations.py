"""Reservations: points are set aside, and then captured, voided, or free again by time."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, SHOP_AND_MEMBER, Answer, Call, Resource
from chalicelib.api.shapes import CurrencyName, MomentText, PositiveAmount, exactly_one
from chalicelib.api.views import BalanceView, EffectView, EntryPointer, appended_fields
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.commands import Capture, OfReservation, Reserve, Void
from chalicelib.domain.ledger.entries import Kind
from chalicelib.kernel.clock import SECOND, to_rfc3339
from chalicelib.services import accounts, redemptions
from chalicelib.services.appending import Appended
from chalicelib.services.redemptions import REDEMPTION, RESERVATION, event_of, public_id

resource = Resource(__name__, "reservations")

SHORTEST_SECONDS, USUAL_SECONDS, LONGEST_SECONDS = 10, 15 * 60, 30 * 24 * 60 * 60


class ReserveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An `amount` of a `currency`, or a `reward`, kept for the member until it is captured.

    After `expires_in_seconds` it is free again by itself.
    """

    currency: CurrencyName | None = None
    amount: PositiveAmount | None = None
    reward: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    quantity: Annotated[int, Meta(ge=1, le=1000)] = 1
    expires_in_seconds: Annotated[int, Meta(ge=SHORTEST_SECONDS, le=LONGEST_SECONDS)] = (
        USUAL_SECONDS
    )


class CaptureRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of it is spent; without an amount all of it."""

    amount: PositiveAmount | None = None


class ReservationView(msgspec.Struct, frozen=True):
    """A reservation, and what this call moved. A captured one can be cancelled as `redemption`."""

    id: str
    member_id: str
    status: str
    expires_at: MomentText | None
    redemption: str | None
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer


class OpenReservationView(msgspec.Struct, frozen=True):
    """A reservation that is open."""

    id: str
    currency: str
    amount: int
    reward: str | None
    quantity: int
    expires_at: MomentText


class OpenReservations(msgspec.Struct, frozen=True):
    """At most eight."""

    data: list[OpenReservationView]
    next_cursor: None = None


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/reservations",
    callers=SHOP,
    body=ReserveRequest,
    answer=ReservationView,
    status=HTTPStatus.CREATED,
    keyed=True,
    key_required=True,
)
def reserve(call: Call, member_id: str) -> Answer | Refusal:
    """Reserve points for a member.

    Needs an `Idempotency-Key`: the same key again is answered with the same reservation, for ever.
    """
    request: ReserveRequest = call.body
    both = (request.currency is None) != (request.amount is None)
    if both or not exactly_one((request.currency, request.reward)):
        reason = "name a currency and an amount, or a reward"
        return Refusal("invalid_request", reason, (FieldError("currency", reason),))
    command = Reserve(
        call.idempotency_key or "",
        request.currency,
        request.amount or 0,
        request.reward,
        request.quantity,
        request.expires_in_seconds * SECOND,
    )
    appended = redemptions.reserve(call.context, call.here, member_id, command)
    if isinstance(appended, Refusal):
        return appended
    expires_at = appended.entry.recorded_at + command.lasts_milliseconds
    reservation_id = public_id(RESERVATION, appended.stored)
    return _answer(call, member_id, reservation_id, appended, to_rfc3339(expires_at))


@resource.endpoint(
    "GET",
    "/v1/members/{member_id}/reservations",
    callers=SHOP_AND_MEMBER,
    answer=OpenReservations,
)
def list_open(call: Call, member_id: str) -> OpenReservations | Refusal:
    """List a member's open reservations."""
    head = accounts.account(call.context, call.here, member_id)
    if isinstance(head, Refusal):
        return head
    program = call.context.catalog.version(call.here.program_id, head.program_version)
    names = {reward.number: reward.id for reward in program.rewards}
    return OpenReservations(
        [
            OpenReservationView(
                f"{RESERVATION}_{head.key.member_id.removeprefix('mem_')}.{hold.number}",
                program.currency_names[hold.currency],
                hold.amount,
                names.get(hold.reward),
                hold.quantity,
                to_rfc3339(hold.expires_at),
            )
            for hold in head.snapshot.holds
        ]
    )


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/reservations/{reservation_id}/capture",
    callers=SHOP,
    body=CaptureRequest,
    answer=ReservationView,
)
def capture(call: Call, member_id: str, reservation_id: str) -> Answer | Refusal:
    """Capture a reservation: spend it, all or an amount; the rest is free again.

    A reservation ends once. The same capture again is answered the same; after another end it is
    refused.
    """
    event_id = event_of(reservation_id, RESERVATION)
    if event_id is None:
        return redemptions.RESERVATION_NOT_FOUND
    return _resolve(call, member_id, reservation_id, Capture(event_id, call.body.amount))


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/reservations/{reservation_id}/void",
    callers=SHOP,
    answer=ReservationView,
)
def void(call: Call, member_id: str, reservation_id: str) -> Answer | Refusal:
    """Void a reservation: all of it is free again, with its own expiry."""
    event_id = event_of(reservation_id, RESERVATION)
    if event_id is None:
        return redemptions.RESERVATION_NOT_FOUND
    return _resolve(call, member_id, reservation_id, Void(event_id))


def _resolve(
    call: Call, member_id: str, reservation_id: str, command: OfReservation
) -> Answer | Refusal:
    appended = redemptions.resolve(call.context, call.here, member_id, command)
    if isinstance(appended, Refusal):
        return appended
    return _answer(call, member_id, reservation_id, appended)


def _answer(
    call: Call,
    member_id: str,
    reservation_id: str,
    appended: Appended,
    expires_at: str | None = None,
) -> Answer:
    kind = Kind(appended.entry.kind)
    captured = kind is Kind.CAPTURED
    view = ReservationView(
        id=reservation_id,
        member_id=member_id,
        status=kind.name.lower(),
        expires_at=expires_at,
        redemption=public_id(REDEMPTION, appended.stored) if captured else None,
        **appended_fields(call.context.catalog, call.here, appended),
    )
    return Answer(view, replayed=appended.replayed)
