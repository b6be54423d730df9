"""The named programs, played over the API with the terms that were published of their models.

Dates are moved into the time after a program's first version: what happened before it is decided by
it too, so successive terms are successive versions here.
"""

from typing import Any

import pytest
import yaml

from chalicelib.adapters.memory.store import memory_store
from chalicelib.kernel.clock import from_rfc3339
from tests.fakes.rules import account, at, does, earned, publish, quote
from tests.fakes.shop import ROOT, Reply, Shop, drink, goods


def terms(name: str) -> Any:
    return yaml.safe_load((ROOT / "programs" / f"{name}.yaml").read_text())


def opened(name: str, moment: str) -> Shop:
    shop = Shop(memory_store())
    at(shop, moment)
    assert shop.publish(name).status == 201
    return shop


def take(shop: Shop, member: str, reward: str, key: str, **more: Any) -> Reply:
    body = {"reward": reward, **more}
    headers = {"idempotency-key": key}
    return shop.call("POST", f"/v1/members/{member}/redemptions", body, headers=headers)


def tier(shop: Shop, member: str) -> Any:
    return account(shop, member)["tier"]["id"]


# Costa Coffee, United Kingdom: 8 beans until 2023-07-31, 10 from 2023-08-01; beans are kept.


def test_coffee_stamps_and_the_change_of_terms() -> None:
    shop = opened("coffee_stamps", "2023-07-01T08:00:00Z")
    ada = shop.enrol()
    shop.order(ada, "1", drink(2), drink(1, labels=["own_cup"]))
    assert shop.balance(ada, "stamps") == 4
    shop.order(ada, "2", drink(3))
    assert take(shop, ada, "free_drink", "k1").code == "insufficient_balance"  # 7
    shop.order(ada, "3", drink(1))
    assert take(shop, ada, "free_drink", "k2").status == 201  # the 8th
    shop.order(ada, "4", drink(9))
    at(shop, "2023-07-31T22:00:00Z")  # midnight in Berlin
    changed = terms("coffee_stamps")
    changed["currencies"]["stamps"]["goal"] = 10
    changed["rewards"][0]["cost"]["amount"] = 10
    publish(shop, changed)
    assert shop.balance(ada, "stamps") == 9  # kept
    assert take(shop, ada, "free_drink", "k3").code == "insufficient_balance"
    shop.order(ada, "5", drink(1, labels=["free"], price=0), drink(1))
    assert account(shop, ada)["stamps"]["stamps"] == {"collected": 10, "goal": 10}
    assert take(shop, ada, "free_drink", "k4").status == 201
    assert shop.balance(ada, "stamps") == 0


def buys(shop: Shop, member: str, order_id: str, price: int, **line: Any) -> Reply:
    return shop.order(member, order_id, goods(price, **line), currency="USD")


def test_starbucks_before_the_change() -> None:
    shop = opened("starbucks_2025", "2025-12-15T12:00:00Z")
    ada = shop.enrol(birthday="1990-04-20")
    assert earned(buys(shop, ada, "1", 10000), "stars") == 100
    paid = [{"kind": "preloaded_card", "amount": 5000}]
    double = shop.order(ada, "2", goods(5000), currency="USD", paid_with=paid)
    assert earned(double, "stars") == 100
    assert earned(buys(shop, ada, "3", 5000, categories=["alcohol"]), "stars") == 0
    expiring = account(shop, ada)["balances"]["stars"]["expiring"]
    assert expiring == [{"amount": 200, "at": "2026-07-01T04:00:00Z"}]  # midnight in New York
    ladder = ["extra", "brewed", "crafted", "lunch", "bag"]
    rewards = shop.call("GET", "/v1/programs/current").json["rewards"]
    assert [(one["id"], one["cost"]) for one in rewards] == list(
        zip(ladder, [25, 100, 200, 300, 400], strict=True)
    )
    at(shop, "2026-07-01T03:59:59Z")
    assert shop.balance(ada, "stars") == 200
    at(shop, "2026-07-01T04:00:00Z")
    assert shop.balance(ada, "stars") == 0


