"""Earn rules as a shop writes them: the published cases of others, and the edges of ours.

Cases A of OpenLoyalty's tests, B of Setono's loyalty plugin, C of Odoo's, E of Square's guides.
"""

from typing import Any

import pytest

from chalicelib.domain.ledger.entries import LogKey
from tests.fakes.rules import (
    at,
    document,
    does,
    earned,
    edited,
    opened,
    publish,
    quote,
    rule,
    why,
)
from tests.fakes.shop import Shop, goods

SKU_123 = goods(1200, sku="123", labels=["color:red"])
SKU_000 = goods(10000, sku="000", labels=["color:blue"])
DELIVERY = goods(4000, sku="0001", labels=["delivery"])
BASKET = (SKU_123, SKU_000, DELIVERY)
FOUR = rule("four", give=4, per=100)
BONUS_123 = rule("bonus", "per_order", give=100, include={"skus": ["123"]})


@pytest.mark.parametrize(
    ("case", "rules", "multipliers", "points"),
    [
        ("A01", [FOUR], [], 608),
        ("A02", [{**FOUR, "exclude": {"skus": ["000"]}}], [], 208),
        ("A03", [{**FOUR, "exclude": {"labels": ["color:red"]}}], [], 560),
        ("A05", [rule("b", "per_order", give=200, include={"skus": ["000"]})], [], 200),
        ("A07", [FOUR, BONUS_123], [], 708),
        ("A09", [FOUR], [{"percent": 300, "include": {"skus": ["123"]}}], 704),
        ("A12", [{**FOUR, "if": {"min_total": 30000}}], [], 0),
        ("bonus is not multiplied", [FOUR, BONUS_123], [{"percent": 200}], 1316),
    ],
)
def test_openloyalty(case: str, rules: Any, multipliers: Any, points: int) -> None:
    named = [{"id": f"m{at}", "currency": "points", **one} for at, one in enumerate(multipliers)]
    shop = opened(document(*rules, multipliers=named))
    member = shop.enrol()
    assert earned(quote(shop, *BASKET, member_id=member)) == points, case
    assert earned(shop.order(member, "1", *BASKET)) == points, case
    assert shop.balance(member, "points") == points
    assert earned(shop.refund("1", "all")) == -points
    assert shop.balance(member, "points") == 0


def test_b28_an_exclusive_rule_of_higher_priority_pays_alone() -> None:
    shop = opened(
        document(
            rule("base", per=100),
            rule("fixed", "per_order", give=100, priority=10, stacking="exclusive"),
        )
    )
    member = shop.enrol()
    quoted = quote(shop, goods(1999), member_id=member)
    assert earned(quoted) == 100
    assert why(quoted, "base") == "fixed pays alone"
    assert earned(shop.order(member, "1", goods(1999))) == 100


def test_an_exclusive_rule_of_lower_priority_pays_only_where_no_other_does() -> None:
    shop = opened(
        document(
            rule("base", per=100, include={"categories": ["tea"]}),
            rule("fixed", "per_order", give=5, priority=-1, stacking="exclusive"),
        )
    )
    assert earned(quote(shop, goods(1000))) == 5
    quoted = quote(shop, goods(1000, categories=["tea"]))
    assert earned(quoted) == 10
    assert why(quoted, "fixed") == "pays alone or not at all, and base pays"


@pytest.mark.parametrize(("rounding", "points"), [("floor", 28), ("half_up", 29), ("ceiling", 29)])
@pytest.mark.parametrize("price", [1900, 1999])
def test_b31_whole_points_are_multiplied_and_rounded(
    rounding: str, points: int, price: int
) -> None:
    shop = opened(
        document(
            rule("base", per=100),
            multipliers=[{"id": "more", "currency": "points", "percent": 150}],
            evaluation={"multiply": "points", "rounding": rounding},
        )
    )
    assert earned(quote(shop, goods(price))) == points


