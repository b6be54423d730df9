"""The wallet queue: brings the latest state of members' cards to their phones."""

import json
import logging
from collections import defaultdict
from typing import Any

from chalicelib import wiring
from chalicelib.domain.errors import PushRefused
from chalicelib.services.context import enter
from chalicelib.services.passes import PassKey
from chalicelib.services.refreshes import Page, refresh_page
from chalicelib.services.wallets import refresh_all

_LOG = logging.getLogger("regulars")


def on_wallet(event: dict[str, Any]) -> dict[str, Any]:
    """Works every message; those that failed are named and come again.

    The members of a program are worked together, so that one connection tells all their phones.
    """
    failed: dict[str, Exception] = {}
    members: dict[str, dict[str, PassKey]] = defaultdict(dict)
    for record in event["Records"]:
        try:
            message = json.loads(record["body"])
            if "version" in message:
                _work_page(Page(**message))
            else:
                key = PassKey(message["program_id"], message["member_id"])
                members[key.program_id][record["messageId"]] = key
        except Exception as error:
            failed[record["messageId"]] = error
    for program_id, keys in members.items():
        failed |= _work_members(program_id, keys)
    for trouble in failed.values():
        _LOG.error("a pass could not be brought to its phones", exc_info=trouble)
        if isinstance(trouble, PushRefused):
            wiring.metrics().put("PushRefused", 1)
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


def _work_page(page: Page) -> None:
    runtime = wiring.runtime()
    here = enter(runtime.context, page.program_id)
    if here is not None:
        queues = wiring.queues()
        wallets = runtime.wallets(page.program_id, here.program.mode, queues.google)
        refresh_page(runtime.context, wallets, queues.wallet, page)


def _work_members(program_id: str, keys: dict[str, PassKey]) -> dict[str, Exception]:
    """By the ids of the messages."""
    runtime = wiring.runtime()
    try:
        here = enter(runtime.context, program_id)
        if here is None:
            return {}
        wallets = runtime.wallets(program_id, here.program.mode, wiring.queues().google)
        failed = refresh_all(runtime.context, wallets, list(keys.values()))
    except Exception as error:
        return dict.fromkeys(keys, error)
    return {one: failed[key] for one, key in keys.items() if key in failed}
