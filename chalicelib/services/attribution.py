"""Who brought a new member: found when he joins, and never again."""

from dataclasses import replace

from chalicelib.domain.ledger.account import Account
from chalicelib.domain.ledger.progress import know
from chalicelib.domain.members.member import Member, Profile
from chalicelib.domain.ports import Origin
from chalicelib.domain.program.program import Program
from chalicelib.domain.referrals.checks import HARD, Evidence, Seen, Traces, failed, together
from chalicelib.domain.referrals.referral import Referral, State
from chalicelib.domain.referrals.terms import Terms
from chalicelib.kernel.clock import DAY
from chalicelib.services import traces
from chalicelib.services.context import Context, Here
from chalicelib.services.members import OriginOf
from chalicelib.services.order_facts import person_of
from chalicelib.services.referral_codes import Referrer, referrer_of

FORGOTTEN = 31 * DAY  # no terms look further back at a network address


def arrival(context: Context, here: Here, typed: Profile, code: str | None, seen: Seen) -> OriginOf:
    """Where who typed this comes from, once it is clear as whom he is enrolled.

    A code that is nobody's, or is good no longer, brings nobody: he joins all the same.
    """

    def origin_of(program: Program, member: Member) -> Origin | None:
        terms = program.referrals
        if terms is None:
            return None
        kept = traces.of_seen(context, here, seen, typed)
        said = traces.of_profile(context, here, typed)
        if member.profile != typed:  # an address of somebody else, who may be the advocate
            kept = together(kept, said)
        referrer = referrer_of(context, here, program, code) if code else None
        if referrer is None:
            return Origin(kept)
        network = next(iter(kept.get("network", ())), "")
        referral = _referral(context, here, program, terms, member, referrer)
        known = together(kept, said)
        checked = _checked(context, here, terms, referral, referrer, known, network)
        return Origin(kept, checked, network, here.now + FORGOTTEN)

    return origin_of


def _referral(
    context: Context,
    here: Here,
    program: Program,
    terms: Terms,
    member: Member,
    referrer: Referrer,
) -> Referral:
    head = referrer.head
    variant = len(terms.variants) - 1
    if head is not None:
        account = Account.open(head.snapshot)
        now = here.now
        person = person_of(context, here, head.key.member_id, program)
        variant = terms.variant_for(know(program, account, head.key.member_id, now, now, person))
    return Referral(
        here.program_id,
        member.id,
        head.key.member_id if head else "",
        referrer.partner,
        referrer.code,
        here.now,
        program.version,
        variant,
    )


def _checked(
    context: Context,
    here: Here,
    terms: Terms,
    referral: Referral,
    referrer: Referrer,
    known: Traces,
    network: str,
) -> Referral:
    """Refused or held where a check says so already."""
    head = referrer.head
    ids = (head.key.member_id, *head.snapshot.merged) if head else ()
    most, days = terms.velocity.most, terms.velocity.days
    before = (
        context.store.referrals.friends_from(
            here.program_id, network, here.now - days * DAY, here.now, most
        )
        if network
        else 0
    )
    evidence = Evidence(known, traces.of_members(context, here, ids), before + 1)
    failures = failed(terms, evidence)
    names = tuple(one.name for one in failures)
    if any(one.strictness == HARD for one in failures):
        return replace(referral, state=State.REFUSED, reasons=names)
    return replace(referral, state=State.HELD, reasons=names) if failures else referral
