"""Google's messages that a pass was saved or deleted: whether they are Google's, and of what.

Source: developers.google.com/wallet, "Use callbacks for saves and deletions" (the message, its
retries), and developers.google.com/pay/api, "Payment data cryptography for merchants" (protocol
ECv2SigningOnly: a root key signs an intermediate key, which signs the message). Lengths in what is
signed are of bytes, four, the lowest first.
"""

import base64
import json
import struct
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chalicelib.adapters.http import Http
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.domain.ports import WalletCallback
from chalicelib.kernel.clock import EARLIEST, HOUR, MINUTE, Clock, Instant

KEYS_URL = "https://pay.google.com/gp/m/issuer/keys"
PROTOCOL = "ECv2SigningOnly"
KEY_SENDER = "Google"
MESSAGE_SENDER = "GooglePayPasses"
KEYS_KEPT = HOUR
ASK_AGAIN = MINUTE  # where they could not be had: a forged message must not make us ask each time


class GoogleCallbacks:
    """Keeps the port `WalletCallbacks`."""

    def __init__(self, issuer_id: str, http: Http, clock: Clock, keys_url: str = KEYS_URL) -> None:
        self._issuer_id = issuer_id
        self._http = http
        self._clock = clock
        self._keys_url = keys_url
        self._roots = _Roots((), EARLIEST)

    def read(self, body: bytes) -> WalletCallback | None:
        """What the message says; None where it is not Google's, or is too old.

        Raises `Unavailable` where Google's keys cannot be had.
        """
        try:
            envelope = json.loads(body)
            return self._verified(envelope)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def _verified(self, envelope: dict[str, Any]) -> WalletCallback | None:
        now = self._clock.now()
        if envelope["protocolVersion"] != PROTOCOL:
            return None
        between = envelope["intermediateSigningKey"]
        signed_key, message = str(between["signedKey"]), str(envelope["signedMessage"])
        by_google = _joined(KEY_SENDER, PROTOCOL, signed_key)
        signatures = [base64.b64decode(one) for one in between["signatures"][:4]]
        roots = self._root_keys(now)
        if not any(_is_signed(root, by_google, one) for root in roots for one in signatures):
            return None
        key = json.loads(signed_key)
        if _expired(key["keyExpiration"], now):
            return None
        by_key = _joined(MESSAGE_SENDER, self._issuer_id, PROTOCOL, message)
        if not _is_signed(_key(key["keyValue"]), by_key, base64.b64decode(envelope["signature"])):
            return None
        said = json.loads(message)
        if _expired(said["expTimeMillis"], now) or said["eventType"] not in ("save", "del"):
            return None
        saved = said["eventType"] == "save"
        return WalletCallback(str(said["objectId"]), saved, int(said["expTimeMillis"]))

    def _root_keys(self, now: Instant) -> tuple[EllipticCurvePublicKey, ...]:
        if now >= self._roots.good_until:
            self._roots = self._asked(now)
        if not self._roots.keys:
            raise Unavailable("Google's keys cannot be had")
        return self._roots.keys

    def _asked(self, now: Instant) -> "_Roots":
        try:
            rows = self._http.send("GET", self._keys_url, b"", {}).json["keys"]
            keys = tuple(
                _key(row["keyValue"])
                for row in rows
                if row["protocolVersion"] == PROTOCOL and not _expired(row["keyExpiration"], now)
            )
        except (Fault, ValueError, KeyError, TypeError):
            return _Roots(self._roots.keys, now + ASK_AGAIN)
        return _Roots(keys, now + KEYS_KEPT)


@dataclass(frozen=True)
class _Roots:
    keys: tuple[EllipticCurvePublicKey, ...]
    good_until: Instant


def _joined(*parts: str) -> bytes:
    raw = [part.encode() for part in parts]
    return b"".join(struct.pack("<I", len(one)) + one for one in raw)


def _key(text: str) -> EllipticCurvePublicKey:
    key = load_der_public_key(base64.b64decode(text))
    if not isinstance(key, EllipticCurvePublicKey):
        raise TypeError("Google's keys are of elliptic curves")
    return key


def _is_signed(key: EllipticCurvePublicKey, data: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, data, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _expired(milliseconds: str | int, now: Instant) -> bool:
    return int(milliseconds) <= now
