"""What the services need of the world outside, as Protocols. Adapters keep them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import Protocol

from chalicelib.domain.access.audit import AuditRow
from chalicelib.domain.access.callers import Identity
from chalicelib.domain.access.keys import ApiKey
from chalicelib.domain.cards.card import Card, Colors, IssuedPass
from chalicelib.domain.cards.message import PassMessage, Said
from chalicelib.domain.errors import Refusal
from chalicelib.domain.jobs.exports import Export
from chalicelib.domain.jobs.imports import Import, RowError
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import RefundOrder
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.domain.members.member import Claim, Consent, Member
from chalicelib.domain.memberships.membership import Subscription
from chalicelib.domain.memberships.payments import (
    Begun,
    Billing,
    Buyer,
    Hosted,
    Invoice,
    PaymentEvent,
    Preview,
    Sale,
    Termination,
)
from chalicelib.domain.memberships.refunding import Charge
from chalicelib.domain.orders import Order
from chalicelib.domain.program.program import ProgramHead, PublishedVersion
from chalicelib.domain.referrals.checks import Traces
from chalicelib.domain.referrals.referral import Referral, ReferralChange, State, Tally
from chalicelib.domain.rewards.voucher import Use, Voucher, VoucherChange
from chalicelib.domain.stores.connection import Connection, Progress, Trouble
from chalicelib.domain.stores.facts import (
    Heard,
    OrderSaid,
    OrdersChanged,
    StoreDiscount,
    StoreMessage,
)
from chalicelib.domain.webhooks.delivery import Delivery, Health
from chalicelib.domain.webhooks.endpoint import Endpoint
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


class LookBook(Protocol):
    """The designs of passes."""

    def problems(self, look: str, currencies: frozenset[str]) -> list[str]:
        """What is wrong with a look for a program with these currencies; empty: nothing."""

    def picture(self, card: Card) -> str:
        """The front of the card as SVG. Raises `Fault` where its look is not there."""

    def code(self, text: str, said: str) -> str:
        """A QR code as SVG; `said` is for those who cannot see it."""

    def button(self, wallet: str, language: str) -> str | None:
        """The wallet's official button as a `data:` address; None until the operator adds it."""

    def stamps(self, look: str, goal: int, count: int, colors: Colors) -> bytes | None:
        """A wide PNG of stamps; None where the look draws none."""


class ApplePassBuilder(Protocol):
    """Makes signed `.pkpass` bundles."""

    pass_type_id: str
    expires_at: Instant  # of the certificate

    def build(self, card: Card, web_service_url: str, authentication_token: str) -> bytes: ...


@dataclass(frozen=True)
class WalletCallback:
    """Google says that an object came into a wallet, or left it."""

    object_id: str
    saved: bool
    message_time: int  # later for a later message


class WalletCallbacks(Protocol):
    """Google's messages."""

    def read(self, body: bytes) -> WalletCallback | None:
        """What a message says; None where it is not Google's, or is too old.

        Raises `Unavailable` where Google's keys cannot be had.
        """


class GoogleWallet(Protocol):
    """Google Wallet's loyalty classes and objects."""

    def put(self, card: Card, *, notify: bool = False) -> None:
        """Makes the member's loyalty object, or patches the one there is, and its class.

        With `notify` the phone says what changed. Raises `Unavailable` where Google throttles or
        cannot be reached.
        """

    def say(self, card: Card, said: Said) -> None:
        """Adds a message to the member's object, unless one of this id is there already.

        Raises as `put` does.
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
    told_revision: int = 0  # of the pass, where other devices of the member were not told yet

    def event(self, at: Instant, *, installed: bool) -> "WalletEvent":
        """That the pass came to this device, or left it."""
        device = sha256(self.device_id.encode()).hexdigest()[:16]
        return WalletEvent(self.program_id, self.member_id, at, "apple", installed, device)


@dataclass(frozen=True)
class WalletEvent:
    """A pass came into a wallet, or left it."""

    program_id: str
    member_id: str
    at: Instant
    platform: str  # apple or google
    installed: bool  # or removed
    device: str = ""  # which of several: a digest (a device's own id is personal), or Google's time

    @property
    def id(self) -> str:
        """The same for the same event, and in the order of time."""
        what = f"{self.platform}#{self.device}#{self.installed}"
        digest = sha256(f"{self.member_id}#{what}".encode()).hexdigest()[:16]
        return f"{self.at:020d}.{digest}"


@dataclass(frozen=True)
class WalletTotals:
    """How many passes came and went, counted up to one event."""

    until: str = ""  # its id
    installed: dict[str, int] = field(default_factory=dict)  # by platform
    removed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PhoneLog:
    """What a phone complained about."""

    at: Instant
    id: str
    text: str

    @property
    def key(self) -> str:
        """Where it stands among the others, by time."""
        return f"{self.at:020d}.{self.id}"


@dataclass(frozen=True)
class RefreshProgress:
    """How far the phones of one shard of a program's passes were told of a version."""

    program_id: str
    version: int
    shard: int
    after: str  # the last member id that is done
    done: int
    began_at: Instant
    ended_at: Instant | None


