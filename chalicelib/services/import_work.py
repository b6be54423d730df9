"""The worker of imports: the first part puts the rows in order, each other one works some of them.

A part is worked, then written into the record on the condition that nobody else did, then the
message of the next is sent. Whoever dies in between lets his message come again: it finds its part
undone, or done and its successor perhaps never sent, and sends that once more. (Only a message that
was received before does so: if every copy did, there would be more with each part.) The rows
themselves are idempotent, so that the ledger ends the same however often a part is worked.

What is imported is history: its entries say so, and nobody is told of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.jobs.imports import (
    Became,
    Counts,
    Import,
    Kind,
    MemberRow,
    OrderRow,
    RowError,
)
from chalicelib.domain.jobs.status import Status
from chalicelib.domain.ledger.commands import Adjust, SetTier
from chalicelib.domain.ledger.orders import refuse_time
from chalicelib.domain.members.member import check_identities, identities
from chalicelib.domain.ports import Files, Queue
from chalicelib.domain.program.program import Program, currency_of
from chalicelib.domain.referrals.checks import Seen
from chalicelib.kernel.clock import DAY, local_date
from chalicelib.services import adjustments, members, tiers, traces
from chalicelib.services.attribution import arrival
from chalicelib.services.bulk import Outcome, Recording, record_orders
from chalicelib.services.context import Context, Here
from chalicelib.services.import_rows import BadFile, put_in_order, read_rows
from chalicelib.services.imports import MAX_BYTES, message
from chalicelib.services.orders import program_for
from chalicelib.services.side_by_side import side_by_side

ROWS = 500  # of a part: some seconds of work
ERRORS_KEPT = 30 * DAY
OPENING = "opening balance, imported"

Result = Became | Refusal


class Rows(Protocol):
    """Reads rows: their shapes are those of the API."""

    def read_member(self, here: Here, raw: bytes) -> MemberRow | Refusal: ...

    def read_order(self, raw: bytes) -> OrderRow | Refusal: ...


@dataclass(frozen=True)
class Desk:
    """What the worker works with."""

    context: Context
    here: Here
    files: Files
    queue: Queue
    rows: Rows


def work_import(desk: Desk, import_id: str, part: int, *, again: bool) -> None:
    """Works a part, and sends the message of the next.

    A part that is done is no more; where its message comes `again` the next may be missing.
    """
    found = desk.context.store.imports.get(desk.here.program_id, import_id)
    if found is None or found.status is not Status.RUNNING:
        return
    if found.part == part:
        after = _in_order(desk, found) if part == 0 else _worked(desk, found)
        if not desk.context.store.imports.put(after):
            return  # another worker was faster, and sends the next
        found, again = after, True
    if found.status.has_ended:
        _clear(desk.files, found)
    elif again and found.part == part + 1:
        desk.queue.send([message(found)])


def _in_order(desk: Desk, one: Import) -> Import:
    try:
        name, rows = put_in_order(one, desk.files, MAX_BYTES)
    except BadFile as why:
        return one.failed(str(why), desk.context.clock.now())
    return one.in_order(name, rows)


def _worked(desk: Desk, one: Import) -> Import:
    """The import after its next part. What was refused is kept before it counts as done."""
    rows, behind = read_rows(desk.files, one.rows_file, one.offset, ROWS)
    here = replace(desk.here, imports=True)
    desk = replace(desk, here=here)
    work = _work_members if one.kind is Kind.MEMBERS else _work_orders
    results = work(desk, [raw for _, raw in rows], dry_run=one.dry_run)
    errors = [
        _error(number, result)
        for (number, _), result in zip(rows, results, strict=True)
        if isinstance(result, Refusal)
    ]
    now = desk.context.clock.now()
    desk.context.store.imports.add_errors(one, one.kept(errors), now + ERRORS_KEPT)
    counts = Counts(
        results.count(Became.CREATED), results.count(Became.UNCHANGED), refused=len(errors)
    )
    is_last = one.counts.done + counts.done >= one.rows
    return one.after(counts, behind, now if is_last else None)


def _clear(files: Files, one: Import) -> None:
    """Nobody needs the personal data again; what a crash leaves ends with the bucket's week."""
    files.remove(one.upload)
    if one.rows_file:
        files.remove(one.rows_file)


LONGEST = 300  # characters of what an error repeats of its row


def _error(number: int, refusal: Refusal) -> RowError:
    first = refusal.errors[0] if refusal.errors else FieldError("", refusal.detail)
    return RowError(number, first.field[:LONGEST], refusal.code, first.reason[:LONGEST])


def _work_members(desk: Desk, raws: Sequence[bytes], *, dry_run: bool) -> list[Result]:
    """Side by side; rows of the same member one after the other."""
    read = [desk.rows.read_member(desk.here, raw) for raw in raws]
    queues: dict[object, list[int]] = {}
    for index, row in enumerate(read):
        queues.setdefault(_whose(row) or index, []).append(index)
    work = _foresee_member if dry_run else _bring_member

    def in_turn(queue: list[int]) -> list[tuple[int, Result]]:
        return [
            (at, row if isinstance(row, Refusal) else work(desk, row))
            for at in queue
            for row in (read[at],)
        ]

    done = [one for queue in side_by_side(in_turn, queues.values()) for one in queue]
    return [result for _, result in sorted(done, key=lambda one: one[0])]


def _foresee_member(desk: Desk, row: MemberRow) -> Result:
    refusal = _refuse(desk, row)
    if refusal is not None:
        return refusal
    claims = [
        desk.context.store.members.claimed_by(desk.here.program_id, claim)
        for claim in members.claims_of(desk.context, desk.here, row.profile)
    ]
    if not any(claims):
        return Became.CREATED
    return Became.UNCHANGED if len(set(claims)) == 1 else members.EXISTS