@pytest.mark.parametrize(("multiply", "points"), [("exact", 29), ("points", 28)])
def test_the_exact_share_is_multiplied_or_the_whole_points(multiply: str, points: int) -> None:
    shop = opened(
        document(
            rule("base", per=100),
            multipliers=[{"id": "more", "currency": "points", "percent": 150}],
            evaluation={"multiply": multiply},
        )
    )
    assert earned(quote(shop, goods(1999))) == points  # 29.985, or 1.5 x 19 = 28.5


@pytest.mark.parametrize(("price", "points"), [(10500, 10), (10999, 10), (11000, 11), (999, 0)])
def test_e01_square(price: int, points: int) -> None:
    assert earned(quote(opened(document(rule("base", per=1000))), goods(price))) == points


@pytest.mark.parametrize(
    ("combine", "points"), [("multiply", 5 * 6), ("add", 5 * 4), ("best", 5 * 3)]
)
def test_e02_multipliers_meet_as_the_program_says(combine: str, points: int) -> None:
    two = {"id": "two", "currency": "points", "percent": 200}
    three = {"id": "three", "currency": "points", "percent": 300}
    shop = opened(
        document(
            rule("base", per=100),
            multipliers=[two, three],
            evaluation={"multipliers": combine},
        )
    )
    assert earned(quote(shop, goods(500))) == points
    alone = opened(document(rule("base", per=100), multipliers=[three]))
    assert earned(quote(alone, goods(500))) == 15


HAPPY_HOUR = {"weekdays": ["tue"], "hours": {"from": "16:00", "to": "18:00"}, "min_total": 2000}


@pytest.mark.parametrize(
    ("placed_at", "price", "points"),
    [
        ("2026-11-24T14:59:59Z", 2000, 0),  # 15:59:59 in Berlin
        ("2026-11-24T15:00:00Z", 2000, 7),
        ("2026-11-24T15:00:00Z", 1999, 0),
        ("2026-11-24T16:59:59Z", 2000, 7),
        ("2026-11-24T17:00:00Z", 2000, 0),
        ("2026-11-25T15:30:00Z", 2000, 0),  # a Wednesday
        ("2026-06-30T14:00:00Z", 2000, 7),  # summer time: 16:00 in Berlin
        ("2026-06-30T16:00:00Z", 2000, 0),
    ],
)
def test_e12_a_promotion_in_hours_of_the_programs_time_zone(
    placed_at: str, price: int, points: int
) -> None:
    happy = rule("happy", "per_order", give=7, **{"if": HAPPY_HOUR})
    shop = opened(document(happy, time_zone="Europe/Berlin"))
    assert earned(quote(shop, goods(price), placed_at=placed_at)) == points


@pytest.mark.parametrize(("hour", "points"), [("23:30", 1), ("01:59", 1), ("02:00", 0)])
def test_hours_may_pass_midnight(hour: str, points: int) -> None:
    night = {"hours": {"from": "22:00", "to": "02:00"}}
    shop = opened(document(rule("night", "per_order", **{"if": night})))
    assert earned(quote(shop, goods(1), placed_at=f"2026-11-24T{hour}:00Z")) == points


def test_c17_paying_by_gift_card_takes_nothing_away() -> None:
    paid = [{"kind": "gift_card", "amount": 5000}]
    shop = opened(document(rule("base", per=100)))
    assert earned(quote(shop, goods(10000), paid_with=paid)) == 100


def test_the_first_and_every_third_order() -> None:
    first = rule("first", "per_order", give=100, **{"if": {"purchase": {"exactly": 1}}})
    third = rule("third", "per_order", give=10, **{"if": {"purchase": {"every": 3}}})
    shop = opened(document(first, third))
    member = shop.enrol()
    gave = [earned(shop.order(member, str(n), goods(100))) for n in range(1, 8)]
    assert gave == [100, 0, 10, 0, 0, 10, 0]
    assert earned(shop.refund("7", "all")) == 0
    shop.refund("5", "all")  # five are left: the next is the sixth
    assert earned(shop.order(member, "8", goods(100))) == 10