PASS_SHARDS = 4  # of a program's passes, so that many change at once
MEMBER_SHARDS = PASS_SHARDS  # of its members, so that many join at once


def shard_of(member_id: str) -> int:
    """In which part of the program's passes, and of its members, a member is listed."""
    return sha256(member_id.encode()).digest()[0] % PASS_SHARDS


class Passes(Protocol):
    """Which passes were issued, and on which devices they are."""

    def issued(self, program_id: str, member_id: str) -> IssuedPass | None: ...

    def put_issued(
        self, issued: IssuedPass, replaces: int, event: WalletEvent | None = None
    ) -> bool:
        """Writes a revision over revision `replaces` (0: there was none), and what it tells.

        False where another writer came first.
        """

    def of_program(
        self, program_id: str, shard: int, after: str | None, limit: int
    ) -> list[IssuedPass]:
        """By member id, from the id above `after` on, of one shard; a moment old perhaps."""

    def mark_pushed(self, program_id: str, member_id: str, revision: int) -> None: ...

    def mark_google(
        self, program_id: str, member_id: str, revision: int, notified_at: Instant | None
    ) -> bool:
        """Notes that Google has a revision, and when it made the phone speak.

        False where that is not the revision any more.
        """

    def register(self, registration: Registration) -> bool:
        """Adds a registration, or takes over its new push token. True where it is new."""

    def mark_told(self, registration: Registration, revision: int) -> None:
        """Writes down that this device was told, unless its registration was changed meanwhile."""

    def unregister(self, program_id: str, member_id: str, device_id: str, at: Instant) -> None: ...

    def forget(self, program_id: str, member_id: str, at: Instant) -> None:
        """Removes the issued pass and every registration of it."""

    def add_message(self, message: PassMessage) -> bool:
        """Keeps a message until nobody shows it; False where there is one of its id."""

    def messages(self, program_id: str, member_id: str) -> list[PassMessage]:
        """All of a member, in any order; some that nobody shows any more perhaps."""

    def change_message(self, was: PassMessage, now: PassMessage) -> bool:
        """Writes a message over just that other one; False where it is not there."""

    def forget_messages(self, program_id: str, member_id: str) -> None: ...

    def events(
        self, program_id: str, limit: int, after: str = "", before: str | None = None
    ) -> list[WalletEvent]:
        """Oldest first above the id `after`; or newest first, below the id `before`."""

    def totals(self, program_id: str) -> WalletTotals: ...

    def put_totals(self, program_id: str, totals: WalletTotals) -> None: ...

    def progress(self, program_id: str, shard: int) -> RefreshProgress | None: ...

    def put_progress(self, progress: RefreshProgress) -> None: ...

    def log(self, line: PhoneLog, expires_at: Instant) -> None:
        """Keeps what a phone said for some time."""

    def logged(self, before: str | None, limit: int) -> list[PhoneLog]:
        """Newest first, below the key `<at>.<id>` of a line."""

    def registrations_of_member(self, program_id: str, member_id: str) -> list[Registration]: ...

    def registrations_of_device(self, device_id: str, pass_type_id: str) -> list[Registration]: ...


class Wrote(Enum):
    """What became of a transaction on the ledger."""

    STORED = "stored"
    LOST = "lost"  # another entry lies at one of the versions
    EXCEEDED = "exceeded"  # a shared limit would be passed
    CHANGED = "changed"  # a voucher was changed meanwhile, or its code is taken


