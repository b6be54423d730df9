"""One byte sequence for one value: what fingerprints and hashes are made over."""

import hashlib
import json
from typing import Any

FINGERPRINT_BYTES = 16


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8 and integers only.

    Floats are refused (`TypeError`): two machines may print one float in two ways.
    """
    _refuse_floats(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def fingerprint(value: Any) -> bytes:
    """The first 16 bytes of SHA-256 over the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value)).digest()[:FINGERPRINT_BYTES]


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("canonical JSON holds integers only")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_floats(item)
