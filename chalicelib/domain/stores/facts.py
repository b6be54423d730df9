"""What a store says, in our words, whatever system it runs.

A store tells the whole order again and again, as it is at that moment; an adapter turns each of its
messages into facts, and `services/store_orders.py` brings the ledger to them.
"""

from dataclasses import dataclass, field
from enum import Enum

from chalicelib.domain.ledger.commands import LineRefund
from chalicelib.domain.orders import Order
from chalicelib.domain.referrals.checks import Seen
from chalicelib.kernel.clock import Instant


@dataclass(frozen=True)
class Customer:
    """Who buys, or has an account, as the store knows him. Everything may be absent."""

    id: str | None = None  # of his account; None: a guest
    email: str | None = None
    email_verified: bool = False  # the store says that the address is his
    phone: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    country: str | None = None  # ISO 3166-1 alpha-2
    locale: str | None = None
    accepts_marketing: bool | None = None  # by e-mail; None: the store does not say
    accepted_at: Instant | None = None  # when he said so


class OrderState(Enum):
    """Where an order stands."""

    PENDING = "pending"  # placed, and not wholly paid
    PAID = "paid"
    CANCELLED = "cancelled"  # it never came to be, or is void: final


@dataclass(frozen=True)
class StoreRefund:
    """Something of an order that came back: lines, or money, or, with neither, all that is left."""

    id: str
    lines: tuple[LineRefund, ...] = ()
    amount: int | None = None  # minor units


@dataclass(frozen=True)
class OrderSaid:
    """An order as it is: its content as it was bought and edited, and what came back of it.

    `order.updated_at` is when the store changed it. The lines are those before any refund: what an
    edit took out is not in them, what came back is.
    """

    order: Order
    state: OrderState
    customer: Customer = field(default_factory=Customer)
    refunds: tuple[StoreRefund, ...] = ()
    discount_codes: tuple[str, ...] = ()  # that the customer used
    is_test: bool = False  # nobody paid anything
    seen: Seen = field(default_factory=Seen)  # of who placed it, for the checks of referrals


@dataclass(frozen=True)
class RefundSaid:
    """Something of an order came back; the rest of the order is not said."""

    order_id: str
    refund: StoreRefund


@dataclass(frozen=True)
class OrderGone:
    """An order was cancelled or deleted; nothing else is said of it."""

    order_id: str


@dataclass(frozen=True)
class OrderToFetch:
    """An order changed, and the message does not say how."""

    order_id: str


@dataclass(frozen=True)
class CustomerSaid:
    """An account as it is."""

    customer: Customer


@dataclass(frozen=True)
class CustomerGone:
    """An account was closed. What its owner has with us stays his."""

    customer: Customer


@dataclass(frozen=True)
class ErasureAsked:
    """Whatever is known of a customer must be forgotten."""

    customer: Customer


@dataclass(frozen=True)
class DataAsked:
    """A customer wants to know what is known of him: the shop must answer."""

    customer: Customer


@dataclass(frozen=True)
class StoreGone:
    """The store gave us up: what is kept of it must go."""


Fact = (
    OrderSaid
    | RefundSaid
    | OrderGone
    | OrderToFetch
    | CustomerSaid
    | CustomerGone
    | ErasureAsked
    | DataAsked
    | StoreGone
)


@dataclass(frozen=True)
class StoreMessage:
    """One request of a store, as it came."""

    headers: dict[str, str]  # by their names in lower case
    body: bytes
    url: str  # at which the store reached us


@dataclass(frozen=True)
class Heard:
    """What a message says; no fact where its topic is not known, or says nothing for us."""

    id: str  # of the message: the same whenever it is sent again
    topic: str
    facts: tuple[Fact, ...] = ()
    known: bool = True  # whether the topic is


class Unreadable(ValueError):
    """A signed message is not what the store's documentation says; the text says where."""


@dataclass(frozen=True)
class StoreDiscount:
    """A code that takes something off one order of the store: an amount, or a share."""

    code: str
    title: str
    currency: str
    amount: int | None = None  # minor units
    percent: int | None = None  # of a whole order, 1 to 100
    ends_at: int | None = None  # the first instant at which it is good no longer


@dataclass(frozen=True)
class OrdersChanged:
    """A page of the orders that a store changed, oldest change first."""

    orders: tuple[OrderSaid, ...]
    cursor: str | None  # where the next page begins; None: there is none
    unreadable: tuple[str, ...] = ()  # what could not be read, and why
