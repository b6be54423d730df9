"""What Google says when a pass was saved or deleted, said by the stand-in: signed as Google signs.

Sources: developers.google.com/wallet, "Use callbacks for saves and deletions", and
developers.google.com/pay/api, "Payment data cryptography for merchants" (ECv2SigningOnly). The root
key is the stand-in's own, kept in its folder, so that a restart does not make it a stranger.
"""

import base64
import json
import secrets
import struct
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from chalicelib.kernel.clock import DAY, Instant

PROTOCOL = "ECv2SigningOnly"
KEY_GOOD_FOR = 400 * DAY


class Callbacks:
    """Who signs them."""

    def __init__(self, folder: Path) -> None:
        self._root = _stored_key(folder / "root_key.pem")
        self._between = generate_private_key(SECP256R1())
        self._said_until = 0

    def keys(self, now: Instant) -> dict[str, Any]:
        """The list of root keys, as `https://pay.google.com/gp/m/issuer/keys` has it."""
        row = {
            "keyValue": _public(self._root),
            "protocolVersion": PROTOCOL,
            "keyExpiration": str(now + KEY_GOOD_FOR),
        }
        return {"keys": [row]}

    def message(self, class_id: str, object_id: str, event: str, now: Instant) -> bytes:
        """One message: `save` or `del`. A later one has a later time."""
        self._said_until = max(now + DAY, self._said_until + 1)
        said = {
            "classId": class_id,
            "objectId": object_id,
            "expTimeMillis": self._said_until,
            "eventType": event,
            "nonce": secrets.token_hex(16),
        }
        text = json.dumps(said)
        key = {"keyValue": _public(self._between), "keyExpiration": str(now + KEY_GOOD_FOR)}
        signed_key = json.dumps(key)
        issuer = object_id.partition(".")[0]
        envelope = {
            "signature": _signed(self._between, "GooglePayPasses", issuer, PROTOCOL, text),
            "intermediateSigningKey": {
                "signedKey": signed_key,
                "signatures": [_signed(self._root, "Google", PROTOCOL, signed_key)],
            },
            "protocolVersion": PROTOCOL,
            "signedMessage": text,
        }
        return json.dumps(envelope).encode()


def _stored_key(file: Path) -> EllipticCurvePrivateKey:
    if not file.exists():
        made = generate_private_key(SECP256R1())
        file.touch(mode=0o600)
        file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key


def _public(key: EllipticCurvePrivateKey) -> str:
    form = PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, form)).decode()


def _signed(key: EllipticCurvePrivateKey, *parts: str) -> str:
    raw = [part.encode() for part in parts]
    data = b"".join(struct.pack("<I", len(one)) + one for one in raw)
    return base64.b64encode(key.sign(data, ECDSA(SHA256()))).decode()
