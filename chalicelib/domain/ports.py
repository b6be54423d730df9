"""What the services need of the world outside, as Protocols. Adapters keep them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from chalicelib.domain.card import Card, IssuedPass
from chalicelib.kernel.clock import Instant


class PushOutcome(Enum):
    """What became of one push to one device."""

    SENT = "sent"
    GONE = "gone"  # the registration must be removed
    RETRY = "retry"  # this token later: throttled, or the connection was lost
    REFUSED = "refused"  # our certificate or topic is wrong: stop and alarm


@dataclass(frozen=True)
class PushResult:
    """The answer of the push service to one token."""

    token: str
    outcome: PushOutcome
    reason: str = ""
    gone_since: Instant | None = None  # only GONE: a registration made later stays


class ApplePushService(Protocol):
    """Apple's push service for the passes of one pass type."""

    def push(self, tokens: Sequence[str]) -> list[PushResult]:
        """Tells each device that a pass changed; one result for each token, in their order.

        Raises `Unavailable` where no connection can be had.
        """


class ApplePassBuilder(Protocol):
    """Makes signed `.pkpass` bundles."""

    pass_type_id: str

    def build(self, card: Card, web_service_url: str, authentication_token: str) -> bytes: ...


class GoogleWallet(Protocol):
    """Google Wallet's loyalty classes and objects."""

    def put(self, card: Card) -> None:
        """Makes the member's loyalty object, or patches the one there is, and its class.

        Raises `Unavailable` where Google throttles or cannot be reached.
        """

    def save_link(self, card: Card) -> str:
        """A `https://pay.google.com/gp/v/save/...` link for the member's object."""


@dataclass(frozen=True)
class Registration:
    """One device that shows one member's Apple pass."""

    device_id: str
    pass_type_id: str
    program_id: str
    member_id: str
    push_token: str
    registered_at: Instant


class Passes(Protocol):
    """Which passes were issued, and on which devices they are."""

    def issued(self, program_id: str, member_id: str) -> IssuedPass | None: ...

    def put_issued(self, issued: IssuedPass, replaces: int) -> bool:
        """Writes a revision over revision `replaces` (0: there was none).

        False where another writer came first.
        """

    def mark_pushed(self, program_id: str, member_id: str, revision: int) -> None: ...

    def register(self, registration: Registration) -> bool:
        """Adds a registration, or takes over its new push token. True where it is new."""

    def unregister(self, program_id: str, member_id: str, device_id: str) -> None: ...

    def registrations_of_member(self, program_id: str, member_id: str) -> list[Registration]: ...

    def registrations_of_device(self, device_id: str, pass_type_id: str) -> list[Registration]: ...
