"""Connections: which stores send to a program, and what they are known by.

What a store's owner gives us (the secret it signs with, the token of its API) is kept sealed with a
key derived from the master secret.
"""

from dataclasses import dataclass
from enum import Enum

from chalicelib.kernel.clock import DAY, Instant

MAX_CONNECTIONS = 50  # of a program
KEPT_DAYS = 60  # how long orders of nobody we know are kept, unless said


class StoreKind(Enum):
    """The systems that we read."""

    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    SQUARE = "square"


@dataclass(frozen=True)
class SealedSecret:
    """One secret that the store signs with, or signed with."""

    sealed: bytes
    good_until: Instant | None = None  # None: as long as the connection


@dataclass(frozen=True)
class Connection:
    """One store of one program."""

    program_id: str
    id: str
    kind: StoreKind
    source: str  # of its orders: `shopify`, `webshop`; one connection a source
    address: str  # of the store: `https://corner-coffee.myshopify.com`
    secrets: tuple[SealedSecret, ...]  # newest first
    created_at: Instant
    access: bytes | None = None  # the token of its API, sealed; None: we cannot ask it anything
    enrols: bool = False  # whether its customers become members by themselves
    keeps_days: int = KEPT_DAYS
    revision: int = 1

    def good_secrets(self, now: Instant) -> tuple[SealedSecret, ...]:
        """Those that may have signed at `now`: two for a day after a rotation."""
        return tuple(one for one in self.secrets if one.good_until is None or now < one.good_until)

    def external_id(self, customer_id: str) -> str:
        """What a member is found by who is this customer of the store."""
        return f"{self.source}:{customer_id}"

    def kept_until(self, placed_at: Instant) -> Instant:
        """Until when an order of nobody we know is kept, however often the store tells of it."""
        return placed_at + self.keeps_days * DAY


@dataclass(frozen=True)
class Trouble:
    """Something that a store said and that could not be done, or a person must answer."""

    program_id: str
    store_id: str
    id: str  # by time
    at: Instant
    topic: str
    about: str  # which order, or what else, without personal data
    code: str
    detail: str
    expires_at: Instant


@dataclass(frozen=True)
class Progress:
    """How far the orders of a store were pulled."""

    program_id: str
    store_id: str
    since: Instant  # every change before was seen
    cursor: str | None = None  # the page where the running pull goes on
    began_at: Instant | None = None  # the running pull
    newest: Instant = 0  # the latest change that the running pull saw
    ended_at: Instant | None = None  # the last pull
    checked: int = 0  # orders, in the running or last pull
    found: int = 0  # of them what no message had told
    revision: int = 1