def test_starbucks_since_the_change() -> None:
    shop = opened("starbucks_2025", "2026-03-01T12:00:00Z")
    ada = shop.enrol(birthday="1990-04-20")
    buys(shop, ada, "old", 40000)
    at(shop, "2026-03-10T05:00:00Z")
    publish(shop, terms("starbucks"))
    assert (tier(shop, ada), shop.balance(ada, "stars")) == ("green", 400)  # earned before, kept
    assert earned(buys(shop, ada, "1", 10000), "stars") == 100
    buys(shop, ada, "2", 39900)
    assert tier(shop, ada) == "green"  # 499 stars since levels count
    assert buys(shop, ada, "3", 100).json["tier_changed"] == {"from": "green", "to": "gold"}
    assert earned(buys(shop, ada, "4", 10000), "stars") == 120
    buys(shop, ada, "5", 150000)
    assert tier(shop, ada) == "gold"
    buys(shop, ada, "6", 10000)
    assert tier(shop, ada) == "reserve"
    assert earned(buys(shop, ada, "7", 10000), "stars") == 170
    at(shop, "2026-06-15T12:00:00Z")  # a double-star day
    assert earned(buys(shop, ada, "8", 10000), "stars") == 340
    at(shop, "2027-12-01T12:00:00Z")
    left = shop.balance(ada, "stars")
    assert left == 120 + 1800 + 120 + 170 + 340  # what green earned is gone, the rest stays
    assert tier(shop, ada) == "green"  # a year after the last star that was enough


@pytest.mark.parametrize(
    ("stars", "last", "over"),
    [
        (0, "2026-04-20T12:00:00Z", "2026-04-21T12:00:00Z"),
        (500, "2026-04-26T12:00:00Z", "2026-04-27T12:00:00Z"),
        (2500, "2026-05-19T12:00:00Z", "2026-05-20T12:00:00Z"),
    ],
)
def test_starbucks_birthday_lasts_a_day_a_week_or_a_month(stars: int, last: str, over: str) -> None:
    for moment, expected in ((last, 201), (over, 409)):
        shop = opened("starbucks", "2026-03-10T12:00:00Z")
        ada = shop.enrol(birthday="1990-04-20")
        buys(shop, ada, "1", stars * 100)
        at(shop, moment)
        assert take(shop, ada, "birthday_treat", "k").status == expected
        assert take(shop, ada, "birthday_treat", "k2").status == 409  # once


def test_starbucks_60_stars_are_2_dollars() -> None:
    shop = opened("starbucks", "2026-03-10T12:00:00Z")
    ada = shop.enrol()
    buys(shop, ada, "1", 17900)
    paid = take(shop, ada, "money_off", "k", amount=179, total=1000)
    assert paid.json["worth"] == {"amount": 400, "currency": "USD"}
    assert shop.balance(ada, "stars") == 59


def test_sephora() -> None:
    shop = opened("sephora", "2022-01-10T12:00:00Z")
    ada = shop.enrol()
    assert earned(buys(shop, ada, "1", 34999)) == 349
    assert buys(shop, ada, "2", 1).json["tier_changed"] == {"from": "insider", "to": "vib"}
    assert earned(buys(shop, ada, "3", 10000)) == 125
    buys(shop, ada, "4", 55000)
    assert tier(shop, ada) == "rouge"
    assert earned(buys(shop, ada, "5", 10000)) == 150
    assert (
        take(shop, ada, "rouge_reward", "k", amount=2500, total=20000).code
        == "insufficient_balance"
    )
    assert (
        take(shop, ada, "ten_dollars", "k2", amount=500, total=20000).json["worth"]["amount"]
        == 1000
    )
    buys(shop, ada, "6", 150000)
    assert (
        take(shop, ada, "rouge_reward", "k3", amount=2500, total=20000).json["worth"]["amount"]
        == 10000
    )
    at(shop, "2023-12-31T12:00:00Z")
    assert tier(shop, ada) == "rouge"  # reached in January 2022: until the end of 2023
    same = terms("sephora")
    same["multipliers"] = []
    publish(shop, same)
    assert earned(buys(shop, ada, "7", 10000)) == 100
    at(shop, "2024-01-01T08:00:00Z")
    assert tier(shop, ada) == "insider"
    bob = shop.enrol(external_id="bob")
    buys(shop, bob, "8", 300000)
    assert take(shop, bob, "masterclass", "k4").status == 201


def test_marriott() -> None:
    shop = opened("marriott", "2025-01-05T12:00:00Z")
    ada = shop.enrol()
    assert tier(shop, ada) is None
    reached = []
    for nights in (9, 1, 14, 1, 25, 25, 24, 1):
        does(shop, ada, f"s{len(reached)}", "stay", nights=nights)
        reached.append(tier(shop, ada))
    assert reached == [
        None,
        "silver",
        "silver",
        "gold",
        "platinum",
        "titanium",
        "titanium",
        "titanium",
    ]
    assert earned(buys(shop, ada, "1", 20000)) == 3500
    buys(shop, ada, "2", 2279999)
    assert tier(shop, ada) == "titanium"
    buys(shop, ada, "3", 1)
    assert tier(shop, ada) == "ambassador"  # 100 nights and 23000 dollars
    at(shop, "2027-01-01T06:00:00Z")
    assert tier(shop, ada) is None


