"""The wallet queue: brings the latest state of members' cards to their phones."""

import json
import logging
from collections import defaultdict
from typing import Any

from chalicelib import wiring
from chalicelib.domain.errors import PushRefused
from chalicelib.services.context import enter
from chalicelib.services.pass_messages import deliver
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
            elif "message" in message:
                _deliver(**message)
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
        wallets = runtime.wallets(page.program_id, here.program.mode)
        refresh_page(runtime.context, wallets, wiring.queues().wallet, page)


def _deliver(program_id: str, member_id: str, message: str) -> None:
    runtime = wiring.runtime()
    here = enter(runtime.context, program_id)
    if here is not None:
        google = runtime.wallets(program_id, here.program.mode).google
        deliver(runtime.context, google, PassKey(program_id, member_id), message)


def _work_members(program_id: str, keys: dict[str, PassKey]) -> dict[str, Exception]:
    """By the ids of the messages."""
    runtime = wiring.runtime()
    try:
        here = enter(runtime.context, program_id)
        if here is None:
            return {}
        wallets = runtime.wallets(program_id, here.program.mode)
        failed = refresh_all(runtime.context, wallets, list(keys.values()))
    except Exception as error:
        return dict.fromkeys(keys, error)
    return {one: failed[key] for one, key in keys.items() if key in failed}
