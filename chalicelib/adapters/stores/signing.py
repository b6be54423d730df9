"""The signature that all three systems put into a header: base64 of an HMAC-SHA256.

What is signed, and where each system documents it, is in the system's own module.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from chalicelib.kernel.signatures import BadSignature


def verify(secrets: Sequence[str], signature: str, signed: bytes) -> None:
    """Raises `BadSignature` where no holder of any of `secrets` signed just this.

    All secrets are tried, so that time tells nothing. Both texts are compared as they are, so that
    no other writing of the same mark is good.
    """
    given = signature.encode(errors="replace")
    marks = [hmac.digest(secret.encode(), signed, hashlib.sha256) for secret in secrets]
    matches = [hmac.compare_digest(given, base64.b64encode(mark)) for mark in marks]
    if not any(matches):
        raise BadSignature
