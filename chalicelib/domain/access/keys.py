"""Keys: who may call as a program.

A secret key is for the shop's own servers, a staff key for one person at the till, a publishable
key for web pages and apps, and a webhook key lets one store send its orders, signed. Of a secret
only the SHA-256 is stored; a webhook's secret is derived from the master secret, because signatures
must be recomputed.
"""

from dataclasses import dataclass
from enum import Enum

from chalicelib.kernel.clock import HOUR, Instant

ROTATION_GRACE = 24 * HOUR  # how long the old secret stays good beside the new one


class KeyKind(Enum):
    """What a key is for."""

    SECRET = "secret"
    PUBLISHABLE = "publishable"
    WEBHOOK = "webhook"
    STAFF = "staff"


STAFF_SCOPES = (  # what somebody at the till may do
    "members:read",
    "orders:write",
    "programs:read",
    "redemptions:write",
    "rewards:read",
)
_POWERS = {
    KeyKind.PUBLISHABLE: ("members:write",),
    KeyKind.WEBHOOK: ("orders:write",),
    KeyKind.STAFF: STAFF_SCOPES,
}


@dataclass(frozen=True)
class Secret:
    """One generation of a key's secret."""

    generation: int
    hash: str  # SHA-256 in hexadecimal; empty for a webhook's
    good_until: Instant | None = None  # None: as long as the key


@dataclass(frozen=True)
class ApiKey:
    """One key of one program, without anything that could be used as it."""

    program_id: str
    id: str
    kind: KeyKind
    name: str
    secrets: tuple[Secret, ...]  # newest first
    created_at: Instant
    source: str | None = None  # of the orders that a webhook key may send
    origins: tuple[str, ...] = ()  # web pages that may use a publishable key
    revoked_at: Instant | None = None
    revision: int = 1
    scopes: tuple[str, ...] = ()  # of a secret key, `<resource>:read|write`; none: everything

    def may(self, scope: str) -> bool:
        """Whether the key's scopes allow this; who may write may read."""
        resource, _, _ = scope.partition(":")
        return not self.scopes or scope in self.scopes or f"{resource}:write" in self.scopes

    def covers(self, kind: KeyKind, scopes: tuple[str, ...]) -> bool:
        """Whether such a key may do nothing that this one may not."""
        wanted = _POWERS.get(kind, scopes)
        return not self.scopes or (bool(wanted) and all(self.may(scope) for scope in wanted))

    def good_secrets(self, now: Instant) -> tuple[Secret, ...]:
        """The secrets that open something at `now`: none of a revoked key."""
        if self.revoked_at is not None:
            return ()
        return tuple(one for one in self.secrets if one.good_until is None or now < one.good_until)
