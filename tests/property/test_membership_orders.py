"""Stripe's messages in every order, twice, late and at once: the membership is what Stripe says.

One subscription is played against the stand-in, and what the real adapter reads is noted after each
of six messages. Then the messages come in all 720 orders.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import permutations
from typing import Any, cast

import msgspec
import pytest

from chalicelib.domain.ledger.account import Head
from chalicelib.domain.memberships.membership import Membership, Subscription, membership_of
from chalicelib.domain.memberships.payments import PaymentEvent
from chalicelib.domain.ports import Payments
from chalicelib.kernel.clock import Instant
from chalicelib.services.accounts import account
from chalicelib.services.context import Here
from chalicelib.services.memberships import Desk, entitlements
from chalicelib.services.reconciliation import hear
from local.stripe_stand_in import StripeStandIn
from tests.fakes.interference import interfered
from tests.fakes.payments import VISA, PlanShop, visit
from tests.fakes.shop import Shop

STORY = (
    "customer.subscription.created",
    "checkout.session.completed",
    "invoice.paid",  # of the first charge
    "customer.subscription.updated",  # it renews
    "customer.subscription.updated",  # it is to end
    "customer.subscription.deleted",
)


@dataclass(frozen=True)
class Told:
    """A message, and what was true when it was sent."""

    event: PaymentEvent
    state: Subscription
    at: Instant


@dataclass
class Recorded:
    """Stripe, as it was: what it answers is what was true at the moment that is set."""

    told: list[Told]
    at: int = 0
    then: Callable[[], Any] | None = None  # happens once, right after an answer was given
    asked: int = 0

    def subscription(self, _: str) -> Subscription:
        self.asked += 1
        found = self.told[self.at].state
        then, self.then = self.then, None
        if then is not None:
            then()
        return found

    def subscriptions_of(self, _: str) -> list[Subscription]:
        return [self.subscription("")]


@dataclass
class Heard:
    """A shop whose payment service is a record."""

    shop: Shop
    told: list[Told]
    payments: Recorded = field(init=False)
    members: int = 0
    member: str = ""

    def __post_init__(self) -> None:
        self.payments = Recorded(self.told)

    def begin(self) -> None:
        """Somebody new, of whom nothing was heard, buys the very same."""
        self.member = self.shop.enrol()
        self.payments.at = 0
        self.payments.told = [
            replace(one, state=replace(one.state, member_id=self.member)) for one in self.told
        ]

    def hear(self, number: int) -> None:
        """A message comes: not before it was sent, and what is true may be newer."""
        self.payments.at = max(self.payments.at, number)
        assert hear(self.desk, self.told[number].event) is not None

    @property
    def desk(self) -> Desk:
        context = self.shop.runtime.context
        head = context.store.programs.head(self.shop.program_id)
        assert head is not None
        here = Here(head, self.told[self.payments.at].at)
        return Desk(context, here, cast(Payments, self.payments))

    @property
    def membership(self) -> Membership | None:
        """As it is at the newest moment, whatever of it was written down."""
        head = account(self.desk.context, self.desk.here, self.member)
        assert isinstance(head, Head)
        return head.snapshot.membership

    def expected(self) -> Membership:
        """What the newest state means, if nothing else was ever heard."""
        newest = self.payments.told[self.payments.at]
        program = self.shop.runtime.context.catalog.in_force(self.desk.here.program, newest.at)
        assert program is not None
        plan = program.plans["prime"]
        return membership_of(newest.state, plan, 1, None, newest.at)

    def check(self) -> None:
        newest = self.payments.told[self.payments.at]
        assert self.membership == self.expected()
        found = entitlements(self.desk.context, self.desk.here, self.member, newest.at)
        assert found.benefits == ()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def story() -> list[Told]:
    """The messages of one subscription from its trial to its end."""
    told: list[Told] = []
    with StripeStandIn() as stand_in:
        shop = PlanShop(stand_in)
        shop.set_clock("2027-01-04T10:00:00Z")
        assert shop.publish("amazon_prime").status == 201
        ada = shop.enrol()
        wish = {"plan": "prime", "price": "monthly"}
        visit(shop.membership(ada, "checkout", wish).json["url"], action="pay", card=VISA)
        payments = shop.runtime.payments(shop.program_id, desk_mode(shop))
        assert payments is not None
        seen = 0

        def note(*wanted: str) -> None:
            nonlocal seen
            new, seen = stand_in.events[seen:], len(stand_in.events)
            for name in wanted:
                raw = next(one for one in new if one["type"] == name)
                body, signed = stand_in.signed(raw)
                event = payments.event(body, signed, shop.clock.at)
                state = payments.subscription(subscription)
                assert state is not None
                told.append(Told(event, state, head(shop)))

        shop.clock.at = stand_in.world.clock.now()
        subscription = stand_in.world.all("subscription")[0]["id"]
        note(*STORY[:2])
        shop.set_clock("2027-02-03T12:00:00Z")
        note(STORY[2])
        shop.set_clock("2027-03-03T12:00:00Z")
        note(STORY[3])
        assert shop.membership(ada, "cancel").status == 200
        note(STORY[4])
        shop.set_clock("2027-04-03T12:00:00Z")
        note(STORY[5])
    assert len({one.state for one in told}) == 5
    return told


def desk_mode(shop: Shop) -> Any:
    found = shop.runtime.context.store.programs.head(shop.program_id)
    assert found is not None
    return found.mode


def head(shop: Shop) -> Instant:
    found = shop.runtime.context.store.programs.head(shop.program_id)
    assert found is not None
    assert found.test_now is not None
    return found.test_now


@pytest.fixture
def heard(story: list[Told], shop: Shop) -> Heard:
    assert shop.call("PUT", "/v1/test_clock", {"now": "2027-01-04T10:00:00Z"}).status == 200
    assert shop.publish("amazon_prime").status == 201
    mine = [
        replace(one, state=replace(one.state, program_id=shop.program_id, customer_id="cus_1"))
        for one in story
    ]
    return Heard(shop, mine)


def test_all_720_orders_end_as_stripe_says(heard: Heard) -> None:
    """What is true may be the newest already, or change while the messages come."""
    for order in permutations(range(len(STORY))):
        for late in (True, False):
            heard.begin()
            heard.payments.at = len(STORY) - 1 if late else 0
            for number in order:
                heard.hear(number)
            heard.check()


def test_all_720_orders_with_every_message_twice_end_as_stripe_says(heard: Heard) -> None:
    for order in permutations(range(len(STORY))):
        heard.begin()
        again = order[::-1] if order[0] % 2 else order
        for number in (*order[:3], *order[:3], *order[3:], *again):
            heard.hear(number)
        heard.check()


def test_every_prefix_is_what_stripe_said_then(heard: Heard) -> None:
    heard.begin()
    for number in range(len(STORY) - 1):
        heard.hear(number)
        found, expected = heard.membership, heard.expected()
        assert found is not None
        assert without_notice(found) == without_notice(expected)


def without_notice(one: Membership) -> Membership:
    """Whether he was told of a charge is not what Stripe says."""
    return msgspec.structs.replace(one, notice_at=0)


@pytest.mark.parametrize("old", range(len(STORY)))
@pytest.mark.parametrize("new", range(len(STORY)))
def test_an_old_answer_never_overwrites_a_newer_one(heard: Heard, old: int, new: int) -> None:
    """Between the answer and the put Stripe changes, and another process hears of it and writes."""
    heard.begin()
    heard.payments.at = old
    heard.payments.then = partial(heard.hear, new)
    heard.hear(old)
    for _ in range(2):
        heard.payments.then = partial(heard.hear, new)
        heard.hear(old)
    for number in range(len(STORY)):
        heard.hear(number)
    heard.check()


def test_a_put_that_is_lost_to_another_writer_is_fetched_anew(heard: Heard) -> None:
    """An order comes between every fetch and its put."""
    orders = 0
    busy: list[bool] = []

    def order_between(name: str, call: Callable[[], Any]) -> Any:
        nonlocal orders
        if name == "ledger.append" and not busy:
            busy.append(True)
            orders += 1
            line = {"quantity": 1, "unit_price": 1000}
            reply = heard.shop.order(heard.member, f"o{orders}", line, currency="USD")
            assert reply.status == 201, reply.raw
            busy.clear()
        return call()

    heard.begin()
    real = heard.shop.runtime.context
    store = interfered(real.store, order_between)
    desk = Desk(replace(real, store=store), heard.desk.here, cast(Payments, heard.payments))
    heard.payments.at = 2
    asked = heard.payments.asked
    with pytest.raises(Exception, match="writers were faster"):
        hear(desk, heard.told[2].event)
    assert heard.payments.asked - asked > 20  # each try with a new answer, never an old one put
    heard.hear(2)
    found = heard.membership
    assert found is not None
    assert without_notice(found) == without_notice(heard.expected())
