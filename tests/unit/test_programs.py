"""Program documents: every mistake is told with its line; versions never change."""

from typing import Any

import pytest

from chalicelib.adapters.documents import Unreadable, read_document
from tests.fakes.shop import ROOT, Shop, drink

GOOD = """name: Coffee
time_zone: Europe/Berlin
money: EUR
currencies:
  points: {label: Points}
earn:
  - id: all
    kind: per_amount
    currency: points
    per: 100
rewards:
  - {id: mug, kind: product, name: Mug, cost: {currency: points, amount: 10}}
"""


def publish(shop: Shop, text: str) -> Any:
    return shop.call("POST", "/v1/programs", text.encode(), headers={"content-type": "text/yaml"})


@pytest.mark.parametrize(
    ("old", "new", "field", "line"),
    [
        ("name: Coffee", "name: ", "name", 1),
        ("name: Coffee", "nam: Coffee", "nam", 1),
        ("Europe/Berlin", "Europe/Atlantis", "time_zone", 2),
        ("Europe/Berlin", "../../etc/passwd", "time_zone", 2),
        ("EUR", "EURO", "money", 3),
        ("{label: Points}", "{label: Points, goal: 0}", "currencies.points.goal", 5),
        ("  points: {", "  Points: {", "currencies", 5),
        ("id: all", "id: All", "earn[0].id", 7),
        ("per_amount", "per_hour", "earn[0].kind", 8),
        ("currency: points\n    per", "currency: stars\n    per", "earn[0].currency", 9),
        ("per: 100", "per: 0", "earn[0].per", 10),
        ("per: 100", "per: 1.5", "earn[0].per", 10),
        ("per: 100", "per: .inf", "earn[0].per", 10),
        ("per: 100", "points: 100", "earn[0].points", 10),
        ("per: 100", "include: {}", "earn[0].include", 10),
        ("per: 100", "rounding: up", "earn[0].rounding", 10),
        ("amount: 10}", "amount: -1}", "rewards[0].cost.amount", 12),
        ("{currency: points, a", "{currency: stars, a", "rewards[0].cost.currency", 12),
    ],
)
def test_a_mistake_is_told_with_its_path_and_line(
    shop: Shop, old: str, new: str, field: str, line: int
) -> None:
    assert old in GOOD
    reply = publish(shop, GOOD.replace(old, new))
    assert (reply.status, reply.code) == (422, "invalid_program")
    told = {(one["field"], one.get("line")) for one in reply.json["errors"]}
    assert (field, line) in told, reply.raw
    assert all(one["reason"] for one in reply.json["errors"])
    assert shop.call("GET", "/v1/programs").json["data"] == []


def test_all_mistakes_are_told_at_once(shop: Shop) -> None:
    text = GOOD.replace("EUR", "EURO").replace("currency: points\n    per: 100", "currency: stars")
    reply = publish(shop, text.replace("amount: 10", "amount: 10}, extra: {"))
    assert len(reply.json["errors"]) >= 1
    both = publish(shop, text)
    assert [(one["field"], one["line"]) for one in both.json["errors"]] == [
        ("money", 3),
        ("earn[0].currency", 9),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: a\nname: b\n", 2),
        ("a: &x [1]\nb: *x\n", 1),
        ("a: {<<: {b: 1}}\n", 1),
        ("? [a]\n: b\n", 1),
        ("name: [\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("when: 2026-02-30\n", 1),
        ("x: !!python/object/apply:os.system [true]\n", 1),
        ("", 1),
        ("[" * 50 + "]" * 50, 1),
    ],
)
def test_yamls_traps_are_refused_with_their_line(text: str, line: int) -> None:
    with pytest.raises(Unreadable) as caught:
        read_document(text.encode())
    assert caught.value.error.line in (line, None)
    assert caught.value.error.reason


