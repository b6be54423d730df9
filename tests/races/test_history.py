"""The history checker itself: every kind of wrong history is noticed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from tests.fakes.shop import Shop, goods
from tests.races.history import Call, check

History = tuple[list[Call], dict[str, list[StoredEntry]]]


@pytest.fixture
def right() -> History:
    """Three orders of one member, one after the other, the last one sent again."""
    shop = Shop(memory_store())
    shop.publish("points")
    ada = shop.enrol()
    calls = []
    for at, name in enumerate(("a", "b", "c", "c")):
        reply = shop.order(ada, name, goods(100))
        replayed = "idempotent-replayed" in reply.headers
        calls.append(Call(name, at, at + 0.5, reply.status, reply.json, replayed))
    log = shop.runtime.context.store.ledger.entries(LogKey(shop.program_id, ada), None, 99)
    return calls, {ada: log[::-1]}


def test_a_right_history_is_right(right: History) -> None:
    check(*right)


def an_entry_is_missing(calls: list[Call], log: list[StoredEntry]) -> Any:
    return calls, [*log[:2], *log[3:]]


def an_update_was_lost(calls: list[Call], log: list[StoredEntry]) -> Any:
    return calls, log[:-1]


def the_chain_is_broken(calls: list[Call], log: list[StoredEntry]) -> Any:
    return calls, [*log[:2], replace(log[2], prev=bytes(32)), log[3]]


def one_thing_happened_twice(calls: list[Call], log: list[StoredEntry]) -> Any:
    last = log[-1]
    return calls, [*log, replace(last, version=last.version + 1, prev=last.hash)]


def one_thing_was_answered_in_two_ways(calls: list[Call], log: list[StoredEntry]) -> Any:
    return [*calls[:-1], replace(calls[0], name="c", replayed=True)], log


def two_things_were_answered_with_one_entry(calls: list[Call], log: list[StoredEntry]) -> Any:
    return [*calls, replace(calls[0], name="d", replayed=True)], log


def nobody_was_told(calls: list[Call], log: list[StoredEntry]) -> Any:
    return calls[1:], log


def the_order_was_turned(calls: list[Call], log: list[StoredEntry]) -> Any:
    first, second, *rest = calls
    late = replace(first, sent_at=second.answered_at + 1, answered_at=second.answered_at + 2)
    return [late, second, *rest], log


def another_balance_was_told(calls: list[Call], log: list[StoredEntry]) -> Any:
    body = calls[0].body
    balances = {"points": {**body["balances"]["points"], "available": 99}}
    return [replace(calls[0], body={**body, "balances": balances}), *calls[1:]], log


@pytest.mark.parametrize(
    "forge",
    [
        an_entry_is_missing,
        an_update_was_lost,
        the_chain_is_broken,
        one_thing_happened_twice,
        one_thing_was_answered_in_two_ways,
        two_things_were_answered_with_one_entry,
        nobody_was_told,
        the_order_was_turned,
        another_balance_was_told,
    ],
)
def test_a_wrong_history_is_noticed(right: History, forge: Callable[..., Any]) -> None:
    calls, logs = right
    [(member_id, log)] = logs.items()
    forged, changed = forge(calls, log)
    with pytest.raises(AssertionError):
        check(forged, {member_id: changed})
