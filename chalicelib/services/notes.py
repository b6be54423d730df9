"""Free text that comes with a change of an account. It lies beside the entry, never in it."""

from chalicelib.domain.ledger.entries import Standing
from chalicelib.services.appending import Appended, strong_head
from chalicelib.services.context import Context


def keep_note(context: Context, appended: Appended, text: str) -> None:
    """Keeps what was written about an entry.

    A repeated call writes it again, since the first may have died before; but a repetition that
    comes after the member was erased brings nothing back.
    """
    stored = appended.stored
    if appended.replayed:
        head = strong_head(context, stored.key)
        if head is None or head.snapshot.standing == Standing.ERASED:
            return
    context.store.notes.put(stored.key, stored.ref, text)
