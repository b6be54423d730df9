"""Somebody at the till: what a staff key may do, and that everything he changes is told."""

import re

import pytest

from chalicelib.adapters.memory.store import memory_store
from tests.fakes.shop import ROOT, Shop, drink

TILL = """
till:
  buttons:
    - {id: coffee, label: Coffee, unit_price: 350, categories: [drinks]}
"""


@pytest.fixture
def shop() -> Shop:
    shop = Shop(memory_store())
    document = (ROOT / "programs" / "coffee_stamps.yaml").read_text() + TILL
    headers = {"content-type": "application/yaml"}
    assert shop.call("POST", "/v1/programs", document, headers=headers).status == 201
    return shop


def staff_key(shop: Shop) -> str:
    made = shop.call("POST", "/v1/keys", {"kind": "staff", "name": "Grace"})
    assert made.status == 201, made.raw
    return str(made.json["secret"])


def test_the_till_sells_redeems_and_takes_back_under_a_name(shop: Shop) -> None:
    ada, key = shop.enrol(), staff_key(shop)
    assert key.startswith("tk_test_")
    assert shop.call("GET", "/v1/programs/current", key=key).json["till"] == [
        {
            "id": "coffee",
            "label": "Coffee",
            "unit_price": 350,
            "categories": ["drinks"],
            "labels": [],
        }
    ]
    order = {
        "source": "till",
        "id": "1",
        "member_id": ada,
        "currency": "EUR",
        "placed_at": "2026-11-23T12:00:00Z",
        "lines": [{"id": "1", **drink(8)}],
    }
    assert shop.call("POST", "/v1/orders", order, key=key).status == 201
    path = f"/v1/members/{ada}/redemptions"
    sent = {"idempotency-key": "k", "authorization": f"Bearer {key}"}
    redeemed = shop.call("POST", path, {"reward": "free_drink"}, headers=sent)
    assert redeemed.status == 201, redeemed.raw
    cancel = f"{path}/{redeemed.json['id']}/cancel"
    assert shop.call("POST", cancel, key=key).status in (200, 201)
    assert shop.call("POST", "/v1/orders/till/1/refunds", {"id": "undo"}, key=key).status == 201
    assert shop.balance(ada, "stamps") == 0
    rows = shop.call("GET", "/v1/audit_log").json["data"]
    told = {one["action"] for one in rows if one["key_name"] == "Grace"}
    assert told == {
        "orders.record_order",
        "redemptions.redeem",
        "redemptions.cancel",
        "orders.refund_order",
    }
    assert all(one["outcome"] == "done" for one in rows)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/members", {"given_name": "Eve"}),
        ("PATCH", "/v1/members/{ada}", {"given_name": "Eve"}),
        ("DELETE", "/v1/members/{ada}", None),
        ("POST", "/v1/keys", {"kind": "secret", "name": "mine"}),
        ("POST", "/v1/members/{ada}/adjustments", {"currency": "stamps", "amount": 1}),
        ("POST", "/v1/programs", {}),
        ("GET", "/v1/audit_log", None),
        ("GET", "/v1/members/{ada}/passes", None),
    ],
)
def test_a_staff_key_may_do_nothing_else(
    shop: Shop, method: str, path: str, body: dict[str, object] | None
) -> None:
    ada, key = shop.enrol(), staff_key(shop)
    reply = shop.call(method, path.format(ada=ada), body, key=key)
    assert (reply.status, reply.code) == (403, "forbidden")


def test_a_staff_key_names_no_scopes_and_can_be_made_again(shop: Shop) -> None:
    body = {"kind": "staff", "name": "Grace", "scopes": ["orders:read"]}
    assert shop.call("POST", "/v1/keys", body).status == 422
    sent = {"idempotency-key": "once"}
    first, again = (
        shop.call("POST", "/v1/keys", {"kind": "staff", "name": "Grace"}, headers=sent)
        for _ in range(2)
    )
    assert first.json["id"] == again.json["id"] and again.json["secret"] is None


def test_the_page_brings_its_script_and_nothing_else(shop: Shop) -> None:
    page = shop.call("GET", "/till", key=None)
    script = shop.call("GET", "/till/app.js", key=None)
    assert (page.status, script.status) == (200, 200)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert script.headers["content-type"].startswith("text/javascript")
    for name in set(re.findall(r'at\("([a-z-]+)"\)', script.raw.decode())):
        assert f'id="{name}"' in page.raw.decode(), name