def test_a_visit_is_a_business_day() -> None:
    shop = opened(document(rule("visit", "per_visit", give=3), time_zone="Europe/Berlin"))
    at(shop, "2026-11-24T21:30:00Z")
    member = shop.enrol()
    assert earned(shop.order(member, "1", goods(100))) == 3
    assert earned(shop.order(member, "2", goods(100))) == 0
    at(shop, "2026-11-24T23:00:00Z")  # midnight in Berlin
    assert earned(shop.order(member, "3", goods(100))) == 3
    shop.refund("3", "all")
    assert earned(shop.order(member, "4", goods(100))) == 3  # the visit that is left


RUN = {"run": {"properties": {"meters": "number", "indoor": "truth", "place": "text"}}}


def test_activities_of_any_type_with_typed_properties() -> None:
    shop = opened(
        document(
            rule("km", "per_activity", activity="run", property="meters", per=1000),
            rule(
                "outside", "per_activity", activity="run", give=5, **{"if": {"when": "not indoor"}}
            ),
            activities=RUN,
        )
    )
    member = shop.enrol()
    run = does(shop, member, "r1", "run", meters=5400, indoor=False, place="park")
    assert earned(run) == 10
    assert does(shop, member, "r1", "run", meters=5400, indoor=False, place="park").headers[
        "idempotent-replayed"
    ]
    again = does(shop, member, "r1", "run", meters=9999, indoor=False, place="park")
    assert (again.status, again.code) == (422, "different_request")
    assert earned(does(shop, member, "r2", "run", meters=999, indoor=True, place="x")) == 0
    unknown = does(shop, member, "r3", "swim")
    assert (unknown.status, unknown.code) == (422, "unknown_activity")
    for wrong in ({"meters": "far"}, {"indoor": 1}, {"meters": True}, {"speed": 3}):
        assert does(shop, member, "r4", "run", **wrong).status == 422, wrong
    assert shop.balance(member, "points") == 10


@pytest.mark.parametrize("per", ["day", "week", "month", "quarter", "year", "lifetime"])
def test_a_cap_of_points_in_a_period(per: str) -> None:
    capped = rule("base", per=100, caps=[{"per": per, "points": 50}])
    shop = opened(document(capped))
    at(shop, "2026-12-28T10:00:00Z")  # a Monday
    member = shop.enrol()
    assert earned(shop.order(member, "1", goods(3000))) == 30
    assert earned(shop.order(member, "2", goods(3000))) == 20
    assert earned(shop.order(member, "3", goods(3000))) == 0
    assert earned(shop.refund("2", "half", amount=1500)) == -10
    assert earned(shop.order(member, "4", goods(3000))) == 10
    last = {"day": "2026-12-28", "week": "2027-01-03", "month": "2026-12-31"}
    at(shop, f"{last.get(per, '2026-12-31')}T23:59:59Z")
    assert earned(shop.order(member, "5", goods(100))) == 0
    following = {"day": "2026-12-29", "week": "2027-01-04"}
    at(shop, f"{following.get(per, '2027-01-01')}T00:00:00Z")
    assert earned(shop.order(member, "6", goods(6000))) == (0 if per == "lifetime" else 50)


def test_a_cap_per_order_and_one_of_times() -> None:
    shop = opened(
        document(
            rule("base", per=100, caps=[{"per": "order", "points": 40}, {"per": "day", "times": 2}])
        )
    )
    member = shop.enrol()
    gave = [
        earned(shop.order(member, str(n), goods(price)))
        for n, price in enumerate((5000, 50, 3000, 100))
    ]
    assert gave == [40, 0, 30, 0]  # what gave nothing was no time


