"""Who calls. What a caller may do is said where each route is declared."""

from dataclasses import dataclass
from enum import Enum

from chalicelib.domain.access.keys import ApiKey
from chalicelib.kernel.clock import Instant

OIDC = "oidc"  # begins the external ids of accounts at an issuer; no store is a source of this name


class Role(Enum):
    """In what quality somebody calls."""

    SECRET_KEY = "secret key"
    PUBLISHABLE_KEY = "publishable key"
    MEMBER = "member token"


@dataclass(frozen=True)
class Caller:
    """Somebody who proved who he is."""

    role: Role
    program_id: str
    member_id: str | None = None  # of a member token
    key: ApiKey | None = None  # of a key


@dataclass(frozen=True)
class Identity:
    """Somebody whom a program's OIDC issuer knows, as its token says."""

    program_id: str
    subject: str
    email: str | None  # only one of which the issuer says that it is his
    expires_at: Instant

    @property
    def external_id(self) -> str:
        """What a member with this account is found by."""
        return f"{OIDC}:{self.subject}"


@dataclass(frozen=True)
class MemberToken:
    """A signed statement that its bearer is a member, good until it expires."""

    text: str
    expires_at: Instant