def test_bytes_that_are_no_text_are_refused(shop: Shop) -> None:
    reply = shop.call(
        "POST", "/v1/programs", b"name: \xff", headers={"content-type": "application/yaml"}
    )
    assert (reply.status, reply.code) == (422, "invalid_program")
    assert publish(shop, "- a list").status == 422
    assert publish(shop, "just text").status == 422


def test_a_program_that_would_outgrow_its_entries_is_refused_saying_what_costs_what(
    shop: Shop,
) -> None:
    rule = """  - id: rule_{0}
    kind: per_unit
    currency: points
    carry_remainder: true
"""
    start, end = GOOD.split("  - id: all")[0], "rewards: []\n"
    few = start + "".join(rule.format(number) for number in range(20)) + end
    assert publish(shop, few).status == 201
    many = start + "".join(rule.format(number) for number in range(200)) + end
    reply = publish(shop, many)
    assert reply.code == "invalid_program"
    assert "4096" in reply.json["errors"][0]["reason"]
    assert reply.json["errors"][0]["field"] == "earn"


def test_versions_are_immutable_listed_and_paged(shop: Shop) -> None:
    for number in range(3):
        assert publish(shop, GOOD.replace("Mug", f"Mug {number}")).json["version"] == number + 1
    again = publish(shop, GOOD.replace("Mug", "Mug 2"))
    assert (again.json["version"], again.headers["idempotent-replayed"]) == (3, "true")
    first = shop.call("GET", "/v1/programs", query={"limit": "2"}).json
    assert [one["version"] for one in first["data"]] == [3, 2]
    rest = shop.call("GET", "/v1/programs", query={"cursor": first["next_cursor"]}).json
    assert ([one["version"] for one in rest["data"]], rest["next_cursor"]) == ([1], None)
    assert shop.call("GET", "/v1/programs/1").json["document"]["rewards"][0]["name"] == "Mug 0"
    for wrong in ("4", "0", "x", "1.0", "9" * 30):
        assert shop.call("GET", f"/v1/programs/{wrong}").status == 404
    back = publish(shop, GOOD.replace("Mug", "Mug 0"))
    assert (back.status, back.json["version"]) == (201, 4)


def test_json_is_read_too_and_means_the_same(shop: Shop) -> None:
    made = publish(shop, GOOD).json
    again = shop.call("POST", "/v1/programs", made["document"])
    assert (again.json["version"], again.headers["idempotent-replayed"]) == (1, "true")


def test_a_publishable_key_sees_what_may_be_shown(shop: Shop) -> None:
    publish(shop, GOOD)
    key = shop.call("POST", "/v1/keys", {"kind": "publishable", "name": "page"}).json["secret"]
    shown = shop.call("GET", "/v1/programs/current", key=key)
    assert shown.json == {
        "name": "Coffee",
        "money": "EUR",
        "currencies": {"points": {"label": "Points", "goal": None, "money": False}},
        "rewards": [
            {"id": "mug", "name": "Mug", "kind": "product", "currency": "points", "cost": 10}
        ],
        "terms_version": None,
        "privacy_version": None,
        "till": [],
    }
    assert shown.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in shop.call("GET", "/v1/programs").headers


@pytest.mark.parametrize("file", sorted((ROOT / "programs").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_ready_program_can_be_published(shop: Shop, file: Any) -> None:
    assert publish(shop, file.read_text()).status == 201


def test_a_currency_that_is_dropped_keeps_its_name_where_it_is_held(coffee: Shop) -> None:
    ada = coffee.enrol()
    coffee.order(ada, "1", drink(3))
    replaced = (ROOT / "programs" / "points.yaml").read_text()
    assert publish(coffee, replaced).json["version"] == 2
    balances = coffee.call("GET", f"/v1/members/{ada}/account").json["balances"]
    assert {name: one["available"] for name, one in balances.items()} == {"stamps": 3, "points": 0}
    assert coffee.refund("1", "r").json["effects"][0]["currency"] == "stamps"
