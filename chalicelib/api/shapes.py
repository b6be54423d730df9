"""Values that many requests and answers share: what they may be, said once.

All amounts of money are integers in minor units of their currency; all times are RFC 3339.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated

from msgspec import Meta

from chalicelib.domain.members.member import LONGEST_NAME
from chalicelib.kernel.money import MAX_AMOUNT
from chalicelib.kernel.patterns import whole

Identifier = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=whole(r"[^\x00-\x20\x7f/?]+"),
        description="An identifier of the caller's: no spaces, slashes or control characters.",
    ),
]
Source = Annotated[
    str,
    Meta(pattern=whole(r"[a-z][a-z0-9_-]{0,31}"), description="The system an order comes from."),
]
Amount = Annotated[int, Meta(ge=0, le=MAX_AMOUNT, description="In minor units.")]
PositiveAmount = Annotated[int, Meta(ge=1, le=MAX_AMOUNT, description="In minor units.")]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]
Currency = Annotated[str, Meta(pattern=whole(r"[A-Z]{3}"), description="ISO 4217.")]
CurrencyName = Annotated[
    str, Meta(min_length=1, max_length=40, description="The program's name: points, stamps, ...")
]
ShortText = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Moment = Annotated[datetime, Meta(tz=True)]
Day = Annotated[
    str, Meta(pattern=whole(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), extra_json_schema={"format": "date"})
]
MomentText = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Limit = Annotated[int, Meta(ge=1, le=100)]
Cursor = Annotated[str, Meta(min_length=1, max_length=512)]


def exactly_one(given: Iterable[object]) -> bool:
    """Whether one and only one value is there."""
    return sum(value is not None for value in given) == 1


def printable(text: str) -> bool:
    """Whether a text has no control characters."""
    return not re.search(r"[\x00-\x1f\x7f]", text)


def day_of(text: str) -> date | None:
    """The day that `YYYY-MM-DD` names, None where the calendar has none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
