"""Sixteen at once, over HTTP, on an engine that is right under concurrency: one wins, all agree."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import Redeem
from chalicelib.domain.ledger.entries import FIRST_PREV, LogKey, decode
from chalicelib.domain.members.member import Profile
from chalicelib.domain.orders import Order, OrderLine
from chalicelib.domain.ports import Store
from chalicelib.kernel.clock import FullJitter
from chalicelib.services import members, orders, redemptions
from chalicelib.services.appending import Appended
from chalicelib.services.context import Context, Here, enter
from chalicelib.services.members import Enrolled
from chalicelib.services.refunds import OrderChange
from tests.contract import samples
from tests.fakes.shop import START, Shop

WRITERS = 16

T = TypeVar("T")


def at_once(work: Callable[[int], T]) -> list[T]:
    """What sixteen threads get from the same work."""
    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(work, range(WRITERS)))


def opened(store: Store) -> tuple[Shop, Context, Here]:
    """A shop with the stamp card, and a way to call its services from many threads."""
    shop = Shop(store)
    assert shop.publish("coffee_stamps").status == 201
    context = replace(shop.runtime.context, pause=FullJitter())
    here = enter(context, shop.program_id)
    assert here is not None
    return shop, context, here


def order(order_id: str, drinks: int = 1) -> Order:
    line = OrderLine("1", drinks, 350, categories=("drinks",))
    return Order("till", order_id, "EUR", START, (line,))


def test_one_version_has_one_winner_and_all_losers_see_it(emulated: Store) -> None:
    mine = [samples.entry(1, f"shop:{number}#paid") for number in range(WRITERS)]
    shown = at_once(lambda number: emulated.ledger.append(mine[number]))
    won = [number for number, winner in enumerate(shown) if winner is None]
    assert len(won) == 1
    assert {winner for winner in shown if winner} == {mine[won[0]]}
    assert emulated.ledger.entries(samples.LOG, None, 99) == [mine[won[0]]]


def test_one_email_makes_one_member(emulated: Store) -> None:
    shop, context, here = opened(emulated)
    profile = Profile(email="ada@example.com", given_name="Ada")
    outcomes = at_once(lambda _: members.enrol(context, here, profile, None))
    assert all(isinstance(one, Enrolled) for one in outcomes)
    enrolled = [one for one in outcomes if isinstance(one, Enrolled)]
    assert len({one.member.id for one in enrolled}) == 1
    assert [one.replayed for one in enrolled].count(False) == 1
    found = shop.call("GET", "/v1/members", query={"email": "ADA@example.com"})
    assert [one["id"] for one in found.json["data"]] == [enrolled[0].member.id]


def test_one_email_with_sixteen_names_makes_one_member_too(emulated: Store) -> None:
    _, context, here = opened(emulated)

    def enrol(number: int) -> Any:
        profile = Profile(email="ada@example.com", given_name=f"Ada {number}")
        return members.enrol(context, here, profile, None)

    outcomes = at_once(enrol)
    assert sum(isinstance(one, Enrolled) for one in outcomes) == 1
    refused = [one for one in outcomes if isinstance(one, Refusal)]
    assert {one.code for one in refused} == {"member_exists"}


def test_one_order_sent_sixteen_times_earns_once(emulated: Store) -> None:
    shop, context, here = opened(emulated)
    ada = shop.enrol(external_id="ada")
    outcomes = at_once(lambda _: orders.record_order(context, here, ada, order("1")))
    changes = [one for one in outcomes if isinstance(one, OrderChange)]
    assert len(changes) == WRITERS
    assert len({one.first.stored for one in changes}) == 1
    assert shop.balance(ada, "stamps") == 1


def test_one_order_claimed_by_sixteen_members_has_one_owner(emulated: Store) -> None:
    shop, context, here = opened(emulated)
    ids = [shop.enrol(external_id=f"m{number}") for number in range(WRITERS)]
    outcomes = at_once(lambda number: orders.record_order(context, here, ids[number], order("1")))
    assert sum(isinstance(one, OrderChange) for one in outcomes) == 1
    assert sum(shop.balance(one, "stamps") for one in ids) == 1


def test_sixteen_orders_of_one_member_all_count_and_the_chain_holds(emulated: Store) -> None:
    shop, context, here = opened(emulated)
    ada = shop.enrol(external_id="ada")
    outcomes = at_once(
        lambda number: orders.record_order(context, here, ada, order(str(number), number + 1))
    )
    assert all(isinstance(one, OrderChange) for one in outcomes)
    assert shop.balance(ada, "stamps") == sum(range(1, WRITERS + 1))
    log = emulated.ledger.entries(LogKey(shop.program_id, ada), None, 99)[::-1]
    assert [one.version for one in log] == list(range(1, WRITERS + 2))
    previous = FIRST_PREV
    for stored in log:
        assert stored.prev == previous
        previous = stored.hash


def test_points_are_never_spent_twice(emulated: Store) -> None:
    shop, context, here = opened(emulated)
    ada = shop.enrol(external_id="ada")
    orders.record_order(context, here, ada, order("1", 24))

    def take(number: int) -> Any:
        return redemptions.redeem(context, here, ada, Redeem(f"key-{number}", "free_drink", 1))

    outcomes = at_once(take)
    assert sum(isinstance(one, Appended) for one in outcomes) == 3
    refused = {one.code for one in outcomes if isinstance(one, Refusal)}
    assert refused == {"insufficient_balance"}
    assert shop.balance(ada, "stamps") == 0
    log = emulated.ledger.entries(LogKey(shop.program_id, ada), None, 99)
    assert all(lot.amount >= 0 for one in log for lot in decode(one.body).snapshot.lots)


def test_one_revision_of_a_pass_has_one_writer(emulated: Store) -> None:
    outcomes = at_once(
        lambda number: emulated.passes.put_issued(
            samples.issued(1, digest=bytes([number]) * 16), replaces=0
        )
    )
    assert outcomes.count(True) == 1