def test_an_edit_is_capped_as_if_it_had_come_at_once() -> None:
    capped = rule("base", per=100, caps=[{"per": "day", "points": 50}])
    shop = opened(document(capped))
    member = shop.enrol()
    body: dict[str, Any] = {"source": "till", "id": "1", "member_id": member, "currency": "EUR"}
    body |= {"placed_at": "2026-11-23T12:00:00Z", "status": "pending"}
    line = {"id": "1", "quantity": 1, "unit_price": 3000}
    assert shop.call("POST", "/v1/orders", {**body, "lines": [line]}).status == 201
    assert earned(shop.order(member, "2", goods(3000))) == 20
    paid = {**body, "status": "paid", "lines": [{**line, "unit_price": 9000}]}
    assert shop.call("POST", "/v1/orders", paid).status == 201
    assert shop.balance(member, "points") == 50  # 30 of the one, 20 of the other


def campaign(**more: Any) -> dict[str, Any]:
    double = {"id": "double", "currency": "points", "percent": 200, "campaign": "fair"}
    return document(rule("base", per=100), multipliers=[double], campaigns={"fair": more})


def test_a_campaign_begins_and_ends_with_its_days() -> None:
    shop = opened(campaign(starts="2027-01-08", ends="2027-02-25"))
    found = [
        earned(quote(shop, goods(1000), placed_at=f"{day}Z"))
        for day in (
            "2027-01-07T23:59:59",
            "2027-01-08T00:00:00",
            "2027-02-25T23:59:59",
            "2027-02-26T00:00:00",
        )
    ]
    assert found == [10, 20, 20, 10]


def test_a_campaign_on_trial_is_for_the_first_days_of_each_member() -> None:
    shop = opened(campaign(trial_days=30))
    ada = shop.enrol()
    at(shop, "2026-12-20T12:00:00Z")
    bob = shop.enrol(external_id="bob")
    at(shop, "2026-12-22T23:59:00Z")
    assert earned(quote(shop, goods(1000), member_id=ada)) == 20
    at(shop, "2026-12-23T00:00:00Z")
    assert earned(quote(shop, goods(1000), member_id=ada)) == 10
    assert earned(quote(shop, goods(1000), member_id=bob)) == 20


def test_a_holdout_is_the_same_share_of_members_always() -> None:
    shop = opened(campaign(holdout_percent=20))
    members = [shop.enrol(external_id=f"m{n}") for n in range(200)]
    first = [earned(quote(shop, goods(1000), member_id=one)) for one in members]
    again = [earned(quote(shop, goods(700), member_id=one)) for one in members]
    assert set(first) == {10, 20}
    assert [one == 10 for one in first] == [one == 7 for one in again]
    assert 20 <= first.count(10) <= 60


def budget(**limits: Any) -> dict[str, Any]:
    gift = rule("gift", "per_order", give=30, campaign="fair")
    return document(gift, campaigns={"fair": {"budget": limits}})


@pytest.mark.parametrize(
    ("limits", "gave"),
    [
        ({"points": 100}, [30, 30, 30, 10, 0]),
        ({"points": 100, "at_edge": "none"}, [30, 30, 30, 0, 0]),
        ({"times": 2}, [30, 30, 0, 0, 0]),
    ],
)
def test_a_budget_is_never_overspent(limits: Any, gave: list[int]) -> None:
    shop = opened(budget(**limits))
    members = [shop.enrol(external_id=f"m{n}") for n in range(5)]
    assert [earned(shop.order(one, one, goods(100))) for one in members] == gave
    shop.refund(members[0], "all")
    assert earned(shop.order(members[4], "more", goods(100))) == 30


def test_of_a_group_the_best_rule_pays_or_the_first() -> None:
    rules = (
        rule("small", "per_order", give=5, group="welcome", priority=1),
        rule("large", per=100, group="welcome"),
    )
    best = opened(document(*rules, groups={"welcome": {"pays": "best"}}))
    assert [earned(quote(best, goods(price))) for price in (300, 700)] == [5, 7]
    first = opened(document(*rules, groups={"welcome": {"pays": "first"}}))
    quoted = quote(first, goods(700))
    assert earned(quoted) == 5
    assert why(quoted, "large") == "small pays for the group welcome"


