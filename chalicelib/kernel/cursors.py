"""Cursors of lists: a position, signed, bound to the one list it was made for.

A cursor names where the next page starts. It is signed so that nobody can point it at rows
of another list, and bound to a purpose (program, list, filter) so that it is good nowhere else.
"""

import base64
import hashlib
import hmac

SIGNATURE_BYTES = 16


class BadCursor(Exception):
    """The cursor was not made by us for this list."""


def sign_cursor(key: bytes, purpose: str, position: str) -> str:
    """The cursor of `position` in the list that `purpose` names."""
    mark = _mark(key, purpose, position.encode())
    return base64.urlsafe_b64encode(mark + position.encode()).rstrip(b"=").decode()


def read_cursor(key: bytes, purpose: str, cursor: str) -> str:
    """The position in a cursor. Raises `BadCursor`."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        position = raw[SIGNATURE_BYTES:].decode()
    except ValueError as error:
        raise BadCursor from error
    if not hmac.compare_digest(raw[:SIGNATURE_BYTES], _mark(key, purpose, position.encode())):
        raise BadCursor
    return position


def _mark(key: bytes, purpose: str, position: bytes) -> bytes:
    message = b"cursor\0" + purpose.encode() + b"\0" + position
    return hmac.digest(key, message, hashlib.sha256)[:SIGNATURE_BYTES]
