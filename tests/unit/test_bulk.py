"""What an order is spared, alone and in bulk, under faster writers, lost answers and crashes."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Fault, Refusal, Unavailable
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.orders import Order, OrderLine
from chalicelib.kernel.clock import SECOND
from chalicelib.services.bulk import Outcome, Recording, record_orders
from chalicelib.services.context import Context, Here, enter
from chalicelib.services.orders import record_order
from chalicelib.services.refunds import OrderChange
from tests.fakes.interference import Around, Crash, interfered
from tests.fakes.shop import START, Shop


@pytest.fixture
def ada(points: Shop) -> str:
    return points.enrol(external_id="ada")


def order(number: int, euros: int = 10) -> Order:
    line = OrderLine("1", quantity=1, unit_price=euros * 100)
    return Order("till", f"o-{number}", "EUR", START, (line,))


def seen(shop: Shop, around: Around | None = None) -> tuple[Context, Here]:
    """The program, seen through a store in which something happens around every call."""
    context = shop.runtime.context
    if around is not None:
        context = replace(context, store=interfered(context.store, around))
    here = enter(context, shop.program_id)
    assert here is not None
    return context, here


def refs(shop: Shop, member_id: str) -> list[str]:
    """Of the member's entries, oldest first."""
    key = LogKey(shop.program_id, member_id)
    entries = shop.runtime.context.store.ledger.entries(key, None, 1000)
    return [one.ref for one in entries[::-1]][1:]


class Once:
    """Does something once, right before or right after the first call of a name."""

    def __init__(self, name: str, work: Callable[[], Any], *, before: bool) -> None:
        self._name = name
        self._work: Callable[[], Any] | None = work
        self._before = before
        self.calls: list[str] = []

    def __call__(self, name: str, call: partial[Any]) -> Any:
        self.calls.append(name)
        work = self._work if name == self._name else None
        if work is None:
            return call()
        self._work = None
        if self._before:
            work()
            return call()
        done = call()
        work()
        return done


def alone(shop: Shop, member_id: str, number: int, euros: int = 10) -> Callable[[], Any]:
    """Another process that records an order, a second later: its entry has other bytes."""

    def work() -> None:
        shop.clock.at += SECOND
        record_order(*seen(shop), member_id, order(number, euros))

    return work


@pytest.mark.parametrize("name", ["orders.claim", "ledger.append"])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("theirs", [1, 2])
def test_whoever_records_the_same_or_another_order_meanwhile_is_seen(
    points: Shop, ada: str, name: str, before: bool, theirs: int
) -> None:
    """The same order (1) in another process, at the worst moments: it is recorded once."""
    around = Once(name, alone(points, ada, theirs), before=before)
    done = record_order(*seen(points, around), ada, order(1))

    assert isinstance(done, OrderChange)
    assert sorted(refs(points, ada)) == sorted({"till:o-1#paid", f"till:o-{theirs}#paid"})
    assert points.balance(ada, "points") == 10 * len({1, theirs})


def test_a_new_order_has_no_story_and_one_that_is_known_has(points: Shop, ada: str) -> None:
    first, again = (Once("", print, before=True) for _ in range(2))
    record_order(*seen(points, first), ada, order(1))
    record_order(*seen(points, again), ada, order(1))
    assert "ledger.story" not in first.calls
    assert "ledger.story" in again.calls


def test_a_claim_whose_answer_was_lost_is_no_proof_that_the_order_is_new(
    points: Shop, ada: str
) -> None:
    """It is sent again by the SDK, and finds itself there, as anybody's would be."""

    def sent_twice(name: str, call: partial[Any]) -> Any:
        calls.append(name)
        if name == "orders.claim":
            call()
            alone(points, ada, 1)()
        return call()

    calls: list[str] = []
    done = record_order(*seen(points, sent_twice), ada, order(1))
    assert isinstance(done, OrderChange) and done.first.replayed
    assert "ledger.story" in calls
    assert refs(points, ada) == ["till:o-1#paid"]


def test_a_refund_that_waits_for_its_order_is_applied_in_bulk_too(points: Shop, ada: str) -> None:
    assert points.refund("o-1", "r-1").status == 202
    context, here = seen(points)
    record_orders(context, here, [Recording(ada, order(number)) for number in (1, 2)])
    assert refs(points, ada) == ["till:o-1#paid", "till:o-1#refund:r-1", "till:o-2#paid"]
    assert points.balance(ada, "points") == 10


def batch(ada: str, ben: str) -> list[Recording | Refusal]:
    whose = [ada, ben, ada, ada, ben, ada]
    rows: list[Recording | Refusal] = [
        Recording(member_id, order(number, number + 1)) for number, member_id in enumerate(whose)
    ]
    return [*rows, Recording(ada, order(2, 3)), Refusal("invalid_request", "nonsense")]


def test_a_batch_looks_at_each_account_once_and_writes_in_few_requests(
    points: Shop, ada: str
) -> None:
    ben = points.enrol()
    around = Once("", print, before=True)
    outcomes = record_orders(*seen(points, around), batch(ada, ben))

    assert Counter(one for one in around.calls if "claim" in one or "ledger" in one) == {
        "ledger.head": 2 + 1,
        "orders.claim_each": 1,
        "ledger.append_each": 4,  # ada's first with ben's first, then the second, ...
        "orders.claim": 1,  # of the order that comes twice
        "ledger.story": 1,
    }
    assert isinstance(outcomes[-1], Refusal)
    assert replayed(outcomes[:-1]) == [False] * 6 + [True]
    assert refs(points, ada) == [f"till:o-{number}#paid" for number in (0, 2, 3, 5)]


