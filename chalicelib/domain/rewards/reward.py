"""What every kind of reward is: something that costs points, or nothing, and who may have it.

A new kind is one file beside this one (its document, and a frozen dataclass with `price`) and one
line in `kinds.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Protocol

import msgspec

from chalicelib.domain.conditions.documents import DatesDocument, Identifier, Identifiers
from chalicelib.domain.conditions.situation import Known
from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.earning.documents import Count, Period
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.rewards.voucher import VoucherDocument, VoucherTerms
from chalicelib.domain.texts import Text

NO_CURRENCY = 0


class CostDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reward costs: `amount` of one of the program's currencies."""

    currency: Identifier
    amount: Count


class LimitDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often one member has a reward in a period."""

    times: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    per: Period = "lifetime"


class RewardDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every kind of reward says.

    Without a `cost` it costs nothing. With a `stock` there are so many for all members together.
    `tiers`, `segments` and `plans` say who may have it, `available` on which days. With a `voucher`
    it is handed out as a code, which a store takes later.
    """

    id: Identifier
    name: Text
    cost: CostDocument | None = None
    stock: Count | None = None
    per_member: LimitDocument | None = None
    available: DatesDocument | None = None
    tiers: Identifiers | None = None
    segments: Identifiers | None = None
    plans: Identifiers | None = None  # paid plans
    voucher: VoucherDocument | None = None


@dataclass(frozen=True)
class Asked:
    """What a caller wants of a reward."""

    quantity: int = 1
    amount: int | None = None  # of points
    total: int | None = None  # of the bill that it pays, in minor units


class Terms(Protocol):
    """One kind of reward."""

    @property
    def kind(self) -> str: ...

    def price(self, cost: int, asked: Asked) -> int | Refusal:
        """The points that it takes, where one costs so much."""

    def worth_of(self, cost: int, points: int) -> int | None:
        """The money that so many points pay, in minor units; None where it is no money."""

    @property
    def closes_at(self) -> int | None:
        """The moment from which nobody takes it any more, None where there is none."""


@dataclass(frozen=True)
class PerMember:
    """How often one member has a reward in a period, and what counts it."""

    times: int
    per: str
    counter: Counter


@dataclass(frozen=True)
class Reward:
    """A compiled reward of one version of a program."""

    id: str
    number: int
    name: Text
    terms: Terms
    currency: int = NO_CURRENCY
    cost: int = 0
    stock: int | None = None  # how many there are, for all members together; None: any number
    per_member: PerMember | None = None
    first_day: date = date.min
    last_day: date = date.max
    tiers: frozenset[int] | None = None
    segments: frozenset[int] | None = None
    plans: frozenset[int] | None = None
    voucher: VoucherTerms | None = None

    def price(self, asked: Asked) -> int | Refusal:
        """The points that it takes."""
        if self.voucher is not None and asked.quantity != 1:
            error = FieldError("quantity", "a voucher is taken one at a time")
            return Refusal("invalid_request", error.reason, (error,))
        return self.terms.price(self.cost, asked)

    def worth_of(self, points: int) -> int | None:
        """The money that so many points pay, in minor units; None where it is no money."""
        return self.terms.worth_of(self.cost, points)

    def refuse(
        self,
        day: date,
        now: int,
        known: Known,
        taken: Callable[[Counter], int],
        quantity: int,
    ) -> Refusal | None:
        """Why a member cannot have it, None where he can. `taken` is what a counter says."""
        closes = self.terms.closes_at
        if not self.first_day <= day <= self.last_day or (closes is not None and now >= closes):
            return Refusal("not_available", "the reward is not available now")
        if self.tiers is not None and known.tier not in self.tiers:
            return Refusal("not_eligible", "the reward is for members of other tiers")
        if self.segments is not None and self.segments.isdisjoint(known.segments):
            return Refusal("not_eligible", "the reward is for other members")
        if self.plans is not None and known.plan not in self.plans:
            return Refusal("not_eligible", "the reward is for members with a paid plan")
        limit = self.per_member
        if limit is not None and taken(limit.counter) + quantity > limit.times:
            return Refusal("member_limit", f"at most {limit.times} per member and {limit.per}")
        return None


def plain_price(cost: int, asked: Asked) -> int | Refusal:
    """So many of them; what they cost is never the caller's word."""
    if asked.amount is not None or asked.total is not None:
        error = FieldError("amount", "belongs to a reward of kind cash")
        return Refusal("invalid_request", error.reason, (error,))
    return cost * asked.quantity
