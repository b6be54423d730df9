"""What a member has, and how it came to be. All reads are strong: a caller sees what it wrote."""

from dataclasses import dataclass, replace

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import Entry, Kind, LogKey, StoredEntry, decode
from chalicelib.domain.ledger.time import settled
from chalicelib.services.appending import strong_head
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NOT_FOUND


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


def account(context: Context, here: Here, member_id: str) -> Head | Refusal:
    """The head of the member's log, its snapshot as the account is now.

    What time alone has done since the last entry is counted, and not written down.
    """
    head = strong_head(context, LogKey(here.program_id, member_id))
    if head is None:
        return NOT_FOUND
    zone = context.catalog.version(here.program_id, head.program_version).zone
    return replace(head, snapshot=settled(head, zone, here.now))


def entries(
    context: Context, here: Here, member_id: str, before: int | None, limit: int
) -> EntryPage | Refusal:
    """One page of the member's log."""
    key = LogKey(here.program_id, member_id)
    found = context.store.ledger.entries(key, before, limit)
    if not found and before is None:
        return NOT_FOUND
    more = len(found) == limit and found[-1].version > 1
    rows = [_row(context, stored) for stored in found]
    return EntryPage(rows, found[-1].version if more else None)


_NOTED = frozenset({Kind.REFUND, Kind.ADJUSTMENT, Kind.TRANSFER_SENT})


def _row(context: Context, stored: StoredEntry) -> Row:
    entry = decode(stored.body)
    noted = entry.kind in _NOTED
    note = context.store.notes.of(stored.key, stored.ref) if noted else None
    return Row(stored, entry, note)