def replayed(outcomes: list[Outcome]) -> list[bool]:
    changes = [one for one in outcomes if isinstance(one, OrderChange)]
    assert len(changes) == len(outcomes)
    return [one.first.replayed for one in changes]


PLACES = ["orders.claim_each", *["ledger.append_each"] * 4]


@pytest.mark.parametrize("theirs", [99, 0, 3, 5])
@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("before", [True, False])
def test_another_till_at_any_moment_of_a_batch_loses_nothing_and_doubles_nothing(
    points: Shop, ada: str, theirs: int, at: int, before: bool
) -> None:
    """Another order of hers, or one of this very batch, in another process."""
    ben = points.enrol()
    euros = 100 if theirs == 99 else theirs + 1
    meanwhile = alone(points, ada, theirs, euros)
    seen_calls = 0

    def other_till(name: str, call: partial[Any]) -> Any:
        nonlocal seen_calls
        is_now = name in PLACES and seen_calls == at
        seen_calls += name in PLACES
        if is_now and before:
            meanwhile()
        done = call()
        if is_now and not before:
            meanwhile()
        return done

    record_orders(*seen(points, other_till), batch(ada, ben))
    wanted = {f"till:o-{one}#paid" for one in (0, 2, 3, 5, theirs)}
    assert sorted(refs(points, ada)) == sorted(wanted)
    assert points.balance(ada, "points") == 1 + 3 + 4 + 6 + (100 if theirs == 99 else 0)
    assert points.balance(ben, "points") == 2 + 5


def test_a_batch_goes_to_a_member_who_was_merged_meanwhile(points: Shop, ada: str) -> None:
    ben = points.enrol(external_id="ben")

    def merge() -> None:
        path = f"/v1/members/{ben}/merge"
        assert points.call("POST", path, {"member_id": ada}).status == 200

    around = Once("orders.claim_each", merge, before=False)
    record_orders(*seen(points, around), batch(ada, ben))
    assert points.balance(ben, "points") == 1 + 2 + 3 + 4 + 5 + 6


def torn(times: int) -> Around:
    """Of a request that writes many, some are written before the process dies."""

    def around(name: str, call: partial[Any]) -> Any:
        nonlocal times
        if not name.endswith("_each"):
            return call()
        port = call.func.__self__  # type: ignore[attr-defined]
        single = port.claim if name == "orders.claim_each" else port.append
        done = []
        for one in call.args[0]:
            if times == 0:
                raise Crash
            times -= 1
            done.append(single(one))
        return done

    return around


@pytest.mark.parametrize("writes", range(12))
def test_a_batch_that_died_after_any_write_is_finished_by_the_next(
    points: Shop, ada: str, writes: int
) -> None:
    ben = points.enrol()
    with pytest.raises(Crash):
        record_orders(*seen(points, torn(writes)), batch(ada, ben))
    record_orders(*seen(points), batch(ada, ben))
    assert sorted(refs(points, ada)) == [f"till:o-{number}#paid" for number in (0, 2, 3, 5)]
    assert (points.balance(ada, "points"), points.balance(ben, "points")) == (14, 7)


@pytest.mark.parametrize("name", ["orders.claim_each", "ledger.append_each"])
@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("fault", [Unavailable("lost"), Fault("not allowed"), KeyError("a bug")])
def test_a_request_that_fails_or_whose_answer_is_lost_is_made_up_for_one_by_one(
    points: Shop, ada: str, name: str, is_done: bool, fault: Exception
) -> None:
    ben = points.enrol()

    def lost(asked: str, call: partial[Any]) -> Any:
        if asked != name:
            return call()
        if is_done:
            call()
        raise fault

    outcomes = record_orders(*seen(points, lost), batch(ada, ben))
    assert not any(isinstance(one, Exception) for one in outcomes)
    assert sorted(refs(points, ada)) == [f"till:o-{number}#paid" for number in (0, 2, 3, 5)]
    assert (points.balance(ada, "points"), points.balance(ben, "points")) == (14, 7)


def test_what_is_not_simply_one_put_goes_the_usual_way_and_so_does_what_follows(
    points: Shop, ada: str
) -> None:
    too_late = replace(order(2), placed_at=START + 86_400_000)
    rows: list[Recording | Refusal] = [
        Recording(ada, order(1)),
        Recording(ada, too_late),
        Recording(ada, order(3)),
        Recording("mem_nobody", order(4)),
    ]
    outcomes = record_orders(*seen(points), rows)
    assert [one.code if isinstance(one, Refusal) else "" for one in outcomes] == [
        "",
        "placed_in_future",
        "",
        "member_not_found",
    ]
    assert refs(points, ada) == ["till:o-1#paid", "till:o-3#paid"]


def test_an_order_that_two_members_claim_in_one_batch_is_the_firsts(points: Shop, ada: str) -> None:
    ben = points.enrol()
    outcomes = record_orders(*seen(points), [Recording(ada, order(1)), Recording(ben, order(1))])
    assert isinstance(outcomes[1], Refusal) and outcomes[1].code == "order_claimed"
    assert (points.balance(ada, "points"), points.balance(ben, "points")) == (10, 0)


def test_two_that_send_the_same_batch_at_once_record_each_order_once() -> None:
    shop = Shop(memory_store())
    shop.publish("points")
    ada, ben = shop.enrol(), shop.enrol()
    barrier = threading.Barrier(4)

    def send() -> None:
        barrier.wait()
        record_orders(*seen(shop), batch(ada, ben))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(refs(shop, ada)) == [f"till:o-{number}#paid" for number in (0, 2, 3, 5)]
    assert (shop.balance(ada, "points"), shop.balance(ben, "points")) == (14, 7)
