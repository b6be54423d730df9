"""Compiled plans: what is sold, to whom, and on which terms."""

from dataclasses import dataclass, field

from chalicelib.domain.memberships.documents import RefundTermsDocument
from chalicelib.domain.texts import Text
from chalicelib.kernel.clock import Instant


@dataclass(frozen=True)
class Price:
    """One way to pay for a plan. Amounts in minor units of `money` (ISO 4217)."""

    id: str
    number: int
    every: str  # month, year
    amount: int
    money: str
    countries: frozenset[str] | None = None
    segments: frozenset[int] | None = None
    intro_amount: int | None = None  # of the first `intro_periods`
    intro_periods: int = 0

    def why_not(self, country: str | None, segments: tuple[int, ...]) -> str | None:
        """Why a member cannot have it, None where he can."""
        if self.countries is not None and country not in self.countries:
            return "the price is for members who live elsewhere"
        if self.segments is not None and self.segments.isdisjoint(segments):
            return "the price is for other members"
        return None


@dataclass(frozen=True)
class Welcome:
    """Points given once, when a plan is first paid."""

    currency: int
    amount: int


@dataclass(frozen=True)
class Plan:
    """One plan of a program. Durations in milliseconds."""

    id: str
    number: int
    name: Text
    prices: tuple[Price, ...]
    benefits: tuple[str, ...]
    trial_days: int
    welcome: Welcome | None
    grace: Instant
    grace_benefits: tuple[str, ...] | None  # None: all
    notice: Instant  # how long before a charge the member is told of it; 0: not at all
    suspends: bool  # while a charge is disputed
    automatic_tax: bool = False
    promotion_codes: bool = False
    retired: bool = False
    refunds: RefundTermsDocument = field(default_factory=RefundTermsDocument)

    def price(self, price_id: str) -> Price | None:
        """The price of this id."""
        return next((one for one in self.prices if one.id == price_id), None)
