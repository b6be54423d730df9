"""Discounts and prices in quotes: line by line, never below zero, explained.

Cases C of Odoo's tests (their amounts in minor units), I33 of happydog-vrn.ru, I34 of betty40.com.
"""

from typing import Any

import pytest

from tests.fakes.rules import at, document, earned, opened, quote, rule, why
from tests.fakes.shop import Reply, Shop, goods

BASE = rule("base", per=100)


def percent(name: str, much: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "kind": "percent", "percent": much, **more}


def priced(*discounts: dict[str, Any], **parts: Any) -> Shop:
    return opened(document(BASE, discounts=list(discounts), **parts))


def total(reply: Reply) -> int:
    assert reply.status == 200, reply.raw
    prices = reply.json["prices"]
    assert sum(line["total"] for line in prices["lines"]) == prices["goods"]
    for line in prices["lines"]:
        assert line["price"] - sum(one["amount"] for one in line["discounts"]) == line["total"]
        assert 0 <= line["total"] <= line["price"]
    return int(prices["total"])


def test_c13_points_for_what_is_paid_after_the_discount() -> None:
    quoted = quote(priced(percent("ten", 10)), goods(10000))
    assert (total(quoted), earned(quoted)) == (9000, 90)
    assert why(quoted, "ten") == "10.00 EUR off"


@pytest.mark.parametrize(("times", "pays"), [(1, 27000), (2, 24300), (3, 21870)])
def test_c18_each_discount_is_taken_from_what_is_left(times: int, pays: int) -> None:
    shop = priced(*(percent(f"ten{n}", 10) for n in range(times)))
    assert total(quote(shop, goods(30000))) == pays


STEPS = [{"at": 150000, "percent": 10}, {"at": 175000, "percent": 15}]
STEPS += [{"at": 200000, "percent": 20}, {"at": 250000, "percent": 25}]


@pytest.mark.parametrize(
    ("quantity", "pays"), [(12, 141600), (14, 148680), (17, 160480), (20, 188800), (22, 194700)]
)
def test_c42_a_ladder_of_the_order(quantity: int, pays: int) -> None:
    shop = priced({"id": "ladder", "kind": "ladder", "steps": STEPS})
    assert total(quote(shop, goods(11800, quantity))) == pays


HAPPYDOG = [
    {"at": 600000, "percent": 2},
    {"above": 600000, "percent": 4},
    {"at": 1000000, "percent": 6},
    {"at": 1800000, "percent": 8},
    {"at": 2800000, "percent": 10},
    {"at": 5000000, "percent": 12},
]


@pytest.mark.parametrize(
    ("spent", "percents"),
    [
        (599999, 0),
        (600000, 2),
        (600001, 4),
        (999999, 4),
        (1000000, 6),
        (1800000, 8),
        (2800000, 10),
        (4999999, 10),
        (5000000, 12),
        (90000000, 12),
    ],
)
def test_i33_a_ladder_on_what_was_spent(spent: int, percents: int) -> None:
    counters = {"spent": {"of": "spend", "window": {"until_idle_months": 6}}}
    ladder = {"id": "ladder", "kind": "ladder", "counter": "spent", "steps": HAPPYDOG}
    segments = {"birthday": {"birthday": {"before_days": 3, "after_days": 3}}}
    birthday = percent("birthday", 15, group="one", **{"if": {"segments": ["birthday"]}})
    parts = {"counters": counters, "segments": segments, "groups": {"one": {}}}
    shop = priced({**ladder, "group": "one"}, birthday, **parts)
    member = shop.enrol(birthday="1990-12-10")
    shop.order(member, "1", goods(spent))
    assert total(quote(shop, goods(10000), member_id=member)) == 10000 - percents * 100
    found = []
    for day in ("06", "07", "13", "14"):
        moment = f"2026-12-{day}T12:00:00Z"
        found.append(total(quote(shop, goods(10000), member_id=member, placed_at=moment)))
    usual = 10000 - percents * 100
    assert found == [usual, 8500, 8500, usual]
    at(shop, "2027-05-22T12:00:00Z")
    assert total(quote(shop, goods(10000), member_id=member)) == usual
    at(shop, "2027-05-23T12:00:00Z")  # half a year without a purchase
    assert total(quote(shop, goods(10000), member_id=member)) == 10000


@pytest.mark.parametrize(
    ("spent", "off"),
    [
        (4999, 0),
        (5000, 500),
        (29999, 500),
        (30000, 550),
        (130000, 750),
        (629999, 1700),
        (630000, 1750),
        (9000000, 1750),
    ],
)
def test_i34_a_ladder_that_grows_and_not_on_sale_goods(spent: int, off: int) -> None:
    ladder = {
        "id": "ladder",
        "kind": "ladder",
        "counter": "spent",
        "steps": [{"at": 5000, "percent": 5}],
        "grows": {"percent": "0.5", "every": 25000, "at_most": "17.5"},
        "exclude": {"labels": ["sale"]},
    }
    shop = priced(ladder, counters={"spent": {"of": "spend"}})
    member = shop.enrol()
    shop.order(member, "1", goods(spent))
    quoted = quote(shop, goods(10000), goods(5000, labels=["sale"]), member_id=member)
    assert total(quoted) == 15000 - off


