"""Paid memberships: started, changed and ended at the payment service, and followed from there.

Every use case first asks the service for something, under an idempotency key that is derived from
the caller's, and then follows the subscription: what it is now is fetched and written into the
member's log, if it is something new. Whoever dies between the two is followed up by the service's
message, or by the reconciliation.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import FollowSubscription, MembershipFacts, UseBenefit
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.ledger.memberships import ANOTHER, UNCHANGED
from chalicelib.domain.ledger.progress import know
from chalicelib.domain.ledger.standing import not_open
from chalicelib.domain.members.member import Member
from chalicelib.domain.memberships.membership import (
    Membership,
    PaymentStatus,
    Standing,
    Subscription,
    benefits_at,
    has_begun,
    standing_at,
)
from chalicelib.domain.memberships.payments import Begun, Billing, Buyer, Hosted, Preview, Sale
from chalicelib.domain.memberships.plan import Plan, Price
from chalicelib.domain.ports import Payments
from chalicelib.domain.program.program import Mode, Program
from chalicelib.domain.texts import text_in
from chalicelib.kernel.clock import HOUR, SECOND, Instant
from chalicelib.services import members
from chalicelib.services.accounts import account
from chalicelib.services.appending import Appended, append, strong_head
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM, NOT_FOUND
from chalicelib.services.order_facts import person_of

NO_MEMBERSHIP = Refusal("no_membership", "the member has no paid membership")
NO_CUSTOMER = Refusal("no_customer", "the member never paid for a plan")
NOT_PAID = Refusal("not_paid", "first what runs must be paid for, or resumed")
HAS_IT = Refusal("unchanged", "the member has this plan at this price")
PREVIEWS_LAST = HOUR


@dataclass(frozen=True)
class Desk:
    """Where memberships are dealt with: a program, and who takes the money there."""

    context: Context
    here: Here
    payments: Payments

    def key(self, ref: str) -> str:
        """The idempotency key of a call, from the ref of what caused it."""
        return f"{self.here.program_id}:{ref}"

    def keyed(self, member_id: str, idempotency_key: str, kind: str) -> str:
        """That of what a caller wants for a member: another member's key is another one."""
        return self.key(f"{member_id}:{refs.keyed(idempotency_key, kind)}")


@dataclass(frozen=True)
class Wish:
    """What a member wants to have."""

    plan: str
    price: str
    promotion_code: str | None = None


@dataclass(frozen=True)
class Entitled:
    """What a member is entitled to at a moment."""

    member_id: str
    at: Instant
    standing: Standing | None  # None: he never had a membership
    membership: Membership | None
    plan: Plan | None
    price: Price | None
    benefits: tuple[str, ...]


@dataclass(frozen=True)
class _Customer:
    """A member who is being served."""

    member: Member
    head: Head
    program: Program


def entitlements(
    context: Context, here: Here, member_id: str, at: Instant | None = None
) -> Entitled | Refusal:
    """What the member is entitled to now, or was then: one read of the newest entry."""
    head = account(context, here, member_id, at)
    program = context.catalog.current(here.program)
    if isinstance(head, Refusal) or program is None:
        return head if isinstance(head, Refusal) else NO_PROGRAM
    moment = here.now if at is None else at
    return entitled(program, head.key.member_id, head.snapshot.membership, moment)


def entitled(
    program: Program, member_id: str, membership: Membership | None, at: Instant
) -> Entitled:
    """What a membership gives at a moment."""
    plan = program.plans_by_number.get(membership.plan) if membership else None
    if membership is None or plan is None:
        return Entitled(member_id, at, None, None, None, None, ())
    price = next((one for one in plan.prices if one.number == membership.price), None)
    standing = standing_at(membership, at)
    benefits = benefits_at(membership, plan, at)
    return Entitled(member_id, at, standing, membership, plan, price, benefits)


def check_out(
    desk: Desk, member_id: str, wish: Wish, pages: tuple[str, str], idempotency_key: str
) -> Hosted | Refusal:
    """A page of the payment service; `pages` are where it goes on to: paid, and not paid."""
    sale = _sale(desk, member_id, wish)
    if isinstance(sale, Refusal):
        return sale
    customer = _billing(desk, sale.member_id)
    key = desk.keyed(sale.member_id, idempotency_key, "checkout")
    return desk.payments.checkout(key, customer.customer_id, sale, *pages)


