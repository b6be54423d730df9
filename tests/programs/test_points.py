"""Points for money, played over the API with the numbers that others published."""

import itertools
from typing import Any

import pytest

from chalicelib import wiring
from tests.fakes.shop import Shop, drink, goods

PER_UNIT_OF_MONEY: dict[str, Any] = {
    "name": "One for one",
    "time_zone": "UTC",
    "money": "EUR",
    "currencies": {"points": {"label": "Points"}},
    "earn": [
        {
            "id": "all",
            "kind": "per_amount",
            "currency": "points",
            "give": 1,
            "per": 100,
            "basis": {"tax": "included"},
        }
    ],
}


def with_rule(**changes: Any) -> dict[str, Any]:
    """The program of one point for one euro, its only rule changed."""
    return {**PER_UNIT_OF_MONEY, "earn": [{**PER_UNIT_OF_MONEY["earn"][0], **changes}]}


def earned(shop: Shop, document: dict[str, Any], *lines: Any, **order: Any) -> int:
    """What an order earns under a program."""
    assert shop.call("POST", "/v1/programs", document).status == 201
    reply = shop.order(shop.enrol(), "1", *lines, **order)
    assert reply.status == 201, reply.raw
    return sum(effect["amount"] for effect in reply.json["effects"])


BASKET = (
    goods(1200, sku="123", labels=["color:red"]),
    goods(10_000, sku="000", labels=["color:blue"]),
)


def test_a01_four_points_for_one_with_delivery(shop: Shop) -> None:
    rule = with_rule(give=4, basis={"tax": "included", "shipping": "included"})
    assert earned(shop, rule, *BASKET, shipping=4000) == 608


def test_a02_without_one_sku(shop: Shop) -> None:
    rule = with_rule(
        give=4, basis={"tax": "included", "shipping": "included"}, exclude={"skus": ["000"]}
    )
    assert earned(shop, rule, *BASKET, shipping=4000) == 208


def test_a03_without_one_label(shop: Shop) -> None:
    rule = with_rule(
        give=4, basis={"tax": "included", "shipping": "included"}, exclude={"labels": ["color:red"]}
    )
    assert earned(shop, rule, *BASKET, shipping=4000) == 560


def test_a05_a_bonus_for_one_sku_only(shop: Shop) -> None:
    rule = with_rule(kind="per_unit", give=200, per=1, include={"skus": ["000"]})
    rule["earn"][0].pop("basis")
    assert earned(shop, rule, *BASKET) == 200


def test_e01_one_point_for_ten(shop: Shop) -> None:
    assert earned(shop, with_rule(per=1000), goods(10_500)) == 10


def test_c13_a_discount_of_the_order_earns_nothing(shop: Shop) -> None:
    assert earned(shop, PER_UNIT_OF_MONEY, goods(10_000), discount=1000) == 90


def test_c17_paying_by_gift_card_takes_nothing_away(shop: Shop) -> None:
    paid = [{"kind": "gift_card", "amount": 5000}]
    assert earned(shop, PER_UNIT_OF_MONEY, goods(10_000), paid_with=paid) == 100


def test_the_program_may_say_that_gift_cards_do_not_count(shop: Shop) -> None:
    paid = [{"kind": "gift_card", "amount": 5000}]
    rule = with_rule(basis={"tax": "included", "gift_card_payments": "excluded"})
    assert earned(shop, rule, goods(10_000), paid_with=paid) == 50


def test_a_gift_card_that_is_bought_earns_nothing(shop: Shop) -> None:
    assert earned(shop, PER_UNIT_OF_MONEY, goods(5000, gift_card=True), goods(700)) == 7


@pytest.mark.parametrize(
    ("tax_included", "basis", "points"),
    [(True, "included", 119), (True, "excluded", 100), (False, "included", 138)],
)
def test_tax_counts_as_the_program_says(
    shop: Shop, tax_included: bool, basis: str, points: int
) -> None:
    rule = with_rule(basis={"tax": basis})
    line = goods(11_900, tax=1900)
    assert earned(shop, rule, line, tax_included=tax_included) == points


