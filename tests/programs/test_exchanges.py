"""Points of one currency for points of another."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.adapters.memory.store import memory_store
from chalicelib.kernel.clock import DAY
from tests.fakes.shop import Reply, Shop


def document(*rates: tuple[str, int, str, int], **expires: Any) -> dict[str, Any]:
    return {
        "name": "E",
        "time_zone": "UTC",
        "money": "EUR",
        "currencies": {name: {"label": name, "expires": expires.get(name)} for name in "abc"},
        "exchanges": [
            {"id": f"{source}{target}", "source": source, "take": take, "target": target, "give": n}
            for source, take, target, n in rates
        ],
    }


def opened(*rates: tuple[str, int, str, int], **expires: Any) -> tuple[Shop, str]:
    shop = Shop(memory_store())
    reply = shop.call("POST", "/v1/programs", document(*rates, **expires))
    assert reply.status == 201, reply.raw
    return shop, shop.enrol()


def give(shop: Shop, member_id: str, currency: str, amount: int, **more: Any) -> None:
    body = {"currency": currency, "amount": amount, "reason": "r", **more}
    path = f"/v1/members/{member_id}/adjustments"
    key = {"idempotency-key": f"{currency}{amount}{more}".replace(" ", "")}
    assert shop.call("POST", path, body, headers=key).status == 201


def swap(shop: Shop, member_id: str, exchange: str, amount: int, key: str = "k") -> Reply:
    path = f"/v1/members/{member_id}/exchanges"
    body = {"exchange": exchange, "amount": amount}
    return shop.call("POST", path, body, headers={"idempotency-key": key})


def test_r02_only_whole_steps_are_exchanged_and_the_rest_stays() -> None:
    shop, ada = opened(("a", 3, "b", 2), ("b", 2, "a", 3))
    give(shop, ada, "a", 101)
    for _ in range(2):
        reply = swap(shop, ada, "ab", 101)
        assert [(one["currency"], one["amount"]) for one in reply.json["effects"]] == [
            ("a", -99),
            ("b", 66),
        ]
    assert (shop.balance(ada, "a"), shop.balance(ada, "b")) == (2, 66)
    assert swap(shop, ada, "ba", 66, "back").status == 201
    assert (shop.balance(ada, "a"), shop.balance(ada, "b")) == (101, 0)
    assert shop.call("GET", f"/v1/members/{ada}/verify").json["valid"]


@pytest.mark.parametrize(
    ("exchange", "amount", "status", "code"),
    [
        ("ab", 2, 422, "below_minimum"),
        ("ab", 105, 409, "insufficient_balance"),
        ("ac", 10, 422, "unknown_exchange"),
        ("ab", 0, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_exchanged_is_refused(
    exchange: str, amount: int, status: int, code: str
) -> None:
    shop, ada = opened(("a", 3, "b", 2))
    give(shop, ada, "a", 101)
    reply = swap(shop, ada, exchange, amount)
    assert (reply.status, reply.code) == (status, code)
    assert shop.balance(ada, "a") == 101


def test_an_exchange_makes_no_point_live_longer() -> None:
    shop, ada = opened(("a", 1, "b", 1), ("b", 1, "a", 1), a={"days": 10}, b={"days": 30})
    give(shop, ada, "a", 10)
    give(shop, ada, "a", 5, expires_on="2026-11-26")
    assert swap(shop, ada, "ab", 15, "1").status == 201
    assert swap(shop, ada, "ba", 15, "2").status == 201
    shop.clock.at += 4 * DAY
    assert shop.balance(ada, "a") == 10
    assert swap(shop, ada, "ab", 10, "3").status == 201
    shop.clock.at += 7 * DAY
    assert shop.balance(ada, "b") == 0


@pytest.mark.parametrize(
    "rates",
    [
        [("a", 1, "b", 2), ("b", 1, "a", 1)],
        [("a", 1, "b", 1), ("b", 2, "c", 3), ("c", 1, "a", 1)],
        [("a", 1, "a", 1)],
        [("a", 1, "x", 1)],
        [("a", 1, "b", 1), ("a", 1, "b", 1)],
    ],
)
def test_a_program_whose_round_trip_makes_points_is_refused(shop: Shop, rates: Any) -> None:
    reply = shop.call("POST", "/v1/programs", document(*rates))
    assert (reply.status, reply.code) == (422, "invalid_program")
    assert reply.json["errors"][0]["field"].startswith("exchanges[")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    take=st.integers(1, 9),
    yields=st.integers(1, 9),
    start=st.integers(1, 200),
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 250)), max_size=12),
)
def test_no_round_trip_ever_makes_a_point(take: int, yields: int, start: int, steps: Any) -> None:
    shop, ada = opened(("a", take, "b", yields), ("b", yields, "a", take))
    give(shop, ada, "a", start)
    for number, (there, amount) in enumerate(steps):
        swap(shop, ada, "ab" if there else "ba", amount, str(number))
        a, b = shop.balance(ada, "a"), shop.balance(ada, "b")
        assert a + b // yields * take == start
        assert b % yields == 0
