"""What referrals have brought, for who brings friends and for the shop."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.ledger.progress import know
from chalicelib.domain.program.program import Program
from chalicelib.domain.referrals.referral import Referral, Tally
from chalicelib.domain.referrals.terms import ReferralCap
from chalicelib.kernel.clock import local_date
from chalicelib.services.accounts import account
from chalicelib.services.appending import NOT_FOUND, strong_head
from chalicelib.services.context import Context, Here, enter
from chalicelib.services.members import NO_PROGRAM, read
from chalicelib.services.order_facts import person_of
from chalicelib.services.referral_codes import code_of

UNKNOWN = "unknown"
NO_REFERRALS = Refusal("no_referrals", "the program has no referrals")


@dataclass(frozen=True)
class Left:
    """A cap, and what it leaves now."""

    cap: ReferralCap
    left: int


@dataclass(frozen=True)
class Advocate:
    """What a member needs to bring friends, and what came of it."""

    program: Program
    code: str
    clicks: int
    tallies: Sequence[Tally]  # his own, and of each who was merged into him
    caps: Sequence[Left]


@dataclass(frozen=True)
class Reported:
    """One row of the report."""

    tally: Tally
    code: str
    clicks: int


def advocate(context: Context, here: Here, member_id: str) -> Advocate | Refusal:
    """A member as somebody who brings friends."""
    program = context.catalog.in_force(here.program, here.now)
    head = account(context, here, member_id)
    if program is None or isinstance(head, Refusal):
        return NO_PROGRAM if program is None else NOT_FOUND
    if program.referrals is None:
        return NO_REFERRALS
    code = code_of(context, here.program_id, head.key.member_id)
    referrals = context.store.referrals
    found = (
        referrals.tally(here.program_id, one) for one in (head.key.member_id, *head.snapshot.merged)
    )
    return Advocate(
        program,
        code,
        referrals.clicks(here.program_id, code),
        [one for one in found if one is not None],
        _left(context, here, program, head),
    )


def report(context: Context, here: Here, after: str | None, limit: int) -> list[Reported]:
    """Everybody who has brought anybody, by his id; partners after all members."""
    rows = context.store.referrals.tallies(here.program_id, after, limit)
    found = []
    for one in rows:
        partner = one.referrer.partition("partner:")[2]
        code = partner or code_of(context, here.program_id, one.referrer)
        found.append(Reported(one, code, context.store.referrals.clicks(here.program_id, code)))
    return found


def name_of(context: Context, here: Here, member_id: str) -> str | None:
    """A member's name, short: `Ada L.`; None where he has none, or was erased."""
    member = read(context, here, member_id) if member_id else NOT_FOUND
    if isinstance(member, Refusal):
        return None
    profile = member.profile
    family = f"{profile.family_name[0]}." if profile.family_name else None
    return " ".join(filter(None, (profile.given_name, family))) or None


def of_friend(context: Context, here: Here, friend_id: str) -> Referral | None:
    """The referral that brought a member."""
    return context.store.referrals.of_friend(here.program_id, friend_id)


def _left(context: Context, here: Here, program: Program, head: Head) -> list[Left]:
    terms = program.referrals
    if terms is None:
        return []
    opened = Account.open(head.snapshot)
    person = person_of(context, here, head.key.member_id, program)
    known = know(program, opened, head.key.member_id, here.now, here.now, person)
    day = local_date(here.now, program.zone).toordinal()
    caps = terms.variants[terms.variant_for(known)].caps
    return [Left(one, max(0, one.limit - one.counter.value(opened.tallies, day))) for one in caps]


def follow_link(context: Context, program_id: str, code: str) -> None:
    """Counts who followed a link. What is nobody's code is counted too, among all of those: an
    answer takes as long for one as for the other."""
    here = enter(context, program_id)
    program = context.catalog.in_force(here.program, here.now) if here else None
    terms = program.referrals if program else None
    owner = context.store.referrals.owner(program_id, code)
    if owner is not None or (terms is not None and code in terms.partners):
        context.store.referrals.count_click(program_id, code)
    else:
        context.store.referrals.count_click(UNKNOWN, UNKNOWN)


def survivor(context: Context, here: Here, member_id: str) -> str | None:
    """Who has the account of a member now."""
    head = strong_head(context, LogKey(here.program_id, member_id))
    return head.key.member_id if head is not None else None
