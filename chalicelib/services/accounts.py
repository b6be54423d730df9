"""What a member has, and how it came to be. All reads are strong: a caller sees what it wrote."""

from dataclasses import dataclass

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NOT_FOUND


@dataclass(frozen=True)
class EntryPage:
    """Entries, newest first, and the version to go on below."""

    entries: list[StoredEntry]
    notes: dict[str, str]  # free text by ref
    before: int | None


def account(context: Context, here: Here, member_id: str) -> Head | Refusal:
    """The head of the member's log: its snapshot is the account."""
    return context.store.ledger.head(LogKey(here.program_id, member_id), strong=True) or NOT_FOUND


def entries(
    context: Context, here: Here, member_id: str, before: int | None, limit: int
) -> EntryPage | Refusal:
    """One page of the member's log."""
    key = LogKey(here.program_id, member_id)
    found = context.store.ledger.entries(key, before, limit)
    if not found and before is None:
        return NOT_FOUND
    more = len(found) == limit and found[-1].version > 1
    notes = context.store.notes.of(key, [one.ref for one in found])
    return EntryPage(found, notes, found[-1].version if more else None)
