"""Time: every hour who has something due is sent to a queue, whose worker writes it down."""

import json
import logging
from typing import Any

from chalicelib import wiring
from chalicelib.kernel.clock import DAY
from chalicelib.services.sweeps import settle_member, sweep

_LOG = logging.getLogger("regulars")


def on_hour() -> None:
    """Looks who has something due."""
    sent = sweep(wiring.runtime().context, wiring.queues().due)
    _LOG.info("%d members have something due", sent)
    _watch_certificates()


def _watch_certificates() -> None:
    """How many days the certificate lasts that ends first: below 30 an alarm says so."""
    runtime = wiring.runtime()
    ends = [one.expires_at for one in runtime.apple_certificates]
    if ends:
        left = (min(ends) - runtime.context.clock.now()) // DAY
        wiring.metrics().put("AppleCertificateDays", left)


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