@dataclass(frozen=True)
class Take:
    """Units of something that all members share: `used + amount <= limit`, where there is one."""

    program_id: str
    name: str
    amount: int  # below zero puts back
    limit: int | None


class Ledger(Protocol):
    """The append-only logs, one a member. An entry is never changed and never removed."""

    def head(self, key: LogKey, *, strong: bool) -> Head | None:
        """The newest entry; not `strong`, it may be a moment old."""

    def story(self, key: LogKey, prefix: str) -> list[StoredEntry]:
        """All entries whose ref starts with `prefix`, oldest first, read strongly."""

    def append(self, entry: StoredEntry) -> StoredEntry | None:
        """Puts an entry at its version.

        None where it was stored; otherwise the entry that lies there, and nothing was changed. A
        retry of a put that did commit finds its own entry.
        """

    def append_each(self, entries: Sequence[StoredEntry]) -> list[StoredEntry | None]:
        """Puts entries of different logs, each for itself as `append` does, in fewer requests."""

    def append_all(
        self,
        entries: Sequence[StoredEntry],
        takes: Sequence[Take] = (),
        vouchers: Sequence[VoucherChange] = (),
    ) -> Wrote:
        """Puts entries of several logs, takes of what is shared, issues and changes vouchers: all
        or none."""

    def used(self, program_id: str, name: str) -> int:
        """How much of what all members share is taken, read strongly."""

    def entry(self, key: LogKey, version: int) -> StoredEntry | None: ...

    def entries(self, key: LogKey, before: int | None, limit: int) -> list[StoredEntry]:
        """Newest first, from the version below `before` (None: the head) on."""


@dataclass(frozen=True)
class Parked:
    """A refund (None: a cancellation) that came before its order."""

    refund: RefundOrder | None
    reason: str | None = None


@dataclass(frozen=True, order=True)
class Latest:
    """Which content of an order its store said last. Of two of the same time one is the later."""

    at: Instant
    fingerprint: bytes  # of a content that is kept


@dataclass(frozen=True)
class OrderRecord:
    """An order and the member it belongs to, for ever."""

    program_id: str
    member_id: str
    order: Order
    fingerprint: bytes
    paid: bool = True
    parked: tuple[Parked, ...] = ()
    latest: Latest | None = None  # None: this content

    def repeats(self, other: "OrderRecord") -> bool:
        """Whether both say the same of the order."""
        return self.fingerprint == other.fingerprint and self.paid == other.paid


class Vouchers(Protocol):
    """Codes of rewards, and public ones. All reads but one are strong."""

    def get(self, program_id: str, code: str) -> Voucher | None: ...

    def of_event(self, program_id: str, event_id: str) -> Voucher | None:
        """The voucher that an entry paid for."""

    def of_member(
        self, program_id: str, member_id: str, after: str | None, limit: int
    ) -> list[Voucher]:
        """By code, from the code above `after` on; a moment old perhaps."""

    def use_of(self, program_id: str, code: str, use_id: str) -> Use | None: ...

    def create(self, voucher: Voucher) -> bool:
        """Stores a voucher that no entry paid for; False where its code is taken."""

    def change(self, change: VoucherChange, use: Use, was: Use | None) -> bool:
        """Writes a changed voucher and one of its uses, all or none.

        False where either is not as it `was`.
        """

    def add_free(self, program_id: str, reward: str, codes: Sequence[str]) -> int:
        """Adds codes to a reward's pool; how many were not in it."""

    def free(self, program_id: str, reward: str, limit: int) -> list[str]:
        """Codes of the pool that nobody has yet."""


