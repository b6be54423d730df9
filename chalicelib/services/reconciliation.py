"""What the payment service says and what we know are held against each other.

A message of the service only names what to look at; whatever came too late, twice, in another order
or not at all is found by looking at everything: at all subscriptions of every customer of ours, and
at all subscriptions of the account that name the program.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from chalicelib.domain.errors import Contended, Fault, Refusal, Unavailable
from chalicelib.domain.ledger.memberships import ANOTHER, UNCHANGED, UNKNOWN_PLAN
from chalicelib.domain.memberships.membership import Subscription, has_begun, membership_of
from chalicelib.domain.memberships.payments import PaymentEvent, Termination
from chalicelib.domain.ports import Queue
from chalicelib.services.accounts import account
from chalicelib.services.appending import NOT_FOUND, Appended
from chalicelib.services.context import Context
from chalicelib.services.membership_ends import end_second, finish
from chalicelib.services.memberships import Desk, follow

CUSTOMERS = 20  # looked at in one call: two calls of the service each
FAILED = "failed"  # at something that does not pass by itself
FOREIGN = Refusal("foreign_program", "the subscription is of another program")
_LOG = logging.getLogger("regulars")
_HEARD = (
    "customer.subscription.",
    "invoice.",
    "checkout.session.",
    "charge.dispute.",
    "charge.refunded",
)


@dataclass(frozen=True)
class Found:
    """What became of one subscription that was looked at."""

    subscription: str
    member_id: str
    outcome: str  # changed, unchanged, ended, or the code of a refusal
    change: int = 0


def must_look(found: Found) -> bool:
    """Whether a person must look at it: somebody pays for what nobody here knows."""
    return found.outcome in (UNKNOWN_PLAN.code, NOT_FOUND.code, FAILED)


@dataclass(frozen=True)
class Reconciled:
    """A part of everything, and where to go on."""

    checked: int
    found: tuple[Found, ...]  # what was not as it was known
    place: str | None


def hear(desk: Desk, event: PaymentEvent) -> list[Found] | None:
    """Looks at what a message is about; None where it is about nothing that matters here."""
    if not event.type.startswith(_HEARD):
        return None
    return [look(desk, one, event.id) for one in _named(desk, event)]


def look(desk: Desk, found: Subscription, cause: str) -> Found:
    """Follows one subscription, whoever told of it."""
    if found.program_id != desk.here.program_id or not found.member_id:
        return Found(found.id, found.member_id, FOREIGN.code)
    _finish_end(desk, found)
    if _is_known(desk, found):
        return Found(found.id, found.member_id, UNCHANGED.code)
    done = follow(desk, found.member_id, found.id, cause)
    if done == ANOTHER:
        done = _look_again(desk, found, cause)
    if isinstance(done, Appended):
        change = 0 if done.replayed else done.entry.change
        return Found(found.id, found.member_id, "unchanged" if done.replayed else "changed", change)
    if done == ANOTHER:
        end_second(desk, found)
        return Found(found.id, found.member_id, "ended")
    return Found(found.id, found.member_id, done.code)


def reconcile(desk: Desk, place: str | None) -> Reconciled:
    """Looks at the next part of everything: what was begun, customers, the whole account."""
    stage, after = json.loads(place) if place else ["begun", None]
    if stage == "begun":
        return _finish_all(desk)
    if stage == "customers":
        return _customers(desk, after)
    rows, following = desk.payments.subscriptions_after(after)
    mine = [one for one in rows if one.program_id == desk.here.program_id and has_begun(one)]
    following_place = None if following is None else _place("account", following)
    return _reconciled(desk, mine, following_place)


def advance_test_clocks(desk: Desk) -> None:
    """Brings the customers of a test program to the moment at which its clock was just set."""
    after = None
    while True:
        billings = desk.context.store.billings.of_program(desk.here.program_id, after, CUSTOMERS)
        for one in billings:
            if one.test_clock is not None:
                desk.payments.advance(one.test_clock, desk.here.now)
                for found in desk.payments.subscriptions_of(one.customer_id)[::-1]:
                    look(desk, found, f"clock {desk.here.now}")
        if len(billings) < CUSTOMERS:
            return
        after = billings[-1].member_id


def _finish_all(desk: Desk) -> Reconciled:
    done = []
    for one in desk.context.store.billings.open_terminations(desk.here.program_id):
        known = Found(one.subscription, one.member_id, "ended")
        done.append(_apart(known, partial(_finished, desk, one, known)))
    return Reconciled(len(done), tuple(done), _place("customers", None))


def _customers(desk: Desk, after: str | None) -> Reconciled:
    billings = desk.context.store.billings.of_program(desk.here.program_id, after, CUSTOMERS)
    rows = [one for row in billings for one in desk.payments.subscriptions_of(row.customer_id)]
    whole = len(billings) == CUSTOMERS
    place = _place("customers", billings[-1].member_id) if whole else _place("account", None)
    return _reconciled(desk, rows[::-1], place)


def _reconciled(desk: Desk, rows: list[Subscription], place: str | None) -> Reconciled:
    cause = f"reconciled {desk.context.ids.new('rec')}"
    found = [
        _apart(Found(one.id, one.member_id, ""), partial(look, desk, one, cause)) for one in rows
    ]
    news = tuple(one for one in found if one.outcome != UNCHANGED.code)
    return Reconciled(len(rows), news, place)


def _finished(desk: Desk, one: Termination, known: Found) -> Found:
    finish(desk, one)
    return known


def _finish_end(desk: Desk, found: Subscription) -> None:
    """Of one that was ended by us, whoever died before all of it was done."""
    if found.ended_at:
        ordered = desk.context.store.billings.termination(desk.here.program_id, found.id)
        if ordered is not None and not ordered.done:
            finish(desk, ordered)


def _apart(known: Found, done: Callable[[], Found]) -> Found:
    """One that cannot be dealt with does not keep the others from it."""
    try:
        return done()
    except (Unavailable, Contended):
        raise
    except Fault:
        _LOG.exception("subscription %s", known.subscription)
        return replace(known, outcome=FAILED)


def _is_known(desk: Desk, found: Subscription) -> bool:
    """Whether the newest entry says just this: then nothing need be fetched anew."""
    head = account(desk.context, desk.here, found.member_id)
    program = desk.context.catalog.in_force(desk.here.program, desk.here.now)
    if isinstance(head, Refusal) or program is None:
        return False
    has, plan = head.snapshot.membership, program.plans.get(found.plan)
    if has is None or plan is None or has.subscription != found.id:
        return False
    price = plan.price(found.price)
    return membership_of(found, plan, price.number if price else 0, has, desk.here.now) == has


def schedule(context: Context, queue: Queue) -> None:
    """Has everything looked at, program by program, by the worker of a queue."""
    queue.send([_message(one, None) for one in context.store.billings.programs()])


def reconcile_part(desk: Desk, queue: Queue, place: str | None) -> Reconciled:
    """Looks at a part, then sends the message of the next; one that fails comes again."""
    done = reconcile(desk, place)
    if done.place is not None:
        queue.send([_message(desk.here.program_id, done.place)])
    return done


def _message(program_id: str, place: str | None) -> str:
    return json.dumps({"program_id": program_id, "reconcile": place})


def _look_again(desk: Desk, found: Subscription, cause: str) -> Appended | Refusal:
    """The other membership may have ended without our knowing."""
    head = account(desk.context, desk.here, found.member_id)
    has = None if isinstance(head, Refusal) else head.snapshot.membership
    if has is not None:
        follow(desk, found.member_id, has.subscription, cause)
    return follow(desk, found.member_id, found.id, cause)


def _named(desk: Desk, event: PaymentEvent) -> list[Subscription]:
    """The subscriptions that a message is about."""
    if event.subscription is not None:
        found = desk.payments.subscription(event.subscription)
        return [found] if found is not None else []
    customer = event.customer
    if customer is None and event.charge is not None:
        customer = desk.payments.customer_of_charge(event.charge)
    return desk.payments.subscriptions_of(customer) if customer is not None else []


def _place(stage: str, after: str | None) -> str:
    return json.dumps([stage, after])
