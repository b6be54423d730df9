"""Memberships that end at once, and what of the last charge is given back.

What shall be done is written down first (`Termination`): the amount is decided once, and whoever
finds it open finishes it. Each step may be done twice without doing more than once.
"""

from chalicelib.domain.errors import Refusal
from chalicelib.domain.memberships.membership import Membership, Subscription, membership_of
from chalicelib.domain.memberships.payments import Termination
from chalicelib.domain.memberships.refunding import NOTHING, Refundable, refundable
from chalicelib.services import members
from chalicelib.services.accounts import account
from chalicelib.services.memberships import NO_MEMBERSHIP, Desk, follow

SECOND_ONE = "the member had another membership already"


def foresee_refund(desk: Desk, member_id: str) -> Refundable | Refusal:
    """What would be given back if the membership ended now."""
    found = _ending(desk, member_id)
    if isinstance(found, Refusal):
        return found
    return Refundable(found.amount, found.money, found.why)


def end_now(desk: Desk, member_id: str) -> Termination | Refusal:
    """Ends the membership now, and gives back what the program's rules say; once for ever."""
    wanted = _ending(desk, member_id)
    return wanted if isinstance(wanted, Refusal) else _carry_out(desk, wanted)


def end_second(desk: Desk, found: Subscription) -> Termination:
    """Ends a subscription of somebody who has another, and gives back all of its charge."""
    charge = desk.payments.last_charge(found)
    left = charge.amount - charge.refunded if charge else 0
    payment = charge.payment if charge and left else ""
    program_id, member_id = desk.here.program_id, found.member_id
    return _carry_out(
        desk,
        Termination(program_id, member_id, found.id, payment, left, found.money, SECOND_ONE),
    )


def finish(desk: Desk, termination: Termination) -> None:
    """Does what is left of it. Raises `Unavailable`, and can be done again."""
    subscription = termination.subscription
    key = desk.key(f"{subscription}#end")
    desk.payments.cancel_now(key, subscription)
    if termination.payment and termination.amount:
        desk.payments.refund(
            f"{key}#refund", termination.payment, termination.amount, termination.money
        )
    follow(desk, termination.member_id, subscription, "ended")
    desk.context.store.billings.close(termination)


def _carry_out(desk: Desk, wanted: Termination) -> Termination:
    billings = desk.context.store.billings
    billings.order(wanted)
    ordered = billings.termination(wanted.program_id, wanted.subscription) or wanted
    if not ordered.done:
        finish(desk, ordered)
    return ordered


def _ending(desk: Desk, member_id: str) -> Termination | Refusal:
    """What is to be done, or was ordered before."""
    head = account(desk.context, desk.here, member_id)
    if isinstance(head, Refusal):
        return head
    has = head.snapshot.membership
    if has is None:
        return NO_MEMBERSHIP
    ordered = desk.context.store.billings.termination(desk.here.program_id, has.subscription)
    if ordered is not None:
        return ordered
    if not has.is_live:
        return NO_MEMBERSHIP
    return _decided(desk, head.key.member_id, has)


def _decided(desk: Desk, member_id: str, has: Membership) -> Termination | Refusal:
    program = desk.context.catalog.in_force(desk.here.program, desk.here.now)
    plan = program.plans_by_number.get(has.plan) if program else None
    found = desk.payments.subscription(has.subscription)
    if program is None or plan is None or found is None or found.ended_at:
        return NO_MEMBERSHIP
    # A period that began and that nobody told us of yet: no benefit was used in it.
    has = membership_of(found, plan, has.price, has, desk.here.now)
    charge = desk.payments.last_charge(found)
    back = Refundable(0, found.money, NOTHING)
    if charge is not None:
        member = members.read(desk.context, desk.here, member_id)
        country = None if isinstance(member, Refusal) else member.profile.country
        back = refundable(plan, has, charge, country, desk.here.now, program.zone)
    payment = charge.payment if charge and back.amount else ""
    return Termination(
        desk.here.program_id, member_id, found.id, payment, back.amount, back.money, back.why
    )