class Orders(Protocol):
    """The order records: exactly one for each order of a program. All reads but one are strong."""

    def claim(self, record: OrderRecord) -> OrderRecord:
        """Puts the record if the order has none, and returns the one it has now.

        It has what was parked before. The very object `record` comes back, and not only an equal
        one, where this call was the first to say anything of the order.
        """

    def claim_each(self, records: Sequence[OrderRecord]) -> list[OrderRecord]:
        """Claims different orders, each for itself as `claim` does, in fewer requests."""

    def get(self, program_id: str, source: str, order_id: str) -> OrderRecord | None: ...

    def park(
        self, program_id: str, source: str, order_id: str, parked: Parked
    ) -> OrderRecord | None:
        """Keeps a refund until its order comes. The order's record where it is there already."""

    def put_content(self, record: OrderRecord) -> None:
        """Keeps another content of an order, beside the one of its record."""

    def content(
        self, program_id: str, source: str, order_id: str, fingerprint: bytes
    ) -> Order | None:
        """A content that the order had beside that of its record."""

    def put_latest(self, record: OrderRecord, latest: Latest) -> bool:
        """Says which content is the latest, over what `record` says of it.

        False where the stored record says something else.
        """

    def of_member(
        self, program_id: str, member_id: str, after: str | None, limit: int
    ) -> tuple[list[OrderRecord], str | None]:
        """All contents of a member's orders, oldest first; a moment old perhaps.

        With it where to go on after, None at the end.
        """

    def forget_customer(self, record: OrderRecord) -> None:
        """Takes what may tell of a person out of one content of an order."""


@dataclass(frozen=True)
class Origin:
    """Where a new member comes from, in a program that has referrals."""

    traces: Traces
    referral: Referral | None = None
    network: str = ""  # the trace of the network address, where friends from it are counted
    forgotten_at: Instant = 0  # when nobody asks for that any more


class Members(Protocol):
    """Profiles and the claims that keep them apart. All reads are strong."""

    def enrol(
        self,
        member: Member,
        first: StoredEntry,
        said: Sequence[Consent] = (),
        origin: Origin | None = None,
    ) -> bool:
        """Stores the member, every claim, what he said, where he comes from and the first entry of
        the log, all or none.

        False where a claim, the member or the log is there already; then nothing was stored. A
        retry of a transaction that did commit answers True.
        """

    def get(self, program_id: str, member_id: str) -> Member | None: ...

    def claimed_by(self, program_id: str, claim: Claim) -> str | None:
        """The id of the member who has the claim."""

    def claimed_by_each(self, program_id: str, claims: Sequence[Claim]) -> dict[Claim, str]:
        """The same of many claims in fewer requests; those that nobody has are not in it."""

    def of_program(self, program_id: str, shard: int, after: str, limit: int) -> list[str]:
        """The ids of all who ever joined, erased or not, of one shard: from the one above `after`
        on."""

    def consents(self, program_id: str, member_id: str) -> list[Consent]:
        """Everything that the member ever allowed, forbade or accepted, oldest first."""

    def forget(self, member: Member) -> bool:
        """Removes the profile, its claims and its consents; False where it was changed meanwhile.

        What was removed before is no obstacle.
        """

    def replace(self, member: Member, was: Member, said: Sequence[Consent] = ()) -> Claim | bool:
        """Writes a changed member over `was`, moves its claims and keeps what he said, all or none.

        True where it was written; the claim that another member has; False where the stored
        revision is not that of `was`. `member.revision` is `was.revision + 1`.
        """


class Programs(Protocol):
    """Programs and their immutable versions. All reads are strong."""

    def create(self, head: ProgramHead) -> bool:
        """False where the program is there already."""

    def head(self, program_id: str) -> ProgramHead | None: ...

    def replace_head(self, head: ProgramHead, was: ProgramHead) -> bool:
        """Writes a changed head (of `revision + 1`); False where another writer came first."""

    def publish(self, version: PublishedVersion, head: ProgramHead, was: ProgramHead) -> bool:
        """Stores a version and the head that names it, in one transaction."""

    def version(self, program_id: str, version: int) -> PublishedVersion | None: ...


class Keys(Protocol):
    """The keys of programs."""

    def create(self, key: ApiKey) -> bool:
        """Stores a key and the way from its secret to it; False where its id is taken."""

    def get(self, key_id: str) -> ApiKey | None:
        """The key of any program, read strongly: whether the caller may see it is its own doing."""

    def of_secret(self, secret_hash: str) -> ApiKey | None:
        """The key that this secret was once made for; whether it still is good is the caller's."""

    def replace(self, key: ApiKey, was: ApiKey) -> bool:
        """Writes a changed key (of `revision + 1`) and the ways to it.

        False where another writer came first.
        """

    def of_source(self, source: str) -> list[ApiKey]:
        """The webhook keys of every program whose orders come from `source`, read strongly."""

    def of_program(self, program_id: str, after: str | None, limit: int) -> list[ApiKey]:
        """By id, from the id above `after` on."""


