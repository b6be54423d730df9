"""Who calls. What a caller may do is said where each route is declared."""

from dataclasses import dataclass
from enum import Enum

from chalicelib.domain.access.keys import ApiKey
from chalicelib.kernel.clock import Instant


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
class MemberToken:
    """A signed statement that its bearer is a member, good until it expires."""

    text: str
    expires_at: Instant
