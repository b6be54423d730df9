"""Secrets of others, kept sealed: AES-SIV (RFC 5297) under a key derived from the master secret.

SIV needs no random number: the same secret of the same owner seals to the same bytes, which tells
nobody anything, and a repeated call writes what the first one wrote.
"""

from chalicelib.domain.errors import Corrupt


class Vault:
    """Keeps the port `Sealer`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, owner: str, secret: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV(self._key).encrypt(secret.encode(), [owner.encode()])

    def open(self, owner: str, sealed: bytes) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        try:
            return AESSIV(self._key).decrypt(sealed, [owner.encode()]).decode()
        except InvalidTag as error:
            raise Corrupt("a sealed secret cannot be opened") from error