class Notes(Protocol):
    """Free text about entries. It may hold personal data, so it stays out of the ledger."""

    def put(self, key: LogKey, ref: str, text: str) -> None: ...

    def of(self, key: LogKey, ref: str) -> str | None:
        """The note of one entry."""

    def forget(self, key: LogKey) -> None:
        """Removes every note of a log."""


class Audit(Protocol):
    """What operators did. What a row says of a member lies apart, so that it can be forgotten."""

    def put(self, row: AuditRow) -> None:
        """Writes a row, over the one of the same id."""

    def of_program(
        self, program_id: str, before: str | None, limit: int
    ) -> tuple[list[AuditRow], str | None]:
        """Newest first, and where to go on below; None at the end."""

    def of_member(self, program_id: str, member_id: str) -> list[AuditRow]:
        """The rows that tell of a member, oldest first."""

    def forget(self, program_id: str, member_id: str) -> None:
        """Takes out what the rows say of a member; that something was done stays."""


@dataclass(frozen=True)
class DueRow:
    """When something happens next to one member by itself, and among which rows it is found."""

    program_id: str
    member_id: str
    at: Instant
    partition: str


class Dues(Protocol):
    """One row for each member of whom something is due some day."""

    def of(self, program_id: str, member_id: str) -> DueRow | None: ...

    def put(self, program_id: str, member_id: str, row: DueRow | None) -> None:
        """Moves the member's row; None removes it."""

    def until(self, partition: str, now: Instant, limit: int) -> list[DueRow]:
        """The rows of a partition that are due by now, soonest first; a moment old perhaps."""

    def swept_until(self) -> int | None:
        """The day (since 1970, UTC) before which no row is left; None before the first sweep."""

    def mark_swept(self, day: int) -> None: ...


class Billings(Protocol):
    """Which members are customers of the payment service, and what is being ended there."""

    def of(self, program_id: str, member_id: str) -> Billing | None: ...

    def create(self, billing: Billing) -> bool:
        """Stores it where there is none; False where there is another one."""

    def programs(self) -> list[str]:
        """Every program that ever had one."""

    def forget(self, program_id: str, member_id: str) -> None: ...

    def of_program(self, program_id: str, after: str | None, limit: int) -> list[Billing]:
        """By member id, from the one above `after` on; a moment old perhaps."""

    def termination(self, program_id: str, subscription: str) -> Termination | None:
        """The end of a subscription that was ordered; at most one for each."""

    def order(self, termination: Termination) -> bool:
        """Stores it where there is none; False where there is another one."""

    def close(self, termination: Termination) -> None:
        """Stores that it is done."""

    def open_terminations(self, program_id: str) -> list[Termination]:
        """Those that are not done; a moment old perhaps."""


class Webhooks(Protocol):
    """The endpoints of programs, how they fare, and what is or was on its way to them.

    All reads are strong.
    """

    def create(self, endpoint: Endpoint) -> bool:
        """Stores an endpoint; False where its id is taken."""

    def get(self, program_id: str, endpoint_id: str) -> Endpoint | None: ...

    def of_program(self, program_id: str) -> list[Endpoint]:
        """All of a program, by id."""

    def replace(self, endpoint: Endpoint, was: Endpoint) -> bool:
        """Writes a changed endpoint (of `revision + 1`); False where another writer came first."""

    def remove(self, endpoint: Endpoint) -> None:
        """Removes an endpoint and how it fares."""

    def health(self, program_id: str, endpoint_id: str) -> Health: ...

    def put_health(self, health: Health) -> bool:
        """Writes over that of the revision before; False where another writer came first."""

    def add(self, delivery: Delivery) -> bool:
        """Keeps a delivery until `expires_at`; False where there is one of its id."""

    def delivery(self, program_id: str, endpoint_id: str, delivery_id: str) -> Delivery | None: ...

    def put(self, delivery: Delivery) -> bool:
        """Writes over that of the revision before; False where another writer came first."""

    def newest(
        self, program_id: str, endpoint_id: str, before: str | None, limit: int
    ) -> list[Delivery]:
        """Newest event first, from the id below `before` on."""

    def oldest(self, program_id: str, endpoint_id: str, after: str, limit: int) -> list[Delivery]:
        """Oldest event first, from the id above `after` on."""


