"""A member's paid membership: what the payment service says of it, and what it means for benefits.

Stripe is the truth about money. What it says (`Subscription`) becomes the part `Membership` of the
account's snapshot, in which every moment that matters is written down: benefits begin, end, and go
on through a grace period by the clock alone, whether or not anybody heard of it.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum

import msgspec

from chalicelib.domain.memberships.plan import Plan
from chalicelib.kernel.clock import HOUR, Instant


class PaymentStatus(Enum):
    """Of a subscription, by the names of the payment service (Stripe, "How subscriptions work")."""

    INCOMPLETE = "incomplete"  # the first charge waits for the member
    NEVER = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"


# Stripe drafts a renewal for an hour before it charges ("Subscription invoices"): until we must
# have heard of it, who pays is not treated as one who does not.
BRIDGE = 3 * HOUR


@dataclass(frozen=True)
class Subscription:
    """What the payment service says now, in our words. Moments in milliseconds, 0 for none."""

    id: str
    customer_id: str
    program_id: str
    member_id: str
    plan: str  # empty where it is on a price that no plan has
    price: str
    amount: int  # minor units a period
    money: str
    status: PaymentStatus
    started_at: Instant
    period_start: Instant
    period_end: Instant
    paid_until: Instant  # the end of the last period that was paid, or free
    cancels_at: Instant = 0
    ended_at: Instant = 0
    disputed_at: Instant = 0  # since when a charge of it is disputed
    item_id: str = ""  # what is changed for another plan or price


class Status(IntEnum):
    """Of a membership."""

    TRIALING = 1
    ACTIVE = 2
    PAST_DUE = 3  # a renewal is not paid, and the grace period runs
    PAUSED = 4
    SUSPENDED = 5  # a charge is disputed
    LAPSED = 6  # the grace period is over, and nothing was paid
    ENDED = 7


class Change(IntEnum):
    """What an entry says happened to a membership: the event `membership.<name>`."""

    STARTED = 1
    RENEWED = 2
    PAST_DUE = 3
    RECOVERED = 4
    CHANGED = 5  # another plan or price
    CANCELS = 6  # it will end
    KEPT = 7  # it will not end after all
    PAUSED = 8
    RESUMED = 9
    SUSPENDED = 10
    RESTORED = 11
    LAPSED = 12
    ENDED = 13
    NOTICED = 14  # the member is told of the next charge
    USED = 15  # a benefit was used
    UPDATED = 16  # another moment


class Membership(msgspec.Struct, frozen=True, array_like=True):
    """The newest membership of an account. Plan and price are the program's numbers."""

    plan: int
    price: int
    status: int
    subscription: str
    started_at: Instant
    period_start: Instant
    period_end: Instant  # the next charge, if it renews
    paid_until: Instant
    benefits_until: Instant  # the first moment without benefits, if nothing more is heard
    cancels_at: Instant = 0  # when it ends; 0: it renews
    notice_at: Instant = 0  # when the member is told of the next charge; 0: he was, or is not
    uses: int = 0  # of benefits in this period
    used: int = 0  # what they were worth, in minor units

    @property
    def is_live(self) -> bool:
        """Whether it may still charge the member."""
        return self.status != Status.ENDED

    @property
    def renews(self) -> bool:
        """Whether another period follows, as far as anybody knows."""
        return self.status in (Status.TRIALING, Status.ACTIVE) and not self.cancels_at

    def covers(self, at: Instant) -> bool:
        """Whether it gives benefits at a moment, be it only some of them."""
        return self.started_at <= at < self.benefits_until


class Standing(Enum):
    """What a membership is at a moment, as callers read it."""

    TRIALING = "trialing"
    ACTIVE = "active"
    RENEWING = "renewing"  # the period is over, and the charge for the next is awaited
    PAST_DUE = "past_due"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    LAPSED = "lapsed"
    ENDED = "ended"


_UNPAID = (PaymentStatus.PAST_DUE, PaymentStatus.UNPAID)
_ATTEMPTS = (PaymentStatus.INCOMPLETE, PaymentStatus.NEVER)
_STATUSES = {
    PaymentStatus.TRIALING: Status.TRIALING,
    PaymentStatus.ACTIVE: Status.ACTIVE,
    PaymentStatus.PAST_DUE: Status.PAST_DUE,
    PaymentStatus.UNPAID: Status.PAST_DUE,
    PaymentStatus.PAUSED: Status.PAUSED,
    PaymentStatus.CANCELED: Status.ENDED,
}
_RUNS_OUT = (Status.TRIALING, Status.ACTIVE, Status.PAST_DUE, Status.PAUSED)


def has_begun(found: Subscription) -> bool:
    """Whether a subscription was ever more than an attempt to pay."""
    return found.status not in _ATTEMPTS


