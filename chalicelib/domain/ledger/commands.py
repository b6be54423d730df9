"""What may be asked of an account. Each command knows its ref and its fingerprint."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Protocol

from chalicelib.domain.ledger import refs
from chalicelib.domain.orders import Order
from chalicelib.domain.program.program import Program
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
class RecordOrder:
    """An order was paid."""

    order: Order
    member_id: str

    @property
    def ref(self) -> str:
        return refs.paid(self.order.source, self.order.id)

    @property
    def story(self) -> str:
        return refs.story_of(self.order.source, self.order.id)

    @property
    def fingerprint(self) -> bytes:
        return fingerprint({"member": self.member_id, "order": self.order.business_fields()})


@dataclass(frozen=True)
class LineRefund:
    """Units of one line of the order."""

    id: str
    quantity: int


@dataclass(frozen=True)
class RefundOrder:
    """An order was given back: whole, by line, or an amount of money.

    With neither lines nor an amount it is all that was not refunded before.
    """

    source: str
    order_id: str
    refund_id: str
    lines: tuple[LineRefund, ...] = ()
    amount: int | None = None

    @property
    def ref(self) -> str:
        return refs.refund(self.source, self.order_id, self.refund_id)

    @property
    def story(self) -> str:
        return refs.story_of(self.source, self.order_id)

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(asdict(self))


@dataclass(frozen=True)
class RefundFacts:
    """What a refund must know beside its story: the order, and the program that paid for it."""

    order: Order
    program: Program


@dataclass(frozen=True)
class Redeem:
    """A member takes a reward."""

    reward: str
    quantity: int
    idempotency_key: str

    @property
    def ref(self) -> str:
        return refs.keyed(self.idempotency_key, "redeem")

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        fields: dict[str, Any] = {"reward": self.reward, "quantity": self.quantity}
        return fingerprint(fields)


@dataclass(frozen=True)
class Adjust:
    """The shop gives or takes points by hand."""

    currency: str
    amount: int  # above zero gives, below takes
    reason: str
    expires_on: date | None  # of given points; None: as the program says
    allow_debt: bool  # whether more may be taken than there is
    idempotency_key: str

    @property
    def ref(self) -> str:
        return refs.keyed(self.idempotency_key, "adjust")

    @property
    def story(self) -> None:
        return None

    @property
    def fingerprint(self) -> bytes:
        fields = asdict(self)
        fields["expires_on"] = self.expires_on and self.expires_on.isoformat()
        return fingerprint(fields)


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