@dataclass(frozen=True)
class Sent:
    """What came of one request to an endpoint."""

    status: int | None  # None: there was no answer
    excerpt: str  # the beginning of the answer
    took: int  # milliseconds
    trouble: str | None = None  # why there was no answer
    retry_after: str | None = None  # the header


class WebhookSender(Protocol):
    """Reaches endpoints on the internet."""

    def problem(self, url: str) -> str | None:
        """Why nothing may be sent to an address; None where it may."""

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """One request, to an address that was just found good again; it raises nothing."""


class Payments(Protocol):
    """The payment service, for one account. `key` makes a call once: the same key, the same call.

    All raise `Unavailable` where the service cannot be reached, `Fault` where it refuses us.
    """

    def make_customer(self, key: str, buyer: Buyer) -> Billing: ...

    def forget_customer(self, customer_id: str) -> None:
        """Deletes a customer, which ends all that he has; nothing where he is gone."""

    def advance(self, test_clock: str, now: Instant) -> None:
        """Moves a customer's test clock forward."""

    def checkout(
        self, key: str, customer_id: str, sale: Sale, success_url: str, cancel_url: str
    ) -> Hosted | Refusal: ...

    def subscribe(self, key: str, customer_id: str, sale: Sale) -> Begun | Refusal: ...

    def promotion(self, code: str) -> str | None:
        """The id of a promotion code that customers may use, None where there is none."""

    def preview(self, subscription: Subscription, sale: Sale, at: Instant) -> Preview | Refusal: ...

    def change(
        self, key: str, subscription: Subscription, sale: Sale, at: Instant
    ) -> Refusal | None: ...

    def cancel_at_period_end(
        self, key: str, subscription_id: str, *, cancels: bool
    ) -> Refusal | None: ...

    def cancel_now(self, key: str, subscription_id: str) -> None:
        """Ends it at once; nothing where it has ended."""

    def discount(self, key: str, subscription_id: str, code: str) -> Refusal | None:
        """Takes off the next charges what a promotion code says."""

    def pause(
        self, key: str, subscription: Subscription, resumes_at: Instant | None
    ) -> Refusal | None: ...

    def resume(self, key: str, subscription_id: str, *, anew: bool) -> Refusal | None:
        """Charges again from the next period on; `anew` begins one now, or changes nothing."""

    def last_charge(self, subscription: Subscription) -> Charge | None: ...

    def refund(self, key: str, payment: str, amount: int, money: str) -> None: ...

    def subscription(self, subscription_id: str) -> Subscription | None:
        """As it is now; None where there is none."""

    def subscriptions_of(self, customer_id: str) -> list[Subscription]:
        """All that a customer has or had, newest first."""

    def subscriptions_after(self, after: str | None) -> tuple[list[Subscription], str | None]:
        """A page of all of the account, and where the next begins."""

    def customer_of_charge(self, charge_id: str) -> str | None: ...

    def invoices(
        self, customer_id: str, after: str | None, limit: int
    ) -> tuple[list[Invoice], str | None]: ...

    def portal(self, customer_id: str, return_url: str) -> str: ...

    def event(self, body: bytes, signature: str, now: Instant) -> PaymentEvent:
        """What a message is about. Raises `BadSignature`."""


