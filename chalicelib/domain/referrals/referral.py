"""One referral: that a friend joined with somebody's code, and how far it has come.

It is a process manager and no account: points are in the ledger alone. A friend has at most one
referral, for ever, and it is written when he joins; since it leads from a member (or a partner) who
was there before to one who just came, referrals never run in a circle. Members who are merged could
close one: such a referral ends (`Gone.LOOP`).

`next_state` is pure: what becomes of a referral is what its terms say of the facts at a moment.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from chalicelib.domain.referrals.checks import HARD, Failed
from chalicelib.domain.referrals.terms import Terms
from chalicelib.kernel.clock import DAY, SECOND, Instant


class State(Enum):
    """How far a referral has come."""

    ENROLLED = "enrolled"
    HELD = "held"  # somebody must decide
    QUALIFIED = "qualified"  # waits until the friend's order can no longer come back
    REWARDING = "rewarding"  # will be rewarded: whoever finds it so finishes it
    REWARDED = "rewarded"
    REVERSING = "reversing"  # will be taken back: whoever finds it so finishes it
    REVERSED = "reversed"
    REFUSED = "refused"

    @property
    def shown(self) -> "State":
        """As what the shop sees it: not the moment between a decision and its entries."""
        return _SHOWN.get(self, self)


_SHOWN = {State.REWARDING: State.QUALIFIED, State.REVERSING: State.REWARDED}


class Gone(Enum):
    """Why a referral is none any more, whatever the friend does."""

    ERASED = "erased"  # the friend or the advocate
    SAME_MEMBER = "same_member"  # they were merged
    ANOTHER_ADVOCATE = "another_advocate"  # two friends were merged: the first referral counts
    LOOP = "loop"  # the friend has brought the advocate, since members were merged


LATE, CAP, REVIEW, STOCK = "late", "cap", "review", "out_of_stock"
ENDED = "program_ended"
FINAL = frozenset({State.REVERSED, State.REFUSED})


@dataclass(frozen=True)
class Referral:
    """A friend, and who brought him. `advocate_id` is empty where that is a partner."""

    program_id: str
    friend_id: str
    advocate_id: str
    partner: str
    code: str
    at: Instant
    version: int  # of the program: its terms hold for ever
    variant: int
    state: State = State.ENROLLED
    reasons: tuple[str, ...] = ()  # of what is held or refused
    approved: bool = False  # somebody has looked: what is soft counts no longer
    welcomed: bool = False  # what the friend gets at once was given, or refused
    cause: str = ""  # the event that qualified it
    order: str = ""  # the order that it is of, as refs name it; empty: an activity
    due_at: Instant = 0  # when it is rewarded
    counted: bool = False  # in the tally of who brought him
    revision: int = 1

    @property
    def referrer(self) -> str:
        """Whose referrals it is counted among."""
        return self.advocate_id or f"partner:{self.partner}"

    def to(self, state: State, *reasons: str, **changes: object) -> "Referral":
        """The same referral in another state."""
        fields = {"state": state, "reasons": reasons, "revision": self.revision + 1, **changes}
        return replace(self, **fields)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Cause:
    """Something that the friend did and that may qualify him, as it stands now."""

    event_id: str
    at: Instant
    order: str = ""
    kept: int = 1  # what of its goods did not come back, in minor units


@dataclass(frozen=True)
class Facts:
    """What is known at a moment."""

    gone: Gone | None = None
    causes: Sequence[Cause] = ()  # in the order in which they happened
    failed: Sequence[Failed] = ()  # checks, of the first cause that counts


def counts(cause: Cause, referral: Referral, terms: Terms) -> bool:
    """Whether it is what the terms ask for."""
    first = referral.at // SECOND * SECOND  # stores tell whole seconds
    last = referral.at + terms.within_days * DAY
    return first <= cause.at <= last and cause.kept >= max(1, terms.min_total)


def next_state(referral: Referral, facts: Facts, terms: Terms, now: Instant) -> Referral:
    """What becomes of a referral now; the same where nothing does."""
    if referral.state in (State.ENROLLED, State.HELD, State.QUALIFIED) and facts.gone:
        return referral.to(State.REFUSED, facts.gone.value)
    if referral.state is State.ENROLLED:
        return _qualify(referral, facts, terms, now)
    if referral.state is State.QUALIFIED:
        return _wait(referral, facts, terms, now)
    if referral.state is State.REWARDED and terms.takes_back and referral.order:
        came_back = not _still(referral, facts, terms)
        return referral.to(State.REVERSING) if came_back else referral
    return referral


def looks_again(referral: Referral, terms: Terms) -> Instant | None:
    """When time alone may change it."""
    if referral.state is State.ENROLLED:
        return referral.at + terms.within_days * DAY + 1
    return referral.due_at if referral.state is State.QUALIFIED else None


def _qualify(referral: Referral, facts: Facts, terms: Terms, now: Instant) -> Referral:
    cause = next((one for one in facts.causes if counts(one, referral, terms)), None)
    if cause is None:
        late = now > referral.at + terms.within_days * DAY
        return referral.to(State.REFUSED, LATE) if late else referral
    stopped = _stopped(referral, facts)
    if stopped is not None:
        return stopped
    waits = terms.return_days * DAY if cause.order else 0
    return referral.to(
        State.QUALIFIED, cause=cause.event_id, order=cause.order, due_at=cause.at + waits
    )


def _wait(referral: Referral, facts: Facts, terms: Terms, now: Instant) -> Referral:
    if not _still(referral, facts, terms):
        return referral.to(State.ENROLLED, cause="", order="", due_at=0)
    stopped = _stopped(referral, facts)
    if stopped is not None:
        return stopped
    return referral.to(State.REWARDING) if now >= referral.due_at else referral


def _still(referral: Referral, facts: Facts, terms: Terms) -> bool:
    """Whether what qualified it still does."""
    return any(
        one.event_id == referral.cause and counts(one, referral, terms) for one in facts.causes
    )


def _stopped(referral: Referral, facts: Facts) -> Referral | None:
    """Refused or held, as the checks say; None where they let it pass."""
    hard = [one.name for one in facts.failed if one.strictness == HARD]
    if hard:
        return referral.to(State.REFUSED, *hard)
    soft = [one.name for one in facts.failed]
    if soft and not referral.approved:
        return referral.to(State.HELD, *soft, cause="", order="", due_at=0)
    return None


def decided(referral: Referral, approved: bool) -> Referral:
    """After somebody has looked at a referral that was held."""
    if approved:
        return referral.to(State.ENROLLED, approved=True)
    return referral.to(State.REFUSED, *referral.reasons, REVIEW)


@dataclass(frozen=True)
class Tally:
    """How many referrals of one advocate, or partner, are in which state, and what they brought.

    What the advocate has `earned`, and what his friends were `welcomed` with, by currency.
    """

    program_id: str
    referrer: str
    states: Mapping[str, int] = field(default_factory=dict)
    earned: Mapping[int, int] = field(default_factory=dict)
    welcomed: Mapping[int, int] = field(default_factory=dict)
    revision: int = 0

    def after(
        self,
        was: Referral,
        now: Referral,
        earned: Mapping[int, int],
        welcomed: Mapping[int, int],
    ) -> "Tally":
        """The tally after a referral went on."""
        went = Counter({now.state.value: 1})
        if was.counted:
            went[was.state.value] -= 1
        return replace(
            self,
            states=_sum(self.states, went),
            earned=_sum(self.earned, earned),
            welcomed=_sum(self.welcomed, welcomed),
            revision=self.revision + 1,
        )


def _sum(one: Mapping[Any, int], other: Mapping[Any, int]) -> dict[Any, int]:
    sums = {key: one.get(key, 0) + other.get(key, 0) for key in sorted({*one, *other})}
    return {key: amount for key, amount in sums.items() if amount}


@dataclass(frozen=True)
class ReferralChange:
    """A referral and the tally that it is counted in, as they shall be and as they were."""

    now: Referral
    was: Referral
    tally: Tally
    tally_was: Tally | None
