"""Points that end, and points that wait: facts of time, whoever looks and whenever."""

from datetime import date
from typing import Any

import pytest

from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.program.expiry import EndOf, Expiry
from chalicelib.kernel.clock import DAY, from_rfc3339
from tests.fakes.shop import Reply, Shop, goods


def program(expires: Any = None, **rule: Any) -> dict[str, Any]:
    """One point for one euro."""
    currency: dict[str, Any] = {"label": "Points"}
    if expires:
        currency["expires"] = expires
    basis = {"tax": "included"}
    return {
        "name": "Expiry",
        "time_zone": "UTC",
        "money": "EUR",
        "currencies": {"points": currency},
        "earn": [
            {
                "id": "all",
                "kind": "per_amount",
                "currency": "points",
                "per": 100,
                "basis": basis,
                **rule,
            }
        ],
        "rewards": [
            {
                "id": "one",
                "kind": "product",
                "name": "One",
                "cost": {"currency": "points", "amount": 1},
            }
        ],
    }


def opened(shop: Shop, document: dict[str, Any]) -> str:
    assert shop.call("POST", "/v1/programs", document).status == 201
    return shop.enrol()


def give(shop: Shop, member: str, amount: int, **more: Any) -> Reply:
    body = {"currency": "points", "amount": amount, "reason": "a test", **more}
    keys = shop.__dict__.setdefault("keys", iter(range(10**6)))
    headers = {"idempotency-key": f"adjust-{next(keys)}"}
    return shop.call("POST", f"/v1/members/{member}/adjustments", body, headers=headers)


def spend(shop: Shop, member: str, amount: int) -> Reply:
    keys = shop.__dict__.setdefault("keys", iter(range(10**6)))
    return shop.redeem(member, "one", f"spend-{next(keys)}", amount)


def held(shop: Shop, member: str) -> dict[str, Any]:
    reply = shop.call("GET", f"/v1/members/{member}/account")
    assert reply.status == 200, reply.raw
    return dict(reply.json["balances"]["points"])


def at(shop: Shop, day: str) -> None:
    shop.clock.at = from_rfc3339(f"{day}T12:00:00Z")


@pytest.mark.parametrize(
    ("expiry", "earned", "gone"),
    [
        (Expiry(months=12, end_of=EndOf.MONTH), "2020-07-06", "2021-08-01"),  # E06
        (Expiry(months=6, end_of=EndOf.MONTH), "2020-12-15", "2021-07-01"),  # Starbucks
        (Expiry(months=1), "2027-01-31", "2027-02-28"),
        (Expiry(months=1), "2028-01-31", "2028-02-29"),
        (Expiry(months=12), "2028-02-29", "2029-02-28"),
        (Expiry(days=90), "2027-01-01", "2027-04-01"),
        (Expiry(days=1, end_of=EndOf.MONTH), "2027-01-31", "2027-03-01"),
        (Expiry(months=24, end_of=EndOf.YEAR), "2027-05-05", "2030-01-01"),
    ],
)
def test_validity_is_counted_in_days_months_and_years(
    expiry: Expiry, earned: str, gone: str
) -> None:
    assert date.fromordinal(expiry.day(date.fromisoformat(earned))) == date.fromisoformat(gone)


def test_validity_beyond_the_calendar_never_ends() -> None:
    assert Expiry(months=1200).day(date(9990, 1, 1)) == 0


def test_b08_the_account_says_what_ends_when(shop: Shop) -> None:
    ada = opened(shop, program())
    for amount, day in ((100, "2027-02-01"), (200, "2027-06-01"), (50, None)):
        assert give(shop, ada, amount, **({"expires_on": day} if day else {})).status == 201
    assert held(shop, ada)["expiring"] == [
        {"amount": 100, "at": "2027-02-01T00:00:00Z"},
        {"amount": 200, "at": "2027-06-01T00:00:00Z"},
    ]
    at(shop, "2027-03-01")
    assert held(shop, ada)["available"] == 250
    at(shop, "2027-07-01")
    assert held(shop, ada)["available"] == 50