class Referrals(Protocol):
    """Who brought whom: at most one referral for each friend, for ever. Reads of one are strong."""

    def of_friend(self, program_id: str, friend_id: str) -> Referral | None: ...

    def move(self, change: ReferralChange) -> bool:
        """Writes a changed referral and the tally it is counted in, both or none.

        False where either is not as it was. A retry of what did commit is True.
        """

    def in_state(
        self, program_id: str, state: State, after: str | None, limit: int
    ) -> tuple[list[Referral], str | None]:
        """Those that are shown as being in it, oldest first, and where to go on after; a moment old
        perhaps."""

    def tally(self, program_id: str, referrer: str) -> Tally | None: ...

    def tallies(self, program_id: str, after: str | None, limit: int) -> list[Tally]:
        """By referrer, from the one above `after` on; a moment old perhaps."""

    def owner(self, program_id: str, code: str) -> str | None:
        """The member whose code it is."""

    def take_code(self, program_id: str, code: str, member_id: str) -> bool:
        """Gives a member a code that nobody has; whether it is his now."""

    def traces(self, program_id: str, member_id: str) -> Traces: ...

    def remember(self, program_id: str, member_id: str, traces: Traces) -> None:
        """Adds traces of a member. Raises `Contended`."""

    def friends_from(
        self, program_id: str, network: str, since: Instant, until: Instant, limit: int
    ) -> int:
        """How many friends joined from a network address then, counted up to `limit`."""

    def count_click(self, program_id: str, code: str) -> None:
        """Somebody followed a link. A retry may count twice."""

    def clicks(self, program_id: str, code: str) -> int: ...

    def forget(self, program_id: str, member_id: str) -> None:
        """Removes the traces of a member."""


class StoreApi(Protocol):
    """The API of one connected store.

    All raise `Unavailable` where it cannot be reached, throttles or answers 5xx, and `Fault` where
    it refuses us.
    """

    def changed(self, since: Instant, cursor: str | None) -> OrdersChanged:
        """A page of all orders that were changed at `since` or later, oldest change first."""

    def order(self, order_id: str) -> OrderSaid | None:
        """One order as it is now; None where there is none."""

    def put_discount(self, discount: StoreDiscount) -> None:
        """Makes a code that is good for one order; nothing where there is one of its name."""

    def end_discount(self, code: str) -> None:
        """Ends a code; nothing where there is none."""


class StoreSystem(Protocol):
    """A system that stores run on.

    `source` is what orders are said to be from, `money` is the currency of the program.
    """

    def hear(
        self,
        message: StoreMessage,
        secrets: Sequence[str],
        source: str,
        money: str,
        now: Instant,
    ) -> Heard:
        """What a message says.

        Raises `BadSignature` where no holder of any of `secrets` signed just this message,
        `Unreadable` where it is not as the system's documentation says.
        """

    def api(self, connection: Connection, access: str, money: str) -> StoreApi:
        """The API of a store; `access` is the token that its owner gave us."""

    def address_problem(self, address: str) -> str | None:
        """Why no store of this system can be at an address; None where one can."""

    def access_problem(self, access: str) -> str | None:
        """Why a text cannot be a token of this system; None where it can."""


class Stores(Protocol):
    """Which stores are connected, and what waits of them. Reads of one are strong."""

    def create(self, connection: Connection) -> bool:
        """False where its id is taken."""

    def get(self, store_id: str) -> Connection | None:
        """The connection of any program: whether the caller may see it is its own doing."""

    def of_program(self, program_id: str) -> list[Connection]:
        """All of a program, by id."""

    def all(self) -> list[Connection]:
        """Of every program; a moment old perhaps."""

    def replace(self, connection: Connection, was: Connection) -> bool:
        """Writes a changed one (of `revision + 1`); False where another writer came first."""

    def remove(self, connection: Connection) -> None:
        """Removes a connection, how far its orders were pulled and what its topics counted."""

    def heard(self, store_id: str, message_id: str) -> bool:
        """Whether the message was done before."""

    def mark_heard(self, store_id: str, message_id: str, expires_at: Instant) -> None: ...

    def count(self, store_id: str, topic: str) -> None:
        """Counts a message; a retry may count twice."""

    def counts(self, store_id: str) -> dict[str, int]:
        """How many messages came, by topic."""

    def add_trouble(self, trouble: Trouble) -> None:
        """Keeps it until it expires, over the one of its id."""

    def troubles(self, store_id: str, before: str | None, limit: int) -> list[Trouble]:
        """Newest first, below the id `before`."""

    def keep(self, program_id: str, owner: Claim, said: OrderSaid, expires_at: Instant) -> None:
        """Keeps an order of nobody we know, over what an earlier change of it said."""

    def kept(self, program_id: str, owner: Claim) -> list[OrderSaid]: ...

    def unkeep(self, program_id: str, owner: Claim, said: OrderSaid) -> bool:
        """Removes a kept order; False where a later change than `said` is kept by now."""

    def unkeep_some(self, program_id: str, source: str, limit: int) -> int:
        """Removes some of all orders that are kept of a source; how many there were."""

    def progress(self, store_id: str) -> Progress | None: ...

    def put_progress(self, progress: Progress) -> bool:
        """Writes over that of the revision before; False where another writer came first."""


