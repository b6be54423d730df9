"""What the adapters of all stores read alike: JSON with a place for every mistake, money, lines."""

import json
from typing import Any

from chalicelib.domain.stores.facts import Unreadable
from chalicelib.kernel.clock import Instant, from_rfc3339
from chalicelib.kernel.money import minor_units

LONGEST_TEXT = 1000  # characters of one text that is kept


def json_value(body: bytes) -> Any:
    """Any JSON; decimals stay as they are written. Raises `Unreadable`."""
    try:
        return json.loads(body, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the body is not JSON: {error}") from error


def json_object(body: bytes) -> dict[str, Any]:
    """A body that must be a JSON object. Raises `Unreadable`."""
    found = json_value(body)
    if not isinstance(found, dict):
        raise Unreadable("the body is not an object")
    if b"\\ud" in body.lower() and not _encodable(found):
        raise Unreadable("the body holds half of a character")
    return found


def _encodable(found: dict[str, Any]) -> bool:
    """Whether no text holds half of a UTF-16 pair: nothing could store it."""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def needed(found: dict[str, Any], name: str) -> Any:
    """A field that must be there. Raises `Unreadable`."""
    if found.get(name) is None:
        raise Unreadable(f"{name} is missing")
    return found[name]


def needed_text(found: dict[str, Any], name: str) -> str:
    """A text or a number that must be there, as text. Raises `Unreadable`."""
    value = text(found, name)
    if value is None:
        raise Unreadable(f"{name} is missing")
    return value


def objects(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects; empty where it is absent. Raises `Unreadable`."""
    rows = found.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise Unreadable(f"{name} is no list of objects")
    return rows


def text(found: dict[str, Any], name: str, longest: int = LONGEST_TEXT) -> str | None:
    """A text or a number as text, so many characters of it; None where it is absent or empty.

    Who buys may type what no table holds, and his order would fail again and again.
    """
    value = found.get(name)
    if value is None or isinstance(value, (dict, list, bool)):
        return None
    return str(value).strip()[:longest] or None


def money(value: Any, currency: str, name: str) -> int:
    """An amount that the store writes as a decimal text, in minor units. Raises `Unreadable`."""
    try:
        return minor_units(str(value), currency)
    except ValueError as error:
        raise Unreadable(f"{name}: {error}") from error


def instant(value: Any, name: str) -> Instant:
    """A moment in RFC 3339. Raises `Unreadable`."""
    try:
        return from_rfc3339(str(value))
    except ValueError as error:
        raise Unreadable(f"{name}: {error}") from error


def unit_price_and_discount(before: int, after: int, quantity: int) -> tuple[int, int]:
    """The price of a unit, and what the line is less, where a store tells the line's totals.

    `before` and `after` its discounts, in minor units. A total that is no multiple of the quantity
    is a higher price less the odd units.
    """
    unit_price = -(-max(before, after) // quantity)
    return unit_price, unit_price * quantity - after
