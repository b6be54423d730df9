"""What a referral gives to both sides, and how it is taken back.

Caps, steps and milestones are decided in the advocate's own log, where his friends are counted: of
two friends who come at once only one has the last place, since one entry follows the other.
"""

from collections.abc import Iterator, Sequence

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Account, Bucket, Head
from chalicelib.domain.ledger.commands import ReverseReferral, RewardAdvocate, WelcomeFriend
from chalicelib.domain.ledger.entries import (
    SCHEMA,
    Effect,
    Entry,
    Kind,
    State,
    StoredEntry,
    decode,
)
from chalicelib.domain.ledger.redemptions import NO_RULE
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.program.program import Program
from chalicelib.domain.referrals.terms import Gift, Milestone, Terms, Variant
from chalicelib.kernel.clock import Instant, local_date

CAPPED = Refusal("referral_cap", "the advocate has had the most that he can")
ENDED = Refusal("program_ended", "the last day to earn is over")
NOT_GIVEN = Refusal("nothing_given", "the referral gave nothing to this side")
FORGIVEN = 1_000_000  # from here on a milestone's counter says that it was taken back in part


def reward_advocate(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: Program,
    command: RewardAdvocate,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Gives what one more friend brings, within the caps, and counts him.

    `program` is the version whose terms hold, `facts` the one in force, which may end the program.
    """
    terms = terms_of(program)
    variant = terms.variants[command.variant]
    account = Account.open(head.snapshot)
    day = local_date(recorded_at, program.zone)
    if not facts.earns_on(recorded_at):
        return ENDED
    nth = 1 + terms.friends.value(account.tallies, day.toordinal())
    gift = variant.advocate
    amount = _within_caps(account, terms, variant, nth, day.toordinal())
    if amount is None:
        return CAPPED
    effects = []
    if gift is not None and gift.currency:
        effects.append(_credit(account, program, gift.currency, amount, recorded_at))
    for one in terms.milestones:
        if one.at == nth and not one.counter.value(account.tallies, day.toordinal()):
            account.count(one.counter, day.toordinal(), 1)
            effects.append(_credit(account, program, one.currency, one.amount, recorded_at, nth))
    _count(account, terms, day.toordinal(), 1, times=1, amount=amount)
    return _given(account, gift, effects, command.fingerprint, program, recorded_at)


def welcome_friend(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: Program,
    command: WelcomeFriend,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Gives a friend what he was promised."""
    gift = gift_of(terms_of(program), command.partner, command.variant)
    if gift is None:
        return NOT_GIVEN
    if not facts.earns_on(recorded_at):
        return ENDED
    account = Account.open(head.snapshot)
    effects = []
    if gift.currency:
        effects.append(_credit(account, program, gift.currency, gift.amount, recorded_at))
    return _given(account, gift, effects, command.fingerprint, program, recorded_at)


def reverse_referral(
    head: Head,
    story: Sequence[StoredEntry],
    facts: Program,  # noqa: ARG001
    command: ReverseReferral,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Takes back what was given, as each currency takes back, and the friend from the count.

    A milestone goes with the friend without whom it was not reached, whichever he is. A voucher
    that was used stays used. The caps have only free again what really came back: else friends
    whose orders come back would bring more than the caps, one after the other.
    """
    given = next((decode(one.body) for one in story if one.ref.endswith("#given")), None)
    if given is None:
        return NOT_GIVEN
    account = Account.open(head.snapshot)
    own = [lot.bucket for lot in given.moves if lot.amount > 0]
    effects: list[Effect] = []
    gifts = [effect for effect in given.effects if not effect.weight]
    for effect in gifts:
        effects += _take_back(account, program, effect.currency, effect.amount, own)
    if not command.referrer:  # it was the advocate's
        day = local_date(given.occurred_at, program.zone).toordinal()
        back = -sum(effect.amount for effect in effects)
        whole = not given.reward and back == sum(one.amount for one in gifts)
        effects += _lose_milestones(account, program, day, own)
        _count(account, terms_of(program), day, -1, times=-int(whole), amount=-back)
    return Entry(
        schema=SCHEMA,
        kind=Kind.REFERRAL_REVERSED,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        reward=given.reward,
        quantity=given.quantity,
        stock=given.stock,
    )


def terms_of(program: Program) -> Terms:
    """The terms of a version that has some: referrals keep the version that they began under."""
    assert program.referrals is not None  # noqa: S101 (the referral names this version)
    return program.referrals


def gift_of(terms: Terms, partner: str, variant: int) -> Gift | None:
    """What a friend gets; of a partner's friends as his own terms say."""
    return terms.partners[partner].friend if partner else terms.variants[variant].friend


def most_friends(terms: Terms, partner: str, variant: int) -> int | None:
    """How many friends of one advocate, or partner, get something; None: nothing limits them.

    What friends get after the advocate's reward is within the caps of that.
    """
    if partner:
        return terms.partners[partner].most
    one = terms.variants[variant]
    return one.most_friends if one.friend and one.friend.at_once else None


def _within_caps(
    account: Account, terms: Terms, variant: Variant, nth: int, day: int
) -> int | None:
    """The points of the nth friend; None where a cap leaves nothing for him."""
    gift = variant.advocate
    amount = terms.amount(gift, nth) if gift is not None and gift.currency else 0
    wanted = amount
    for cap in variant.caps:
        left = cap.limit - cap.counter.value(account.tallies, day)
        if left <= 0:
            return None
        if cap.counts_points:
            amount = min(amount, left)
    return None if wanted and not amount else amount


def _credit(
    account: Account, program: Program, currency: int, amount: int, at: Instant, milestone: int = 0
) -> Effect:
    expiry = program.currencies_by_number[currency].expiry
    expires_on = expiry.day(local_date(at, program.zone)) if expiry else NEVER
    account.credit((currency, expires_on, 0, 0), amount)
    return Effect(NO_RULE, currency, amount, milestone)


def _take_back(
    account: Account,
    program: Program,
    currency: int,
    amount: int,
    own: list[Bucket],
    milestone: int = 0,
) -> Iterator[Effect]:
    known = program.currencies_by_number[currency]
    taken = account.claw_back(currency, amount, own, known.clawback, renewed=known.renewed)
    yield Effect(NO_RULE, currency, -taken.amount, milestone)
    if taken.lapsed:
        yield Effect(NO_RULE, currency, -taken.lapsed, milestone, State.LAPSED)


def _lose_milestones(
    account: Account, program: Program, day: int, own: list[Bucket]
) -> list[Effect]:
    """Takes back what was given for a number of friends that is no longer reached.

    One of which something is forgiven is marked so, and never given again.
    """
    terms = terms_of(program)
    effects: list[Effect] = []
    for one, times in _lost_milestones(account, terms, day):
        lost = times * one.amount
        taken = list(_take_back(account, program, one.currency, lost, own, one.at))
        whole = -sum(effect.amount for effect in taken) == lost
        account.count(one.counter, day, -times if whole else FORGIVEN)
        effects += taken
    return effects


def _lost_milestones(account: Account, terms: Terms, day: int) -> list[tuple[Milestone, int]]:
    """Those that were given and are not reached with one friend less, and how often each was: by
    several who are one member now."""
    friends = terms.friends.value(account.tallies, day) - 1
    given = [(one, one.counter.value(account.tallies, day)) for one in terms.milestones]
    return [(one, times) for one, times in given if 0 < times < FORGIVEN and friends < one.at]


def _count(
    account: Account, terms: Terms, day: int, friends: int, *, times: int, amount: int
) -> None:
    account.count(terms.friends, day, friends)
    for counter in terms.of_caps:
        account.count(counter, day, amount if counter.name in terms.of_points else times)


def _given(
    account: Account,
    gift: Gift | None,
    effects: list[Effect],
    fingerprint: bytes,
    program: Program,
    recorded_at: Instant,
) -> Entry:
    reward = program.rewards_by_number[gift.reward] if gift and gift.reward else None
    return Entry(
        schema=SCHEMA,
        kind=Kind.REFERRAL,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        reward=reward.number if reward else 0,
        quantity=1 if reward else 0,
        stock=1 if reward and reward.stock is not None else 0,
    )
