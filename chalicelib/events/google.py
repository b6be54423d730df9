"""The queue of Google Wallet: brings the latest state of members' cards to Google."""

import json
import logging
from collections import defaultdict
from typing import Any

from chalicelib import wiring
from chalicelib.domain.errors import Unavailable
from chalicelib.services.context import enter
from chalicelib.services.google_passes import bring
from chalicelib.services.passes import PassKey

_LOG = logging.getLogger("regulars")


def on_google(event: dict[str, Any]) -> dict[str, Any]:
    """Works one member after the other; the messages that failed are named and come again.

    Where Google throttles, or is away, nothing more is asked of it: the rest comes again too.
    """
    members: dict[PassKey, list[str]] = defaultdict(list)
    failed: list[str] = []
    for record in event["Records"]:
        try:
            message = json.loads(record["body"])
            key = PassKey(message["program_id"], message["member_id"])
            members[key].append(record["messageId"])
        except (KeyError, TypeError, ValueError):
            _LOG.exception("a message cannot be read")
            failed.append(record["messageId"])
    is_away = False
    for key, ids in members.items():
        try:
            if not is_away:
                _work(key)
                continue
        except Exception as error:
            _LOG.exception("a pass could not be brought to Google")
            is_away = isinstance(error, Unavailable)
        failed += ids
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


def _work(key: PassKey) -> None:
    runtime = wiring.runtime()
    here = enter(runtime.context, key.program_id)
    google = runtime.google_of(here.program.mode) if here is not None else None
    if google is not None:
        bring(runtime.context, google, key)
