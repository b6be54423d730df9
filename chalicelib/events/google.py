"""The queue of Google Wallet: brings cards as they are now, and messages to members, to Google."""

import json
import logging
from collections import defaultdict
from typing import Any

from chalicelib import wiring
from chalicelib.domain.errors import Unavailable
from chalicelib.services.context import enter
from chalicelib.services.google_passes import bring
from chalicelib.services.pass_messages import deliver
from chalicelib.services.passes import PassKey

_LOG = logging.getLogger("regulars")

_Task = tuple[PassKey, str | None]  # a card, or one message to a member by its id


def on_google(event: dict[str, Any]) -> dict[str, Any]:
    """Works one task after the other; the messages that failed are named and come again.

    Where Google throttles, or is away, nothing more is asked of it: the rest comes again too.
    """
    tasks: dict[_Task, list[str]] = defaultdict(list)
    failed: list[str] = []
    for record in event["Records"]:
        try:
            message = json.loads(record["body"])
            key = PassKey(message["program_id"], message["member_id"])
            tasks[key, message.get("message")].append(record["messageId"])
        except (KeyError, TypeError, ValueError):
            _LOG.exception("a message cannot be read")
            failed.append(record["messageId"])
    is_away = False
    for task, ids in tasks.items():
        try:
            if not is_away:
                _work(*task)
                continue
        except Exception as error:
            _LOG.exception("a pass could not be brought to Google")
            is_away = isinstance(error, Unavailable)
        failed += ids
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


def _work(key: PassKey, message_id: str | None) -> None:
    runtime = wiring.runtime()
    here = enter(runtime.context, key.program_id)
    google = runtime.google_of(here.program.mode) if here is not None else None
    if google is None:
        return
    if message_id is None:
        bring(runtime.context, google, key)
    else:
        deliver(runtime.context, google, key, message_id)