def test_buy_three_and_the_cheapest_of_four_is_free() -> None:
    shop = priced({"id": "four", "kind": "cheapest", "buy": 3})
    assert total(quote(shop, goods(500, 3))) == 1500
    assert total(quote(shop, goods(500, 3), goods(200))) == 1500
    assert total(quote(shop, goods(500, 4), goods(200, 4))) == 2800 - 400
    once = priced({"id": "half", "kind": "cheapest", "buy": 0, "percent": 50, "times": 1})
    assert total(quote(once, goods(500), goods(300, 2))) == 1100 - 150


def test_amounts_never_go_below_nothing() -> None:
    shop = priced({"id": "off", "kind": "amount", "amount": 1000})
    assert total(quote(shop, goods(600), goods(600))) == 200
    assert total(quote(shop, goods(300), goods(600))) == 0
    each = priced({"id": "off", "kind": "amount", "amount": 250, "each": True})
    assert total(quote(each, goods(200, 2), goods(600, 2))) == 700
    most = priced(percent("half", 50, at_most=700))
    assert total(quote(most, goods(1000))) == 500
    assert total(quote(most, goods(1000, 2), goods(1))) == 1301


def test_a_price_list_for_those_it_is_for() -> None:
    trade = {
        "id": "trade",
        "kind": "price_list",
        "prices": {"drill": 8000, "saw": 20000, "free": 0},
        "if": {"segments": ["registered"]},
    }
    segments = {"registered": {"attributes": {"trade": [True]}}}
    shop = priced(trade, segments=segments)
    anybody, builder = shop.enrol(), shop.enrol(external_id="b", attributes={"trade": True})
    basket = (
        goods(10000, 2, sku="drill"),
        goods(15000, sku="saw"),
        goods(70, sku="free"),
        goods(5),
    )
    assert total(quote(shop, *basket, member_id=anybody)) == 35075
    assert total(quote(shop, *basket)) == 35075
    quoted = quote(shop, *basket, member_id=builder)
    assert total(quoted) == 16000 + 15000 + 0 + 5  # a list makes nothing dearer
    quoted = quote(shop, goods(5), member_id=builder)
    assert why(quoted, "trade") == "nothing in the order is on the list"


def test_exclusive_discounts_and_groups() -> None:
    shop = priced(
        percent("ten", 10, group="season"),
        percent("twenty", 20, group="season", **{"if": {"min_total": 5000}}),
        percent("alone", 5, exclusive=True, priority=5, **{"if": {"channels": ["app"]}}),
        groups={"season": {}},
    )
    assert total(quote(shop, goods(4000))) == 3600
    quoted = quote(shop, goods(6000))
    assert total(quoted) == 4800
    assert why(quoted, "ten") == "twenty takes more off"
    quoted = quote(shop, goods(6000), channel="app")
    assert total(quoted) == 5700
    assert why(quoted, "twenty") == "alone is given alone"
    last = priced(percent("ten", 10), percent("alone", 50, exclusive=True, priority=-1))
    quoted = quote(last, goods(1000))
    assert total(quoted) == 900
    assert why(quoted, "alone") == "is given alone or not at all, and ten is given"


@pytest.mark.parametrize(("included", "pays", "tax"), [(True, 5950, 950), (False, 7081, 1131)])
def test_tax_follows_the_price(included: bool, pays: int, tax: int) -> None:
    shop = priced(percent("half", 50))
    line = goods(11900, tax=1900 if included else 2261)
    quoted = quote(shop, line, tax_included=included)
    prices = quoted.json["prices"]
    assert (total(quoted), prices["tax"]) == (pays, tax)
    assert earned(quoted) == (5950 - tax if included else 5950) // 100


def test_a_share_is_rounded_once_and_the_lines_sum_to_it() -> None:
    shop = priced(percent("third", "33.33"))
    quoted = quote(shop, goods(1), goods(1), goods(1), goods(997))
    assert total(quoted) == 1000 - 333


def test_a_gift_card_is_never_cheaper() -> None:
    shop = priced(percent("half", 50))
    assert total(quote(shop, goods(1000, gift_card=True), goods(1000))) == 1500


RELEASE = {
    "id": "sneaker",
    "include": {"skus": ["air"]},
    "since": "2026-12-01T10:00:00Z",
    "early": [
        {"since": "2026-12-01T09:00:00Z"},
        {"since": "2026-11-30T10:00:00+01:00", "if": {"tiers": ["gold"]}},
    ],
}


def test_members_buy_before_everybody_and_gold_before_them() -> None:
    counters = {"spend": {"of": "spend"}}
    tiers = {"levels": [{"id": "gold", "label": "Gold", "at_least": {"spend": 1000}}]}
    shop = opened(document(BASE, access=[RELEASE], counters=counters, tiers=tiers))
    ada, bob = shop.enrol(), shop.enrol(external_id="bob")
    shop.order(ada, "1", goods(1000))

    def opens(moment: str) -> list[bool]:
        sent = [{"member_id": ada}, {"member_id": bob}, {}]
        basket = (goods(1, sku="air"), goods(1))
        found = [quote(shop, *basket, placed_at=moment, **one) for one in sent]
        return [one.json["access"][0]["open"] for one in found]

    assert opens("2026-11-30T08:59:59Z") == [False, False, False]
    assert opens("2026-11-30T09:00:00Z") == [True, False, False]
    assert opens("2026-12-01T09:00:00Z") == [True, True, False]
    assert opens("2026-12-01T10:00:00Z") == [True, True, True]
    row = quote(shop, goods(1, sku="air"), placed_at="2026-11-30T09:00:00Z").json["access"][0]
    assert row == {
        "release": "sneaker",
        "line": "1",
        "open": False,
        "opens_at": "2026-12-01T10:00:00Z",
        "why": "for everybody",
    }
