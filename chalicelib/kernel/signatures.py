"""Standard Webhooks signatures.

Source: the Standard Webhooks specification, section "Signature scheme"
(github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md): the signed content
is `id.timestamp.body`, the signature `v1,` + base64(HMAC-SHA256), the secret `whsec_` + base64.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from chalicelib.kernel.clock import MINUTE, SECOND, Instant

TOLERANCE = 5 * MINUTE
SECRET_PREFIX = "whsec_"
_VERSION = "v1"


class BadSignature(Exception):
    """The message was not signed by a holder of a secret, or not just now."""


def sign(secret: str, message_id: str, at: Instant, body: bytes) -> str:
    """The `webhook-signature` header of a message sent at `at`."""
    mark = _mark(_key(secret), message_id, str(at // SECOND), body)
    return f"{_VERSION},{base64.b64encode(mark).decode()}"


def verify(
    secrets: Iterable[str],
    message_id: str,
    timestamp: str,
    signatures: str,
    body: bytes,
    now: Instant,
) -> None:
    """Checks the three headers against the raw body. Raises `BadSignature`.

    Any of `secrets` may have signed (two during a rotation) and any of the space-separated
    `signatures` may match. The timestamp, in seconds, must lie within five minutes of `now`,
    on either side.
    """
    if not message_id or not message_id.isascii():  # half a character cannot even be signed
        raise BadSignature
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise BadSignature
    if abs(int(timestamp) * SECOND - now) > TOLERANCE:
        raise BadSignature
    given = [mark for mark in map(_decode, signatures.split(" ")) if mark is not None]
    expected = [_mark(_key(secret), message_id, timestamp, body) for secret in secrets]
    matches = [hmac.compare_digest(one, other) for one in given for other in expected]
    if not any(matches):
        raise BadSignature


def _decode(signature: str) -> bytes | None:
    version, comma, text = signature.partition(",")
    if version != _VERSION or not comma or not text.isascii():
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX))


def _mark(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    content = f"{message_id}.{timestamp}.".encode() + body
    return hmac.digest(key, content, hashlib.sha256)