def membership_of(
    found: Subscription, plan: Plan, price: int, was: Membership | None, now: Instant
) -> Membership:
    """What a subscription that has begun means on a plan's terms.

    Of what was known before only what the payment service does not know goes on: the benefits that
    were used in this period, and whether the member was told of the next charge.
    """
    same = was if was is not None and was.subscription == found.id else None
    until = _benefits_until(found, plan)
    this_period = same if same is not None and same.period_start == found.period_start else None
    told = this_period is not None and this_period.renews and not this_period.notice_at
    status = _status(found, plan, until, now)
    renews = status in (Status.TRIALING, Status.ACTIVE) and not found.cancels_at
    tells = renews and plan.notice and not told and now < found.period_end
    return Membership(
        plan=plan.number,
        price=price,
        status=status,
        subscription=found.id,
        started_at=found.started_at,
        period_start=found.period_start,
        period_end=found.period_end,
        paid_until=found.paid_until,
        benefits_until=until,
        cancels_at=found.cancels_at,
        notice_at=found.period_end - plan.notice if tells else 0,
        uses=this_period.uses if this_period else 0,
        used=this_period.used if this_period else 0,
    )


def _benefits_until(found: Subscription, plan: Plan) -> Instant:
    until = found.paid_until
    if found.status in (PaymentStatus.TRIALING, PaymentStatus.ACTIVE):
        until += max(plan.grace, BRIDGE)
    if found.status in _UNPAID:
        until += plan.grace
    ends = [until, found.cancels_at, found.ended_at]
    if plan.suspends:
        ends.append(found.disputed_at)
    return min(at for at in ends if at)


def _status(found: Subscription, plan: Plan, until: Instant, now: Instant) -> Status:
    status = _STATUSES[found.status]
    if status is Status.ENDED or (found.cancels_at and found.cancels_at <= now):
        return Status.ENDED
    if found.disputed_at and plan.suspends:
        return Status.SUSPENDED
    return Status.LAPSED if status in _RUNS_OUT and until <= now else status


def change_of(was: Membership | None, now: Membership) -> Change:
    """What became of a membership: the most important of what is different."""
    if was is None or was.subscription != now.subscription:
        return Change.STARTED if now.is_live else Change.ENDED
    if now.status != was.status and now.status in _BY_STATUS:
        return _BY_STATUS[Status(now.status)]
    if (now.plan, now.price) != (was.plan, was.price):
        return Change.CHANGED
    if now.paid_until > was.paid_until and now.status == Status.ACTIVE:
        return Change.RENEWED
    if now.status != was.status:
        return _BACK.get(Status(was.status), Change.UPDATED)
    if bool(now.cancels_at) != bool(was.cancels_at):
        return Change.CANCELS if now.cancels_at else Change.KEPT
    return Change.UPDATED


_BY_STATUS = {
    Status.ENDED: Change.ENDED,
    Status.SUSPENDED: Change.SUSPENDED,
    Status.PAUSED: Change.PAUSED,
    Status.LAPSED: Change.LAPSED,
    Status.PAST_DUE: Change.PAST_DUE,
}
_BACK = {
    Status.PAST_DUE: Change.RECOVERED,
    Status.LAPSED: Change.RECOVERED,
    Status.PAUSED: Change.RESUMED,
    Status.SUSPENDED: Change.RESTORED,
    Status.ENDED: Change.RECOVERED,
}


def standing_at(membership: Membership, at: Instant) -> Standing:
    """What a membership is at a moment, if nothing more was heard of it by then."""
    status = Status(membership.status)
    over = at >= membership.benefits_until
    if status is Status.ENDED or 0 < membership.cancels_at <= at:
        return Standing.ENDED
    if status is Status.SUSPENDED:
        return Standing.SUSPENDED
    if over:
        return Standing.LAPSED
    if status in (Status.TRIALING, Status.ACTIVE) and at >= membership.paid_until:
        return Standing.RENEWING
    return Standing[status.name]


def benefits_at(membership: Membership, plan: Plan, at: Instant) -> tuple[str, ...]:
    """The benefits that a member has at a moment."""
    if not membership.covers(at):
        return ()
    if plan.grace_benefits is not None and _in_grace(membership, at):
        return tuple(one for one in plan.benefits if one in plan.grace_benefits)
    return plan.benefits


def holds_plan(membership: Membership, plan: Plan, at: Instant) -> bool:
    """Whether the rules that ask for a plan take the member for one who has it.

    In a grace period that keeps only some benefits they do not.
    """
    if plan.grace_benefits is not None and _in_grace(membership, at):
        return False
    return membership.covers(at)


def _in_grace(membership: Membership, at: Instant) -> bool:
    """Whether a renewal is not paid: the charge failed, or it is overdue that we hear of it."""
    bridge = BRIDGE if membership.status in (Status.TRIALING, Status.ACTIVE) else 0
    return at >= membership.paid_until + bridge


def dues_of(membership: Membership) -> list[tuple[Instant, Change]]:
    """What happens to a membership by itself, and when."""
    found: list[tuple[Instant, Change]] = []
    if not membership.is_live:
        return found
    ends, runs_out = membership.cancels_at, membership.benefits_until
    if membership.notice_at:
        found.append((membership.notice_at, Change.NOTICED))
    if ends:
        found.append((ends, Change.ENDED))
    if membership.status in _RUNS_OUT and not 0 < ends <= runs_out:
        found.append((runs_out, Change.LAPSED))
    return found


def after(membership: Membership, change: Change) -> Membership:
    """The membership after something happened to it by itself."""
    if change is Change.NOTICED:
        return msgspec.structs.replace(membership, notice_at=0)
    status = Status.ENDED if change is Change.ENDED else Status.LAPSED
    return msgspec.structs.replace(membership, status=status, notice_at=0)
