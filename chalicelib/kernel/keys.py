"""Keys derived from the one master secret, and keyed hashes of what may not be stored."""

import base64
import hashlib
import hmac

MARK_BYTES = 16
_ALPHABET = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghjkmnpqrstvwxyz")


def derive(master: bytes, purpose: str) -> bytes:
    """The 32-byte key for one purpose: nobody who learns it learns another."""
    return hmac.digest(master, b"regulars\0" + purpose.encode(), hashlib.sha256)


def mark(key: bytes, *parts: str) -> str:
    """An unguessable, URL-safe text of 128 bits that stands for `parts` under `key`."""
    digest = hmac.digest(key, "\0".join(parts).encode(), hashlib.sha256)[:MARK_BYTES]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def derived_id(key: bytes, prefix: str, *parts: str) -> str:
    """An identifier like those of `kernel/ids.py`, the same for the same parts."""
    digest = hmac.digest(key, "\0".join(parts).encode(), hashlib.sha256)
    text = base64.b32encode(digest).decode().translate(_ALPHABET)
    return f"{prefix}_{text[:20]}"


def secret_hash(secret: str) -> str:
    """SHA-256 of a 256-bit random secret, in hexadecimal: what is stored of an API key."""
    return hashlib.sha256(secret.encode()).hexdigest()
