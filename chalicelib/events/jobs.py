"""The queue of imports and exports: works a part of one, and sends the message of the next."""

import json
from typing import Any, Protocol

from chalicelib import wiring
from chalicelib.events.batches import each
from chalicelib.services import export_work, import_work
from chalicelib.services.context import enter
from chalicelib.services.export_work import work_export
from chalicelib.services.import_work import work_import


class Rows(import_work.Rows, export_work.Rows, Protocol):
    """Reads the rows of imports and writes those of exports."""


def on_jobs(event: dict[str, Any], rows: Rows) -> dict[str, Any]:
    """Works every message; those that failed are named and come again."""
    return each(event, "a part of a job could not be worked", lambda one: _work(one, rows))


def _work(record: dict[str, Any], rows: Rows) -> None:
    again = int(record["attributes"]["ApproximateReceiveCount"]) > 1
    message = json.loads(record["body"])
    runtime = wiring.runtime()
    here = enter(runtime.context, message["program_id"])
    if here is None:
        return
    queue = wiring.queues().jobs
    if "import" in message:
        desk = import_work.Desk(runtime.context, here, runtime.files, queue, rows)
        work_import(desk, message["import"], message["part"], again=again)
    else:
        office = export_work.Desk(runtime.context, here, runtime.files, queue, rows)
        work_export(office, message["export"], message["part"], again=again)
