"""Bad input: each a clear problem that names the field, and nothing stored."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.shop import START, Shop, drink

ORDER: dict[str, Any] = {
    "source": "till",
    "id": "bad",
    "currency": "EUR",
    "placed_at": "2026-11-23T12:00:00Z",
    "lines": [{"id": "1", "quantity": 1, "unit_price": 350, "categories": ["drinks"]}],
}


def changed(**fields: Any) -> Callable[[str], str]:
    return lambda member: json.dumps({**ORDER, "member_id": member, **fields})


def line(**fields: Any) -> Callable[[str], str]:
    return changed(lines=[{**ORDER["lines"][0], **fields}])


def raw(old: str, new: str) -> Callable[[str], str]:
    return lambda member: json.dumps({**ORDER, "member_id": member}).replace(old, new)


DIGITS_39 = "1" * 39

BAD_ORDERS: dict[str, tuple[Callable[[str], str], int, str | None]] = {
    "a text for a number": (line(quantity="1"), 422, "lines[0].quantity"),
    "a number for a text": (changed(id=7), 422, "id"),
    "half a unit": (line(quantity=1.5), 422, "lines[0].quantity"),
    "true for a number": (line(quantity=True), 422, "lines[0].quantity"),
    "null for a number": (line(unit_price=None), 422, "lines[0].unit_price"),
    "an unknown field": (changed(points=5), 422, "points"),
    "an unknown field of a line": (line(color="red"), 422, "lines[0].color"),
    "a missing field": (raw('"currency": "EUR", ', ""), 422, "currency"),
    "a negative quantity": (line(quantity=-1), 422, "lines[0].quantity"),
    "a zero quantity": (line(quantity=0), 422, "lines[0].quantity"),
    "a negative price": (line(unit_price=-350), 422, "lines[0].unit_price"),
    "a price above all bounds": (line(unit_price=10**12 + 1), 422, "lines[0].unit_price"),
    "a total above all bounds": (line(unit_price=10**12, quantity=2), 422, "lines"),
    "39 digits": (raw("350", DIGITS_39), 422, "lines[0].unit_price"),
    "39 digits with a minus": (raw("350", "-" + DIGITS_39), 422, "lines[0].unit_price"),
    "1e400": (raw("350", "1e400"), 422, "lines[0].unit_price"),
    "350 as 3.5e2": (raw("350", "3.5e2"), 422, "lines[0].unit_price"),
    "NaN": (raw("350", "NaN"), 400, None),
    "Infinity": (raw("350", "-Infinity"), 400, None),
    "other digits": (raw("350", "٣٥٠"), 400, None),
    "other digits as text": (raw("350", '"٣٥٠"'), 422, "lines[0].unit_price"),
    "an unknown currency": (changed(currency="XYZ"), 422, "currency"),
    "a currency in small letters": (changed(currency="eur"), 422, "currency"),
    "another currency than the program's": (changed(currency="USD"), 422, "currency"),
    "no line": (changed(lines=[]), 422, "lines"),
    "the same line twice": (changed(lines=ORDER["lines"] * 2), 422, "lines[1].id"),
    "a discount above the price": (line(discount=351), 422, "lines[0].discount"),
    "a discount above all prices": (changed(discount=351), 422, "discount"),
    "a tax above the price it is in": (line(tax=351), 422, "lines[0].tax"),
    "a time without a zone": (changed(placed_at="2026-11-23T12:00:00"), 422, "placed_at"),
    "a day that is none": (changed(placed_at="2026-02-30T12:00:00Z"), 422, "placed_at"),
    "a time in the future": (changed(placed_at="2026-11-23T12:11:00Z"), 422, "placed_at"),
    "a time before all": (changed(placed_at="0001-01-01T00:00:00Z"), 422, "placed_at"),
    "a status we do not take": (changed(status="shipped"), 422, "status"),
    "a source with a space": (changed(source="my till"), 422, "source"),
    "a source of ours": (changed(source="key"), 422, "source"),
    "an id with a slash": (changed(id="a/b"), 422, "id"),
    "an id with a control character": (changed(id="a\n"), 422, "id"),
    "an empty id": (changed(id=""), 422, "id"),
    "an id without end": (changed(id="i" * 129), 422, "id"),
    "two members": (changed(member={"external_id": "ada"}), 422, "member_id"),
    "no member": (raw('"member_id"', '"channel"'), 422, "member_id"),
    "a member found in two ways": (
        lambda _: json.dumps({**ORDER, "member": {"external_id": "a", "email": "a@b.cc"}}),
        422,
        "member",
    ),
    "a member nobody knows": (changed(member_id="mem_x"), 404, None),
    "a list": (lambda _: "[]", 422, ""),
    "broken JSON": (lambda _: '{"source": "till",', 400, None),
    "nothing": (lambda _: "", 400, None),
    "bytes that are no text": (lambda _: '{"id": "\udcff"}', 400, None),
    "nested without end": (lambda _: "[" * 100_000, 422, ""),
    "a body above the limit": (changed(channel="x" * 256_001), 413, None),
}


@pytest.mark.parametrize("why", BAD_ORDERS)
def test_fault_25_a_bad_order_is_refused_with_its_reason_and_leaves_no_trace(
    coffee: Shop, why: str
) -> None:
    body, status, field = BAD_ORDERS[why]
    ada = coffee.enrol(external_id="ada")
    sent = body(ada).encode("utf-8", "surrogateescape")
    reply = coffee.call("POST", "/v1/orders", sent)
    assert reply.status == status, reply.raw
    assert reply.code
    if field is not None:
        assert [error["field"] for error in reply.json["errors"]] == [field], reply.raw
        assert all(error["reason"] for error in reply.json["errors"])
    entries = coffee.call("GET", f"/v1/members/{ada}/entries").json["data"]
    assert [entry["kind"] for entry in entries] == ["enrolled"]
    good = coffee.call("POST", "/v1/orders", {**ORDER, "member_id": ada})
    assert good.status == 201, "the bad order must not have claimed its id"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "ada"}, "email"),
        ({"email": "ada@example"}, "email"),
        ({"phone": "0151 1234567"}, "phone"),
        ({"phone": "+49 call me"}, "phone"),
        ({"birthday": "1990-02-30"}, "birthday"),
        ({"birthday": "90-02-03"}, "birthday"),
        ({"country": "Germany"}, "country"),
        ({"given_name": "A\x00da"}, "given_name"),
        ({"given_name": ""}, "given_name"),
        ({"attributes": {"Size": 1}}, "attributes"),
        ({"attributes": {"size": 1.5}}, "attributes[...]"),
        ({"consents": [{"purpose": "mail"}]}, "consents[0].granted"),
        ({"points": 100}, "points"),
        ({"id": "mem_mine"}, "id"),
    ],
)
def test_a_bad_member_is_refused_with_its_field(
    coffee: Shop, body: dict[str, Any], field: str
) -> None:
    reply = coffee.call("POST", "/v1/members", body)
    assert (reply.status, reply.code) == (422, "invalid_request")
    assert [error["field"] for error in reply.json["errors"]] == [field], reply.raw


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ({"amount": 0}, 422, "invalid_request"),
        ({"amount": -1}, 422, "invalid_request"),
        ({"amount": 701}, 422, "refund_exceeds_order"),
        ({"lines": []}, 422, "invalid_request"),
        ({"lines": [{"id": "1", "quantity": 3}]}, 422, "refund_exceeds_order"),
        ({"lines": [{"id": "1", "quantity": 0}]}, 422, "invalid_request"),
        ({"lines": [{"id": "9", "quantity": 1}]}, 422, "unknown_line"),
        ({"lines": [{"id": "1", "quantity": 1}] * 3}, 422, "refund_exceeds_order"),
        ({"lines": [{"id": "1", "quantity": 1}], "amount": 350}, 422, "invalid_request"),
    ],
)
def test_a_refund_above_its_order_is_refused(
    coffee: Shop, what: dict[str, Any], status: int, code: str
) -> None:
    ada = coffee.enrol(external_id="ada")
    coffee.order(ada, "1", drink(2))
    reply = coffee.refund("1", "r", **what)
    assert (reply.status, reply.code) == (status, code)
    assert coffee.balance(ada, "stamps") == 2
    assert coffee.refund("1", "r").status == 201
    assert coffee.refund("1", "s").code == "refund_exceeds_order"
    assert coffee.balance(ada, "stamps") == 0


def test_a_refund_of_an_order_that_never_was_waits_for_it(coffee: Shop) -> None:
    assert coffee.refund("1", "r").json["status"] == "parked"
    assert coffee.call("POST", "/v1/orders/till/1/confirm").code == "order_not_found"


def test_the_same_id_with_another_body_is_refused(coffee: Shop) -> None:
    ada, bob = coffee.enrol(external_id="ada"), coffee.enrol(external_id="bob")
    assert coffee.order(ada, "1", drink()).status == 201
    assert coffee.order(ada, "1", drink(2)).code == "different_request"
    assert coffee.order(bob, "1", drink()).code == "order_claimed"
    coffee.order(ada, "2", drink(3))
    assert coffee.refund("2", "r", lines=[{"id": "1", "quantity": 1}]).status == 201
    assert coffee.refund("2", "r", lines=[{"id": "1", "quantity": 2}]).code == "different_request"
    assert coffee.balance(ada, "stamps") == 3
    assert coffee.balance(bob, "stamps") == 0


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "١", ""])
def test_a_bad_limit_is_refused(coffee: Shop, limit: str) -> None:
    reply = coffee.call("GET", f"/v1/members/{coffee.enrol()}/entries", query={"limit": limit})
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, "limit")


def test_fault_37_a_bad_cursor_is_refused(coffee: Shop) -> None:
    ada, bob = coffee.enrol(external_id="ada"), coffee.enrol(external_id="bob")
    for member in (ada, bob):
        for number in range(3):
            coffee.order(member, f"{member}{number}", drink())
    path = f"/v1/members/{ada}/entries"
    cursor = coffee.call("GET", path, query={"limit": "2"}).json["next_cursor"]
    assert len(coffee.call("GET", path, query={"cursor": cursor}).json["data"]) == 2
    others = (
        (path, "made-up"),
        (path, cursor[:-1] + ("A" if cursor[-1] != "A" else "B")),
        (f"/v1/members/{bob}/entries", cursor),
        ("/v1/keys", cursor),
        ("/v1/programs", cursor),
    )
    for where, given in others:
        reply = coffee.call("GET", where, query={"cursor": given})
        assert (reply.status, reply.code) == (400, "invalid_cursor"), where


def test_an_unknown_parameter_is_refused(coffee: Shop) -> None:
    assert (
        coffee.call("GET", "/v1/keys", query={"offset": "1"}).json["errors"][0]["field"] == "offset"
    )
    assert coffee.call("GET", "/v1/health", query={"x": "1"}, key=None).status == 422


@pytest.mark.parametrize("key", ["", "with space", "ключ", "k" * 129])
def test_a_bad_idempotency_key_is_refused(coffee: Shop, key: str) -> None:
    reply = coffee.redeem(coffee.enrol(), "free_drink", key)
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_a_redemption_needs_an_idempotency_key(coffee: Shop) -> None:
    path = f"/v1/members/{coffee.enrol()}/redemptions"
    reply = coffee.call("POST", path, {"reward": "free_drink"})
    assert reply.json["errors"][0]["field"] == "Idempotency-Key"


def test_a_reward_that_is_none_is_refused(coffee: Shop) -> None:
    assert coffee.redeem(coffee.enrol(), "gold", "k").code == "unknown_reward"


def test_before_the_first_version_nothing_can_happen(shop: Shop) -> None:
    assert shop.call("POST", "/v1/members", {"given_name": "Ada"}).code == "no_program"
    assert shop.call("GET", "/v1/programs/current").status == 404


def test_a_live_program_has_no_clock_of_its_own(coffee: Shop) -> None:
    live = Shop(coffee.runtime.context.store, mode="live")
    assert live.key.startswith("rk_")
    assert not live.key.startswith("rk_test_")
    assert live.call("PUT", "/v1/test_clock", {"now": "2027-01-01T00:00:00Z"}).code == (
        "live_program"
    )


def test_a_test_clock_only_goes_forward(coffee: Shop) -> None:
    put = {"now": "2027-01-01T00:00:00Z"}
    assert coffee.call("PUT", "/v1/test_clock", put).json == put
    assert coffee.call("PUT", "/v1/test_clock", put).json == put
    back = coffee.call("PUT", "/v1/test_clock", {"now": "2026-12-31T23:59:59Z"})
    assert back.code == "clock_goes_forward"
    ada = coffee.enrol()
    assert coffee.call("GET", f"/v1/members/{ada}").json["joined_at"] == put["now"]
    assert coffee.clock.at == START
