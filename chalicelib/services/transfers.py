"""What happens to two members at once: a transfer, a merge. Both entries are written, or none."""

from dataclasses import replace

from chalicelib.domain.errors import Contended, FieldError, Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import Close, Command, Receive, TakeOver, Transfer
from chalicelib.domain.ledger.decide import decide, follow
from chalicelib.domain.ledger.entries import Entry, LogKey, StoredEntry
from chalicelib.domain.ledger.standing import IS_CLOSED
from chalicelib.domain.ports import Wrote
from chalicelib.domain.program.program import Program
from chalicelib.services.appending import (
    NOT_FOUND,
    TRIES,
    Appended,
    read_story,
    replay,
    settle_down,
    strong_head,
)
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.notes import keep_note

_Pair = tuple[tuple[StoredEntry, Entry], tuple[StoredEntry, Entry]]


def transfer(
    context: Context, here: Here, member_id: str, command: Transfer, note: str | None = None
) -> Appended | Refusal:
    """Moves points to another member, once for ever for one Idempotency-Key."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    for attempt in range(TRIES):
        giver = strong_head(context, LogKey(here.program_id, member_id))
        taker = strong_head(context, LogKey(here.program_id, command.to_member_id))
        if giver is None:
            return NOT_FOUND
        done = _replayed(context, giver, command)
        if done is not None:
            if isinstance(done, Appended) and note is not None:
                keep_note(context, done, note)
            return done
        if taker is None or taker.key == giver.key:
            reason = "there is no such member" if taker is None else "is the giver"
            return Refusal("unknown_receiver", reason, (FieldError("to_member_id", reason),))
        outcome = _transfer(context, here, program, giver, taker, command)
        if isinstance(outcome, Appended) and note is not None:
            keep_note(context, outcome, note)
        if outcome is not None:
            return outcome
        context.pause.before(attempt)
    raise Contended(f"{TRIES} writers were faster")


def merge(context: Context, here: Here, survivor_id: str, member_id: str) -> Appended | Refusal:
    """Makes one member's account a part of another's, for ever. The answer is the survivor's."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    for attempt in range(TRIES):
        survivor = context.store.ledger.head(LogKey(here.program_id, survivor_id), strong=True)
        loser = context.store.ledger.head(LogKey(here.program_id, member_id), strong=True)
        if survivor is None or loser is None:
            return NOT_FOUND
        if survivor_id == member_id:
            reason = "is the member itself"
            return Refusal("invalid_request", reason, (FieldError("member_id", reason),))
        outcome = _merge(context, here, program, survivor, loser)
        if outcome is not None:
            if isinstance(outcome, Appended):
                _mark_merged(context, here, member_id, survivor_id)
            return outcome
        context.pause.before(attempt)
    raise Contended(f"{TRIES} writers were faster")


def _transfer(
    context: Context, here: Here, program: Program, giver: Head, taker: Head, command: Transfer
) -> Appended | Refusal | None:
    """None where other writers were faster."""
    settled = settle_down(context, here, giver), settle_down(context, here, taker)
    if settled[0] is None or settled[1] is None:
        return None
    sent = _decide(settled[0], command, program, here)
    if isinstance(sent, Refusal):
        return sent
    received = _decide(settled[1], Receive(sent[0]), program, here)
    if isinstance(received, Refusal):
        return received
    return _write(context, (sent, received))


def _merge(
    context: Context, here: Here, program: Program, survivor: Head, loser: Head
) -> Appended | Refusal | None:
    """None where other writers were faster."""
    into = loser.snapshot.merged_into
    if into == survivor.key.member_id:
        command = TakeOver(loser.key.member_id, loser.snapshot)
        return _replayed(context, survivor, command) or IS_CLOSED
    settled = settle_down(context, here, survivor), settle_down(context, here, loser)
    if settled[0] is None or settled[1] is None:
        return None
    taken = _decide(settled[0], TakeOver(loser.key.member_id, settled[1].snapshot), program, here)
    closed = _decide(settled[1], Close(survivor.key.member_id), program, here)
    if isinstance(taken, Refusal) or isinstance(closed, Refusal):
        return closed if isinstance(closed, Refusal) else taken  # type: ignore[return-value]
    return _write(context, (taken, closed))


def _replayed(context: Context, head: Head, command: Command) -> Appended | Refusal | None:
    story = read_story(context, head.key, head, command)
    earlier = next((one for one in story if one.ref == command.ref), None)
    return None if earlier is None else replay(earlier, command)


def _decide(
    head: Head, command: Command, program: Program, here: Here
) -> tuple[StoredEntry, Entry] | Refusal:
    made = decide(head, [], None, command, program, here.now)
    if isinstance(made, Entry):
        return follow(head, command.ref, made), made
    assert isinstance(made, Refusal)  # noqa: S101 (nothing overtakes these commands)
    return made


def _write(context: Context, pair: _Pair) -> Appended | None:
    (stored, entry), (other, _) = pair
    wrote = context.store.ledger.append_all([stored, other])
    return Appended(stored, entry, replayed=False) if wrote is Wrote.STORED else None


def _mark_merged(context: Context, here: Here, member_id: str, survivor_id: str) -> None:
    """Says in the profile who has the account now; the claims stay, and lead to the survivor."""
    members = context.store.members
    for _ in range(TRIES):
        was = members.get(here.program_id, member_id)
        if was is None or was.merged_into is not None:
            return
        now = replace(was, merged_into=survivor_id, revision=was.revision + 1)
        if members.replace(now, was) is True:
            return
    raise Contended("the member was changed again and again")
