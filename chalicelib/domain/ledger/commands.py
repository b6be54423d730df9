"""What may be asked of an account. Each command knows its ref and its fingerprint."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Protocol

from chalicelib.domain.activities import Activity
from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.entries import Snapshot, StoredEntry
from chalicelib.domain.memberships.membership import Subscription
from chalicelib.domain.orders import Order
from chalicelib.domain.program.program import Program
from chalicelib.domain.segments import Person
from chalicelib.kernel.canonical import fingerprint
from chalicelib.kernel.clock import Instant


class Command(Protocol):
    """What every command has."""

    @property
    def ref(self) -> str:
        """The natural key of its entry."""

    @property
    def story(self) -> str | None:
        """The prefix of the refs of the same cause, None where a command stands alone."""

    @property
    def fingerprint(self) -> bytes:
        """16 bytes over the business fields: two that differ ask for different things."""


@dataclass(frozen=True)
class OfOrder:
    """A command about one order; its story is the order's."""

    source: str
    order_id: str

    @property
    def story(self) -> str:
        return refs.story_of(self.source, self.order_id)

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(asdict(self))


@dataclass(frozen=True)
class RecordOrder:
    """An order was placed, and paid or not yet."""

    order: Order
    paid: bool = True
    credited: bool = False  # whether it earns though it was placed before its member joined

    @property
    def ref(self) -> str:
        event = refs.PAID if self.paid else refs.PENDING
        return refs.of_order(self.order.source, self.order.id, event)

    @property
    def story(self) -> str:
        return refs.story_of(self.order.source, self.order.id)

    @property
    def fingerprint(self) -> bytes:
        return self.order.fingerprint


@dataclass(frozen=True)
class EditOrder:
    """A store changed an order that it had sent."""

    order: Order

    @property
    def ref(self) -> str:
        return refs.edit(self.order.source, self.order.id, self.fingerprint)

    @property
    def story(self) -> str:
        return refs.story_of(self.order.source, self.order.id)

    @property
    def fingerprint(self) -> bytes:
        return self.order.fingerprint


@dataclass(frozen=True)
class ConfirmOrder(OfOrder):
    """What an order gave shall wait no longer."""

    @property
    def ref(self) -> str:
        return refs.of_order(self.source, self.order_id, refs.CONFIRMED)


@dataclass(frozen=True)
class CancelOrder(OfOrder):
    """An order never came to be, or all that is left of it came back. Final."""

    @property
    def ref(self) -> str:
        return refs.of_order(self.source, self.order_id, refs.CANCELLED)


@dataclass(frozen=True)
class LineRefund:
    """Units of one line of the order."""

    id: str
    quantity: int


@dataclass(frozen=True)
class RefundOrder(OfOrder):
    """An order was given back: whole, by line, or an amount of money.

    With neither lines nor an amount it is all that was not refunded before.
    """

    refund_id: str
    lines: tuple[LineRefund, ...] = ()
    amount: int | None = None

    @property
    def ref(self) -> str:
        return refs.refund(self.source, self.order_id, self.refund_id)


@dataclass(frozen=True)
class Facts:
    """What the rules must know beside the account and the story: of the member, and of the
    campaigns' budgets (`left`, by number: those that turned out to be nearly used up)."""

    person: Person = field(default_factory=Person)
    left: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OrderFacts(Facts):
    """What a command of an order must know too: every content that it had, by its fingerprint, and
    the program whose rules decided it first (None: nothing was decided yet)."""

    contents: Mapping[bytes, Order] = field(default_factory=dict)
    program: Program | None = None


@dataclass(frozen=True)
class RecordActivity:
    """A member did something that is no order."""

    activity: Activity

    @property
    def ref(self) -> str:
        return refs.activity(self.activity.source, self.activity.id)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return self.activity.fingerprint


@dataclass(frozen=True)
class FollowSubscription:
    """A member's subscription may have changed: `cause` says what made us look at it.

    What it is now is a fact (`MembershipFacts`), fetched anew at each try.
    """

    subscription: str
    cause: str

    @property
    def ref(self) -> str:
        return refs.membership(self.subscription, self.cause)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.subscription)


@dataclass(frozen=True)
class MembershipFacts(Facts):
    """What the payment service says of the subscription."""

    subscription: Subscription | None = None


@dataclass(frozen=True)
class UseBenefit:
    """A member used a benefit of the paid plan; `worth` in minor units of what it is paid in."""

    source: str
    id: str
    benefit: str
    worth: int

    @property
    def ref(self) -> str:
        return refs.benefit(self.source, self.id)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(asdict(self))


@dataclass(frozen=True)
class Keyed:
    """A command that is made once by the caller's Idempotency-Key."""

    idempotency_key: str

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        fields = asdict(self)
        del fields["idempotency_key"]
        return fingerprint(fields)


@dataclass(frozen=True)
class Redeem(Keyed):
    """A member takes a reward."""

    reward: str
    quantity: int
    amount: int | None = None  # of points, for a reward that is paid with any number of them
    total: int | None = None  # of the bill that they pay, in minor units

    @property
    def ref(self) -> str:
        return refs.keyed(self.idempotency_key, "redeem")


