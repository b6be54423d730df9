"""How large items are, as DynamoDB counts them.

Names and texts by their UTF-8 bytes, numbers by two digits a byte and one more, binary by its
length (docs.aws.amazon.com/amazondynamodb, "DynamoDB item sizes and formats").
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.ledger.entries import StoredEntry


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """The bytes of an item in DynamoDB's own notation."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def entry_size(entry: StoredEntry) -> int:
    """The bytes of an entry's item."""
    return item_size(
        {
            "pk": {"S": str(entry.key)},
            "sk": {"S": "0" * 12},
            "ref": {"S": entry.ref},
            "prev": {"B": entry.prev},
            "body": {"B": entry.body},
        }
    )


def _size(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content.strip("-")) // 2 + 2
    if kind == "B":
        return len(content)
    return 1  # a truth value, or nothing
