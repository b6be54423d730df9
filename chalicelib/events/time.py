"""Time: every hour who has something due is sent to a queue, whose worker writes it down."""

import json
import logging
from typing import Any

from chalicelib import wiring
from chalicelib.services.sweeps import settle_member, sweep

_LOG = logging.getLogger("regulars")


def on_hour() -> None:
    """Looks who has something due."""
    sent = sweep(wiring.runtime().context, wiring.queues().due)
    _LOG.info("%d members have something due", sent)


def on_due(event: dict[str, Any]) -> dict[str, Any]:
    """Settles every member; those that failed are named and come again."""
    failures = []
    for record in event["Records"]:
        try:
            message = json.loads(record["body"])
            settle_member(wiring.runtime().context, message["program_id"], message["member_id"])
        except Exception:
            _LOG.exception("an account could not be settled")
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