@pytest.mark.parametrize(("rounding", "points"), [("floor", 28), ("half_up", 29), ("ceiling", 29)])
def test_fault_26_b31_parts_of_a_point_are_rounded_as_the_program_says(
    shop: Shop, rounding: str, points: int
) -> None:
    assert earned(shop, with_rule(give=3, per=200, rounding=rounding), goods(1900)) == points


@pytest.mark.parametrize("order_of_refunds", list(itertools.permutations(["1", "2", "3"])))
def test_x01_refunds_by_line_sum_to_the_whole_in_any_order(
    shop: Shop, order_of_refunds: tuple[str, ...]
) -> None:
    shop.call("POST", "/v1/programs", PER_UNIT_OF_MONEY)
    ada = shop.enrol()
    assert (
        shop.order(ada, "1", goods(999), goods(50), goods(1449)).json["effects"][0]["amount"] == 24
    )
    taken = 0
    for number, line in enumerate(order_of_refunds):
        reply = shop.refund("1", f"r{number}", lines=[{"id": line, "quantity": 1}])
        assert reply.status == 201
        taken += sum(effect["amount"] for effect in reply.json["effects"])
    assert taken == -24
    assert shop.balance(ada, "points") == 0
    assert shop.refund("1", "more", amount=1).code == "refund_exceeds_order"


def test_x02_the_remainder_carries_when_the_program_says_so(shop: Shop) -> None:
    shop.call("POST", "/v1/programs", with_rule(per=5000, carry_remainder=True))
    ada = shop.enrol()
    assert shop.order(ada, "1", goods(3000)).json["effects"] == []
    assert shop.order(ada, "2", goods(2000)).json["effects"][0]["amount"] == 1
    shop.refund("1", "r")
    assert shop.balance(ada, "points") == 0
    assert shop.order(ada, "3", goods(3000)).json["effects"][0]["amount"] == 1


def test_without_carrying_two_small_orders_earn_nothing(shop: Shop) -> None:
    shop.call("POST", "/v1/programs", with_rule(per=5000))
    ada = shop.enrol()
    shop.order(ada, "1", goods(3000))
    shop.order(ada, "2", goods(2000))
    assert shop.balance(ada, "points") == 0


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_f03_a_refund_goes_by_the_rule_that_paid(shop: Shop, change: str) -> None:
    shop.call("POST", "/v1/programs", PER_UNIT_OF_MONEY)
    ada = shop.enrol()
    shop.order(ada, "1", goods(5000))
    new = with_rule(give=2) if change == "changed" else {**PER_UNIT_OF_MONEY, "earn": []}
    assert shop.call("POST", "/v1/programs", new).json["version"] == 2
    assert shop.refund("1", "r").json["effects"][0]["amount"] == -50
    assert shop.balance(ada, "points") == 0


def test_an_order_is_decided_by_the_version_in_force_when_it_was_placed(shop: Shop) -> None:
    shop.call("POST", "/v1/programs", PER_UNIT_OF_MONEY)
    ada = shop.enrol()
    placed = "2026-11-23T12:30:00Z"
    shop.clock.at += 3_600_000
    shop.call("POST", "/v1/programs", with_rule(give=2))
    late = shop.order(ada, "late", goods(1000), placed_at=placed)
    assert late.json["effects"][0]["amount"] == 10
    assert shop.order(ada, "now", goods(1000)).json["effects"][0]["amount"] == 20


def test_an_order_from_before_the_member_joined_earns_nothing(points: Shop) -> None:
    ada = points.enrol()
    reply = points.order(ada, "1", goods(5000), placed_at="2026-11-22T12:00:00Z")
    assert reply.status == 201
    assert reply.json["effects"] == []


