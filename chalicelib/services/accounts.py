"""What a member has or had, and how it came to be.

All reads are strong: a caller sees what it wrote.
"""

from dataclasses import dataclass

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.chain import Broken, check
from chalicelib.domain.ledger.entries import (
    FIRST_PREV,
    Entry,
    Kind,
    LogKey,
    Snapshot,
    StoredEntry,
    decode,
)
from chalicelib.domain.ledger.time import settle
from chalicelib.domain.ports import Ledger
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant
from chalicelib.services.appending import NOT_FOUND, strong_head
from chalicelib.services.context import Context, Here

PROVED_AT_ONCE = 1_000


@dataclass(frozen=True)
class Row:
    """One entry, and the free text that came with it."""

    stored: StoredEntry
    entry: Entry
    note: str | None


@dataclass(frozen=True)
class EntryPage:
    """Entries, newest first, and the version to go on below."""

    rows: list[Row]
    before: int | None


@dataclass(frozen=True)
class Statement:
    """What a period began and ended with, and a page of what happened in it, oldest first."""

    opening: Head
    rows: list[Row]
    closing: Head
    after: int | None  # the version to go on after


@dataclass(frozen=True)
class Stretch:
    """What is known of a log after some of its entries were proved, newest first."""

    proved: int
    broken: Broken | None
    before: int | None  # the version to go on below


@dataclass(frozen=True)
class Proof:
    """A log's newest entry, and a stretch of it."""

    head: Head
    stretch: Stretch


def account(
    context: Context, here: Here, member_id: str, at: Instant | None = None
) -> Head | Refusal:
    """The head of the member's log, its snapshot as the account is now, or was then.

    What time alone has done since the last entry is counted, and not written down.
    """
    head = strong_head(context, LogKey(here.program_id, member_id))
    if head is None:
        return NOT_FOUND
    if at is None:
        return _at(context, here, head, here.now)
    if at > here.now:
        error = FieldError("at", "lies in the future")
        return Refusal("invalid_request", error.reason, (error,))
    return _as_of(context, here, head, at)


def language_of(context: Context, here: Here, member_id: str, program: Program) -> str:
    """In which language the member reads; his profile is read where there are several."""
    if len(program.languages) == 1:
        return program.language
    member = context.store.members.get(here.program_id, member_id)
    return program.language_for(member.profile.locale if member else None)


def entries(
    context: Context, here: Here, member_id: str, before: int | None, limit: int
) -> EntryPage | Refusal:
    """One page of the member's log."""
    key = LogKey(here.program_id, member_id)
    found = context.store.ledger.entries(key, before, limit)
    if not found and before is None:
        return NOT_FOUND
    more = len(found) == limit and found[-1].version > 1
    rows = [row_of(context, stored) for stored in found]
    return EntryPage(rows, found[-1].version if more else None)


def statement(
    context: Context,
    here: Here,
    member_id: str,
    period: tuple[Instant, Instant],
    after: int | None,
    limit: int,
) -> Statement | Refusal:
    """The account from one moment to (and without) another.

    What time has done in the period and nobody has written down yet is in it too: it will be
    written so.
    """
    head = strong_head(context, LogKey(here.program_id, member_id))
    if head is None:
        return NOT_FOUND
    start, end = period
    opening = _as_of(context, here, head, start - 1)
    closing = _as_of(context, here, head, min(end - 1, here.now))
    first = (after or opening.version) + 1
    last = min(closing.version, first + limit - 1)
    stored: list[StoredEntry] = []
    if first <= min(last, head.version):
        count = min(last, head.version) - first + 1
        stored = context.store.ledger.entries(head.key, first + count, count)[::-1]
    if last > head.version:
        unwritten = _unwritten(context, here, head, min(end - 1, here.now))
        stored += [one for one in unwritten if first <= one.version <= last]
    rows = [row_of(context, one) for one in stored]
    return Statement(opening, rows, closing, last if last < closing.version else None)


def prove(context: Context, here: Here, member_id: str, before: int | None) -> Proof | Refusal:
    """Recomputes the chain of a log and its sums, so many entries at once, from the newest on."""
    key = LogKey(here.program_id, member_id)
    newest = context.store.ledger.head(key, strong=True)
    if newest is None:
        return NOT_FOUND
    return Proof(newest, prove_stretch(context.store.ledger, key, before))


def prove_stretch(ledger: Ledger, key: LogKey, before: int | None) -> Stretch:
    """Proves the next so many entries; one more is read, since each is held against the last."""
    found = ledger.entries(key, before, PROVED_AT_ONCE + 1)
    more = len(found) > PROVED_AT_ONCE
    broken = check(found, to_the_first=not more)
    following = found[-1].version + 1 if more and broken is None else None
    return Stretch(min(len(found), PROVED_AT_ONCE), broken, following)


def _as_of(context: Context, here: Here, head: Head, at: Instant) -> Head:
    """The account at a past moment: the last entry recorded by then, and what time did since.

    Found by halves: entries are recorded in the order of their versions.
    """
    if head.recorded_at <= at:
        return _at(context, here, head, at)
    before, after = 0, head.version
    while after - before > 1:
        middle = (before + after) // 2
        if _head_at(context, head.key, middle).recorded_at <= at:
            before = middle
        else:
            after = middle
    if before == 0:
        return Head(head.key, 0, "", FIRST_PREV, 0, head.program_version, Snapshot(0))
    return _at(context, here, _head_at(context, head.key, before), at)


def _at(context: Context, here: Here, head: Head, now: Instant) -> Head:
    entries = _unwritten(context, here, head, now)
    return Head.of(entries[-1]) if entries else head


def _unwritten(context: Context, here: Here, head: Head, now: Instant) -> list[StoredEntry]:
    return settle(head, context.catalog.versions(here.program), now)


def _head_at(context: Context, key: LogKey, version: int) -> Head:
    stored = context.store.ledger.entry(key, version)
    assert stored is not None  # noqa: S101 (versions are dense)
    return Head.of(stored)


_NOTED = frozenset({Kind.REFUND, Kind.ADJUSTMENT, Kind.TRANSFER_SENT, Kind.TIER_SET})


def row_of(context: Context, stored: StoredEntry) -> Row:
    """An entry, with its note where it may have one."""
    entry = decode(stored.body)
    note = context.store.notes.of(stored.key, stored.ref) if entry.kind in _NOTED else None
    return Row(stored, entry, note)
