"""Batches of a queue whose messages are worked one after the other."""

import logging
from collections.abc import Callable
from typing import Any

_LOG = logging.getLogger("regulars")


def each(
    event: dict[str, Any], what: str, work: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Works every record; those that failed are named and come again. `what` is for the log."""
    failed = []
    for record in event["Records"]:
        try:
            work(record)
        except Exception:
            _LOG.exception(what)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