def test_refunds_of_amounts_take_their_share_of_every_rule(points: Shop) -> None:
    ada = points.enrol()
    order = points.order(ada, "1", goods(8000), goods(2000, categories=["beans"]), shipping=500)
    assert {one["rule"]: one["amount"] for one in order.json["effects"]} == {
        "goods": 100,
        "beans": 2,
    }
    half = points.refund("1", "a", amount=5250)
    assert {one["rule"]: one["amount"] for one in half.json["effects"]} == {
        "goods": -50,
        "beans": -1,
    }
    rest = points.refund("1", "b")
    assert sum(one["amount"] for one in rest.json["effects"]) == -51
    assert points.balance(ada, "points") == 0


def test_a_quote_says_what_every_rule_would_do_and_why(points: Shop) -> None:
    basket = {
        "currency": "EUR",
        "lines": [
            {"id": "1", "quantity": 1, "unit_price": 1250},
            {"id": "2", "quantity": 1, "unit_price": 500, "labels": ["sale"]},
        ],
    }
    quoted = points.call("POST", "/v1/quotes", basket)
    assert quoted.status == 200, quoted.raw
    assert quoted.json["explain"] == [
        {"rule": "goods", "applied": True, "why": "1 for each 1.00 of 12.50 EUR"},
        {
            "rule": "beans",
            "applied": False,
            "why": "nothing in the order counts for this rule",
        },
    ]
    assert quoted.json["effects"][0]["amount"] == 12


def test_drinks_are_nothing_special_here(points: Shop) -> None:
    ada = points.enrol()
    assert points.order(ada, "1", drink(2, 350)).json["balances"]["points"]["available"] == 7


def test_a_live_version_comes_in_force_when_every_process_knows_of_it(shop: Shop) -> None:
    live = Shop(shop.runtime.context.store, mode="live")
    assert live.call("POST", "/v1/programs", PER_UNIT_OF_MONEY).status == 201
    ada = live.enrol()
    other = Shop(shop.runtime.context.store, mode="live")  # a process of its own
    other.key, other.program_id = live.key, live.program_id
    assert other.order(ada, "1", goods(1000)).json["effects"][0]["amount"] == 10
    wiring.install(live.runtime, live.queues)
    assert live.call("POST", "/v1/programs", with_rule(give=2)).status == 201
    fresh = Shop(shop.runtime.context.store, mode="live")
    fresh.key, fresh.program_id = live.key, live.program_id
    assert fresh.order(ada, "fresh", goods(1000)).json["effects"][0]["amount"] == 10
    wiring.install(other.runtime, other.queues)
    other.clock.at += 4_000
    assert other.order(ada, "2", goods(1000)).json["effects"][0]["amount"] == 10
    other.clock.at += 6_000
    assert other.order(ada, "3", goods(1000)).json["effects"][0]["amount"] == 20
    assert other.refund("1", "r").json["effects"][0]["amount"] == -10


def test_when_all_the_money_is_back_everything_is_taken_back(shop: Shop) -> None:
    shop.call("POST", "/v1/programs", with_rule(exclude={"labels": ["sale"]}))
    ada = shop.enrol()
    shop.order(ada, "1", goods(1000), goods(500, labels=["sale"]))
    assert shop.refund("1", "a", lines=[{"id": "2", "quantity": 1}]).json["effects"] == []
    assert shop.refund("1", "b", amount=1000).json["effects"][0]["amount"] == -10
    assert shop.balance(ada, "points") == 0


def test_fault_52_more_points_than_can_be_counted_are_refused(shop: Shop) -> None:
    shop.call("POST", "/v1/programs", with_rule(give=10**12, per=1))
    ada = shop.enrol()
    refused = shop.order(ada, "1", goods(10_000))
    assert (refused.status, refused.code) == (422, "balance_limit")
    assert shop.balance(ada, "points") == 0