@dataclass(frozen=True)
class CancelRedemption:
    """What a redemption or a captured reservation took comes back."""

    event_id: str

    @property
    def ref(self) -> str:
        return refs.given_back(self.event_id)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.event_id)


@dataclass(frozen=True)
class Adjust(Keyed):
    """The shop gives or takes points by hand."""

    currency: str
    amount: int  # above zero gives, below takes
    reason: str
    expires_on: date | None  # of given points; None: as the program says
    allow_debt: bool  # whether more may be taken than there is

    @property
    def ref(self) -> str:
        return refs.keyed(self.idempotency_key, "adjust")

    @property
    def fingerprint(self) -> bytes:
        fields = asdict(self)
        del fields["idempotency_key"]
        fields["expires_on"] = self.expires_on and self.expires_on.isoformat()
        return fingerprint(fields)


@dataclass(frozen=True)
class Celebrate:
    """The member's birthday, once a year."""

    year: int
    at: Instant  # the first moment of the day

    @property
    def ref(self) -> str:
        return refs.birthday(self.year)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.year)


@dataclass(frozen=True)
class SetTier(Keyed):
    """The shop gives a member a tier by hand: he falls no lower. Without a tier, no longer."""

    tier: str | None
    until: date | None  # the first day on which it holds no longer; None: for ever

    @property
    def ref(self) -> str:
        return refs.keyed(self.idempotency_key, "tier")

    @property
    def fingerprint(self) -> bytes:
        return fingerprint({"tier": self.tier, "until": self.until and self.until.isoformat()})


@dataclass(frozen=True)
class Exchange(Keyed):
    """Points of one currency become points of another."""

    exchange: str  # of the program
    amount: int  # the most that is taken

    @property
    def ref(self) -> str:
        return refs.keyed(self.idempotency_key, "exchange")


@dataclass(frozen=True)
class Reserve(Keyed):
    """Points are set aside: an amount of a currency, or the price of a reward."""

    currency: str | None
    amount: int
    reward: str | None
    quantity: int
    lasts_milliseconds: int

    @property
    def ref(self) -> str:
        return refs.keyed(self.idempotency_key, "reserve")


@dataclass(frozen=True)
class OfReservation:
    """A command that ends the reservation that this event made: a capture, or a void."""

    event_id: str

    @property
    def ref(self) -> str:
        return refs.resolved(self.event_id)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint({type(self).__name__: asdict(self)})


@dataclass(frozen=True)
class Capture(OfReservation):
    """Reserved points are spent, all or an amount; the rest is free again."""

    amount: int | None


@dataclass(frozen=True)
class Void(OfReservation):
    """Reserved points are free again."""


@dataclass(frozen=True)
class Transfer(Keyed):
    """A member gives points to another."""

    to_member_id: str
    currency: str
    amount: int

    @property
    def ref(self) -> str:
        return refs.keyed(self.idempotency_key, "transfer")


@dataclass(frozen=True)
class Receive:
    """Points come from another member, in the lots they had there."""

    sent: StoredEntry

    @property
    def ref(self) -> str:
        return refs.received(self.sent.event_id)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.sent.event_id)


@dataclass(frozen=True)
class OfReferral:
    """A command about what a referral gives to one side; `key` is what it is once for: the event
    that caused it, of an advocate; the friend's id, of a friend."""

    key: str

    @property
    def ref(self) -> str:
        return refs.referral(self.key) + "given"

    @property
    def story(self) -> str:
        return refs.referral(self.key)

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(asdict(self))


@dataclass(frozen=True)
class RewardAdvocate(OfReferral):
    """An advocate has what his friend brings him."""

    variant: int  # of the terms


@dataclass(frozen=True)
class WelcomeFriend(OfReferral):
    """A friend has what he was promised.

    `referrer` is who is told of it: an advocate, or a partner.
    """

    referrer: str
    partner: str
    variant: int


@dataclass(frozen=True)
class ReverseReferral(OfReferral):
    """What a referral gave to one side is taken back; `referrer` as it was given, of a friend."""

    referrer: str = ""

    @property
    def ref(self) -> str:
        return refs.referral(self.key) + "reversed"


@dataclass(frozen=True)
class TakeOver:
    """Another member's account becomes part of this one."""

    member_id: str
    account: Snapshot

    @property
    def ref(self) -> str:
        return refs.merged(self.member_id)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.member_id)


@dataclass(frozen=True)
class Close:
    """The account goes over to another member."""

    survivor_id: str

    @property
    def ref(self) -> str:
        return refs.closed(self.survivor_id)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.survivor_id)


@dataclass(frozen=True)
class Enrol:
    """A member joins."""

    member_id: str
    joined_at: Instant
    fields_fingerprint: bytes

    @property
    def ref(self) -> str:
        return refs.enrolled(self.member_id)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        return self.fields_fingerprint


@dataclass(frozen=True)
class ChangeStanding:
    """The account is restricted, freed again, or erased; `version` is that of its entry."""

    event: str  # restricted, unrestricted, erased
    version: int

    @property
    def ref(self) -> str:
        return refs.stands(self.event, self.version)

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        fields: dict[str, Any] = {"event": self.event}
        return fingerprint(fields)
