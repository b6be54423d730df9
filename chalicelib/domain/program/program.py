"""A published program, compiled once and kept: what the rules look things up in."""

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from zoneinfo import ZoneInfo

from chalicelib.domain.earning.rule import EarnRule
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Clawback
from chalicelib.domain.program.expiry import Expiry
from chalicelib.domain.program.numbers import Numbers
from chalicelib.domain.rewards.reward import Reward
from chalicelib.kernel.clock import Instant


class Mode(Enum):
    """Test programs have a clock of their own and never reach real phones or charges."""

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True)
class Currency:
    """One thing members collect."""

    name: str
    number: int
    label: str
    goal: int | None
    expiry: Expiry | None
    clawback: Clawback

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
class Program:
    """One version of one program."""

    version: int
    name: str
    zone: ZoneInfo
    money: str  # the ISO 4217 code of its orders
    look: str
    language: str
    currencies: tuple[Currency, ...]
    earn: tuple[EarnRule, ...]
    rewards: tuple[Reward, ...]
    exchanges: tuple[ExchangeRate, ...]
    numbers: Numbers  # of this version's names, and of every earlier one's

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