def test_marriott_gold_earns_2500_for_200_dollars() -> None:
    shop = opened("marriott", "2025-01-05T12:00:00Z")
    ada = shop.enrol()
    does(shop, ada, "s", "stay", nights=25)
    assert earned(buys(shop, ada, "1", 20000)) == 2500


def test_marriott_points_lapse_without_activity_that_counts() -> None:
    shop = opened("marriott", "2025-01-05T12:00:00Z")
    ada, bob = shop.enrol(), shop.enrol(external_id="bob")
    buys(shop, ada, "1", 20000)
    at(shop, "2026-06-01T12:00:00Z")
    does(shop, ada, "like", "social")
    gift = {"to_member_id": bob, "currency": "points", "amount": 100, "reason": "x"}
    headers = {"idempotency-key": "t"}
    assert shop.call("POST", f"/v1/members/{ada}/transfers", gift, headers=headers).status == 201
    at(shop, "2027-01-05T04:59:59Z")
    assert shop.balance(ada, "points") > 0
    at(shop, "2027-01-05T05:00:00Z")  # 24 months after the stay, not after the like
    assert shop.balance(ada, "points") == 25  # the like's own two years
    does(shop, ada, "stay", "stay", nights=1)
    at(shop, "2028-12-01T12:00:00Z")
    assert shop.balance(ada, "points") == 25


def gbp(shop: Shop, member: str, order_id: str, *lines: Any) -> Reply:
    return shop.order(member, order_id, *lines, currency="GBP")


def test_tesco_vouchers_every_quarter_and_partners() -> None:
    old = terms("tesco_clubcard")
    old["earn"][1] = {"id": "fuel", "kind": "per_amount", "currency": "points", "per": 200}
    old["earn"][1] |= {"include": {"categories": ["fuel"]}}
    old["rewards"][1]["worth"] = 150
    shop = Shop(memory_store())
    at(shop, "2023-03-01T12:00:00Z")
    publish(shop, old)
    ada = shop.enrol()
    assert earned(gbp(shop, ada, "1", goods(14900))) == 149
    assert earned(gbp(shop, ada, "2", goods(600, 10, categories=["fuel"]))) == 30
    at(shop, "2023-05-10T12:00:00Z")
    balances = account(shop, ada)["balances"]
    assert (balances["points"]["available"], balances["vouchers"]["available"]) == (29, 150)
    assert balances["vouchers"]["expiring"][0]["at"] == "2025-05-31T23:00:00Z"  # two years
    before = take(shop, ada, "partner", "k1", amount=50)
    assert before.json["voucher"]["value_left"] == 150  # three times
    at(shop, "2023-06-14T12:00:00Z")
    publish(shop, terms("tesco_clubcard"))
    assert take(shop, ada, "partner", "k2", amount=50).json["voucher"]["value_left"] == 100
    kept = shop.call("GET", f"/v1/vouchers/{before.json['voucher']['code']}").json
    assert kept["value_left"] == 150  # codes ordered before keep it
    assert earned(gbp(shop, ada, "3", goods(150, 31, categories=["fuel"]))) == 15
    paid = take(shop, ada, "off_the_bill", "k3", amount=50, total=1000)
    assert paid.json["worth"] == {"amount": 50, "currency": "GBP"}


def test_tesco_double_points_member_prices_and_offers() -> None:
    shop = opened("tesco_clubcard", "2023-12-01T12:00:00Z")
    ada = shop.enrol()
    at(shop, "2024-01-07T23:59:59Z")
    assert earned(gbp(shop, ada, "1", goods(1000))) == 10
    at(shop, "2024-01-08T00:00:00Z")
    basket = (
        goods(1000),
        goods(1000, categories=["tobacco"]),
        goods(1000, categories=["medicines"]),
    )
    assert earned(gbp(shop, ada, "2", *basket)) == 40
    at(shop, "2024-02-25T23:59:59Z")
    assert earned(gbp(shop, ada, "3", goods(1000))) == 20
    at(shop, "2024-02-26T00:00:00Z")
    assert earned(gbp(shop, ada, "4", goods(1000))) == 10
    oil, nappies = goods(700, sku="olive-oil"), goods(1000, categories=["baby"])

    def pays(line: Any, **more: Any) -> int:
        return int(quote(shop, line, currency="GBP", **more).json["prices"]["total"])

    assert (pays(oil), pays(oil, member_id=ada)) == (700, 550)
    assert (pays(nappies), pays(nappies, member_id=ada)) == (1000, 750)  # never bought yet
    gbp(shop, ada, "5", nappies)
    assert pays(nappies, member_id=ada) == 1000


