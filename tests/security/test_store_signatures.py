"""The door of connected stores: whatever the headers say, what is not signed is 401, never 500."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.adapters.memory.store import memory_store
from chalicelib.adapters.stores import shopify, square, woocommerce
from local.store_stand_ins.common import mark_of
from local.store_stand_ins.square import signed
from tests.fakes.shop import Shop

SECRET = "the secret of this store"
ADDRESSES = {
    "shopify": "https://corner-coffee.myshopify.com",
    "woocommerce": "http://127.0.0.1:8099",
    "square": "https://connect.squareup.com",
}
SIGNATURES = {
    "shopify": shopify.SIGNATURE,
    "woocommerce": woocommerce.SIGNATURE,
    "square": square.SIGNATURE,
}
BODY = b'{"id": 1, "type": "order.updated", "event_id": "e1"}'
HEADERS = st.text(max_size=200) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))


class Door:
    """A store of each kind, and the address of its messages."""

    def __init__(self) -> None:
        self.shop = Shop(memory_store(), local_webhooks=True)
        assert self.shop.publish("points").status == 201
        self.urls: dict[str, str] = {}
        for kind, address in ADDRESSES.items():
            body = {"kind": kind, "source": kind, "address": address, "secret": SECRET}
            made = self.shop.call("POST", "/v1/stores", body)
            assert made.status == 201, made.raw
            self.urls[kind] = made.json["webhook_url"]

    def send(self, kind: str, body: bytes, headers: dict[str, str]) -> Any:
        url = self.urls[kind]
        path = url[url.index("/v1/") :]
        self.shop.clock.at += 60_000  # each in a minute of its own, below the limit of strangers
        return self.shop.call("POST", path, body, key=None, headers=headers)

    def signature(self, kind: str, body: bytes, secret: str = SECRET) -> str:
        if kind == "square":
            return signed(self.urls[kind], body, secret)[square.SIGNATURE]
        return mark_of(secret, body)


@pytest.fixture(scope="module")
def door() -> Door:
    return Door()


@pytest.mark.parametrize("kind", SIGNATURES)
@given(signature=HEADERS, topic=HEADERS, body=st.binary(max_size=80) | st.just(BODY))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_fault_34_headers_of_any_shape_are_no_signature_of_a_store(
    door: Door, kind: str, signature: str, topic: str, body: bytes
) -> None:
    headers = {SIGNATURES[kind]: signature, "x-shopify-topic": topic, "x-wc-webhook-topic": topic}
    reply = door.send(kind, body, headers)
    assert reply.status == 401, reply.raw


@pytest.mark.parametrize("kind", SIGNATURES)
def test_fault_33_a_message_of_a_store_is_signed_with_its_secret_over_its_very_bytes(
    door: Door, kind: str
) -> None:
    right = door.signature(kind, BODY)
    others = {one: door.signature(one, BODY) for one in SIGNATURES}
    wrong = [
        "",
        right[:-1],
        right + "=",
        right.lower() if right.lower() != right else right.upper(),
        f"sha256={right}",
        f"{right}, {right}",
        door.signature(kind, BODY, "another secret of another store"),
        door.signature(kind, BODY + b" "),
        *(mark for one, mark in others.items() if mark != right and one != kind),
    ]
    for signature in wrong:
        assert door.send(kind, BODY, {SIGNATURES[kind]: signature}).status == 401, signature
    assert door.send(kind, BODY + b"\n", {SIGNATURES[kind]: right}).status == 401
    topics = {"x-shopify-topic": "x", "x-shopify-webhook-id": "1", "x-wc-webhook-topic": "x"}
    assert door.send(kind, BODY, {SIGNATURES[kind]: right, **topics}).status == 200


@pytest.mark.parametrize("kind", SIGNATURES)
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_fault_34_a_signed_message_of_any_content_is_answered(
    door: Door, kind: str, body: bytes
) -> None:
    """It may mean nothing: the store must not stop sending for it."""
    topics = {
        "x-shopify-topic": "orders/updated",
        "x-shopify-webhook-id": "1",
        "x-wc-webhook-topic": "order.updated",
    }
    headers = {SIGNATURES[kind]: door.signature(kind, body), **topics}
    assert door.send(kind, body, headers).status == 200


def test_strangers_at_the_door_are_counted(door: Door) -> None:
    path = door.urls["shopify"]
    path = path[path.index("/v1/") :]
    door.shop.clock.at += 60_000
    answers = {door.shop.call("POST", path, BODY, key=None).status for _ in range(61)}
    assert answers == {401, 429}