def test_c11_the_oldest_points_are_spent_first_and_the_rest_ends_with_its_own_days(
    shop: Shop,
) -> None:
    ada = opened(shop, program({"days": 90}))
    shop.order(ada, "1", goods(57_500))
    spend(shop, ada, 500)
    shop.clock.at += 30 * DAY
    shop.order(ada, "2", goods(80_500))
    spend(shop, ada, 500)
    assert held(shop, ada)["available"] == 380
    shop.clock.at += 89 * DAY
    assert held(shop, ada)["available"] == 380
    shop.clock.at += 2 * DAY
    assert held(shop, ada)["available"] == 0


def test_a19_what_is_over_cannot_be_spent(shop: Shop) -> None:
    at(shop, "2026-01-01")
    ada = opened(shop, program({"months": 12}))
    shop.order(ada, "1", goods(30_000))
    at(shop, "2026-02-01")
    shop.order(ada, "2", goods(20_000))
    assert spend(shop, ada, 200).status == 201
    at(shop, "2027-02-02")
    assert spend(shop, ada, 1).code == "insufficient_balance"


def test_an_expiry_is_one_entry_at_its_own_moment_however_late_it_is_written(shop: Shop) -> None:
    ada = opened(shop, program({"days": 10}))
    shop.order(ada, "1", goods(5000))
    shop.clock.at += 400 * DAY
    assert held(shop, ada)["available"] == 0
    kinds = [one["kind"] for one in entries(shop, ada)]
    assert kinds == ["order", "enrolled"], "looking writes nothing"
    give(shop, ada, 7)
    told = entries(shop, ada)
    assert [one["kind"] for one in told] == ["adjustment", "expired", "order", "enrolled"]
    assert told[1]["effects"][0]["amount"] == -50
    assert told[1]["recorded_at"] == "2026-12-03T00:00:00Z"
    assert told[1]["ref"].startswith("time:expire#")
    assert [one["note"] for one in told] == ["a test", None, None, None]


def entries(shop: Shop, member: str) -> list[dict[str, Any]]:
    return list(shop.call("GET", f"/v1/members/{member}/entries").json["data"])


def test_the_bytes_are_the_same_whenever_the_fact_is_written(shop: Shop) -> None:
    ada, bob = opened(shop, program({"days": 10})), shop.enrol()
    for member in (ada, bob):
        shop.order(member, member, goods(5000))
    bodies = []
    for member, later in ((ada, 11), (bob, 400)):
        shop.clock.at += later * DAY
        give(shop, member, 1)
        log = shop.runtime.context.store.ledger.entries(LogKey(shop.program_id, member), None, 9)
        bodies.append(log[1].body)
    assert bodies[0] == bodies[1]


def test_a_day_ends_with_the_programs_day(shop: Shop) -> None:
    document = {**program({"days": 1}), "time_zone": "Pacific/Auckland"}
    shop.clock.at = from_rfc3339("2027-01-01T10:59:00Z")  # 23:59 in Auckland
    ada = opened(shop, document)
    shop.order(ada, "1", goods(1000))
    shop.clock.at = from_rfc3339("2027-01-01T10:59:59Z")
    assert held(shop, ada)["available"] == 10
    shop.clock.at = from_rfc3339("2027-01-01T11:00:00Z")
    assert held(shop, ada)["available"] == 0


def test_points_that_live_as_long_as_their_member_is_active(shop: Shop) -> None:
    ada = opened(shop, program({"days": 100, "since": "last_activity"}))
    shop.order(ada, "1", goods(1000))
    shop.clock.at += 90 * DAY
    shop.order(ada, "2", goods(100))
    shop.clock.at += 90 * DAY
    assert spend(shop, ada, 1).status == 201
    shop.clock.at += 99 * DAY
    assert held(shop, ada)["available"] == 10
    shop.clock.at += 2 * DAY
    assert held(shop, ada)["available"] == 0


def test_an_old_order_may_bring_what_is_over_already(shop: Shop) -> None:
    ada = opened(shop, program({"days": 10}))
    placed = "2026-11-23T12:00:00Z"
    shop.clock.at += 30 * DAY
    late = shop.order(ada, "1", goods(5000), placed_at=placed)
    assert late.json["effects"][0]["amount"] == 50
    assert held(shop, ada)["available"] == 0
    assert spend(shop, ada, 1).code == "insufficient_balance"


# --- pending ------------------------------------------------------------------------------------


