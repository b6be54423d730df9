"""The rows of files: those of an import are read, and those of an export written, in the shapes in
which the API itself asks and answers."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import Invalid, decode_json
from chalicelib.api.members import ConsentRequest, EnrolRequest, check_fields
from chalicelib.api.orders import OrderRequest, order_of, reserved
from chalicelib.api.shapes import CurrencyName, Day, Moment, day_of
from chalicelib.api.views import entry_view, member_view
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.jobs.imports import MemberRow, Opening, OrderRow
from chalicelib.domain.ledger.entries import StoredEntry
from chalicelib.domain.members.member import Consent, Member, Profile
from chalicelib.domain.program.program import Program
from chalicelib.domain.referrals.checks import Seen
from chalicelib.kernel.clock import EARLIEST, from_datetime
from chalicelib.kernel.money import MAX_AMOUNT
from chalicelib.services.accounts import Row
from chalicelib.services.context import Here

Balance = Annotated[int, Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]


class OpeningRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points that a member brings; `expires_on` is the first day on which they are gone."""

    amount: Balance
    expires_on: Day | None = None


Openings = Annotated[tuple[OpeningRequest, ...], Meta(max_length=100)]
Balances = dict[CurrencyName, Openings]


class MemberRowRequest(EnrolRequest, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A member as he is enrolled, since when he is one, and what he brings."""

    joined_at: Moment | None = None
    tier: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    tier_until: Day | None = None
    balances: Balances = msgspec.field(default_factory=dict)


def read_member(here: Here, raw: bytes) -> MemberRow | Refusal:
    """What a row of members says."""
    try:
        request: MemberRowRequest = decode_json(raw, MemberRowRequest)
    except Invalid as invalid:
        return invalid.refusal
    fields = {name: getattr(request, name) for name in EnrolRequest.__struct_fields__}
    code, traces = fields.pop("referral_code"), fields.pop("traces")
    errors = [*check_fields(fields), *_check_days(request)]
    if code is not None or traces is not None:
        errors.append(FieldError("referral_code", "nobody is brought by a file"))
    if errors:
        return Refusal("invalid_request", "the member cannot be brought", tuple(errors))
    joined_at = from_datetime(request.joined_at) if request.joined_at else None
    given_at = here.now if joined_at is None else joined_at
    consents = tuple(_consent(one, given_at) for one in request.consents)
    return MemberRow(
        Profile(**{**fields, "consents": consents}),
        joined_at,
        request.tier,
        _day(request.tier_until),
        tuple(
            Opening(currency, one.amount, _day(one.expires_on))
            for currency, openings in sorted(request.balances.items())
            for one in openings
            if one.amount
        ),
    )


def read_order(raw: bytes) -> OrderRow | Refusal:
    """What a row of orders says."""
    try:
        request: OrderRequest = decode_json(raw, OrderRequest)
    except Invalid as invalid:
        return invalid.refusal
    order = reserved(request.source) or order_of(request, request.source)
    if isinstance(order, Refusal):
        return order
    reference: dict[str, Any] = msgspec.structs.asdict(request.member) if request.member else {}
    buyer = Seen(**msgspec.structs.asdict(request.buyer)) if request.buyer else None
    is_paid = request.status == "paid"
    return OrderRow(order, is_paid, request.member_id, Profile(**reference), buyer)


def member_row(member: Member) -> bytes:
    """A member as GET /v1/members/{member_id} shows him."""
    return msgspec.json.encode(member_view(member))


def entry_row(program: Program, row: Row) -> bytes:
    """An entry as GET /v1/members/{member_id}/entries shows it, and whose it is."""
    stored: StoredEntry = row.stored
    view = msgspec.json.encode(entry_view(program, row))
    return b'{"member_id":%b,%b' % (msgspec.json.encode(stored.key.member_id), view[1:])


def _check_days(request: MemberRowRequest) -> list[FieldError]:
    days = [("tier_until", request.tier_until)]
    for currency, openings in request.balances.items():
        days += [(f"balances.{currency}", one.expires_on) for one in openings]
    wrong = [
        FieldError(field, "is not a day of the calendar")
        for field, text in days
        if text is not None and day_of(text) is None
    ]
    if request.tier_until is not None and request.tier is None:
        wrong.append(FieldError("tier_until", "is of a tier that is given"))
    if request.joined_at is not None and from_datetime(request.joined_at) < EARLIEST:
        wrong.append(FieldError("joined_at", "lies before 1970"))
    return wrong


def _day(text: str | None) -> Any:
    return None if text is None else day_of(text)


def _consent(one: ConsentRequest, given_at: int) -> Consent:
    return Consent(one.purpose, one.granted, one.version, given_at, one.source or "import")
