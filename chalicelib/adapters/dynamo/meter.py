"""Counts the units of every request that goes through a client, from the sizes of its items."""

from collections.abc import Mapping
from typing import Any

from chalicelib.adapters.units import item_size
from chalicelib.kernel.meter import current

_ASKED = "regulars_asked"


def install_meter(client: Any) -> None:
    """Listens to a client of DynamoDB."""
    events = client.meta.events
    events.register("before-parameter-build.dynamodb", _remember, unique_id="meter-before")
    events.register("after-call.dynamodb", _count, unique_id="meter-after")


def _remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context[_ASKED] = params


def _count(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
    asked = context.get(_ASKED, {})
    units = current()
    if model.name in ("Query", "GetItem"):
        items = parsed.get("Items") or [parsed.get("Item") or {}]
        size = sum(map(item_size, items))
        units.count_read(size, strong=bool(asked.get("ConsistentRead")))
    elif model.name == "BatchGetItem":
        _count_many(asked["RequestItems"])
    elif model.name == "PutItem":
        units.count_write(item_size(asked["Item"]))
        if "Error" not in parsed:
            _count_indexes(asked["Item"])
    elif model.name == "TransactWriteItems":
        for part in asked["TransactItems"]:
            for action in part.values():
                item = action.get("Item", action.get("Key", {}))
                units.count_write(item_size(item), times=2)
                if "Error" not in parsed and "Item" in action:
                    _count_indexes(item)
    elif model.name in ("UpdateItem", "DeleteItem"):
        units.count_write(item_size(asked["Key"]))


def _count_many(asked: Mapping[str, Any]) -> None:
    """Many items that are read at once: each is paid for itself, and smaller than a unit."""
    for wanted in asked.values():
        for _ in wanted["Keys"]:
            current().count_read(0, strong=bool(wanted.get("ConsistentRead")))


def count_insert(item: Mapping[str, Mapping[str, Any]], *, is_put: bool) -> None:
    """One of many statements of a request; one that fails is paid for too."""
    current().count_write(item_size(item))
    if is_put:
        _count_indexes(item)


def _count_indexes(item: Mapping[str, Mapping[str, Any]]) -> None:
    """An item is written once more for each index whose key it has: by_ref, by_member, by_other."""
    if "gpk" in item:
        current().count_write(item_size(item))
    elif "ref" in item or "member" in item:
        current().count_write(0)