def test_of_a_group_of_multipliers_the_largest_counts() -> None:
    two = {"id": "two", "currency": "points", "percent": 200, "group": "g"}
    three = {"id": "three", "currency": "points", "percent": 300, "group": "g"}
    shop = opened(document(rule("base", per=100), multipliers=[two, three], groups={"g": {}}))
    assert earned(quote(shop, goods(500))) == 15


def test_bonuses_may_come_before_the_multipliers() -> None:
    shop = opened(
        document(
            rule("base", per=100),
            rule("bonus", "per_order", give=10),
            multipliers=[{"id": "two", "currency": "points", "percent": 200}],
            evaluation={"order": "bonus_then_multiply"},
        )
    )
    assert earned(quote(shop, goods(500))) == 30


def test_a_multiplied_order_comes_back_exactly_and_in_parts() -> None:
    shop = opened(
        document(
            rule("base", per=100),
            multipliers=[
                {"id": "red", "currency": "points", "percent": 250, "include": {"labels": ["red"]}}
            ],
        )
    )
    member = shop.enrol()
    gave = earned(shop.order(member, "1", goods(333, 3, labels=["red"]), goods(777)))
    assert gave == 32  # 24.975 of the red ones and 7.77
    back = [earned(shop.refund("1", f"r{n}", lines=[{"id": "1", "quantity": 1}])) for n in range(3)]
    assert sum(back) == -24  # their share of 32 is 24.4
    rest = earned(shop.refund("1", "rest"))
    assert sum(back) + rest == -gave
    assert shop.balance(member, "points") == 0


def test_a_carried_remainder_is_multiplied_too() -> None:
    shop = opened(
        document(
            rule("base", per=1000, carry_remainder=True),
            multipliers=[{"id": "two", "currency": "points", "percent": 200}],
        )
    )
    member = shop.enrol()
    gave = [earned(shop.order(member, str(n), goods(700))) for n in range(3)]
    assert gave == [1, 1, 2]  # 14.00, 28.00, 42.00
    for n in range(3):
        shop.refund(str(n), "all")
    assert shop.balance(member, "points") == 0


def test_when_reads_what_names_cannot_say() -> None:
    when = "total - shipping * 2 >= 1000 and ('tea' in categories or units % 3 == 0)"
    shop = opened(document(rule("odd", "per_order", give=9, **{"if": {"when": when}})))
    tea = goods(1000, categories=["tea"])
    assert earned(quote(shop, tea)) == 9
    assert earned(quote(shop, tea, shipping=1)) == 0
    assert earned(quote(shop, goods(400, 3))) == 9
    assert earned(quote(shop, goods(500, 2))) == 0


def test_conditions_are_combined() -> None:
    wanted = {
        "any": [{"channels": ["app"]}, {"all": [{"stores": ["berlin"]}, {"min_units": 2}]}],
        "not": {"labels": ["sale"]},
    }
    shop = opened(document(rule("odd", "per_order", give=9, **{"if": wanted})))
    assert earned(quote(shop, goods(1), channel="app")) == 9
    assert earned(quote(shop, goods(1, labels=["sale"]), channel="app")) == 0
    assert earned(quote(shop, goods(1, 2), store="berlin")) == 9
    quoted = quote(shop, goods(1), store="berlin")
    assert earned(quoted) == 0
    assert why(quoted, "odd") == "none of these: only with channel app; 1 units, fewer than 2"


def test_a_rule_change_decides_what_was_placed_since() -> None:
    shop: Shop = opened(document(rule("base", per=100)))
    member = shop.enrol()
    at(shop, "2026-11-24T12:00:00Z")
    publish(shop, document(rule("base", per=50)))
    assert earned(shop.order(member, "old", goods(1000), placed_at="2026-11-24T11:00:00Z")) == 10
    assert earned(shop.order(member, "new", goods(1000))) == 20
    assert earned(shop.refund("old", "all")) == -10


