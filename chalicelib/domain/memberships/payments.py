"""What is asked of the payment service, and what it answers, in our words."""

from dataclasses import dataclass

from chalicelib.domain.memberships.plan import Plan, Price
from chalicelib.kernel.clock import Instant


@dataclass(frozen=True)
class Buyer:
    """A member as the payment service knows him; `test_now` is where a test clock stands."""

    program_id: str
    member_id: str
    email: str | None = None
    name: str | None = None
    test_now: Instant | None = None


@dataclass(frozen=True)
class Sale:
    """What a member buys. `name` is the plan's, in his language."""

    program_id: str
    member_id: str
    plan: Plan
    price: Price
    name: str
    trial_days: int = 0
    promotion_code: str | None = None


@dataclass(frozen=True)
class Hosted:
    """A page of the payment service."""

    url: str
    expires_at: Instant


@dataclass(frozen=True)
class Begun:
    """A subscription that waits for the member's payment sheet to confirm it.

    `kind` is `payment` (a charge) or `setup` (a card for after the trial), `none` where nothing is
    needed.
    """

    subscription: str
    kind: str
    client_secret: str | None


@dataclass(frozen=True)
class InvoiceLine:
    """One row of an invoice: below zero it is given back."""

    text: str
    amount: int
    is_proration: bool


@dataclass(frozen=True)
class Preview:
    """What a change would cost at once, and then each period. Minor units of `money`."""

    due_now: int
    money: str
    lines: tuple[InvoiceLine, ...]
    at: Instant  # of the prorations; the change that names it costs just this


@dataclass(frozen=True)
class Invoice:
    """An invoice, with the service's pages for it."""

    id: str
    number: str | None
    status: str
    total: int
    paid: int
    money: str
    made_at: Instant
    page: str | None
    pdf: str | None
    receipt: str | None = None


@dataclass(frozen=True)
class PaymentEvent:
    """A message of the payment service: which subscription or customer to look at."""

    id: str
    type: str
    subscription: str | None
    customer: str | None
    charge: str | None


@dataclass(frozen=True)
class Billing:
    """That a member is a customer of the payment service."""

    program_id: str
    member_id: str
    customer_id: str
    test_clock: str | None = None


@dataclass(frozen=True)
class Termination:
    """That a subscription ends at once, and what of its last charge is given back.

    It is written down before anything is done, so that whoever finds it open can finish it: what
    is given back was decided once.
    """

    program_id: str
    member_id: str
    subscription: str
    payment: str  # empty: nothing is given back
    amount: int
    money: str
    why: str
    done: bool = False
