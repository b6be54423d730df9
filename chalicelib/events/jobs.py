"""The queue of imports and exports: works a part of one, and sends the message of the next."""

import json
import logging
from typing import Any, Protocol

from chalicelib import wiring
from chalicelib.services import export_work, import_work
from chalicelib.services.context import enter
from chalicelib.services.export_work import work_export
from chalicelib.services.import_work import work_import

_LOG = logging.getLogger("regulars")


class Rows(import_work.Rows, export_work.Rows, Protocol):
    """Reads the rows of imports and writes those of exports."""


def on_jobs(event: dict[str, Any], rows: Rows) -> dict[str, Any]:
    """Works every message; those that failed are named and come again."""
    failed = []
    for record in event["Records"]:
        try:
            again = int(record["attributes"]["ApproximateReceiveCount"]) > 1
            _work(json.loads(record["body"]), rows, again=again)
        except Exception:
            _LOG.exception("a part of a job could not be worked")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _work(message: dict[str, Any], rows: Rows, *, again: bool) -> None:
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