def test_cumulative_discount() -> None:
    shop = opened("cumulative_discount", "2026-01-10T12:00:00Z")
    ada = shop.enrol(birthday="1990-03-08")

    def pays(**more: Any) -> int:
        lines = (goods(100000), goods(50000, labels=["sale"]))
        found = quote(shop, *lines, currency="RUB", member_id=ada, **more)
        return int(found.json["prices"]["total"]) - 50000

    def spends(order_id: str, price: int) -> None:
        assert shop.order(ada, order_id, goods(price), currency="RUB").status == 201

    assert pays() == 100000
    for order_id, price, expected in (
        ("1", 599999, 100000),
        ("2", 1, 98000),
        ("3", 1, 96000),
        ("4", 399999, 94000),
        ("5", 800000, 92000),
        ("6", 1000000, 90000),
        ("7", 2200000, 88000),
    ):
        spends(order_id, price)
        assert pays() == expected, order_id
    shop.refund("7", "r")
    assert pays() == 90000
    at(shop, "2026-03-05T00:00:00+03:00")
    assert pays() == 85000
    at(shop, "2026-07-09T12:00:00Z")
    assert pays() == 90000
    at(shop, "2026-07-10T12:00:00Z")  # half a year
    assert pays() == 100000


def test_cashback() -> None:
    shop = opened("cashback", "2026-05-01T12:00:00Z")
    ada = shop.enrol()
    order = shop.order(ada, "1", goods(10000), goods(5000, labels=["sale"]))
    assert earned(order, "credit") == 500
    assert shop.balance(ada, "credit") == 0
    at(shop, "2026-05-15T00:00:00+02:00")
    assert shop.balance(ada, "credit") == 500
    assert take(shop, ada, "pay", "k", amount=99, total=10000).code == "below_minimum"
    paid = take(shop, ada, "pay", "k", amount=500, total=1000)
    assert paid.json["worth"]["amount"] == 300  # 30 % of the bill
    assert shop.balance(ada, "credit") == 200
    at(shop, "2026-07-29T23:59:59+02:00")
    assert shop.balance(ada, "credit") == 200
    at(shop, "2026-07-30T00:00:00+02:00")  # 90 days after the order
    assert shop.balance(ada, "credit") == 0


def test_trade_price_list() -> None:
    shop = opened("trade_price_list", "2026-05-01T12:00:00Z")
    anybody = shop.enrol()
    builder = shop.enrol(external_id="b", attributes={"trade": True})

    def pays(member: str | None) -> int:
        lines = (goods(11900, 2, sku="DRILL-18V"), goods(1400, sku="SCREWS-500"), goods(999))
        more = {"member_id": member} if member else {}
        return int(quote(shop, *lines, **more).json["prices"]["total"])

    assert pays(None) == pays(anybody) == 23800 + 1400 + 999
    assert pays(builder) == 17800 + 1400 + 999  # the list makes no screw dearer
    assert earned(shop.order(builder, "1", goods(999999))) == 999
    assert pays(builder) == 17800 + 1400 + 999
    shop.order(builder, "2", goods(1))
    assert pays(builder) == 15800 + 1400 + 999
    at(shop, "2027-05-01T12:00:00Z")
    assert pays(builder) == 17800 + 1400 + 999
    changed = shop.call("PATCH", f"/v1/members/{builder}", {"attributes": {"trade": False}})
    assert changed.status == 200
    assert pays(builder) == 23800 + 1400 + 999


def test_early_access() -> None:
    shop = opened("early_access", "2026-12-01T12:00:00Z")
    ada, bob = shop.enrol(), shop.enrol(external_id="bob")
    for n in range(3):
        shop.order(ada, str(n), goods(100))
    pair = goods(15000, sku="AIR-ONE")

    def opens(moment: str) -> list[bool]:
        sent: list[dict[str, Any]] = [{"member_id": ada}, {"member_id": bob}, {}]
        return [
            quote(shop, pair, placed_at=moment, **one).json["access"][0]["open"] for one in sent
        ]

    assert opens("2027-03-03T09:59:59+01:00") == [False, False, False]
    assert opens("2027-03-03T10:00:00+01:00") == [True, False, False]
    assert opens("2027-03-04T10:00:00+01:00") == [True, True, False]
    assert opens("2027-03-05T10:00:00+01:00") == [True, True, True]
    shop.clock.at = from_rfc3339("2027-03-03T10:00:00+01:00")
    assert take(shop, bob, "first_pairs", "k").code == "not_eligible"
    code = take(shop, ada, "first_pairs", "k").json["voucher"]["code"]
    assert take(shop, ada, "first_pairs", "k2").code == "member_limit"
    priced = quote(shop, pair, member_id=ada, vouchers=[code]).json
    assert priced["prices"]["total"] == 12000
    assert earned(shop.order(ada, "pair", pair)) == 150 + 500
    for n in range(99):
        assert earned(shop.order(bob, f"b{n}", pair)) == 650
    assert earned(shop.order(bob, "late", pair)) == 150  # the hundred are served
