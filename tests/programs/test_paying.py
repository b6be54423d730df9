"""Points that are spent: rewards at the program's price, and points that pay a bill."""

from typing import Any

import pytest

from tests.fakes.shop import Reply, Shop, goods


def program(shop: Shop, *rewards: dict[str, Any]) -> Shop:
    document = {
        "name": "P",
        "time_zone": "Europe/Berlin",
        "money": "EUR",
        "currencies": {"points": {"label": "Points"}},
        "earn": [{"id": "g", "kind": "per_amount", "currency": "points", "give": 1, "per": 100}],
        "rewards": list(rewards),
    }
    assert shop.call("POST", "/v1/programs", document).status == 201
    return shop


def costs(amount: int) -> dict[str, Any]:
    return {"currency": "points", "amount": amount}


def cash(**more: Any) -> dict[str, Any]:
    pays = {"id": "pay", "kind": "cash", "name": "Pay with points", "cost": costs(1), "worth": 1}
    return {**pays, **more}


def product(cost: int) -> dict[str, Any]:
    return {"id": "mug", "kind": "product", "name": "Mug", "cost": costs(cost)}


def give(shop: Shop, member_id: str, amount: int, key: str = "gift") -> None:
    body = {"currency": "points", "amount": amount, "reason": "r"}
    path = f"/v1/members/{member_id}/adjustments"
    assert shop.call("POST", path, body, headers={"idempotency-key": key}).status == 201


def spend(shop: Shop, member_id: str, key: str, **body: Any) -> Reply:
    path = f"/v1/members/{member_id}/redemptions"
    return shop.call("POST", path, body, headers={"idempotency-key": key})


@pytest.mark.parametrize(
    ("case", "reward", "balance", "asked", "total", "taken", "worth"),
    [
        ("B20", cash(at_least=500, at_most_percent=50), 5000, 1000, 10_000, 1000, 1000),
        ("B22", cash(at_most_percent=50), 10_000, 10_000, 10_000, 5000, 5000),
        ("B23", cash(cost=costs(100), worth=500), 2000, 1050, 50_000, 1000, 5000),
        ("a share that is no whole step", cash(cost=costs(10), worth=30), 99, 99, 100, 30, 90),
    ],
)
def test_points_pay_a_bill(
    shop: Shop,
    case: str,
    reward: dict[str, Any],
    balance: int,
    asked: int,
    total: int,
    taken: int,
    worth: int,
) -> None:
    program(shop, reward)
    ada = shop.enrol()
    give(shop, ada, balance)
    for _ in range(2):
        reply = spend(shop, ada, case.replace(" ", "-"), reward="pay", amount=asked, total=total)
        assert reply.status == 201, reply.raw
        assert reply.json["worth"] == {"amount": worth, "currency": "EUR"}
        assert reply.json["balances"]["points"]["available"] == balance - taken
    assert shop.balance(ada, "points") == balance - taken


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount": 499, "total": 10_000}, "below_minimum"),
        ({"amount": 5000, "total": 998}, "below_minimum"),  # half of it is 499
        ({"amount": 6000, "total": 99_999}, "insufficient_balance"),
        ({"amount": 1000}, "invalid_request"),
        ({"total": 1000}, "invalid_request"),
        ({"amount": 1000, "total": 5000, "quantity": 2}, "invalid_request"),
    ],
)
def test_what_cannot_pay_is_refused(shop: Shop, body: dict[str, Any], code: str) -> None:
    program(shop, cash(at_least=500, at_most_percent=50))
    ada = shop.enrol()
    give(shop, ada, 5000)
    assert spend(shop, ada, "k", reward="pay", **body).code == code
    assert shop.balance(ada, "points") == 5000


def test_what_paid_a_bill_comes_back_with_the_order(shop: Shop) -> None:
    program(shop, cash())
    ada = shop.enrol()
    give(shop, ada, 300)
    paid = spend(shop, ada, "k", reward="pay", amount=200, total=1000).json["id"]
    shop.order(ada, "1", goods(1000), redemptions=[paid])
    assert shop.balance(ada, "points") == 300 - 200 + 10
    shop.refund("1", "r")
    assert shop.balance(ada, "points") == 300


def test_a17_a18_only_what_there_is_can_be_spent(shop: Shop) -> None:
    program(shop, cash())
    ada = shop.enrol()
    give(shop, ada, 100)
    assert spend(shop, ada, "1", reward="pay", amount=10, total=500).status == 201
    assert shop.balance(ada, "points") == 90
    refused = spend(shop, ada, "2", reward="pay", amount=100, total=500)
    assert refused.code == "insufficient_balance"
    assert shop.balance(ada, "points") == 90


def test_b09_an_order_is_clawed_back_whole(shop: Shop) -> None:
    program(shop)
    ada = shop.enrol()
    shop.order(ada, "1", goods(15_000))
    assert [one["amount"] for one in shop.refund("1", "r").json["effects"]] == [-150]
    assert shop.balance(ada, "points") == 0


def test_c02_what_a_reward_costs_is_never_the_callers_word(shop: Shop) -> None:
    program(shop, product(5))
    ada = shop.enrol()
    give(shop, ada, 50)
    shop.order(ada, "1", goods(10_000))
    for claim in ({"cost": 1}, {"amount": 1}, {"total": 1}):
        assert spend(shop, ada, "k", reward="mug", **claim).code == "invalid_request"
    assert spend(shop, ada, "k", reward="mug").status == 201
    assert shop.balance(ada, "points") == 145


def test_c04_what_this_order_earns_does_not_pay_for_it(shop: Shop) -> None:
    program(shop, product(5))
    ada = shop.enrol()
    give(shop, ada, 3)
    assert spend(shop, ada, "k", reward="mug").code == "insufficient_balance"
    shop.order(ada, "1", goods(100))
    assert shop.balance(ada, "points") == 4
    assert spend(shop, ada, "k", reward="mug").code == "insufficient_balance"


def test_c09_the_same_top_up_twice_is_one(shop: Shop) -> None:
    program(shop)
    ada = shop.enrol()
    give(shop, ada, 40)
    give(shop, ada, 40)
    assert shop.balance(ada, "points") == 40
    entries = shop.call("GET", f"/v1/members/{ada}/entries").json["data"]
    assert [one["kind"] for one in entries] == ["adjustment", "enrolled"]
