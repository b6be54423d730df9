"""Whatever a store says at once, late, twice, or to a process that dies: one outcome.

Everything runs on the twin, one call to the store after another; whose call is next is drawn. What
was not answered 200 is said once more, as stores do; nothing else is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.orders import OrderLine
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerSaid,
    Fact,
    OrderGone,
    OrderSaid,
    OrderState,
    RefundSaid,
    StoreDiscount,
)
from chalicelib.events.stores import on_stores
from chalicelib.kernel.clock import HOUR, SECOND
from chalicelib.services.store_work import voucher_changed
from tests.fakes.shop import Reply, Shop
from tests.fakes.stores import Storefront, refund
from tests.simulation.turns import Turns, died

SEEDS = 40
PENDING, PAID, CANCELLED = OrderState.PENDING, OrderState.PAID, OrderState.CANCELLED
PROGRAM: dict[str, Any] = {
    "name": "Corner Shop",
    "time_zone": "UTC",
    "money": "EUR",
    "currencies": {"points": {"label": "Points"}},
    "earn": [{"id": "goods", "kind": "per_amount", "currency": "points", "per": 100}],
    "discounts": [{"id": "tenth", "kind": "percent", "percent": 10, "by_code": True}],
    "rewards": [
        {
            "id": "tenth",
            "kind": "discount",
            "name": "A tenth",
            "discount": "tenth",
            "cost": {"currency": "points", "amount": 10},
            "voucher": {"store": "shopify", "valid_days": 30},
        }
    ],
}


@dataclass
class Buyer:
    """Somebody with one account in the store, one address, and one order, all of one number."""

    store: Storefront
    number: int
    placed_at: int

    @property
    def shop(self) -> Shop:
        return self.store.shop

    @property
    def order_id(self) -> str:
        return str(self.number)

    @property
    def email(self) -> str:
        return f"m{self.number}@example.com"

    @property
    def external_id(self) -> str:
        return f"shopify:{self.number}"

    @property
    def account(self) -> Customer:
        return Customer(str(self.number), self.email)

    def said(self, at: int, price: int, state: OrderState = PAID, **more: Any) -> OrderSaid:
        """The order as it was so many seconds after it was placed."""
        changed_at = self.placed_at + at * SECOND
        told = {"customer": self.account, "placed_at": self.placed_at, **more}
        return self.store.order(self.order_id, price, at=changed_at, state=state, **told)

    def enrols(self) -> Reply:
        """The shop knows him by his account; the same call again is the same member."""
        headers = {"idempotency-key": self.external_id}
        body = {"external_id": self.external_id}
        return self.shop.call("POST", "/v1/members", body, headers=headers)

    @property
    def balances(self) -> dict[str, int]:
        found = self.shop.call("GET", "/v1/members", query={"external_id": self.external_id})
        [member] = found.json["data"]
        account = self.shop.call("GET", f"/v1/members/{member['id']}/account").json
        held: dict[str, int] = account["balances"]["points"]
        return {name: held[name] for name in ("available", "pending", "debt")}

    @property
    def points(self) -> int:
        return self.balances["available"]


def opened(**wish: Any) -> Storefront:
    shop = Shop(memory_store())
    assert shop.call("POST", "/v1/programs", PROGRAM).status == 201
    shop.clock.at += HOUR
    return Storefront(shop, **wish)


def buyers(store: Storefront, *more: int) -> Iterator[tuple[Buyer, Turns]]:
    """One for each seed, and for those that found something once."""
    for seed in (*range(SEEDS), *more):
        yield Buyer(store, seed, store.shop.clock.at), Turns(store.shop, seed)


def tell(buyer: Buyer, turns: Turns, *facts: Fact, also: Sequence[Any] = ()) -> list[Any]:
    """Says these at once, perhaps to one process that dies, beside what else is done `also`.
    Whatever was not answered is said again."""
    names = [f"{buyer.number}-{at}" for at in range(len(facts))]
    works: list[Callable[[], Any]] = [
        partial(buyer.store.tell, one, message_id=name)
        for one, name in zip(facts, names, strict=True)
    ]
    works += also
    first = list(works)
    if turns.random.random() < 0.5:
        at = turns.random.randrange(len(works))
        first[at] = turns.dying(works[at], turns.random.randrange(12))
    outcomes = turns.run(*first)
    missed = [at for at, outcome in enumerate(outcomes) if not answered(outcome)]
    turns.random.shuffle(missed)
    for at in missed:
        outcomes[at] = works[at]()
        assert answered(outcomes[at]), outcomes[at].raw
    return outcomes


def answered(outcome: Any) -> bool:
    if isinstance(outcome, Reply):
        return outcome.status < 300
    if not died(outcome):
        assert not isinstance(outcome, BaseException), outcome
    return outcome is None


def kept(store: Storefront) -> list[Any]:
    rows = store.shop.runtime.context.store.stores._kept
    return [one for row in rows.values() for one in row.values()]


# --- Messages of one order ------------------------------------------------------------------------

Life = Callable[[Buyer], list[Fact]]
LIVES: dict[str, tuple[int, Life]] = {
    # How many are told before, one after the other; then the rest at once.
    "changed": (0, lambda by: [by.said(0, 1000), by.said(1, 7000)]),
    "and changed back": (1, lambda by: [by.said(0, 1000), by.said(1, 7000), by.said(2, 1000)]),
    "at one time": (0, lambda by: [by.said(0, 1000), by.said(0, 7000), by.said(0, 3000)]),
    "at one time later": (
        1,
        lambda by: [by.said(0, 500), by.said(1, 1000), by.said(1, 7000), by.said(1, 3000)],
    ),
    "the same later, and another": (
        0,
        lambda by: [by.said(0, 1000), by.said(1, 1000), by.said(1, 7000)],
    ),
    "paid, then another content": (0, lambda by: [by.said(0, 1000), by.said(1, 3000, PENDING)]),
    "pending, then paid": (0, lambda by: [by.said(0, 1000, PENDING), by.said(1, 3000)]),
    "paid between changes": (
        1,
        lambda by: [by.said(0, 500, PENDING), by.said(1, 1000), by.said(2, 3000, PENDING)],
    ),
    "refunds and an edit": (
        1,
        lambda by: [
            by.said(0, 1000),
            by.said(1, 1000, refunds=(refund(),)),
            by.said(2, 3000, refunds=(refund(), refund("10", 250))),
        ],
    ),
    "a refund alone": (
        0,
        lambda by: [by.said(0, 1000), RefundSaid(by.order_id, refund()), by.said(1, 3000)],
    ),
    "a cancellation": (
        0,
        lambda by: [by.said(0, 1000), by.said(1, 3000), by.said(2, 3000, CANCELLED)],
    ),
    "a deletion": (
        0,
        lambda by: [by.said(0, 1000, PENDING), by.said(1, 3000), OrderGone(by.order_id)],
    ),
}


def in_order(life: Life) -> list[dict[str, int]]:
    balances = []
    for buyer, _ in buyers(opened()):
        assert buyer.enrols().status == 201
        for one in life(buyer):
            assert buyer.store.tell(one).status == 200
        balances.append(buyer.balances)
    return balances


@pytest.mark.parametrize("name", LIVES)
def test_messages_of_an_order_at_once_end_as_if_told_in_order(name: str) -> None:
    before, life = LIVES[name]
    expected = in_order(life)
    store = opened()
    for buyer, turns in buyers(store):
        assert buyer.enrols().status == 201
        facts = life(buyer)
        for one in facts[:before]:
            assert store.tell(one).status == 200
        rest = facts[before:]
        tell(buyer, turns, *rest, *turns.random.sample(rest, 1))
        assert buyer.balances == expected[buyer.number], buyer.number
    assert store.troubles() == []


def test_an_order_changes_while_its_member_becomes_another() -> None:
    """It is changed in the log of one, then of the other."""
    store = opened()
    for buyer, turns in buyers(store):
        loser = buyer.enrols().json["id"]
        survivor = buyer.shop.enrol(email=f"other-{buyer.number}@example.com")
        path = f"/v1/members/{survivor}/merge"
        merge = partial(buyer.shop.call, "POST", path, {"member_id": loser})
        store.takes(buyer.said(0, 1000))
        tell(buyer, turns, buyer.said(1, 7000), buyer.said(2, 1000), also=[merge])
        assert buyer.shop.balance(survivor, "points") == 10, buyer.number


# --- Whoever enrols meanwhile ---------------------------------------------------------------------


def test_an_order_that_was_kept_is_credited_as_it_is_at_last() -> None:
    store = opened()
    for buyer, turns in buyers(store):
        assert store.takes(buyer.said(0, 1000)) == ["kept"]
        store.shop.clock.at += HOUR
        tell(buyer, turns, buyer.said(1, 7000), buyer.said(2, 3000), also=[buyer.enrols])
        assert (buyer.points, kept(store)) == (30, []), buyer.number


def test_an_order_that_comes_while_its_owner_enrols_is_his_once() -> None:
    store = opened()
    for buyer, turns in buyers(store):
        tell(buyer, turns, buyer.said(0, 1000, PENDING), buyer.said(1, 3000), also=[buyer.enrols])
        assert (buyer.points, kept(store)) == (30, []), buyer.number


def test_an_order_that_was_said_to_be_kept_is_not_lost() -> None:
    """One from before he joined counts, whether it came first or he did."""
    store, seen = opened(), set()
    for buyer, turns in buyers(store):
        told = buyer.said(0, 1000)
        store.shop.clock.at += HOUR
        reply = tell(buyer, turns, told, also=[buyer.enrols])[0]
        assert reply.json["outcomes"] != ["kept"] or buyer.points == 10, buyer.number
        assert kept(store) == []
        seen.add(buyer.points)
    assert seen == {10}


def test_a_refund_that_comes_while_an_order_is_credited_takes_its_share_alone() -> None:
    store = opened()
    for buyer, turns in buyers(store):
        assert store.takes(buyer.said(0, 1000)) == ["kept"]
        store.shop.clock.at += HOUR
        back = RefundSaid(buyer.order_id, refund())
        tell(buyer, turns, back, also=[buyer.enrols])
        assert (buyer.points, kept(store)) == (5, []), buyer.number


def test_a_guests_order_changes_while_the_store_says_who_he_is() -> None:
    store = opened()
    for buyer, turns in buyers(store):
        guest = Customer(email=buyer.email)
        changed = buyer.said(1, 7000, customer=guest)
        back = buyer.said(2, 7000, customer=guest, refunds=(refund(amount=2000),))
        first = buyer.said(0, 1000, customer=guest)
        store.shop.clock.at += HOUR
        buyer.shop.enrol(email=buyer.email)
        assert store.takes(first) == ["kept"]
        is_his = CustomerSaid(replace(buyer.account, email_verified=True))
        tell(buyer, turns, changed, is_his)
        assert (buyer.points, kept(store)) == (70, []), buyer.number
        assert store.takes(back) == ["unchanged", "recorded"]
        assert (buyer.points, kept(store)) == (50, []), buyer.number


def test_customers_who_are_enrolled_by_their_orders_are_so_once() -> None:
    """Each message knows more of him."""
    store = opened(enrols=True)
    for buyer, turns in buyers(store):
        more = replace(buyer.account, given_name="Ada")
        life = [
            buyer.said(0, 1000, PENDING),
            buyer.said(1, 3000, customer=more),
            buyer.said(2, 2000, customer=more),
        ]
        store.shop.clock.at += HOUR
        tell(buyer, turns, *life)
        assert (buyer.points, kept(store)) == (20, []), buyer.number
    assert store.troubles() == []


def test_an_order_that_is_placed_and_paid_in_one_second_is_kept_paid() -> None:
    store = opened()
    for buyer, turns in buyers(store):
        life = [buyer.said(0, 1000, PENDING), buyer.said(0, 1000)]
        store.shop.clock.at += HOUR
        tell(buyer, turns, *life)
        buyer.enrols()
        assert buyer.balances == {"available": 10, "pending": 0, "debt": 0}, buyer.number


# --- The queue ------------------------------------------------------------------------------------


def works(store: Storefront, body: str) -> list[str]:
    """What of a message failed: it comes again."""
    answer = on_stores({"Records": [{"messageId": "1", "body": body}]})
    return [body for _ in answer["batchItemFailures"]]


def at_the_queue(
    store: Storefront, turns: Turns, bodies: Sequence[str], *also: Callable[[], Any]
) -> None:
    """Works these messages at once, and whatever they send or fail in; one worker may die."""
    queue = store.shop.queues.stores
    first: list[Callable[[], Any]] = [partial(works, store, body) for body in bodies]
    if turns.random.random() < 0.5:
        first[0] = turns.dying(first[0], turns.random.randrange(8))
    outcomes = turns.run(*first, *also)
    for outcome in outcomes:
        assert died(outcome) or not isinstance(outcome, BaseException), outcome
    queue.send([body for body, outcome in zip(bodies, outcomes, strict=False) if outcome != []])
    assert store.work() == []


def test_two_pulls_and_a_message_find_every_order_once() -> None:
    for seed in range(SEEDS):
        store = opened()
        turns = Turns(store.shop, seed)
        life = [Buyer(store, number, store.shop.clock.at) for number in range(5)]
        for buyer in life:
            buyer.enrols()
        store.api.orders = [one.said(at, 1000 + 500 * at) for at, one in enumerate(life)]
        store.shop.clock.at += HOUR
        for _ in range(2):
            assert store.shop.call("POST", f"/v1/stores/{store.id}/pull").status == 202
        bodies = list(store.shop.queues.stores.messages)
        store.shop.queues.stores.messages.clear()
        old = partial(store.tell, life[4].said(0, 9000))
        at_the_queue(store, turns, bodies, old)
        assert [one.points for one in life] == [10, 15, 20, 25, 30], seed
        pulled = store.read()["pull"]
        assert (pulled["running"], pulled["checked"]) == (False, 5), seed
        assert store.pull()["missed"] == 0
        assert [one.points for one in life] == [10, 15, 20, 25, 30], seed


class Codes:
    """The codes of the store, of which each call is a step: one that ended is made no more."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.good: set[str] = set()

    def put_discount(self, discount: StoreDiscount) -> None:
        self._turns.give_way()
        self.good.add(discount.code)

    def end_discount(self, code: str) -> None:
        self._turns.give_way()
        self.good.discard(code)