def _bring_member(desk: Desk, row: MemberRow) -> Result:
    """Enrols who is not there; who is keeps his profile. What he brings he has once for ever,
    whichever file it comes in: its key is made of who he is."""
    context, here = desk.context, desk.here
    refusal = _refuse(desk, row)
    if refusal is not None:
        return refusal
    origin_of = arrival(context, here, row.profile, None, Seen())
    enrolled = members.enrol(
        context, here, row.profile, None, "import", origin_of, joined_at=row.joined_at
    )
    if isinstance(enrolled, Refusal):
        member_id = members.claimant(context, here, row.profile)
        if enrolled.code != members.EXISTS.code or member_id is None:
            return enrolled
        is_new = False
    else:
        member_id, is_new = enrolled.member.id, not enrolled.replayed
    brought = _bring_openings(desk, member_id, row)
    if isinstance(brought, Refusal):
        return brought
    return Became.CREATED if is_new or brought else Became.UNCHANGED


def _bring_openings(desk: Desk, member_id: str, row: MemberRow) -> bool | Refusal:
    """Whether a balance or the tier was new."""
    context, here = desk.context, desk.here
    is_new = False
    for number, one in enumerate(row.openings):
        key = f"import:{member_id}:{one.currency}:{number}"
        command = Adjust(key, one.currency, one.amount, OPENING, one.expires_on, allow_debt=True)
        appended = adjustments.adjust(context, here, member_id, command)
        if isinstance(appended, Refusal):
            return appended
        is_new |= not appended.replayed
    if row.tier is not None:
        set_tier = SetTier(f"import:{member_id}", row.tier, row.tier_until)
        appended = tiers.set_tier(context, here, member_id, set_tier)
        if isinstance(appended, Refusal):
            return appended
        is_new |= not appended.replayed
    return is_new


def _refuse(desk: Desk, row: MemberRow) -> Refusal | None:
    """Why a row cannot be brought, before any of it is."""
    program = desk.context.catalog.in_force(desk.here.program, desk.here.now)
    if program is None:
        return members.NO_PROGRAM
    forms = identities(row.profile)
    errors = [*check_identities(forms), *members.check_terms(program, row.profile)]
    if not forms:
        errors.append(FieldError("external_id", "a member must be found by something"))
    if errors:
        return Refusal("invalid_request", "the member cannot be brought", tuple(errors))
    if row.joined_at is not None:
        refusal = refuse_time(row.joined_at, desk.here.now, "joined_at")
        if refusal is not None:
            return refusal
    return _refuse_openings(desk, program, row)


def _refuse_openings(desk: Desk, program: Program, row: MemberRow) -> Refusal | None:
    for one in row.openings:
        currency = currency_of(program, one.currency)
        if isinstance(currency, Refusal):
            return currency
    levels = [one.id for one in program.tiers.levels] if program.tiers else []
    if row.tier is not None and row.tier not in levels:
        reason = f"the program has no tier {row.tier}"
        return Refusal("unknown_tier", reason, (FieldError("tier", reason),))
    today = local_date(desk.here.now, program.zone)
    if row.tier_until is not None and row.tier_until <= today:
        reason = "lies in the past"
        return Refusal("invalid_request", reason, (FieldError("tier_until", reason),))
    return None


def _whose(row: MemberRow | Refusal) -> tuple[str, str] | None:
    """The first of what the member is found by."""
    return None if isinstance(row, Refusal) else next(iter(identities(row.profile).items()), None)


def _work_orders(desk: Desk, raws: Sequence[bytes], *, dry_run: bool) -> list[Result]:
    """One member's orders one after the other: the rows are in their order."""
    read = [desk.rows.read_order(raw) for raw in raws]
    named = [one.wanted for one in read if isinstance(one, OrderRow)]
    ids = iter(members.claimants(desk.context, desk.here, named))
    found = [
        row if isinstance(row, Refusal) else _recording(desk, row, next(ids), dry_run=dry_run)
        for row in read
    ]
    if dry_run:
        return side_by_side(lambda one: _foresee_order(desk, one), found)
    return [_result(one) for one in record_orders(desk.context, desk.here, found)]


def _recording(
    desk: Desk, row: OrderRow, claimant: str | None, *, dry_run: bool
) -> Recording | Refusal:
    member_id = row.member_id or claimant
    if member_id is None:
        return members.NOT_FOUND
    if row.buyer is not None and not dry_run:
        traces.remember(desk.context, desk.here, member_id, row.buyer)
    return Recording(member_id, row.order, row.paid)


def _foresee_order(desk: Desk, one: Recording | Refusal) -> Result:
    if isinstance(one, Refusal):
        return one
    context, here, order = desk.context, desk.here, one.order
    program = program_for(context, here, order, here.now)
    if isinstance(program, Refusal):
        return program
    member = members.read(context, here, one.member_id)
    if isinstance(member, Refusal):
        return member
    record = context.store.orders.get(here.program_id, order.source, order.id)
    if record is None:
        return Became.CREATED
    theirs = members.read(context, here, record.member_id)
    if isinstance(theirs, Refusal) or theirs.id != member.id:
        return Refusal("order_claimed", "the order belongs to another member")
    if record.fingerprint != order.fingerprint:
        return Refusal("different_request", "the same identifier was used for something else")
    return Became.UNCHANGED


def _result(outcome: Outcome) -> Result:
    """Raises what was raised: the part then comes again."""
    if isinstance(outcome, Exception):
        raise outcome
    if isinstance(outcome, Refusal):
        return outcome
    return Became.UNCHANGED if outcome.first.replayed else Became.CREATED
