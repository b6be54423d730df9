"""Compiled terms of referrals: what both sides get, how often, and what is looked at before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from chalicelib.domain.conditions.condition import WhyNot
from chalicelib.domain.conditions.situation import Known, Situation
from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.program.card import LongText


@dataclass(frozen=True)
class Gift:
    """Points of a currency, or a voucher of a reward; the other one is 0."""

    currency: int = 0
    amount: int = 0
    reward: int = 0
    at_once: bool = False  # as soon as the friend has joined


@dataclass(frozen=True)
class ReferralCap:
    """The most that an advocate is rewarded in a period."""

    per: str
    limit: int
    counts_points: bool  # else it counts friends
    counter: Counter


@dataclass(frozen=True)
class Milestone:
    """What so many friends bring, on top; its counter says whether it was given."""

    at: int
    currency: int
    amount: int
    counter: Counter


@dataclass(frozen=True)
class Variant:
    """What both get, for advocates of these tiers, segments and plans (None: of any)."""

    advocate: Gift | None
    friend: Gift | None
    caps: tuple[ReferralCap, ...]
    tiers: frozenset[int] | None = None
    segments: frozenset[int] | None = None
    plans: frozenset[int] | None = None

    def is_about(self, known: Known) -> bool:
        """Whether it is for this advocate."""
        return (
            (self.tiers is None or known.tier in self.tiers)
            and (self.segments is None or not self.segments.isdisjoint(known.segments))
            and (self.plans is None or known.plan in self.plans)
        )

    @property
    def most_friends(self) -> int | None:
        """How many friends, at most, are rewarded for ever; None where nothing limits them."""
        times = [cap.limit for cap in self.caps if cap.per == "lifetime" and not cap.counts_points]
        return min(times, default=None)


@dataclass(frozen=True)
class Partner:
    """Somebody who is no member and has a code."""

    name: str
    friend: Gift | None
    first_day: date
    last_day: date
    most: int | None


@dataclass(frozen=True)
class Velocity:
    """More than `most` friends from one network address within so many days."""

    strictness: str
    most: int
    days: int


@dataclass(frozen=True)
class Terms:
    """The terms of one version of a program. The last variant is for everybody."""

    activity: str | None  # what qualifies; None: an order
    condition: WhyNot | None
    min_total: int
    within_days: int
    return_days: int
    variants: tuple[Variant, ...]
    steps: tuple[tuple[int, int], ...]  # from which friend on, and the amount; rising
    milestones: tuple[Milestone, ...]
    first_day: date
    last_day: date
    takes_back: frozenset[str]  # of the sides: advocate, friend
    checks: Mapping[str, str]  # how strict each is
    velocity: Velocity
    share: LongText | None
    partners: Mapping[str, Partner]
    friends: Counter  # counts the rewarded friends of an advocate
    counters: tuple[Counter, ...]  # that one, of every cap, and of every milestone

    @cached_property
    def of_points(self) -> frozenset[str]:
        """The counters that count points, by name."""
        return frozenset(cap.counter.name for cap in self._caps if cap.counts_points)

    @cached_property
    def of_caps(self) -> tuple[Counter, ...]:
        """The counters of caps; what two variants have in common is counted once."""
        return tuple({cap.counter.name: cap.counter for cap in self._caps}.values())

    @cached_property
    def _caps(self) -> tuple[ReferralCap, ...]:
        return tuple(cap for one in self.variants for cap in one.caps)

    def variant_for(self, known: Known) -> int:
        """The place of the variant that is for this advocate."""
        return next(at for at, one in enumerate(self.variants) if one.is_about(known))

    def amount(self, gift: Gift, nth: int) -> int:
        """What the advocate gets for his nth friend, before any cap."""
        reached = [amount for start, amount in self.steps if start <= nth]
        return reached[-1] if reached and gift.currency else gift.amount

    def asks_for(self, situation: Situation) -> bool:
        """Whether an activity is the one that makes a friend count."""
        activity = getattr(situation.cause, "type", None)
        if self.activity is None or activity != self.activity:
            return False
        return self.condition is None or self.condition(situation) is None

    def open_on(self, day: date) -> bool:
        """Whether friends can join on a day."""
        return self.first_day <= day <= self.last_day
