"""The queue of connected stores: what their messages asked for and takes its time."""

import logging
from typing import Any

from chalicelib import wiring
from chalicelib.services.store_work import Desk, work

_LOG = logging.getLogger("regulars")


def on_stores(event: dict[str, Any]) -> dict[str, Any]:
    """Works every message; those that failed are named and come again."""
    runtime = wiring.runtime()
    desk = Desk(runtime.context, runtime.store_api, wiring.queues().stores)
    failures = []
    for record in event["Records"]:
        try:
            work(desk, record["body"])
        except Exception:
            _LOG.exception("what a store needs could not be done")
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
