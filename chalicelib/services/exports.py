"""Exports: begin one, and tell where its files are. How they are made is in `export_work.py`."""

import json
from collections.abc import Sequence

from chalicelib.domain.errors import Refusal
from chalicelib.domain.jobs.exports import Export, Kind
from chalicelib.domain.ports import Queue
from chalicelib.services.context import Context, Here, new_id

NOT_FOUND = Refusal("export_not_found", "there is no such export")


def create_export(
    context: Context,
    here: Here,
    queue: Queue,
    kinds: Sequence[Kind],
    idempotency_key: str | None,
) -> Export | Refusal:
    """Begins an export. The same Idempotency-Key is the same export; it is sent to the queue again,
    which harms nothing and helps where a message was lost."""
    export_id = new_id(context, here, "exp", idempotency_key)
    made = Export(here.program_id, export_id, tuple(kinds), context.clock.now())
    exports = context.store.exports
    known = exports.get(here.program_id, export_id)
    if known is None:
        known = made if exports.create(made) else exports.get(here.program_id, export_id)
    if known is None or known.kinds != made.kinds:
        return Refusal("different_request", "the Idempotency-Key was used for another export")
    if not known.status.has_ended:
        queue.send([message(known)])
    return known


def find_export(context: Context, here: Here, export_id: str) -> Export | Refusal:
    """One export of the program."""
    return context.store.exports.get(here.program_id, export_id) or NOT_FOUND


def message(one: Export) -> str:
    """What the queue is told: which part is next."""
    return json.dumps({"program_id": one.program_id, "export": one.id, "part": one.part})