def takes_the_reward(buyer: Buyer) -> tuple[str, str, str]:
    """His id, the redemption's and the code's."""
    member = buyer.enrols().json["id"]
    buyer.shop.order(member, f"first-{buyer.number}", {"quantity": 1, "unit_price": 1000})
    taken = buyer.shop.redeem(member, "tenth", f"k-{buyer.number}")
    assert taken.status == 201, taken.raw
    return member, taken.json["id"], taken.json["voucher"]["code"]


def test_a_code_that_is_made_while_its_voucher_is_cancelled_ends() -> None:
    store = opened()
    for buyer, turns in buyers(store):
        member, redemption, code = takes_the_reward(buyer)
        store.system.its_api = codes = Codes(turns)  # type: ignore[assignment]
        body = voucher_changed(store.shop.program_id, code)

        def cancel(member: str = member, path: str = redemption, body: str = body) -> None:
            path = f"/v1/members/{member}/redemptions/{path}/cancel"
            assert store.shop.call("POST", path).status == 200
            assert works(store, body) == []

        at_the_queue(store, turns, [body, body], cancel)
        assert codes.good == set(), buyer.number


def test_a_code_is_not_used_up_by_an_order_that_is_cancelled() -> None:
    store = opened()
    for buyer, turns in buyers(store):
        _, _, code = takes_the_reward(buyer)
        life = [buyer.said(0, 500), buyer.said(1, 500), buyer.said(2, 500, CANCELLED)]
        tell(buyer, turns, *(replace(one, discount_codes=(code,)) for one in life))
        status = store.shop.call("GET", f"/v1/vouchers/{code}").json["status"]
        assert (status, buyer.points) == ("issued", 0), buyer.number


def test_nothing_that_people_wrote_is_kept_of_who_is_erased_meanwhile() -> None:
    store = opened()
    for buyer, turns in buyers(store, 93, 123, 649):
        member = buyer.enrols().json["id"]
        lines = (OrderLine("1", 1, 1000, name="for my dear Ada"),)
        other = (OrderLine("1", 1, 9000, name="for my dear Eve"),)
        life = [
            buyer.said(1, 1000, lines=lines),
            buyer.said(5, 1000, lines=lines),
            buyer.said(3, 9000, lines=other),
        ]
        erase = partial(store.shop.call, "DELETE", f"/v1/members/{member}")
        tell(buyer, turns, *life, also=[erase])
        assert "dear" not in repr(vars(store.shop.runtime.context.store.orders)), buyer.number
