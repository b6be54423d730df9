"""Imports: make one, start it when its file is there, and tell how far it is.

How its rows are worked is in `import_work.py`.
"""

import json
from dataclasses import dataclass

from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.jobs.imports import Format, Import, Kind, RowError
from chalicelib.domain.jobs.status import Status
from chalicelib.domain.ports import Files, Queue
from chalicelib.services.context import Context, Here, new_id

MAX_BYTES = 100_000_000  # of a file: a function of 1 GB puts its rows in order in memory
TRIES = 5
NOT_FOUND = Refusal("import_not_found", "there is no such import")
NOT_UPLOADED = Refusal("not_uploaded", "the file was not put at upload_url yet")
TOO_LARGE = Refusal("file_too_large", f"a file may have {MAX_BYTES} bytes; send several")


@dataclass(frozen=True)
class Wish:
    """What shall be imported."""

    kind: Kind
    format: Format
    dry_run: bool


def create_import(
    context: Context, here: Here, wish: Wish, idempotency_key: str | None
) -> Import | Refusal:
    """Makes an import that waits for its file; the same Idempotency-Key is the same import."""
    import_id = new_id(context, here, "imp", idempotency_key)
    made = Import(
        here.program_id, import_id, wish.kind, wish.format, wish.dry_run, context.clock.now()
    )
    imports = context.store.imports
    known = imports.get(here.program_id, import_id)
    if known is None and imports.create(made):
        return made
    known = known or imports.get(here.program_id, import_id)
    if known is None or Wish(known.kind, known.format, known.dry_run) != wish:
        return Refusal("different_request", "the Idempotency-Key was used for another import")
    return known


def start_import(
    context: Context, here: Here, files: Files, queue: Queue, import_id: str
) -> Import | Refusal:
    """Starts an import; started again it is only sent to the queue again, which harms nothing and
    helps where a message was lost. Raises `Contended`."""
    for _ in range(TRIES):
        was = find_import(context, here, import_id)
        if isinstance(was, Refusal) or was.status.has_ended:
            return was
        started = was
        if was.status is Status.WAITING:
            size = files.size(was.upload)
            if size is None or size > MAX_BYTES:
                return NOT_UPLOADED if size is None else TOO_LARGE
            started = was.started(context.clock.now())
        if started is was or context.store.imports.put(started):
            queue.send([message(started)])
            return started
    raise Contended("the import was changed again and again")


def find_import(context: Context, here: Here, import_id: str) -> Import | Refusal:
    """One import of the program."""
    return context.store.imports.get(here.program_id, import_id) or NOT_FOUND


def errors_of(
    context: Context, here: Here, import_id: str, after: int, limit: int
) -> list[RowError] | Refusal:
    """The rows that were refused, in their order."""
    found = find_import(context, here, import_id)
    if isinstance(found, Refusal):
        return found
    return context.store.imports.errors(here.program_id, import_id, after, limit)


def message(one: Import) -> str:
    """What the queue is told: which part of what is next."""
    return json.dumps({"program_id": one.program_id, "import": one.id, "part": one.part})
