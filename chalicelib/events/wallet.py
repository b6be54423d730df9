"""The wallet queue: brings the latest state of members' cards to their phones."""

import json
import logging
from typing import Any

from chalicelib import wiring
from chalicelib.services.context import enter
from chalicelib.services.passes import PassKey
from chalicelib.services.wallets import refresh

_LOG = logging.getLogger("regulars")


def on_wallet(event: dict[str, Any]) -> dict[str, Any]:
    """Works every message; those that failed are named and come again."""
    failures = []
    for record in event["Records"]:
        try:
            _work(json.loads(record["body"]))
        except Exception:
            _LOG.exception("a pass could not be brought to its phones")
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _work(message: dict[str, str]) -> None:
    runtime = wiring.runtime()
    here = enter(runtime.context, message["program_id"])
    if here is not None:
        key = PassKey(message["program_id"], message["member_id"])
        refresh(runtime.context, runtime.wallets(here.program_id, here.program.mode), key)
