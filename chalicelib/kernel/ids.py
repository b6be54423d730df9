"""Identifiers and secrets. The only place that draws random numbers."""

import secrets
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: nothing to misread
ID_CHARACTERS = 20  # 100 random bits
SECRET_BYTES = 32


class Ids(Protocol):
    """Makes identifiers that nobody has used and nobody can guess."""

    def new(self, prefix: str) -> str: ...

    def secret(self, prefix: str) -> str: ...


class RandomIds:
    """Identifiers from the operating system's random source."""

    def new(self, prefix: str) -> str:
        """`mem_7x...`: the prefix, an underscore and 100 random bits."""
        return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(ID_CHARACTERS))

    def secret(self, prefix: str) -> str:
        """The prefix, an underscore and 256 random bits, safe in a URL."""
        return f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
