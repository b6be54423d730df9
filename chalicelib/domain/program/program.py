"""A published program, compiled once and kept: what the rules look things up in."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import cached_property
from typing import Protocol
from zoneinfo import ZoneInfo

from chalicelib.domain.conditions.expression import Type
from chalicelib.domain.conditions.situation import Known
from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.earning.campaigns import Campaign
from chalicelib.domain.earning.evaluation import Evaluation
from chalicelib.domain.earning.multiplying import Multiplier
from chalicelib.domain.earning.on_occasion import OnDay
from chalicelib.domain.earning.rule import EarnRule, Pays
from chalicelib.domain.earning.weighing import Cause
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.memberships.plan import Plan
from chalicelib.domain.occasions import Day, Occasion
from chalicelib.domain.pricing.access import Access
from chalicelib.domain.pricing.discount import Discount
from chalicelib.domain.program.card import CardDocument
from chalicelib.domain.program.clawback import Clawback
from chalicelib.domain.program.expiry import Expiry
from chalicelib.domain.program.join import JoinDocument
from chalicelib.domain.program.numbers import Numbers
from chalicelib.domain.referrals.documents import FRIENDS
from chalicelib.domain.referrals.terms import Terms
from chalicelib.domain.rewards.reward import Reward
from chalicelib.domain.rewards.voucher import PublicCode
from chalicelib.domain.segments import Segment
from chalicelib.domain.texts import Text
from chalicelib.domain.tiers.tiers import Held, Tiers
from chalicelib.kernel.clock import Instant, local_date


class Mode(Enum):
    """Test programs have a clock of their own and never reach real phones or charges."""

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True)
class Currency:
    """One thing members collect."""

    name: str
    number: int
    label: Text
    goal: int | None
    expiry: Expiry | None
    clawback: Clawback
    money: bool = False  # each point is a minor unit of the program's money

    @property
    def renewed(self) -> bool:
        """Whether activity of the member gives all points of it a new day of expiry."""
        return self.expiry is not None and self.expiry.since_activity


@dataclass(frozen=True)
class ExchangeRate:
    """Each `take` of one currency becomes `give` of another."""

    id: str
    source: int
    take: int
    target: int
    give: int


@dataclass(frozen=True)
class Conversion:
    """An exchange of all there is, by itself, on days of every year (month, day)."""

    rate: ExchangeRate
    days: frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Accepted:
    """A version of the terms, or of the privacy notice, and its first day."""

    version: str
    since: date
    url: str | None = None


@dataclass(frozen=True)
class TillButton:
    """Something that the till sells with one touch."""

    id: str
    label: Text
    unit_price: int  # minor units
    categories: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """One version of one program."""

    version: int
    name: str
    zone: ZoneInfo
    money: str  # the ISO 4217 code of its orders
    look: str
    language: str  # of texts that are in one language, and where a member's is not offered
    languages: tuple[str, ...]
    currencies: tuple[Currency, ...]
    earn: tuple[EarnRule, ...]
    rewards: tuple[Reward, ...]
    exchanges: tuple[ExchangeRate, ...]
    numbers: Numbers  # of this version's names, and of every earlier one's
    counters: tuple[Counter, ...] = ()
    purchases: Counter | None = None  # of all orders, where a rule asks which one it is
    tiers: Tiers | None = None
    segments: tuple[Segment, ...] = ()
    asks_of_person: bool = False  # whether a segment needs the member's profile
    campaigns: tuple[Campaign, ...] = ()
    multipliers: tuple[Multiplier, ...] = ()
    groups: Mapping[str, Pays] = field(default_factory=dict)
    evaluation: Evaluation = field(default_factory=Evaluation)
    activities: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)
    not_renewing: frozenset[str] = frozenset()  # activities that keep no points alive
    discounts: tuple[Discount, ...] = ()
    access: tuple[Access, ...] = ()
    codes: Mapping[str, PublicCode] = field(default_factory=dict)
    card: CardDocument = field(default_factory=CardDocument)
    join: JoinDocument | None = None  # None: people cannot join by themselves
    till: tuple[TillButton, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    plans: Mapping[str, Plan] = field(default_factory=dict)
    referrals: Terms | None = None
    terms: tuple[Accepted, ...] = ()  # the oldest first
    privacy: tuple[Accepted, ...] = ()
    last_day_to_earn: date | None = None
    last_day_to_redeem: date | None = None

    @property
    def has_referrals(self) -> bool:
        """Whether this version, or an earlier one, has terms of referrals: some may be open."""
        return FRIENDS in self.numbers.counters

    def rules_about(self, cause: Cause) -> tuple[EarnRule, ...]:
        """The rules that may weigh it."""
        return self._rules_about.get(type(cause), ())

    @cached_property
    def _rules_about(self) -> dict[type, tuple[EarnRule, ...]]:
        kinds = {rule.weighing.about for rule in self.earn}
        return {
            kind: tuple(rule for rule in self.earn if rule.weighing.about is kind) for kind in kinds
        }

    @property
    def rules_on_days(self) -> tuple[EarnRule, ...]:
        """The rules about days of the member's."""
        return self._rules_about.get(Occasion, ())

    @cached_property
    def has_calendar(self) -> bool:
        """Whether time alone brings anything but expiry."""
        return bool(self.conversions) or any(
            one.weighing.day is not Day.BIRTHDAY
            for one in self.rules_on_days
            if isinstance(one.weighing, OnDay)
        )

    @cached_property
    def has_birthdays(self) -> bool:
        """Whether any rule is about birthdays."""
        days = [one.weighing for one in self.rules_on_days]
        return any(isinstance(one, OnDay) and one.day is Day.BIRTHDAY for one in days)

    @cached_property
    def pauses(self) -> tuple[int, ...]:
        """After how many days without an order something is given."""
        days = [one.weighing for one in self.rules_on_days]
        return tuple(
            one.nth
            for one in days
            if isinstance(one, OnDay) and one.day is Day.INACTIVITY and one.nth is not None
        )

    def multipliers_of(self, rule: EarnRule) -> tuple[Multiplier, ...]:
        """Those that may multiply what a rule gives."""
        return self._multipliers_of[rule.number]

    @cached_property
    def _multipliers_of(self) -> dict[int, tuple[Multiplier, ...]]:
        bonuses = self.evaluation.bonuses_multiplied
        return {
            rule.number: tuple(one for one in self.multipliers if one.is_about(rule, bonuses))
            for rule in self.earn
        }

    @cached_property
    def multipliers_by_number(self) -> dict[int, Multiplier]:
        return {one.number: one for one in self.multipliers}

    @cached_property
    def counters_by_number(self) -> dict[int, Counter]:
        return {one.number: one for one in self.counters}

    @cached_property
    def campaigns_by_number(self) -> dict[int, Campaign]:
        return {one.number: one for one in self.campaigns}

    @cached_property
    def plans_by_number(self) -> dict[int, Plan]:
        return {one.number: one for one in self.plans.values()}

    @cached_property
    def tier_names(self) -> dict[int, str]:
        """Of every tier there ever was."""
        return {number: name for name, number in self.numbers.tiers.items()}

    @cached_property
    def segment_names(self) -> dict[int, str]:
        return {number: name for name, number in self.numbers.segments.items()}

    @cached_property
    def known_of_nobody(self) -> Known:
        """Of somebody who is not a member yet: he would have the tier that everybody has."""
        lowest = self.tiers.tier(Held(), 1) if self.tiers else None
        return Known(lowest.number if lowest else 0)

    def language_for(self, locale: str | None) -> str:
        """The language in which a member reads: his own, where the program has it."""
        wanted = locale or ""
        for one in (wanted, wanted.partition("-")[0]):
            if one in self.languages:
                return one
        return self.language

    def earns_on(self, occurred_at: Instant) -> bool:
        """Whether what happened then still earns."""
        last = self.last_day_to_earn
        return last is None or local_date(occurred_at, self.zone) <= last

    def redeems_on(self, now: Instant) -> bool:
        """Whether points can still be spent."""
        last = self.last_day_to_redeem
        return last is None or local_date(now, self.zone) <= last

    @cached_property
    def currency_names(self) -> dict[int, str]:
        """Of every currency there ever was: an old balance keeps its name."""
        return {number: name for name, number in self.numbers.currencies.items()}

    @cached_property
    def currencies_by_number(self) -> dict[int, Currency]:
        return {currency.number: currency for currency in self.currencies}

    @cached_property
    def rules_by_number(self) -> dict[int, EarnRule]:
        return {rule.number: rule for rule in self.earn}

    @cached_property
    def rewards_by_id(self) -> dict[str, Reward]:
        return {reward.id: reward for reward in self.rewards}

    @cached_property
    def rewards_by_number(self) -> dict[int, Reward]:
        return {reward.number: reward for reward in self.rewards}