def test_pending_points_can_be_spent_after_their_days(shop: Shop) -> None:
    ada = opened(shop, program(pending={"days": 14}))
    order = shop.order(ada, "1", goods(5000))
    assert order.json["effects"][0]["state"] == "pending"
    assert (held(shop, ada)["available"], held(shop, ada)["pending"]) == (0, 50)
    assert spend(shop, ada, 1).code == "insufficient_balance"
    shop.clock.at += 14 * DAY
    assert (held(shop, ada)["available"], held(shop, ada)["pending"]) == (50, 0)
    assert spend(shop, ada, 1).status == 201
    kinds = [one["kind"] for one in entries(shop, ada)]
    assert kinds == ["redemption", "confirmed", "order", "enrolled"]


def test_a_refund_takes_pending_points_back_before_any_other(shop: Shop) -> None:
    ada = opened(shop, program(pending={"days": 14}))
    give(shop, ada, 5)
    shop.order(ada, "1", goods(5000))
    shop.refund("1", "r", lines=[{"id": "1", "quantity": 1}])
    assert held(shop, ada) == {
        "label": "Points",
        "available": 5,
        "pending": 0,
        "reserved": 0,
        "debt": 0,
        "expiring": [],
    }


def test_debt_is_paid_when_points_are_confirmed_and_not_before(shop: Shop) -> None:
    ada = opened(shop, program(pending={"days": 14}))
    assert give(shop, ada, -20).code == "insufficient_balance"
    assert give(shop, ada, -20, allow_debt=True).status == 201
    shop.order(ada, "1", goods(5000))
    assert (held(shop, ada)["pending"], held(shop, ada)["debt"]) == (50, 20)
    shop.clock.at += 15 * DAY
    assert (held(shop, ada)["available"], held(shop, ada)["debt"]) == (30, 0)


# --- by hand ------------------------------------------------------------------------------------


def test_b01_b02_b07_points_by_hand(shop: Shop) -> None:
    ada = opened(shop, program())
    assert give(shop, ada, 50).json["balances"]["points"]["available"] == 50
    assert give(shop, ada, -80, allow_debt=True).json["balances"]["points"]["debt"] == 30
    assert give(shop, ada, 100).json["balances"]["points"] == {
        "available": 70,
        "pending": 0,
        "reserved": 0,
        "debt": 0,
    }


def test_an_adjustment_is_made_once_for_ever(shop: Shop) -> None:
    ada = opened(shop, program())
    path = f"/v1/members/{ada}/adjustments"
    body = {"currency": "points", "amount": 10, "reason": "sorry"}
    headers = {"idempotency-key": "sorry-1"}
    first = shop.call("POST", path, body, headers=headers)
    again = shop.call("POST", path, body, headers=headers)
    assert again.json == first.json
    assert again.headers["idempotent-replayed"] == "true"
    other = shop.call("POST", path, {**body, "amount": 11}, headers=headers)
    assert other.code == "different_request"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"amount": 10**12 + 1}, "amount"),
        ({"currency": "stars"}, "currency"),
        ({"reason": ""}, "reason"),
        ({"expires_on": "2027-02-30"}, "expires_on"),
        ({"expires_on": "soon"}, "expires_on"),
        ({"amount": -1, "expires_on": "2027-02-01"}, "expires_on"),
    ],
)
def test_a_bad_adjustment_is_refused(shop: Shop, change: dict[str, Any], field: str) -> None:
    ada = opened(shop, program())
    reply = give(shop, ada, **{"amount": 5, **change})
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, field)
    assert len(entries(shop, ada)) == 1


@pytest.mark.parametrize(
    ("expires", "field"),
    [
        ({}, "currencies.points.expires"),
        ({"days": 1, "months": 1}, "currencies.points.expires"),
        ({"days": 0}, "currencies.points.expires.days"),
        ({"days": 1, "end_of": "week"}, "currencies.points.expires.end_of"),
    ],
)
def test_a_validity_that_means_nothing_is_refused(
    shop: Shop, expires: dict[str, Any], field: str
) -> None:
    document = program()
    document["currencies"]["points"]["expires"] = expires
    reply = shop.call("POST", "/v1/programs", document)
    assert [one["field"] for one in reply.json["errors"]] == [field]
