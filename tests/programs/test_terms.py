"""Versions of terms and of the privacy notice, and the catalogue as a member sees it."""

from typing import Any

from tests.fakes.rules import at, document, opened, publish, rule
from tests.fakes.shop import Shop, goods

BASE = rule("base", per=100)
TERMS: dict[str, Any] = {
    "terms": [
        {"version": "2026-01", "since": "2026-01-01"},
        {"version": "2027-01", "since": "2027-01-01"},
    ],
    "privacy": [{"version": "p1", "since": "2026-06-01"}],
}


def current(shop: Shop) -> tuple[Any, Any]:
    shown = shop.call("GET", "/v1/programs/current").json
    return shown["terms_version"], shown["privacy_version"]


def test_terms_have_versions_with_days_and_are_accepted_with_a_date() -> None:
    shop = opened(document(BASE, **TERMS))
    at(shop, "2026-12-31T23:59:59Z")
    assert current(shop) == ("2026-01", "p1")
    refused = shop.call("POST", "/v1/members", {"terms_version": "1999"})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "terms_version")
    ada = shop.enrol(terms_version="2026-01", privacy_version="p1")
    at(shop, "2027-01-01T00:00:00Z")
    assert current(shop) == ("2027-01", "p1")
    path = f"/v1/members/{ada}"
    assert shop.call("PATCH", path, {"terms_version": "2028-01"}).status == 422
    assert shop.call("PATCH", path, {"terms_version": "2027-01"}).status == 200
    said = shop.call("GET", f"{path}/consents").json["history"]
    accepted = [(one["version"], one["given_at"]) for one in said if one["purpose"] == "terms"]
    assert sorted(accepted) == [
        ("2026-01", "2026-12-31T23:59:59Z"),
        ("2027-01", "2027-01-01T00:00:00Z"),
    ]


def test_what_was_accepted_once_is_no_obstacle_later() -> None:
    shop = opened(document(BASE))
    ada = shop.enrol(terms_version="anything")
    publish(shop, document(BASE, **TERMS))
    changed = shop.call("PATCH", f"/v1/members/{ada}", {"given_name": "Augusta"})
    assert changed.status == 200
    assert current(shop)[0] == "2026-01"


def test_the_catalogue_says_what_a_member_can_have_and_why_not_the_rest() -> None:
    mug = {"id": "mug", "kind": "product", "name": "Mug"}
    mug["cost"] = {"currency": "points", "amount": 10}  # type: ignore[assignment]
    shop = opened(
        document(
            BASE,
            rewards=[
                mug,
                {**mug, "id": "pot", "cost": {"currency": "points", "amount": 11}},
                {**mug, "id": "staff", "segments": ["staff"]},
                {"id": "hello", "kind": "gift", "name": "Hello", "sku": "TOTE", "voucher": {}},
            ],
            segments={"staff": {"attributes": {"staff": [True]}}},
        )
    )
    ada = shop.enrol()
    shop.order(ada, "1", goods(1000))
    found = shop.call("GET", f"/v1/members/{ada}/rewards").json["rewards"]
    assert [(one["id"], one["available"], one["code"]) for one in found] == [
        ("mug", True, None),
        ("pot", False, "insufficient_balance"),
        ("staff", False, "not_eligible"),
        ("hello", True, None),
    ]
    assert found[1]["why"] == "11 points are needed, 10 are available"
    assert (found[3]["kind"], found[3]["currency"], found[3]["voucher"]) == ("gift", None, True)
