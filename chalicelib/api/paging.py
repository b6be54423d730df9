"""Lists in pages: `?limit=&cursor=`, answered with a signed cursor to go on with."""

import msgspec

from chalicelib.api.endpoints import Call
from chalicelib.api.shapes import Cursor, Limit
from chalicelib.domain.errors import Refusal
from chalicelib.kernel.cursors import BadCursor, read_cursor, sign_cursor

BAD_CURSOR = Refusal("invalid_cursor", "the cursor was not made for this list")


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of a list."""

    limit: Limit = 50
    cursor: Cursor | None = None


def place_of(call: Call, purpose: str, cursor: str | None) -> str | Refusal | None:
    """Where a list goes on; None at its start. A cursor of another list is refused."""
    if cursor is None:
        return None
    try:
        return read_cursor(call.context.keyring.key("cursors"), _of(call, purpose), cursor)
    except BadCursor:
        return BAD_CURSOR


def cursor_to(call: Call, purpose: str, place: object | None) -> str | None:
    """The cursor with which the list goes on there; None at its end."""
    if place is None:
        return None
    return sign_cursor(call.context.keyring.key("cursors"), _of(call, purpose), str(place))


def _of(call: Call, purpose: str) -> str:
    return f"{call.here.program_id} {purpose}"
