"""What the calendar brings: birthdays, anniversaries, absences, conversions; each once."""

from typing import Any

import pytest

from chalicelib.services.sweeps import settle_member
from tests.fakes.rules import account, at, document, opened, publish, rule
from tests.fakes.shop import Shop, goods

BASE = rule("base", per=100)


def on(name: str, occasion: str, give: int = 50, **more: Any) -> dict[str, Any]:
    return rule(name, "on_occasion", occasion=occasion, give=give, **more)


def swept(shop: Shop, member: str, moment: str) -> int:
    """The points after the due queue's worker looked at the member."""
    at(shop, moment)
    settle_member(shop.runtime.context, shop.program_id, member)
    return shop.balance(member, "points")


def due(shop: Shop, member: str) -> int:
    row = shop.runtime.context.store.dues.of(shop.program_id, member)
    assert row is not None
    return row.at


def test_a_birthday_is_celebrated_once_a_year_at_midnight_of_the_shop() -> None:
    shop = opened(document(BASE, on("gift", "birthday"), time_zone="Europe/Berlin"))
    ada = shop.enrol(birthday="1990-12-01")
    assert swept(shop, ada, "2026-11-30T22:59:59Z") == 0
    shop.clock.at = due(shop, ada)
    assert shop.clock.at == 1796079600000  # 2026-11-30T23:00:00Z
    settle_member(shop.runtime.context, shop.program_id, ada)
    assert shop.balance(ada, "points") == 50
    assert swept(shop, ada, "2026-12-05T12:00:00Z") == 50
    changed = shop.call("PATCH", f"/v1/members/{ada}", {"birthday": "1990-12-06"})
    assert changed.status == 200
    assert swept(shop, ada, "2026-12-06T12:00:00Z") == 50  # one a year
    assert swept(shop, ada, "2027-12-08T12:00:00Z") == 100  # two days late


def test_a_birthday_before_joining_or_too_long_ago_is_none() -> None:
    shop = opened(document(BASE, on("gift", "birthday")))
    ada = shop.enrol(birthday="1990-11-22")
    bob = shop.enrol(external_id="b", birthday="1990-12-01")
    eve = shop.enrol(external_id="e", birthday="1990-11-23")  # joins on the day itself
    assert swept(shop, eve, "2026-11-24T12:00:00Z") == 50
    assert swept(shop, ada, "2026-11-24T12:00:00Z") == 0
    assert swept(shop, bob, "2027-01-15T12:00:00Z") == 0


def test_a_birthday_gift_by_tier() -> None:
    gold = {"if": {"tiers": ["gold"]}}
    shop = opened(
        document(
            BASE,
            on("gift", "birthday", 10),
            on("more", "birthday", 90, **gold),
            counters={"spend": {"of": "spend"}},
            tiers={"levels": [{"id": "gold", "label": "Gold", "at_least": {"spend": 1000}}]},
        )
    )
    ada, bob = shop.enrol(birthday="1990-12-01"), shop.enrol(external_id="b", birthday="1990-12-01")
    shop.order(ada, "1", goods(1000))
    assert swept(shop, ada, "2026-12-01T00:00:00Z") == 10 + 100
    assert swept(shop, bob, "2026-12-01T00:00:00Z") == 10


def test_29_february_is_celebrated_on_28_in_other_years() -> None:
    shop = opened(document(BASE, on("gift", "birthday")))
    ada = shop.enrol(birthday="2000-02-29")
    assert swept(shop, ada, "2027-02-27T12:00:00Z") == 0
    assert swept(shop, ada, "2027-02-28T00:00:00Z") == 50
    assert swept(shop, ada, "2028-02-28T12:00:00Z") == 50
    assert swept(shop, ada, "2028-02-29T00:00:00Z") == 100


def test_anniversaries_of_joining_and_of_the_first_purchase() -> None:
    shop = opened(
        document(
            BASE,
            on("joined", "joining_anniversary", 7),
            on("third", "joining_anniversary", 100, year=3),
            on("bought", "first_purchase_anniversary", 1000),
        )
    )
    ada = shop.enrol()  # 2026-11-23
    at(shop, "2026-12-24T12:00:00Z")
    shop.order(ada, "1", goods(50))
    shop.order(ada, "2", goods(50))

    def points(moment: str) -> int:
        at(shop, moment)
        return shop.balance(ada, "points")

    assert points("2027-11-22T23:59:59Z") == 0
    assert points("2027-11-23T00:00:00Z") == 7
    assert points("2027-12-24T00:00:00Z") == 1007
    assert points("2029-11-23T00:00:00Z") == 1007 + 7 + 1000 + 7 + 100
    assert swept(shop, ada, "2029-11-23T00:00:00Z") == points("2029-11-23T00:00:00Z")
    assert swept(shop, ada, "2029-11-23T10:00:00Z") == 2121
    statement = shop.call("GET", f"/v1/members/{ada}/entries").json["data"]
    assert [row["kind"] for row in statement][:3] == ["celebrated", "celebrated", "celebrated"]
    assert statement[0]["effects"][0]["why"].endswith("for joining anniversary")