def test_a_quote_explains_multipliers_too_and_knows_what_is_left_of_a_budget() -> None:
    app = {"if": {"channels": ["app"]}}
    shop = opened(
        document(
            rule("base", per=100),
            rule("gift", "per_order", give=30, campaign="fair"),
            multipliers=[{"id": "app", "currency": "points", "percent": 200, **app}],
            campaigns={"fair": {"budget": {"points": 40}}},
        )
    )
    member = shop.enrol()
    quoted = quote(shop, goods(1000), member_id=member)
    assert (earned(quoted), why(quoted, "app")) == (40, "only with channel app")
    quoted = quote(shop, goods(1000), member_id=member, channel="app")
    assert (earned(quoted), why(quoted, "app")) == (50, "x 2 (app)")
    assert why(quoted, "base") == "1 for each 1.00 of 20.00 EUR, multiplied: x 2 (app)"
    shop.order(member, "1", goods(1000))
    quoted = quote(shop, goods(1000), member_id=member)
    assert earned(quoted) == 20
    assert why(quoted, "gift") == "30 for the order; the campaign's budget is used up"
    shop.order(member, "2", goods(1000))
    assert why(quote(shop, goods(1000)), "gift") == "the campaign's budget is used up"


def test_an_edit_at_the_edge_of_a_budget_keeps_what_the_order_had() -> None:
    shop = opened(
        document(
            rule("gift", per=100, campaign="fair"), campaigns={"fair": {"budget": {"points": 35}}}
        )
    )
    member = shop.enrol()
    placed_at = "2026-11-23T12:00:00Z"
    assert earned(shop.order(member, "1", goods(3000), placed_at=placed_at)) == 30
    assert edited(shop, member, "1", goods(9000), placed_at=placed_at).status == 200
    assert shop.balance(member, "points") == 35
    assert earned(shop.order(member, "2", goods(3000))) == 0
    assert edited(shop, member, "1", goods(1000), placed_at=placed_at).status == 200
    assert shop.balance(member, "points") == 10
    assert earned(shop.order(member, "3", goods(9000))) == 25


def test_an_edit_is_decided_by_what_was_known_when_the_order_came() -> None:
    gold = {"if": {"tiers": ["gold"]}}
    shop = opened(
        document(
            rule("base", per=100),
            rule("more", "per_order", give=1000, **gold),
            counters={"spend": {"of": "spend"}},
            tiers={"levels": [{"id": "gold", "label": "Gold", "at_least": {"spend": 1000}}]},
        )
    )
    member = shop.enrol()
    placed_at = "2026-11-23T12:00:00Z"
    shop.order(member, "1", goods(1000), placed_at=placed_at)
    assert edited(shop, member, "1", goods(2000), placed_at=placed_at).status == 200
    assert shop.balance(member, "points") == 20  # he was not gold then


def test_the_same_story_makes_the_same_bytes() -> None:
    def played() -> list[bytes]:
        shop = opened(
            document(
                rule("base", per=70, caps=[{"per": "day", "points": 90}]),
                rule("third", "per_order", give=5, **{"if": {"purchase": {"every": 3}}}),
                multipliers=[{"id": "two", "currency": "points", "percent": 150}],
                counters={"spend": {"of": "spend", "window": {"rolling_days": 30}}},
                tiers={"levels": [{"id": "gold", "label": "Gold", "at_least": {"spend": 5000}}]},
            )
        )
        member = shop.enrol()
        for number in range(6):
            shop.clock.at += 7 * 86_400_000
            shop.order(member, str(number), goods(1999, 2, categories=["b", "a"]))
        shop.refund("4", "r", amount=1000)
        store = shop.runtime.context.store
        log = store.ledger.entries(LogKey(shop.program_id, member), None, 99)
        return [one.body for one in log]

    assert played() == played()
