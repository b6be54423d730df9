"""The process dies at every step of every flow of a paid membership.

A step is a call that changes something at Stripe, or a write into the store: dying before one is
dying after the one before. Then the caller tries again with his key, at once or when Stripe has
forgotten its keys; or he does not, and the reconciliation finds what was left.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.adapters.stripe import calls
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import LogKey, Standing
from chalicelib.domain.memberships.membership import Status, Subscription, membership_of
from chalicelib.kernel.clock import HOUR, SECOND, from_rfc3339, to_rfc3339
from chalicelib.services.accounts import account
from chalicelib.services.context import enter
from chalicelib.services.sweeps import settle_member
from local.stripe_stand_in import PUBLISHABLE_KEY, StripeStandIn
from tests.fakes.interference import Crash, interfered, is_effect
from tests.fakes.payments import VISA, PlanShop, visit
from tests.fakes.shop import Reply
from tests.fakes.stripe_account import client_of, local
from tests.programs.test_memberships import (
    CLUB,
    START,
    publish,
    reconcile,
    second_subscription,
)

PRICE = 1000
WISH = {"plan": "basic", "price": "monthly"}
DEARER = {"plan": "basic", "price": "yearly"}
CHANGING = ("create", "update", "cancel", "delete", "expire", "advance")
A_DAY_LATER = to_rfc3339(from_rfc3339(START) + 26 * HOUR)


@dataclass
class Steps:
    """Counts what changes something, here and at Stripe, and dies before one of them."""

    left: int | None = None  # None: it lives
    taken: int = 0

    def take(self) -> None:
        if self.left is not None and self.taken >= self.left:
            raise Crash
        self.taken += 1

    def in_store(self, name: str, call: partial[Any]) -> Any:
        if is_effect(name):
            self.take()
        return call()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps, do = Steps(), calls.do

    def counted(ask: Callable[..., Any], *given: Any) -> Any:
        if ask.__name__ in CHANGING:
            steps.take()
        return do(ask, *given)

    monkeypatch.setattr(calls, "do", counted)
    return steps


@dataclass
class Play:
    """One shop and one member in it."""

    shop: PlanShop
    member: str
    previewed_at: str = ""
    due: int = 0  # of the newest preview
    page: str = ""  # of a payment, or the secret of one

    def subscriptions(self) -> list[Subscription]:
        """All of the member, as Stripe has them, newest first."""
        billing = self.shop.runtime.context.store.billings.of(self.shop.program_id, self.member)
        head = self.shop.runtime.context.store.programs.head(self.shop.program_id)
        assert head is not None
        payments = self.shop.runtime.payments(self.shop.program_id, head.mode)
        assert payments is not None
        return payments.subscriptions_of(billing.customer_id) if billing else []

    def hear(self) -> None:
        assert set(self.shop.hear()) <= {200}

    def money(self) -> tuple[int, int]:
        """What was charged and given back, by the books of Stripe."""
        books = [one for rows in self.shop.stand_in.books().values() for one in rows.values()]
        return sum(one.charged for one in books), sum(one.refunded for one in books)

    def pay(self) -> None:
        """The member pays on the page that he was sent to, if he was."""
        if self.shop.stand_in.world.all("checkout.session", url=self.page):
            visit(self.page, action="pay", card=VISA)

    def agrees(self) -> None:
        """At Stripe nothing runs but one, and the membership is what Stripe says of it."""
        found = self.subscriptions()
        begun = [one for one in found if one.status.value not in ("incomplete_expired",)]
        live = [one for one in begun if not one.ended_at and one.status.value != "incomplete"]
        assert len(live) <= 1, live
        context = self.shop.runtime.context
        here = enter(context, self.shop.program_id)
        assert here is not None
        head = account(context, here, self.member)
        assert isinstance(head, Head)
        has = head.snapshot.membership
        if not live:
            assert has is None or has.status == Status.ENDED
            return
        assert has is not None
        plans = context.catalog.versions(here.program).newest().plans
        plan = plans[live[0].plan]
        price = plan.price(live[0].price)
        assert price is not None
        expected = membership_of(live[0], plan, price.number, has, here.now)
        assert msgspec.structs.replace(has, notice_at=0) == msgspec.structs.replace(
            expected, notice_at=0
        )


def new(stand_in: StripeStandIn, steps: Steps) -> Play:
    steps.left = None
    shop = PlanShop(stand_in, interfered(memory_store(), steps.in_store))
    shop.set_clock(START)
    assert publish(shop, deepcopy(CLUB)).status == 201
    return Play(shop, shop.enrol(email="ada@example.com"))


def paying(play: Play) -> None:
    play.shop.pays(play.member, "monthly", plan="basic")
    assert play.money() == (PRICE, 0)


def previewed(play: Play) -> None:
    paying(play)
    preview_again(play)


def preview_again(play: Play) -> Reply:
    reply = play.shop.membership(play.member, "preview", DEARER)
    if reply.status == 200:
        play.previewed_at, play.due = reply.json["previewed_at"], reply.json["due_now"]
    return reply


def paused(play: Play) -> None:
    paying(play)
    assert play.shop.membership(play.member, "pause").status == 200


def twice(play: Play) -> None:
    """Two subscriptions of one member: the second is to be ended and given back."""
    paying(play)
    second_subscription(play.shop, play.member)


def heard(play: Play) -> Reply:
    return [play.shop.tell(one) for one in play.shop.stand_in.events][-1]


def erased(play: Play) -> Reply:
    return play.shop.call("DELETE", f"/v1/members/{play.member}")


def asked(what: str, body: Any = None) -> Callable[[Play], Reply]:
    return lambda play: play.shop.membership(play.member, what, body, key="the-key")


def checked_out(play: Play) -> Reply:
    reply = asked("checkout", WISH)(play)
    play.page = reply.json["url"] if reply.status == 201 else ""
    return reply


def subscribed(play: Play) -> Reply:
    reply = asked("subscription", WISH)(play)
    if reply.status == 201:
        play.page = reply.json["client_secret"]
    return reply


def changed(play: Play) -> Reply:
    body = {**DEARER, "previewed_at": play.previewed_at}
    return asked("change", body)(play)


@dataclass(frozen=True)
class Flow:
    """What is done, from where, and what it may come to in money: charged, given back."""

    begin: Callable[[Play], Any]
    act: Callable[[Play], Reply]
    before: tuple[int, int]
    after: tuple[int, int]


def nothing(_: Play) -> None:
    """It begins with nothing."""


PAID = (PRICE, 0)
FLOWS = {
    "checkout": Flow(nothing, checked_out, (0, 0), PAID),
    "subscribe": Flow(nothing, subscribed, (0, 0), PAID),
    "change": Flow(previewed, changed, PAID, (PRICE + 9000, 0)),
    "cancel": Flow(paying, asked("cancel"), PAID, PAID),
    "end": Flow(paying, asked("cancel", {"when": "now"}), PAID, (PRICE, PRICE)),
    "pause": Flow(paying, asked("pause"), PAID, PAID),
    "resume": Flow(paused, asked("resume"), PAID, PAID),
    "second": Flow(twice, heard, (2 * PRICE, 0), (2 * PRICE, PRICE)),
    "erase": Flow(paying, erased, PAID, PAID),
}


def paid_for(play: Play, flow: str) -> None:
    """Who was shown where to pay does so."""
    if flow == "checkout":
        play.pay()
    if flow == "subscribe" and play.page:
        intent = play.page.partition("_secret_")[0]
        card = {"payment_method": "pm_card_visa", "client_secret": play.page}
        client_of(play.shop.stand_in, PUBLISHABLE_KEY).payment_intents.confirm(intent, card)


def crashes(steps: Steps, flow: Flow) -> Iterator[Play]:
    """A play for each step at which the flow can die, which has just died there."""
    for number in range(100):
        with StripeStandIn() as stand_in:
            play = new(stand_in, steps)
            flow.begin(play)
            steps.taken, steps.left = 0, number
            try:
                flow.act(play)
            except Crash:
                steps.left = None
                play.shop.runtime._payments.clear()  # another process goes on
                yield play
                continue
            assert number >= 2, "the flow takes no steps"
            return
    raise AssertionError("the flow does not end")


@pytest.mark.parametrize("name", FLOWS)
def test_who_tries_again_gets_it_once(steps: Steps, name: str) -> None:
    flow = FLOWS[name]
    for play in crashes(steps, flow):
        reply = flow.act(play)
        assert reply.status in (200, 201), reply.raw
        paid_for(play, name)
        play.hear()
        check(play, name, flow.after)
        assert flow.act(play).status in (200, 201, 404, 409)  # and once more
        check(play, name, flow.after)
        reconcile(play.shop)
        check(play, name, flow.after)


@pytest.mark.parametrize("name", FLOWS)
def test_who_tries_again_when_stripe_has_forgotten_gets_it_once(steps: Steps, name: str) -> None:
    """Idempotency keys are forgotten after a day; nothing was heard in between."""
    flow = FLOWS[name]
    for play in crashes(steps, flow):
        world = play.shop.stand_in.world
        local(play.shop.stand_in, "clock", now=world.now() + 26 * HOUR // SECOND)
        play.shop.set_clock(A_DAY_LATER)
        reply = flow.act(play)
        if name == "change" and preview_again(play).status == 200:
            assert reply.code == "preview_expired"
            body = {**DEARER, "previewed_at": play.previewed_at}
            reply = play.shop.membership(play.member, "change", body)
        assert reply.status in (200, 201, 409), reply.raw
        paid_for(play, name)
        play.hear()
        reconcile(play.shop)
        check(play, name, (flow.before[0] + play.due, 0) if name == "change" else flow.after)


@pytest.mark.parametrize("name", FLOWS)
def test_who_does_not_try_again_is_found(steps: Steps, name: str) -> None:
    """No message comes either: what was begun is finished or as if it had never begun."""
    flow = FLOWS[name]
    for play in crashes(steps, flow):
        reconcile(play.shop)
        if name == "erase":
            swept(play)
        assert play.money() in (flow.before, flow.after)
        check(play, name, play.money())
        assert reconcile(play.shop) == []
        if name == "end":
            ended = play.shop.entitled(play.member)["state"] == "ended"
            assert play.money() == (flow.after if ended else flow.before)


def swept(play: Play) -> None:
    """The stream notes what is due of him, and the sweep an hour later does it."""
    settle_member(play.shop.runtime.context, play.shop.program_id, play.member)
    play.shop.set_clock(to_rfc3339(from_rfc3339(START) + 2 * HOUR))


def check(play: Play, name: str, money: tuple[int, int]) -> None:
    key = LogKey(play.shop.program_id, play.member)
    head = play.shop.runtime.context.store.ledger.head(key, strong=True)
    assert head is not None
    assert play.money() == money
    if head.snapshot.standing != Standing.ERASED:
        play.agrees()
        return
    world = play.shop.stand_in.world
    assert world.all("customer") == []
    assert {one["status"] for one in world.all("subscription")} == {"canceled"}
    billings = play.shop.runtime.context.store.billings
    assert billings.of_program(play.shop.program_id, None, 10) == []
