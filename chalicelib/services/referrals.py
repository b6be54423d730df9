"""Referrals go on: whoever settles a friend looks what became of the one that brought him.

Each step is written down before it is done where it could go two ways (`REWARDING`, `REVERSING`),
and what is done is made once by its ref: whoever comes after a crash, late or twice, finishes it
and changes nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import (
    OfReferral,
    ReverseReferral,
    RewardAdvocate,
    WelcomeFriend,
)
from chalicelib.domain.ledger.entries import UNCOUNTED, LogKey, Standing
from chalicelib.domain.ledger.referrals import gift_of, terms_of
from chalicelib.domain.ledger.standing import IS_ERASED
from chalicelib.domain.program.program import Program
from chalicelib.domain.referrals.referral import (
    CAP,
    ENDED,
    FINAL,
    REVIEW,
    STOCK,
    Gone,
    Referral,
    ReferralChange,
    State,
    Tally,
    decided,
    looks_again,
    next_state,
)
from chalicelib.domain.referrals.terms import Terms
from chalicelib.kernel.clock import DAY, Instant
from chalicelib.services.appending import TRIES, Appended, append, strong_head
from chalicelib.services.context import Context, Here
from chalicelib.services.referral_facts import read_facts

NOT_FOUND = Refusal("referral_not_found", "there is no such referral")
NOT_HELD = Refusal("referral_not_held", "nobody waits for a decision about this referral")
RETRY = DAY  # while an account is restricted, nothing can be given
_REASONS = {
    "referral_cap": CAP,
    "out_of_stock": STOCK,
    "no_codes_left": STOCK,
    "program_ended": ENDED,
    "member_erased": Gone.ERASED.value,
    "member_not_found": Gone.ERASED.value,
}

NOTHING: Mapping[int, int] = {}
Outcome = Appended | Refusal | None


@dataclass(frozen=True)
class _Step:
    """What becomes of a referral, and what was written of it in the two logs, if anything."""

    now: Referral
    advocate: Outcome = None
    friend: Outcome = None


def advance(context: Context, here: Here, head: Head) -> bool:
    """Lets the referrals go on that brought this member, and those who were merged into him.

    Whether anything was written in his own log. Raises `Contended`.
    """
    if not _has_referrals(context, here, head):
        return False
    wrote = [_advance(context, here, head, one) for one in _friends(head)]
    return any(wrote)


def next_referral_look(context: Context, here: Here, head: Head) -> Instant | None:
    """When time alone may change a referral of his."""
    if not _has_referrals(context, here, head):
        return None
    looks: list[Instant | None] = []
    for friend_id in _friends(head):
        one = context.store.referrals.of_friend(here.program_id, friend_id)
        if one is not None and one.state in (State.REWARDING, State.REVERSING):
            looks.append(here.now + RETRY)
        elif one is not None:
            looks.append(looks_again(one, _terms(context, one)[1]))
    return min((one for one in looks if one is not None), default=None)


def decide(context: Context, here: Here, friend_id: str, approved: bool) -> Referral | Refusal:
    """What somebody decided about a referral that was held; the same again is the same.

    About who was erased nothing is decided, so that no note of him is kept.
    """
    head = strong_head(context, LogKey(here.program_id, friend_id))
    if head is not None and head.snapshot.standing == Standing.ERASED:
        return IS_ERASED
    for attempt in range(TRIES):
        was = context.store.referrals.of_friend(here.program_id, friend_id)
        if was is None:
            return NOT_FOUND
        if was.state is not State.HELD:
            return was if _was_decided(was, approved) else NOT_HELD
        now = decided(was, approved)
        if _move(context, was, now):
            return now
        context.pause.before(attempt)
    raise Contended("the referral was changed again and again")


def _was_decided(one: Referral, approved: bool) -> bool:
    return one.approved if approved else one.state is State.REFUSED and REVIEW in one.reasons


def _has_referrals(context: Context, here: Here, head: Head) -> bool:
    program = context.catalog.current(here.program)
    closed = head.snapshot.standing == Standing.CLOSED
    return program is not None and program.has_referrals and not closed


def _friends(head: Head) -> tuple[str, ...]:
    return (*head.snapshot.merged, head.key.member_id)


def _terms(context: Context, one: Referral) -> tuple[Program, Terms]:
    program = context.catalog.version(one.program_id, one.version)
    return program, terms_of(program)


def _advance(context: Context, here: Here, head: Head, friend_id: str) -> bool:
    wrote = False
    for attempt in range(TRIES):
        was = context.store.referrals.of_friend(here.program_id, friend_id)
        if was is None or (was.state in FINAL and was.counted):
            return wrote
        step = _step(context, here, head, was)
        if step.now == was and was.counted:
            return wrote
        now = was.to(was.state, *was.reasons) if step.now == was else step.now
        if _move(context, was, now, _amounts(step.advocate), _amounts(step.friend)):
            wrote = wrote or isinstance(step.friend, Appended)
        else:
            context.pause.before(attempt)
    raise Contended("the referral was changed again and again")


def _step(context: Context, here: Here, head: Head, was: Referral) -> _Step:
    program, terms = _terms(context, was)
    if was.state is State.REWARDING:
        return _reward(context, here, was, program)
    if was.state is State.REVERSING:
        return _reverse(context, here, was, program)
    gift = gift_of(terms, was.partner, was.variant)
    if was.state is State.ENROLLED and gift is not None and gift.at_once and not was.welcomed:
        done = _welcome(context, here, was, program)
        if not _must_wait(done):
            now = was.to(was.state, welcomed=True)
            return _Step(now, friend=done)
    facts = read_facts(context, here, head, was, terms)
    return _Step(next_state(was, facts, terms, here.now))


def _reward(context: Context, here: Here, was: Referral, program: Program) -> _Step:
    """Both sides get what they were promised; where the advocate may have no more, neither does.

    So made-up friends cost nothing beyond the caps.
    """
    gift = gift_of(terms_of(program), was.partner, was.variant)
    advocate: Outcome = None
    friend: Outcome = None
    if was.advocate_id:
        command = RewardAdvocate(was.cause, was.variant)
        advocate = _append(context, here, was.advocate_id, command, program)
    if not isinstance(advocate, Refusal) and gift is not None and not gift.at_once:
        friend = _welcome(context, here, was, program)
    if _must_wait(advocate) or _must_wait(friend):
        return _Step(was)
    decides = advocate if was.advocate_id else friend
    if isinstance(decides, Refusal):
        return _Step(was.to(State.REFUSED, _REASONS.get(decides.code, decides.code)))
    return _Step(was.to(State.REWARDED), advocate, friend)


def _reverse(context: Context, here: Here, was: Referral, program: Program) -> _Step:
    """Takes back from whom the terms say; who has nothing of it loses nothing."""
    sides = terms_of(program).takes_back
    advocate: Outcome = None
    friend: Outcome = None
    if "advocate" in sides and was.advocate_id:
        of_advocate = ReverseReferral(was.cause)
        advocate = _append(context, here, was.advocate_id, of_advocate, program)
    if "friend" in sides:
        of_friend = ReverseReferral(was.friend_id, was.referrer)
        friend = _append(context, here, was.friend_id, of_friend, program)
    return _Step(was.to(State.REVERSED), advocate, friend)


def _welcome(context: Context, here: Here, was: Referral, program: Program) -> Appended | Refusal:
    command = WelcomeFriend(was.friend_id, was.referrer, was.partner, was.variant)
    return _append(context, here, was.friend_id, command, program)


def _append(
    context: Context, here: Here, member_id: str, command: OfReferral, program: Program
) -> Appended | Refusal:
    in_force = context.catalog.in_force(here.program, here.now)
    key = LogKey(here.program_id, member_id)
    return append(context, here, key, command, program, lambda _: in_force)


def _must_wait(outcome: Outcome) -> bool:
    return isinstance(outcome, Refusal) and outcome.code == "member_restricted"


def _amounts(outcome: Outcome) -> dict[int, int]:
    """How much of each currency was given, or, below zero, taken."""
    found: Counter[int] = Counter()
    for effect in outcome.entry.effects if isinstance(outcome, Appended) else ():
        if effect.state not in UNCOUNTED:
            found[effect.currency] += effect.amount
    return dict(found)


def _move(
    context: Context,
    was: Referral,
    now: Referral,
    earned: Mapping[int, int] = NOTHING,
    welcomed: Mapping[int, int] = NOTHING,
) -> bool:
    """Writes a step down, and counts it."""
    now = replace(now, counted=True)
    tally_was = context.store.referrals.tally(was.program_id, was.referrer)
    tally = tally_was or Tally(was.program_id, was.referrer)
    change = ReferralChange(now, was, tally.after(was, now, earned, welcomed), tally_was)
    return context.store.referrals.move(change)
