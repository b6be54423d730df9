"""A member's ledger: its entries, statements of a period, the proof that nothing was changed."""

import msgspec

from chalicelib.api.endpoints import SHOP, SHOP_AND_MEMBER, Call, Resource
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import Cursor, Limit, Moment
from chalicelib.api.views import BalanceView, EntryView, balances_view, entry_view
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.kernel.clock import from_datetime
from chalicelib.services import accounts
from chalicelib.services.accounts import Row

resource = Resource(__name__, "entries")


class EntryPageView(msgspec.Struct, frozen=True):
    """Entries, newest first."""

    data: list[EntryView]
    next_cursor: str | None


class StatementQuery(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"start": "from", "end": "to"},
):
    """From one moment to, and without, another."""

    start: Moment
    end: Moment
    limit: Limit = 100
    cursor: Cursor | None = None


class StatementView(msgspec.Struct, frozen=True):
    """What a period began with, what happened in it (oldest first), and what it ended with.

    `head_hash` is the link of the chain at the period's end: whoever keeps it can prove later
    that nothing up to there was changed.
    """

    member_id: str
    opening: dict[str, BalanceView]
    entries: list[EntryView]
    closing: dict[str, BalanceView]
    opening_hash: str
    head_hash: str
    next_cursor: str | None


class VerifyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a long proof goes on."""

    cursor: Cursor | None = None


class BrokenView(msgspec.Struct, frozen=True):
    """The newest entry that is not what it must be."""

    version: int
    reason: str


class ProofView(msgspec.Struct, frozen=True):
    """Whether the chain of hashes and the sums of a log are right, as far as they were checked.

    Up to 1,000 entries are checked at once, newest first; `next_cursor` goes on with older ones.
    """

    member_id: str
    valid: bool
    checked: int
    head_version: int
    head_hash: str
    broken: BrokenView | None
    next_cursor: str | None


@resource.endpoint(
    "GET",
    "/v1/members/{member_id}/entries",
    callers=SHOP_AND_MEMBER,
    query=PageQuery,
    answer=EntryPageView,
)
def list_entries(call: Call, member_id: str) -> EntryPageView | Refusal:
    """List a member's entries, newest first."""
    purpose = f"entries {member_id}"
    place = place_of(call, purpose, call.query.cursor)
    if isinstance(place, Refusal):
        return place
    before = int(place) if place else None
    page = accounts.entries(call.context, call.here, member_id, before, call.query.limit)
    if isinstance(page, Refusal):
        return page
    return EntryPageView(_views(call, page.rows), cursor_to(call, purpose, page.before))


@resource.endpoint(
    "GET",
    "/v1/members/{member_id}/statement",
    callers=SHOP_AND_MEMBER,
    query=StatementQuery,
    answer=StatementView,
)
def statement(call: Call, member_id: str) -> StatementView | Refusal:
    """Read the statement of a period: opening balances, entries, closing balances."""
    period = (from_datetime(call.query.start), from_datetime(call.query.end))
    if period[0] >= period[1]:
        error = FieldError("to", "is not after from")
        return Refusal("invalid_request", "the period is empty", (error,))
    purpose = f"statement {member_id} {period[0]} {period[1]}"
    place = place_of(call, purpose, call.query.cursor)
    if isinstance(place, Refusal):
        return place
    found = accounts.statement(
        call.context, call.here, member_id, period, int(place) if place else None, call.query.limit
    )
    if isinstance(found, Refusal):
        return found
    return StatementView(
        member_id=found.closing.key.member_id,
        opening=_balances(call, found.opening),
        entries=_views(call, found.rows),
        closing=_balances(call, found.closing),
        opening_hash=found.opening.hash.hex(),
        head_hash=found.closing.hash.hex(),
        next_cursor=cursor_to(call, purpose, found.after),
    )


@resource.endpoint(
    "GET",
    "/v1/members/{member_id}/verify",
    callers=SHOP,
    query=VerifyQuery,
    answer=ProofView,
)
def verify(call: Call, member_id: str) -> ProofView | Refusal:
    """Prove a member's log: recompute the chain of hashes and every sum."""
    purpose = f"verify {member_id}"
    place = place_of(call, purpose, call.query.cursor)
    if isinstance(place, Refusal):
        return place
    proof = accounts.prove(call.context, call.here, member_id, int(place) if place else None)
    if isinstance(proof, Refusal):
        return proof
    stretch = proof.stretch
    broken = stretch.broken
    return ProofView(
        member_id=member_id,
        valid=broken is None,
        checked=stretch.proved,
        head_version=proof.head.version,
        head_hash=proof.head.hash.hex(),
        broken=BrokenView(broken.version, broken.reason) if broken else None,
        next_cursor=cursor_to(call, purpose, stretch.before),
    )


def _views(call: Call, rows: list[Row]) -> list[EntryView]:
    catalog = call.context.catalog
    return [
        entry_view(catalog.version(call.here.program_id, row.entry.program_version), row)
        for row in rows
    ]


def _balances(call: Call, head: Head) -> dict[str, BalanceView]:
    program = call.context.catalog.version(call.here.program_id, head.program_version)
    names = call.context.catalog.current(call.here.program) or program
    return balances_view(program, names, head.snapshot)
