"""Webhooks in: only what a key of the source signed just now, and any number of times."""

import base64
import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from tests.fakes.shop import START, Reply, Shop, drink

PATH = "/v1/webhooks/orders/webshop"


def make_key(shop: Shop, source: str = "webshop") -> dict[str, Any]:
    body = {"kind": "webhook", "name": "web shop", "source": source}
    made = shop.call("POST", "/v1/keys", body)
    assert made.status == 201, made.raw
    return dict(made.json)


@pytest.fixture
def key(coffee: Shop) -> dict[str, Any]:
    return make_key(coffee)


def paid(order_id: str = "1", **data: Any) -> dict[str, Any]:
    return {
        "type": "order.paid",
        "timestamp": "2026-11-23T12:00:00Z",
        "data": {
            "id": order_id,
            "member": {"email": "ada@example.com"},
            "currency": "EUR",
            "placed_at": "2026-11-23T12:00:00Z",
            "lines": [{"id": "1", **drink(2)}],
            **data,
        },
    }


def send(
    shop: Shop, secret: str, event: Any, *, seconds: int = 0, path: str = PATH, **headers: str
) -> Reply:
    """Signs with the reference library, as a store would, and sends."""
    body = event if isinstance(event, str) else json.dumps(event)
    at = datetime.fromtimestamp(START // 1000 + seconds, UTC)
    sent = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body),
        **headers,
    }
    return shop.call("POST", path, body, key=None, headers=sent)


def test_a_signed_order_earns_however_often_it_comes(coffee: Shop) -> None:
    key = make_key(coffee)
    assert key["webhook_path"] == PATH
    ada = coffee.enrol(email="Ada@example.com")
    replies = [send(coffee, key["secret"], paid()) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert [reply.headers.get("idempotent-replayed") for reply in replies] == [None, "true", "true"]
    assert replies[0].json["effects"][0]["amount"] == 2
    assert coffee.balance(ada, "stamps") == 2


def test_a_signed_refund_takes_back(coffee: Shop) -> None:
    key = make_key(coffee)
    ada = coffee.enrol(email="ada@example.com")
    send(coffee, key["secret"], paid())
    refund = {
        "type": "order.refunded",
        "data": {"order_id": "1", "id": "r1", "lines": [{"id": "1", "quantity": 1}]},
    }
    for _ in range(2):
        assert send(coffee, key["secret"], refund).status == 200
    assert coffee.balance(ada, "stamps") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1,not base64"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,ключ"},
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": ""},
    ],
)
def test_fault_33_a_bad_signature_is_refused_and_nothing_happens(
    coffee: Shop, headers: dict[str, str]
) -> None:
    key = make_key(coffee)
    ada = coffee.enrol(email="ada@example.com")
    reply = send(coffee, key["secret"], paid(), **headers)
    assert (reply.status, reply.code) == (401, "unauthorized")
    assert coffee.balance(ada, "stamps") == 0


SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")
ADDRESSES = count(1)
SPOILED = st.one_of(
    st.text(max_size=40),
    st.text("0123456789+-._ \t٣", max_size=14),
    st.integers().map(str),
    st.binary(max_size=40).map(lambda raw: "v1," + base64.b64encode(raw).decode()),
    st.sampled_from(
        [
            "\ud800",
            "msg_\udfff",
            "nan",
            "1e9",
            "0x6",
            "v1,",
            "v1,,",
            "v1,=",
            "v1a,AAAA",
            "\x00",
            "ключ",
            "\r\nx: y",
        ]
    ),
    st.sampled_from(["9", "A", "=", " ", "é", "v1, ", "v1,AAAA "]).map(lambda one: one * 20_000),
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(SIGNED), SPOILED, min_size=1))
def test_fault_33_headers_of_any_shape_are_no_signature(
    coffee: Shop, key: dict[str, Any], spoiled: dict[str, str]
) -> None:
    at = next(ADDRESSES)
    coffee.address = f"10.0.{at // 250}.{at % 250}"  # another each time: none is slowed down
    reply = send(coffee, key["secret"], paid(), **spoiled)
    assert (reply.status, reply.code) == (401, "unauthorized")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(SIGNED[:2]), st.sampled_from([",", ", ", " ", "\t", "\n"]), SPOILED)
