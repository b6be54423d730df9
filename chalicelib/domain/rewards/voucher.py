"""Vouchers: a reward as a code that a store takes later, once, several times, or in parts.

A voucher is issued together with the entry that paid for it, so that neither is without the other.
What it is good for is what the program says of its reward now; whether it still is, is its own.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Annotated, Literal

import msgspec

from chalicelib.domain.conditions.documents import Day
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.kernel.clock import Instant
from chalicelib.kernel.patterns import whole

UNUSABLE = {
    "used": Refusal("voucher_used", "the voucher was used"),
    "expired": Refusal("voucher_expired", "the voucher expired"),
    "cancelled": Refusal("voucher_cancelled", "the voucher was cancelled"),
}
Source = Annotated[str, msgspec.Meta(pattern=whole(r"[a-z][a-z0-9_-]{0,31}"))]
Code = Annotated[str, msgspec.Meta(pattern=whole(r"[A-Z0-9][A-Z0-9-]{2,39}"))]


class VoucherDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a reward is handed out as a code.

    `generated` codes are ours; those of a `pool` are imported. It can be used `uses` times; one
    that pays money is used up by amounts. It is good for `valid_days`, or until a day (excluded).
    With a `store`, the source of a connected one, the code is made there too, good for one order.
    """

    codes: Literal["generated", "pool"] = "generated"
    uses: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    valid_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None
    valid_until: Day | None = None
    store: Source | None = None


class PublicCodeDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code that everybody may know: guests too have its discount, `uses` times in all."""

    discount: str
    uses: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
    valid_until: Day | None = None


@dataclass(frozen=True)
class PublicCode:
    """A code of a compiled program that everybody may know."""

    discount: str
    uses: int
    valid_until: date | None


@dataclass(frozen=True)
class VoucherTerms:
    """How a compiled program issues the vouchers of a reward."""

    pooled: bool
    uses: int
    valid_days: int | None
    valid_until: date | None
    store: str | None = None

    @classmethod
    def of(cls, document: VoucherDocument) -> "VoucherTerms":
        until = document.valid_until
        return cls(
            document.codes == "pool",
            document.uses,
            document.valid_days,
            date.fromisoformat(until) if until else None,
            document.store,
        )

    def last(self, today: date) -> date | None:
        """The first day on which one that is issued today is good no longer."""
        days = [] if self.valid_until is None else [self.valid_until]
        if self.valid_days is not None:
            days.append(today + timedelta(days=self.valid_days))
        return min(days, default=None)


@dataclass(frozen=True)
class Voucher:
    """One code of one program."""

    program_id: str
    code: str
    reward: str  # its id, or the code itself where it is a public one
    member_id: str | None
    event_id: str | None  # of the entry that paid for it
    issued_at: Instant
    expires_at: Instant | None
    uses_left: int
    value_left: int | None = None  # in minor units, of one that pays money
    used: bool = False  # ever
    cancelled: bool = False
    revision: int = 1

    def status(self, now: Instant) -> str:
        """`issued`, `used` (up), `expired` or `cancelled`."""
        if self.cancelled:
            return "cancelled"
        if not self.uses_left or self.value_left == 0:
            return "used"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "issued"

    def spend(self, amount: int | None, now: Instant) -> "Voucher | Refusal":
        """The voucher after one use; of one that pays money an amount of it."""
        status = self.status(now)
        if status in UNUSABLE:
            return UNUSABLE[status]
        if self.value_left is None:
            if amount is not None:
                return _wrong("amount", "belongs to a voucher that pays money")
            return self._with(self.uses_left - 1, None)
        if amount is None:
            return _wrong("amount", "is missing: how much of the voucher is used")
        if amount > self.value_left:
            return _wrong("amount", f"only {self.value_left} is left", "voucher_exceeded")
        return self._with(self.uses_left, self.value_left - amount)

    def give_back(self, amount: int | None) -> "Voucher":
        """The voucher without one of its uses."""
        if self.value_left is None:
            return self._with(self.uses_left + 1, None)
        return self._with(self.uses_left, self.value_left + (amount or 0))

    def cancel(self) -> "Voucher | Refusal":
        """The voucher that nobody can use; one that was used stays."""
        if self.cancelled:
            return self
        if self.used:
            return UNUSABLE["used"]
        return replace(self, cancelled=True, revision=self.revision + 1)

    def _with(self, uses: int, value: int | None) -> "Voucher":
        revision = self.revision + 1
        return replace(self, uses_left=uses, value_left=value, used=True, revision=revision)


@dataclass(frozen=True)
class Use:
    """One use of a voucher, by the id that the store gave it."""

    id: str
    amount: int | None
    at: Instant
    undone: bool = False


@dataclass(frozen=True)
class VoucherChange:
    """A voucher as it shall be: issued (`was` is None), or changed."""

    now: Voucher
    was: Voucher | None
    pooled: bool = False  # its code is taken out of the reward's pool


def _wrong(field: str, reason: str, code: str = "invalid_request") -> Refusal:
    return Refusal(code, reason, (FieldError(field, reason),))
