"""The streams of the tables: each change becomes messages in the queues of those who care.

A router does no work of its own. Where a send fails it raises, and the stream delivers again; a
record that nobody can read is parked, so that it does not hold up the rest.
"""

import json
import logging
from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from chalicelib import wiring
from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ledger.entries import decode
from chalicelib.services.pass_messages import to_deliver
from chalicelib.services.passes import PassKey
from chalicelib.services.refreshes import SETTLE_SECONDS, first_pages
from chalicelib.services.store_work import voucher_changed
from chalicelib.services.sweeps import message
from chalicelib.services.webhook_deliveries import Announcement, to_text

T = TypeVar("T")

_LOG = logging.getLogger("regulars")


def on_ledger(event: dict[str, Any]) -> None:
    """Entries of the ledger: the member's card may have changed, and what is due of him.

    Every entry is an event of outgoing webhooks too. Nobody is told of what an import brought.
    """
    queues = wiring.queues()
    entries = _read(event["Records"], _of_ledger)
    told = [one for one, imported in entries if not imported]
    queues.wallet.send(_once(message(one.program_id, one.member_id) for one in told))
    queues.due.send(_once(message(one.program_id, one.member_id) for one, _ in entries))
    queues.webhooks.send(_once(map(to_text, told)))


def on_records(event: dict[str, Any]) -> None:
    """Members' profiles: the name on the card may have changed, and the birthday.

    A voucher may be a code of a store, which must be made or ended there. A new version of a
    program may change every card of it. A message to a member changes his card on Apple's phones,
    and goes to Google by itself.
    """
    queues = wiring.queues()
    said = [one for one in map(_of_message, event["Records"]) if one is not None]
    queues.wallet.send([message(key.program_id, key.member_id) for key, _ in said])
    queues.google.send([to_deliver(*one) for one in said])
    codes = [one for one in map(_of_voucher, event["Records"]) if one is not None]
    queues.stores.send(_once(voucher_changed(*one) for one in codes))
    versions = [one for one in map(_of_version, event["Records"]) if one is not None]
    for version in versions:
        queues.wallet.send(first_pages(*version), SETTLE_SECONDS)
    members = _once(message(*one) for one in _read(event["Records"], _of_record))
    queues.wallet.send(members)
    queues.due.send(members)


def _read(records: Iterable[dict[str, Any]], read: Callable[[Any], T | None]) -> list[T]:
    """What the records say to us; those that say something unreadable are parked."""
    found = []
    unreadable = []
    for record in records:
        try:
            one = read(record)
        except (KeyError, TypeError, ValueError, Corrupt):
            _LOG.exception("a record of a stream cannot be read")
            unreadable.append(json.dumps(record, default=str))
            continue
        if one is not None:
            found.append(one)
    if unreadable:
        wiring.queues().parked.send(unreadable)
    return found


def _once(messages: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(messages))


def _of_ledger(record: dict[str, Any]) -> tuple[Announcement, bool]:
    """An entry, and whether an import brought it."""
    image = record["dynamodb"]["NewImage"]
    program_id, member_id = image["pk"]["S"].split("#")
    imported = decode(b64decode(image["body"]["B"])).imported
    return Announcement(program_id, member_id, int(image["sk"]["S"])), imported


def _of_record(record: dict[str, Any]) -> tuple[str, str] | None:
    image = record["dynamodb"].get("NewImage")
    if image is None or image["kind"]["S"] != "member":
        return None
    program_id, kind, member_id = image["pk"]["S"].split("#")
    if kind != "member":
        raise ValueError("the key of a member is not one")
    return program_id, member_id


def _of_version(record: dict[str, Any]) -> tuple[str, int] | None:
    """A program and its version that was just published."""
    image = record["dynamodb"].get("NewImage")
    if image is None or image["kind"]["S"] != "version":
        return None
    return image["pk"]["S"].partition("#")[2], int(image["sk"]["S"].partition("#")[2])


def _of_voucher(record: dict[str, Any]) -> tuple[str, str] | None:
    """A program and the code of its voucher that was issued or changed."""
    image = record["dynamodb"].get("NewImage")
    if image is None or image["kind"]["S"] != "voucher":
        return None
    program_id, _, code = image["pk"]["S"].split("#")
    return program_id, code


def _of_message(record: dict[str, Any]) -> tuple[PassKey, str] | None:
    """Whose pass a message is for that was just kept, and the message's id."""
    image = record["dynamodb"].get("NewImage")
    if image is None or image["kind"]["S"] != "pass_message" or record["eventName"] != "INSERT":
        return None
    program_id, _, member_id = image["pk"]["S"].split("#")
    _, _, message_id = image["sk"]["S"].partition("#")
    return PassKey(program_id, member_id), message_id
