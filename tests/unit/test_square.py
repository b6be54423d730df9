"""Square's messages: who signed them, and what they say."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters.http import Http
from chalicelib.adapters.stores.square import PRODUCTION, SANDBOX, Square
from chalicelib.domain.errors import Fault
from chalicelib.domain.stores.connection import Connection, StoreKind
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerGone,
    CustomerSaid,
    Fact,
    Heard,
    OrderToFetch,
    StoreDiscount,
    StoreMessage,
    Unreadable,
)
from chalicelib.kernel.signatures import BadSignature
from local.store_stand_ins.square import signed
from tests.fakes.shop import START

GOLDEN = Path(__file__).parents[1] / "golden" / "stores" / "square"
URL = "https://shop.example/v1/webhooks/stores/str_1"
KEY = "asdf1234"
SIGNATURE = "x-square-hmacsha256-signature"
SQUARE = Square(Http())
JENKINS = "A0AP25A6SCVTH8JES9BX01GXM4"

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def hear(body: bytes, headers: dict[str, str] | None = None, *secrets: str) -> Heard:
    sent = signed(URL, body, KEY) if headers is None else headers
    return SQUARE.hear(StoreMessage(sent, body, URL), secrets or (KEY,), "square", "USD", START)


def event(topic: str, found: Any) -> bytes:
    return json.dumps({"type": topic, "event_id": "e1", "data": {"object": found}}).encode()


def connection(address: str) -> Connection:
    return Connection("prg_1", "str_1", StoreKind.SQUARE, "square", address, (), START)


@pytest.mark.parametrize(
    ("name", "identifier", "facts"),
    [
        (
            "order_created",
            "a707034f-e7bf-339f-a903-468e21e427f5",
            (OrderToFetch("Q0TlbtnnJJ698XcQNHOdRC5MT5JZY"),),
        ),
        (
            "order_updated",
            "4b8e5c91-9f17-4cf1-900a-4a0629f81add",
            (OrderToFetch("eA3vssLHKJrv9H0IdJCM3gNqfdcZY"),),
        ),
        (
            "payment_updated",
            "6a8f5f28-54a1-4eb0-a98a-3111513fd4fc",
            (OrderToFetch("03O3USaPaAaFnI6kkwB1JxGgBsUZY"),),
        ),
        (
            "refund_updated",
            "bc316346-6691-4243-88ed-6d651a0d0c47",
            (OrderToFetch("haOyDuHiqtAXMk0d8pDKXpL7Jg4F"),),
        ),
        (
            "customer_updated",
            "b4ce4698-00de-4b5d-a771-4941b3913b34",
            (
                CustomerSaid(
                    Customer(
                        JENKINS,
                        "jenkins@example.com",
                        phone="+13477947111",
                        given_name="Jenkins",
                        family_name="Smorly",
                    )
                ),
            ),
        ),
        (
            "customer_deleted",
            "2f5d4b8c-6d5d-4d2a-9c0e-000000000001",
            (CustomerGone(Customer(JENKINS, "jenkins@example.com", accepts_marketing=False)),),
        ),
    ],
)
def test_what_square_documents_is_understood(
    name: str, identifier: str, facts: tuple[Fact, ...]
) -> None:
    body = (GOLDEN / f"{name}.json").read_bytes()
    assert hear(body) == Heard(identifier, name.replace("_", "."), facts)


@pytest.mark.parametrize(
    "topic", ["payment.created", "payment.updated", "refund.created", "refund.updated"]
)
def test_a_payment_and_a_refund_name_their_order_or_say_nothing(topic: str) -> None:
    kind = topic.partition(".")[0]
    assert hear(event(topic, {kind: {"id": "p", "order_id": "o"}})).facts == (OrderToFetch("o"),)
    assert hear(event(topic, {kind: {"id": "p"}})) == Heard("e1", topic)


@pytest.mark.parametrize("what", ["created", "updated"])
def test_a_draft_is_no_order_yet(what: str) -> None:
    draft = {f"order_{what}": {"order_id": "o", "state": "DRAFT"}}
    assert hear(event(f"order.{what}", draft)) == Heard("e1", f"order.{what}")


@pytest.mark.parametrize("topic", ["order.fulfillment.updated", "invoice.paid", "customer", "x"])
def test_what_we_do_not_know_is_said_so(topic: str) -> None:
    assert hear(event(topic, {})) == Heard("e1", topic, known=False)


def test_the_same_message_again_has_the_same_id() -> None:
    body = event("order.updated", {"order_updated": {"order_id": "o"}})
    again = {**signed(URL, body, KEY), "square-retry-number": "1"}
    assert hear(body, again) == hear(body)


def test_the_mark_is_that_of_squares_documentation() -> None:
    """The mark by OpenSSL: printf '%s%s' URL BODY | openssl dgst -sha256 -hmac asdf1234 -binary."""
    body = b'{"type":"x","event_id":"e1"}'
    mark = "pfuWgcMubmiORbFY1mbUI0I3znR33WtuYEkgNpgMi8Y="
    assert hear(body, {SIGNATURE: mark}) == Heard("e1", "x", known=False)


def test_any_of_the_secrets_may_have_signed_and_nobody_else() -> None:
    body = event("x", {})
    assert hear(body, None, "new", KEY).id == "e1"
    with pytest.raises(BadSignature):
        hear(body, None, "new", "other")
    with pytest.raises(BadSignature):
        SQUARE.hear(StoreMessage(signed(URL, body, KEY), body, URL), (), "square", "USD", START)


def test_the_mark_is_over_this_address_and_these_bytes() -> None:
    body = event("x", {})
    with pytest.raises(BadSignature):
        hear(body + b" ", signed(URL, body, KEY))
    with pytest.raises(BadSignature):
        hear(body, signed(f"{URL}/", body, KEY))


GOOD = signed(URL, b"{}", KEY)[SIGNATURE]


@pytest.mark.parametrize(
    "mark",
    [
        "",
        " ",
        f" {GOOD}",
        f"{GOOD}\n",
        GOOD.rstrip("="),
        GOOD[:-2] + "\n" + GOOD[-2:],
        GOOD.lower(),
        base64.b64decode(GOOD).hex(),
        "ключ",
        "\ud800",
        "=" * 10_000,
        f"{GOOD},{GOOD}",
    ],
)
def test_another_writing_of_the_mark_is_no_signature(mark: str) -> None:
    with pytest.raises(BadSignature):
        hear(b"{}", {SIGNATURE: mark})


def test_without_the_header_it_is_not_signed() -> None:
    with pytest.raises(BadSignature):
        hear(b"{}", {})
    with pytest.raises(BadSignature):
        hear(b"{}", {"x-square-signature": GOOD})


@settings(deadline=None)
@given(st.text(), st.binary(), st.text())
def test_whatever_comes_unsigned_is_refused_and_nothing_worse(
    mark: str, body: bytes, secret: str
) -> None:
    with pytest.raises(BadSignature):
        hear(body, {SIGNATURE: mark}, secret)


@settings(deadline=None)
@given(st.binary())
def test_signed_bytes_that_are_no_message_are_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        hear(body)


@settings(deadline=None)
@given(
    st.sampled_from(
        ["order.created", "order.updated", "payment.updated", "refund.created", "customer.updated"]
    ),
    Json,
)
def test_signed_messages_of_any_shape_are_read_or_unreadable(topic: str, found: Any) -> None:
    name = topic.replace(".", "_") if topic.startswith("order") else topic.partition(".")[0]
    for shape in (found, {name: found}, {name: {"order_id": found, "address": found}}):
        try:
            heard = hear(event(topic, shape))
        except Unreadable:
            continue
        assert heard.known


@pytest.mark.parametrize(
    "body", [b"{}", b'{"type": "x"}', b'{"event_id": "e"}', b'{"type": {}, "event_id": "e"}', b"[]"]
)
def test_a_message_without_its_name_or_kind_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        hear(body)


def test_a_token_goes_to_square_alone() -> None:
    for address in (PRODUCTION, SANDBOX):
        SQUARE.api(connection(address), "t" * 16, "USD")
    evil = (
        "https://evil.example",
        "https://connect.squareup.com.evil.example",
        "http://connect.squareup.com",
        "https://connect.squareup.com/",
        "http://127.0.0.1:8000",
    )
    for address in evil:
        with pytest.raises(Fault, match="not an address of Square"):
            SQUARE.api(connection(address), "t" * 16, "USD")
    local = Square(Http(), allow_local=True)
    local.api(connection("http://127.0.0.1:8000"), "t" * 16, "USD")
    for address in ("http://127.0.0.1@evil.example:80", "http://evil.example:8000"):
        with pytest.raises(Fault):
            local.api(connection(address), "t" * 16, "USD")


@pytest.mark.parametrize(
    ("access", "good"),
    [
        ("EAAAEOuLQPEdFgR8", True),
        ("short", False),
        ("EAAAEOuLQPEdFgR8 EAAAEOuLQPEdFgR8", False),
        ("EAAAEOuLQPEdFgR8\n", False),
        ("é" * 20, False),
        ("E" * 2000, False),
    ],
)
def test_what_cannot_be_a_token_is_refused_when_it_is_given(access: str, good: bool) -> None:
    assert (SQUARE.access_problem(access) is None) is good


def test_square_has_no_codes() -> None:
    api = SQUARE.api(connection(PRODUCTION), "t" * 16, "USD")
    with pytest.raises(Fault, match="no discounts by code: SAVE5"):
        api.put_discount(StoreDiscount("SAVE5", "Five off", "USD", amount=500))
    with pytest.raises(Fault, match="no discounts by code: SAVE5"):
        api.end_discount("SAVE5")