class IdentityIssuers(Protocol):
    """The OIDC issuers that programs trust."""

    def identity(self, token: str, now: Instant) -> Identity | None:
        """Of whom a token is, and for which program; None where it is not good `now`.

        Raises `Unavailable` where the issuer's keys cannot be had.
        """


class Sealer(Protocol):
    """Keeps secrets of others where nobody else can read them."""

    def seal(self, owner: str, secret: str) -> bytes:
        """The same bytes for the same secret of the same owner."""

    def open(self, owner: str, sealed: bytes) -> str:
        """Raises `Corrupt` where it was not sealed for this owner with our key."""


class Imports(Protocol):
    """The imports of programs, and the rows that they refused. Reads of one are strong."""

    def create(self, one: Import) -> bool:
        """False where its id is taken."""

    def get(self, program_id: str, import_id: str) -> Import | None: ...

    def newest(
        self, program_id: str, after: str | None, limit: int
    ) -> tuple[list[Import], str | None]:
        """Newest first, and where to go on after; a moment old perhaps."""

    def put(self, one: Import) -> bool:
        """Writes over that of the revision before; False where another writer came first."""

    def add_errors(self, one: Import, errors: Sequence[RowError], expires_at: Instant) -> None:
        """Keeps them, each over the one of its row."""

    def errors(self, program_id: str, import_id: str, after: int, limit: int) -> list[RowError]:
        """By row, from the one above `after` on."""


class Exports(Protocol):
    """The exports of programs. Reads of one are strong."""

    def create(self, one: Export) -> bool:
        """False where its id is taken."""

    def get(self, program_id: str, export_id: str) -> Export | None: ...

    def newest(
        self, program_id: str, after: str | None, limit: int
    ) -> tuple[list[Export], str | None]:
        """Newest first, and where to go on after; a moment old perhaps."""

    def put(self, one: Export) -> bool:
        """Writes over that of the revision before; False where another writer came first."""


class Files(Protocol):
    """Large files, of imports and exports. All but the addresses raise `Unavailable`."""

    def upload_url(self, name: str, expires_in_seconds: int) -> str:
        """Where the caller may put the file, by one PUT."""

    def download_url(self, name: str, expires_in_seconds: int) -> str:
        """Where the caller may get the file."""

    def size(self, name: str) -> int | None:
        """In bytes; None where there is none."""

    def read(self, name: str, start: int, length: int) -> bytes:
        """So many bytes from `start` on, fewer at the end."""

    def write(self, name: str, content: bytes) -> None:
        """Writes a file over the one there is."""

    def remove(self, name: str) -> None:
        """Removes a file; nothing where there is none."""


class Counters(Protocol):
    """Counters that end by themselves, for rate limits."""

    def hit(self, name: str, expires_at: Instant) -> int:
        """Counts one more; returns the count. `expires_at` is when the store may forget it."""


class Metrics(Protocol):
    """Figures that alarms look at."""

    def put(self, name: str, value: float) -> None: ...


class Queue(Protocol):
    """Messages to ourselves, delivered at least once and in no order."""

    def send(self, messages: Sequence[str], after_seconds: int = 0) -> None:
        """Sends all of them, to be delivered later. Raises `Unavailable` where any was not sent."""


@dataclass(frozen=True)
class Store:
    """Everything that is stored, one port a kind."""

    ledger: Ledger
    vouchers: Vouchers
    orders: Orders
    members: Members
    programs: Programs
    keys: Keys
    passes: Passes
    notes: Notes
    dues: Dues
    audit: Audit
    billings: Billings
    referrals: Referrals
    webhooks: Webhooks
    stores: Stores
    imports: Imports
    exports: Exports
    counters: Counters