def test_fault_33_an_id_or_a_time_that_comes_twice_is_no_signature(
    coffee: Shop, key: dict[str, Any], name: str, between: str, other: str
) -> None:
    right = {"webhook-id": "msg_1", "webhook-timestamp": str(START // 1000)}[name]
    for twice in (right + between + other, other + between + right):
        at = next(ADDRESSES)
        coffee.address = f"10.0.{at // 250}.{at % 250}"
        reply = send(coffee, key["secret"], paid(), **{name: twice})
        assert (reply.status, reply.code) == (401, "unauthorized")


@pytest.mark.parametrize(("seconds", "status"), [(-301, 401), (-300, 200), (300, 200), (301, 401)])
def test_fault_32_a_signature_is_good_for_five_minutes(
    coffee: Shop, seconds: int, status: int
) -> None:
    key = make_key(coffee)
    coffee.enrol(email="ada@example.com")
    assert send(coffee, key["secret"], paid(), seconds=seconds).status == status


def test_without_any_header_or_key_it_is_refused(coffee: Shop) -> None:
    assert coffee.call("POST", PATH, paid(), key=None).status == 401
    stranger = "whsec_" + base64.b64encode(b"s" * 32).decode()
    assert send(coffee, stranger, paid()).status == 401
    make_key(coffee)
    assert send(coffee, stranger, paid()).status == 401
    assert coffee.call("POST", PATH, paid(), key=coffee.key).status == 401


def test_the_body_that_was_signed_is_the_body_that_counts(coffee: Shop) -> None:
    key = make_key(coffee)
    coffee.enrol(email="ada@example.com")
    at = datetime.fromtimestamp(START // 1000, UTC)
    signature = Webhook(key["secret"]).sign("msg_1", at, json.dumps(paid()))
    sent = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(START // 1000),
        "webhook-signature": signature,
    }
    changed = json.dumps(paid(lines=[{"id": "1", **drink(20)}]))
    assert coffee.call("POST", PATH, changed, key=None, headers=sent).status == 401
    spaced = json.dumps(paid(), indent=1)
    assert coffee.call("POST", PATH, spaced, key=None, headers=sent).status == 401


def test_a_key_opens_its_own_source_and_program_only(coffee: Shop) -> None:
    key = make_key(coffee)
    ada = coffee.enrol(email="ada@example.com")
    assert send(coffee, key["secret"], paid(), path="/v1/webhooks/orders/other").status == 401
    other = Shop(coffee.runtime.context.store)
    other.publish("coffee_stamps")
    bob = other.enrol(email="ada@example.com")
    theirs = make_key(other)
    assert send(other, theirs["secret"], paid()).status == 200
    assert send(other, key["secret"], paid("2")).status == 200
    assert (coffee.balance(ada, "stamps"), other.balance(bob, "stamps")) == (2, 2)


def test_a_rotated_secret_still_signs_for_a_day_and_a_revoked_one_never(coffee: Shop) -> None:
    key = make_key(coffee)
    coffee.enrol(email="ada@example.com")
    rotated = coffee.call("POST", f"/v1/keys/{key['id']}/rotate", {"generation": 1}).json
    assert rotated["secret"] != key["secret"]
    assert send(coffee, key["secret"], paid("1")).status == 200
    assert send(coffee, rotated["secret"], paid("2")).status == 200
    coffee.call("POST", f"/v1/keys/{key['id']}/revoke")
    assert send(coffee, rotated["secret"], paid("3")).status == 401


def test_an_order_of_nobody_we_know_is_not_found(coffee: Shop) -> None:
    key = make_key(coffee)
    assert send(coffee, key["secret"], paid()).code == "member_not_found"


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ('{"type": "order.paid",', 400),
        ({"type": "order.shipped", "data": {}}, 422),
        ({"data": {}}, 422),
        ({**paid(), "extra": 1}, 422),
        (paid(source="webshop"), 422),
    ],
)
def test_fault_34_a_signed_message_that_makes_no_sense_is_a_clear_problem(
    coffee: Shop, event: Any, status: int
) -> None:
    key = make_key(coffee)
    coffee.enrol(email="ada@example.com")
    reply = send(coffee, key["secret"], event)
    assert reply.status == status
    assert reply.code in ("invalid_json", "invalid_request")


def test_guessing_signatures_is_slowed_down_and_a_real_store_is_not(coffee: Shop) -> None:
    key = make_key(coffee)
    coffee.enrol(email="ada@example.com")
    bad = {"webhook-signature": "v1,AAAA"}
    statuses = [send(coffee, key["secret"], paid(), **bad).status for _ in range(61)]
    assert statuses == [401] * 60 + [429]
    assert send(coffee, key["secret"], paid()).status == 200