def currency_of(program: Program, name: str) -> Currency | Refusal:
    """The program's currency of this name, or that there is none."""
    for currency in program.currencies:
        if currency.name == name:
            return currency
    error = FieldError("currency", f"the program has no currency {name}")
    return Refusal("unknown_currency", error.reason, (error,))


class Versions(Protocol):
    """The versions of one program."""

    def version(self, number: int) -> Program: ...

    def at(self, occurred_at: Instant) -> Program:
        """The one that decides what occurred then."""

    def newest(self) -> Program:
        """The last that was published."""


def link_of(versions: tuple[Accepted, ...], day: date) -> str | None:
    """Where the version that is current on a day can be read."""
    return next((one.url for one in reversed(versions) if one.since <= day), None)


def current_terms(versions: tuple[Accepted, ...], day: date) -> str | None:
    """The version that is current on a day."""
    return next((one.version for one in reversed(versions) if one.since <= day), None)


@dataclass(frozen=True)
class PublishedVersion:
    """An immutable version of a program, as it is stored."""

    program_id: str
    version: int
    document: bytes  # the document as canonical JSON
    numbers: Numbers
    fingerprint: bytes
    published_at: Instant


@dataclass(frozen=True)
class ProgramHead:
    """What is true of a program now: its mode, its clock, and when each version came in force."""

    program_id: str
    mode: Mode
    name: str
    in_force: tuple[tuple[Instant, int], ...] = ()  # (from, version), both rising
    test_now: Instant | None = None  # where the test clock stands; None: it goes with the world's
    revision: int = 1

    @property
    def current(self) -> int | None:
        """The newest version, None before the first was published."""
        return self.in_force[-1][1] if self.in_force else None

    def in_force_at(self, occurred_at: Instant) -> int | None:
        """The version that decides what happened at `occurred_at`.

        What happened before the first version is decided by the first.
        """
        if not self.in_force:
            return None
        index = bisect_right(self.in_force, occurred_at, key=lambda row: row[0])
        return self.in_force[max(index, 1) - 1][1]