def test_a_long_absence_is_answered_once_and_again_after_the_next() -> None:
    shop = opened(document(BASE, on("miss_you", "inactivity", 20, after_days=90)))
    ada = shop.enrol()
    at(shop, "2026-12-01T12:00:00Z")
    shop.order(ada, "1", goods(100))
    at(shop, "2027-02-28T23:59:59Z")
    assert shop.balance(ada, "points") == 1
    at(shop, "2027-03-01T00:00:00Z")
    assert shop.balance(ada, "points") == 21
    at(shop, "2027-12-01T00:00:00Z")
    assert shop.balance(ada, "points") == 21
    shop.order(ada, "2", goods(100))
    at(shop, "2028-02-29T00:00:00Z")
    assert shop.balance(ada, "points") == 42


TESCO: dict[str, Any] = {
    "currencies": {
        "points": {"label": "Points"},
        "vouchers": {"label": "Vouchers", "expires": {"years": 2, "end_of": "month"}},
    },
    "exchanges": [
        {"id": "quarterly", "source": "points", "take": 150, "target": "vouchers", "give": 150}
    ],
    "conversions": [{"exchange": "quarterly", "days": ["02-10", "05-10", "08-10", "11-10"]}],
}


def held(shop: Shop, member: str) -> tuple[int, int]:
    balances = account(shop, member)["balances"]
    return balances["points"]["available"], balances["vouchers"]["available"]


def test_points_become_vouchers_by_themselves_on_their_days() -> None:
    shop = opened(document(BASE, **TESCO))
    ada = shop.enrol()
    shop.order(ada, "1", goods(14900))
    at(shop, "2027-02-10T12:00:00Z")
    assert held(shop, ada) == (149, 0)
    shop.order(ada, "2", goods(31100))
    assert held(shop, ada) == (460, 0)  # the day has begun without enough
    at(shop, "2027-05-09T23:59:59Z")
    assert held(shop, ada) == (460, 0)
    at(shop, "2027-05-10T00:00:00Z")
    assert held(shop, ada) == (10, 450)
    expiring = account(shop, ada)["balances"]["vouchers"]["expiring"]
    assert expiring == [{"amount": 450, "at": "2029-06-01T00:00:00Z"}]
    assert swept(shop, ada, "2027-06-01T12:00:00Z") == 10
    assert held(shop, ada) == (10, 450)


def test_a_conversion_is_at_the_rate_of_its_day() -> None:
    shop = opened(document(BASE, **TESCO))
    ada = shop.enrol()
    shop.order(ada, "1", goods(30000))
    at(shop, "2027-03-01T12:00:00Z")
    assert held(shop, ada) == (0, 300)
    shop.order(ada, "2", goods(30000))
    half = {**TESCO, "exchanges": [{**TESCO["exchanges"][0], "give": 75}]}
    publish(shop, document(BASE, **half))
    at(shop, "2027-06-01T12:00:00Z")
    assert held(shop, ada) == (0, 450)


@pytest.mark.parametrize("sweeps", [1, 3])
def test_a_late_sweep_writes_the_same_as_one_in_time(sweeps: int) -> None:
    shop = opened(document(BASE, on("joined", "joining_anniversary", 160), **TESCO))
    ada = shop.enrol()
    moments = ["2027-06-01T12:00:00Z", "2027-12-01T12:00:00Z", "2029-01-01T12:00:00Z"][-sweeps:]
    for moment in moments:
        swept(shop, ada, moment)
    rows = shop.call("GET", f"/v1/members/{ada}/entries").json["data"]
    told = [(row["recorded_at"], row["kind"]) for row in reversed(rows)]
    assert told[1:] == [
        ("2027-11-23T00:00:00Z", "celebrated"),
        ("2028-02-10T00:00:00Z", "converted"),
        ("2028-11-23T00:00:00Z", "celebrated"),
    ]
    assert held(shop, ada) == (170, 150)
