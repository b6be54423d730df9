"""What the payment service says of a subscription becomes the member's paid membership."""

from collections.abc import Sequence

import msgspec

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import FollowSubscription, MembershipFacts, UseBenefit
from chalicelib.domain.ledger.entries import NO_LOTS, SCHEMA, Effect, Entry, Kind, StoredEntry
from chalicelib.domain.ledger.redemptions import NO_RULE
from chalicelib.domain.memberships.membership import (
    Change,
    Membership,
    Status,
    benefits_at,
    change_of,
    has_begun,
    membership_of,
)
from chalicelib.domain.memberships.plan import Plan
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant, local_date

UNCHANGED = Refusal("unchanged", "the membership is known as it is")
ANOTHER = Refusal("open_membership", "the member has another paid membership")
UNKNOWN_PLAN = Refusal("unknown_plan", "the subscription is of no plan of the program")
NOT_ENTITLED = Refusal("not_entitled", "the member has not this benefit now")


def follow_subscription(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: MembershipFacts,
    command: FollowSubscription,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Writes down what is different; an attempt to pay that came to nothing is no membership."""
    found, was = facts.subscription, head.snapshot.membership
    plan = program.plans.get(found.plan) if found else None
    if plan is None and was is not None and found is not None and found.ended_at:
        plan = program.plans_by_number.get(was.plan)  # it ends, whatever it is on now
    mine = found is not None and was is not None and was.subscription == found.id
    if found is None or not (mine or has_begun(found)):
        return UNCHANGED
    if not mine and was is not None and found.ended_at:
        if was.is_live or found.started_at <= was.started_at:
            return UNCHANGED  # it was over before what is known now began, or is over beside it
    elif not mine and was is not None and was.is_live:
        return ANOTHER
    if plan is None:
        return UNKNOWN_PLAN
    price = plan.price(found.price)
    now = membership_of(found, plan, price.number if price else 0, was, recorded_at)
    if now == was:
        return UNCHANGED
    account = Account.open(head.snapshot)
    effects, welcomed = _welcome(account, program, plan, now, recorded_at)
    return Entry(
        schema=SCHEMA,
        kind=Kind.MEMBERSHIP,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=effects,
        moves=account.moved(),
        snapshot=account.snapshot(membership=now, welcomed=welcomed),
        change=change_of(was, now),
    )


def _welcome(
    account: Account, program: Program, plan: Plan, now: Membership, recorded_at: Instant
) -> tuple[tuple[Effect, ...], tuple[int, ...]]:
    """What is given when a plan is first paid, and the plans whose welcome was given."""
    welcomed = account.was.welcomed
    welcome = plan.welcome
    paid = now.status == Status.ACTIVE and now.paid_until > recorded_at
    if welcome is None or not paid or plan.number in welcomed:
        return (), welcomed
    currency = program.currencies_by_number[welcome.currency]
    today = local_date(recorded_at, program.zone)
    expires_on = currency.expiry.day(today) if currency.expiry else NEVER
    account.credit((currency.number, expires_on, 0, 0), welcome.amount)
    given = Effect(NO_RULE, currency.number, welcome.amount)
    return (given,), tuple(sorted((*welcomed, plan.number)))


def use_benefit(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: UseBenefit,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Counts a benefit that was used: what is given back of a charge depends on it."""
    was = head.snapshot.membership
    plan = program.plans_by_number.get(was.plan) if was else None
    if plan is not None and command.benefit not in plan.benefits:
        reason = f"the plan {plan.id} has no benefit {command.benefit}"
        return Refusal("unknown_benefit", reason, (FieldError("benefit", reason),))
    if was is None or plan is None or command.benefit not in benefits_at(was, plan, recorded_at):
        return NOT_ENTITLED
    now = msgspec.structs.replace(was, uses=was.uses + 1, used=was.used + command.worth)
    return Entry(
        schema=SCHEMA,
        kind=Kind.MEMBERSHIP,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=(),
        moves=NO_LOTS,
        snapshot=Account.open(head.snapshot).snapshot(membership=now),
        change=Change.USED,
    )