def subscribe(desk: Desk, member_id: str, wish: Wish, idempotency_key: str) -> Begun | Refusal:
    """A subscription that a mobile app's payment sheet confirms. Earlier tries are given up."""
    sale = _sale(desk, member_id, wish)
    if isinstance(sale, Refusal):
        return sale
    customer = _billing(desk, sale.member_id)
    key = desk.keyed(sale.member_id, idempotency_key, "subscribe")
    begun = desk.payments.subscribe(key, customer.customer_id, sale)
    if isinstance(begun, Refusal):
        return begun
    for one in desk.payments.subscriptions_of(customer.customer_id):
        if one.status is PaymentStatus.INCOMPLETE and one.id != begun.subscription:
            desk.payments.cancel_now(desk.key(f"{one.id}#given up"), one.id)
    follow(desk, sale.member_id, begun.subscription, f"key:{idempotency_key}#subscribe")
    return begun


def preview(desk: Desk, member_id: str, wish: Wish) -> Preview | Refusal:
    """What another plan or price would cost if it were taken now."""
    found = _change(desk, member_id, wish)
    if isinstance(found, Refusal):
        return found
    subscription, sale = found
    return desk.payments.preview(subscription, sale, desk.here.now // SECOND * SECOND)


def change(
    desk: Desk, member_id: str, wish: Wish, at: Instant, idempotency_key: str
) -> Entitled | Refusal:
    """Takes another plan or price, at the cost that a preview of moment `at` showed."""
    if not desk.here.now - PREVIEWS_LAST <= at <= desk.here.now:
        reason = "is not the moment of a preview of the last hour"
        return Refusal("preview_expired", reason, (FieldError("previewed_at", reason),))
    found = _change(desk, member_id, wish)
    if isinstance(found, Refusal):
        return found if found != HAS_IT else entitlements(desk.context, desk.here, member_id)
    subscription, sale = found
    if at < subscription.period_start:
        return Refusal("preview_expired", "another period has begun since the preview")
    key = desk.keyed(sale.member_id, idempotency_key, "change")
    refusal = desk.payments.change(key, subscription, sale, at)
    if refusal is not None:
        return refusal
    return _followed(desk, member_id, subscription.id, f"key:{idempotency_key}#change")


def cancel_at_period_end(desk: Desk, member_id: str, idempotency_key: str) -> Entitled | Refusal:
    """The membership ends when what was paid for is over."""

    def ask(key: str, found: Subscription) -> Refusal | None:
        return desk.payments.cancel_at_period_end(key, found.id, cancels=True)

    return _ask(desk, member_id, idempotency_key, "cancel", ask)


def use_promotion(
    desk: Desk, member_id: str, code: str, idempotency_key: str
) -> Entitled | Refusal:
    """Takes off the next charges of a membership that renews what a promotion code says."""
    program = desk.context.catalog.in_force(desk.here.program, desk.here.now)
    plans = program.plans if program is not None else {}

    def ask(key: str, found: Subscription) -> Refusal | None:
        plan = plans.get(found.plan)
        if plan is None or not plan.promotion_codes or found.cancels_at:
            error = FieldError("promotion_code", "is of no use to this membership")
            return Refusal("unknown_promotion_code", error.reason, (error,))
        return desk.payments.discount(key, found.id, code)

    return _ask(desk, member_id, idempotency_key, "promotion", ask)


def pause(
    desk: Desk, member_id: str, resumes_at: Instant | None, idempotency_key: str
) -> Entitled | Refusal:
    """Nothing is charged until the member resumes; benefits go on for as long as was paid."""
    if resumes_at is not None and resumes_at <= desk.here.now:
        error = FieldError("resumes_at", "lies in the past")
        return Refusal("invalid_request", error.reason, (error,))

    def ask(key: str, found: Subscription) -> Refusal | None:
        if found.status is PaymentStatus.PAUSED:
            return None
        return desk.payments.pause(key, found, resumes_at)

    return _ask(desk, member_id, idempotency_key, "pause", ask)


def resume(desk: Desk, member_id: str, idempotency_key: str) -> Entitled | Refusal:
    """Takes a pause or a cancellation back that is not over yet.

    Where nothing is paid for any more a period begins now, and is charged at once.
    """

    def ask(key: str, found: Subscription) -> Refusal | None:
        refusal = None
        if found.status is PaymentStatus.PAUSED:
            anew = found.paid_until <= desk.here.now
            refusal = desk.payments.resume(f"{key}#collect", found.id, anew=anew)
        if refusal is None and found.cancels_at:
            refusal = desk.payments.cancel_at_period_end(f"{key}#keep", found.id, cancels=False)
        return refusal

    return _ask(desk, member_id, idempotency_key, "resume", ask)


def use_benefit(
    context: Context, here: Here, member_id: str, command: UseBenefit
) -> Appended | Refusal:
    """Counts a benefit that a store gave, once for its own id."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    return append(context, here, LogKey(here.program_id, member_id), command, program)


def follow(desk: Desk, member_id: str, subscription: str, cause: str) -> Appended | Refusal:
    """Writes down what a subscription is now, if that is news.

    The state is fetched after the entry that it would follow was read, at each try anew: so an old
    state never follows a newer one.
    """
    program = desk.context.catalog.in_force(desk.here.program, desk.here.now)
    if program is None:
        return NO_PROGRAM
    return append(
        desk.context,
        desk.here,
        LogKey(desk.here.program_id, member_id),
        FollowSubscription(subscription, cause),
        program,
        lambda _: MembershipFacts(subscription=desk.payments.subscription(subscription)),
    )


def billing_of(desk: Desk, head: Head) -> Billing | None:
    """The member as a customer, or one of those who were merged into him."""
    for one in (head.key.member_id, *head.snapshot.merged):
        found = desk.context.store.billings.of(head.key.program_id, one)
        if found is not None:
            return found
    return None


def portal(desk: Desk, member_id: str, return_url: str) -> str | Refusal:
    """A page of the payment service where the member changes cards and reads invoices."""
    billing = customer_of(desk, member_id)
    if isinstance(billing, Refusal):
        return billing
    return desk.payments.portal(billing.customer_id, return_url)


def customer_of(desk: Desk, member_id: str) -> Billing | Refusal:
    """The member as the customer who pays for the newest membership, of several in one member."""
    head = strong_head(desk.context, LogKey(desk.here.program_id, member_id))
    if head is None:
        return NOT_FOUND
    known = billing_of(desk, head)
    has = head.snapshot.membership
    if known is None or has is None or not head.snapshot.merged:
        return known or NO_CUSTOMER
    found = desk.payments.subscription(has.subscription)
    return replace(known, customer_id=found.customer_id) if found else known


def _serve(desk: Desk, member_id: str) -> _Customer | Refusal:
    head = account(desk.context, desk.here, member_id)
    member = members.read(desk.context, desk.here, member_id)
    program = desk.context.catalog.in_force(desk.here.program, desk.here.now)
    if isinstance(head, Refusal):
        return head
    refusal = not_open(head)
    if refusal is not None:
        return refusal
    if isinstance(member, Refusal) or program is None:
        return member if isinstance(member, Refusal) else NO_PROGRAM
    return _Customer(member, head, program)


def _sale(desk: Desk, member_id: str, wish: Wish) -> Sale | Refusal:
    """What a member without a membership may buy. The trial is for those who never had one."""
    customer = _serve(desk, member_id)
    if isinstance(customer, Refusal):
        return customer
    customer = _looked_up(desk, customer)
    had = customer.head.snapshot.membership
    if had is not None and had.is_live:
        return ANOTHER
    chosen = _chosen(desk, customer, wish)
    if isinstance(chosen, Refusal):
        return chosen
    plan, price = chosen
    promotion = None
    if wish.promotion_code is not None:
        promotion = desk.payments.promotion(wish.promotion_code) if plan.promotion_codes else None
        if promotion is None:
            error = FieldError("promotion_code", "is no code that can be used here")
            return Refusal("unknown_promotion_code", error.reason, (error,))
    trial_days = plan.trial_days if had is None else 0
    return _sale_of(customer, plan, price, trial_days, promotion)


def _looked_up(desk: Desk, customer: _Customer) -> _Customer:
    """With what he has bought and nobody told us of yet: else he might pay twice."""
    billing = billing_of(desk, customer.head)
    if billing is None:
        return customer
    cause = f"asked {desk.context.ids.new('ask')}"
    found = desk.payments.subscriptions_of(billing.customer_id)
    begun = [one for one in found if has_begun(one)]
    running = [one for one in begun[1:] if not one.ended_at]
    for one in (*running, *begun[:1]):  # of those that are over, only the newest tells anything
        follow(desk, customer.member.id, one.id, cause)
    head = account(desk.context, desk.here, customer.member.id)
    return customer if isinstance(head, Refusal) else replace(customer, head=head)


def _sale_of(
    customer: _Customer, plan: Plan, price: Price, trial_days: int = 0, promotion: str | None = None
) -> Sale:
    member, program = customer.member, customer.program
    name = text_in(plan.name, member.profile.locale, program.language)
    return Sale(member.program_id, member.id, plan, price, name, trial_days, promotion)


def _chosen(desk: Desk, customer: _Customer, wish: Wish) -> tuple[Plan, Price] | Refusal:
    """The plan and the price, where the program sells them to this member."""
    program, member = customer.program, customer.member
    plan = program.plans.get(wish.plan)
    price = plan.price(wish.price) if plan is not None else None
    if plan is None or price is None or plan.retired:
        field = "plan" if plan is None or plan.retired else "price"
        error = FieldError(field, "is not sold by the program")
        return Refusal("unknown_plan", error.reason, (error,))
    now = desk.here.now
    person = person_of(desk.context, desk.here, member.id, program)
    opened = Account.open(customer.head.snapshot)
    known = know(program, opened, customer.head.key.member_id, now, now, person)
    why_not = price.why_not(member.profile.country, known.segments)
    if why_not is not None:
        return Refusal("not_eligible", why_not, (FieldError("price", why_not),))
    return plan, price


def _change(desk: Desk, member_id: str, wish: Wish) -> tuple[Subscription, Sale] | Refusal:
    """The member's subscription, and what he wants instead."""
    customer = _serve(desk, member_id)
    if isinstance(customer, Refusal):
        return customer
    has = customer.head.snapshot.membership
    if has is None or not has.is_live:
        return NO_MEMBERSHIP
    if wish.promotion_code is not None:
        error = FieldError("promotion_code", "is for those who begin")
        return Refusal("invalid_request", error.reason, (error,))
    chosen = _chosen(desk, customer, wish)
    if isinstance(chosen, Refusal):
        return chosen
    plan, price = chosen
    if (plan.number, price.number) == (has.plan, has.price):
        return HAS_IT
    found = desk.payments.subscription(has.subscription)
    if found is None or found.ended_at:
        return NO_MEMBERSHIP
    return _why_not(desk, found, price) or (found, _sale_of(customer, plan, price))


def _why_not(desk: Desk, found: Subscription, price: Price) -> Refusal | None:
    """Why a subscription cannot be changed now: what is not paid for would be given back."""
    if price.money != found.money:
        error = FieldError("price", f"the membership is paid for in {found.money}")
        return Refusal("not_eligible", error.reason, (error,))
    running = found.status in (PaymentStatus.TRIALING, PaymentStatus.ACTIVE)
    return None if running and found.paid_until > desk.here.now else NOT_PAID


def _billing(desk: Desk, member_id: str) -> Billing:
    """The member as a customer; he becomes one at the first time, and only once."""
    billings = desk.context.store.billings
    head = strong_head(desk.context, LogKey(desk.here.program_id, member_id))
    known = billing_of(desk, head) if head is not None else None
    if known is not None:
        return known
    member = desk.context.store.members.get(desk.here.program_id, member_id)
    profile = member.profile if member is not None else None
    program = desk.here.program
    buyer = Buyer(
        program.program_id,
        member_id,
        profile.email if profile else None,
        profile.display_name if profile else None,
        program.test_now if program.mode is Mode.TEST else None,
    )
    made = desk.payments.make_customer(desk.key(f"{member_id}#customer"), buyer)
    billings.create(made)
    return billings.of(program.program_id, member_id) or made


def _ask(
    desk: Desk,
    member_id: str,
    idempotency_key: str,
    what: str,
    ask: Callable[[str, Subscription], Refusal | None],
) -> Entitled | Refusal:
    """Asks something of the member's subscription, then follows it."""
    head = account(desk.context, desk.here, member_id)
    if isinstance(head, Refusal):
        return head
    has = head.snapshot.membership
    if has is None or not has.is_live:
        return NO_MEMBERSHIP
    cause = f"key:{idempotency_key}#{what}"
    found = desk.payments.subscription(has.subscription)
    if found is None or found.ended_at:
        follow(desk, member_id, has.subscription, cause)
        return NO_MEMBERSHIP
    refusal = ask(desk.keyed(head.key.member_id, idempotency_key, what), found)
    return refusal or _followed(desk, member_id, found.id, cause)


def _followed(desk: Desk, member_id: str, subscription: str, cause: str) -> Entitled | Refusal:
    done = follow(desk, member_id, subscription, cause)
    if isinstance(done, Refusal) and done != UNCHANGED:
        return done
    return entitlements(desk.context, desk.here, member_id)
