"""Rewards that are used in a store: their codes are made there, used once, ended with them."""

import json
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.domain.stores.facts import OrderState, StoreDiscount
from chalicelib.events.router import on_records
from chalicelib.kernel.clock import DAY, HOUR
from chalicelib.services.store_work import voucher_changed
from tests.fakes.shop import Reply, Shop
from tests.fakes.stores import ADA, Storefront

PROGRAM: dict[str, Any] = {
    "name": "Corner Shop",
    "time_zone": "UTC",
    "money": "EUR",
    "currencies": {"points": {"label": "Points"}},
    "earn": [{"id": "goods", "kind": "per_amount", "currency": "points", "give": 1, "per": 1}],
    "discounts": [
        {"id": "tenth", "kind": "percent", "percent": 10, "by_code": True},
        {"id": "fiver", "kind": "amount", "amount": 500, "by_code": True},
        {"id": "odd", "kind": "percent", "percent": "2.5", "by_code": True},
        {"id": "beans", "kind": "percent", "percent": 10, "by_code": True}
        | {"include": {"categories": ["beans"]}},
    ],
    "rewards": [],
}


def reward(name: str, **more: Any) -> dict[str, Any]:
    made = {
        "id": name,
        "kind": "discount",
        "name": {"en": "A gift", "de": "Ein Geschenk"},
        "cost": {"currency": "points", "amount": 100},
        "voucher": {"store": "shopify", "valid_days": 30},
    }
    return {**made, **more}


CASH = reward("cash", kind="cash", worth=50)
TENTH = reward("tenth", discount="tenth")
FIVER = reward("fiver", discount="fiver")


def publish(shop: Shop, *rewards: dict[str, Any]) -> Reply:
    named = [one.get("discount") for one in rewards]
    discounts = [one for one in PROGRAM["discounts"] if one["id"] in named]
    program = {**PROGRAM, "discounts": discounts, "rewards": rewards}
    return shop.call("POST", "/v1/programs", program)


@pytest.fixture
def store() -> Storefront:
    shop = Shop(memory_store())
    reply = publish(shop, CASH, TENTH, FIVER)
    assert reply.status == 201, reply.raw
    shop.clock.at += HOUR
    return Storefront(shop)


def take(store: Storefront, name: str, key: str = "k", **more: Any) -> tuple[str, str, str]:
    """A member takes a reward: his id, the redemption's, and the code."""
    member = store.shop.enrol(external_id=f"shopify:{key}")
    store.takes(store.order(f"first-{key}", 10_00, customer=ADA.__class__(key)))
    reply = store.shop.call(
        "POST",
        f"/v1/members/{member}/redemptions",
        {"reward": name, **more},
        headers={"idempotency-key": key},
    )
    assert reply.status == 201, reply.raw
    return member, reply.json["id"], reply.json["voucher"]["code"]


def told(store: Storefront, code: str) -> list[str]:
    store.shop.queues.stores.send([voucher_changed(store.shop.program_id, code)])
    return store.work()


def status_of(store: Storefront, code: str) -> str:
    return str(store.shop.call("GET", f"/v1/vouchers/{code}").json["status"])


@pytest.mark.parametrize(
    ("name", "more", "amount", "percent"),
    [
        ("cash", {"amount": 300}, 150, None),
        ("tenth", {}, None, 10),
        ("fiver", {}, 500, None),
    ],
)
def test_a_reward_is_a_code_of_the_store(
    store: Storefront, name: str, more: Any, amount: int | None, percent: int | None
) -> None:
    _, _, code = take(store, name, **more)
    assert told(store, code) == []
    ends_at = store.shop.clock.at // DAY * DAY + 30 * DAY
    assert store.api.discounts == {
        code: StoreDiscount(code, "A gift", "EUR", amount, percent, ends_at)
    }
    assert store.api.ended == []
    assert store.troubles() == []


def test_a_code_ends_with_its_redemption_or_when_it_is_used_elsewhere(store: Storefront) -> None:
    member, redemption, code = take(store, "tenth")
    told(store, code)
    cancelled = store.shop.call("POST", f"/v1/members/{member}/redemptions/{redemption}/cancel")
    assert cancelled.status == 200, cancelled.raw
    assert told(store, code) == []
    assert store.api.ended == [code]
    _, _, other = take(store, "tenth", "second")
    told(store, other)
    used = store.shop.call("POST", f"/v1/vouchers/{other}/uses", {"id": "till-1"})
    assert used.status in (200, 201), used.raw
    told(store, other)
    assert store.api.ended == [code, other]


def test_a_code_that_is_cancelled_while_it_is_made_is_ended(store: Storefront) -> None:
    member, redemption, code = take(store, "tenth")
    make = store.api.put_discount

    def put(discount: StoreDiscount) -> None:
        store.shop.call("POST", f"/v1/members/{member}/redemptions/{redemption}/cancel")
        told(store, code)  # another worker is faster and finds no code to end
        make(discount)

    store.api.put_discount = put  # type: ignore[method-assign]
    told(store, code)
    assert store.api.ended == [code, code]


def test_a_code_that_was_used_in_the_store_is_used_here_once(store: Storefront) -> None:
    member, _, code = take(store, "cash", amount=300)
    told(store, code)
    customer = ADA.__class__("k")
    before = store.shop.balance(member, "points")
    said = store.order("7", 500, customer=customer, discount_codes=("SALE", code.lower()))
    assert store.takes(said) == ["recorded", "recorded"]
    assert store.takes(said, message_id="again") == ["unchanged"]
    assert status_of(store, code) == "used"
    assert store.shop.balance(member, "points") == before + 500
    second = store.order("8", 500, customer=customer, discount_codes=(code,))
    assert store.takes(second) == ["recorded", "voucher_used"]
    assert store.troubles() == ["voucher_used"]
    gone = store.order(
        "7", 500, customer=customer, discount_codes=(code,), state=OrderState.CANCELLED
    )
    assert store.takes(gone) == ["recorded", "recorded"]
    assert status_of(store, code) == "issued"


def test_a_store_that_cannot_be_reached_is_asked_again_and_one_that_refuses_is_told(
    store: Storefront,
) -> None:
    _, _, code = take(store, "tenth")
    store.api.trouble = Unavailable("503")
    assert len(told(store, code)) == 1
    store.api.trouble = Fault("the token may not write discounts")
    assert told(store, code) == []
    assert store.troubles() == ["discount_failed"]


def test_without_a_store_of_this_source_nothing_happens() -> None:
    shop = Shop(memory_store())
    assert publish(shop, TENTH).status == 201
    shop.clock.at += HOUR
    store = Storefront(shop, source="webshop")
    _, _, code = take_of(store)
    assert told(store, code) == []
    assert (store.api.discounts, store.api.ended, store.troubles()) == ({}, [], [])


def take_of(store: Storefront) -> tuple[str, str, str]:
    member = store.shop.enrol()
    store.shop.order(member, "1", {"quantity": 1, "unit_price": 1000})
    reply = store.shop.redeem(member, "tenth", "k")
    return member, reply.json["id"], reply.json["voucher"]["code"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (reward("odd", discount="odd"), "rewards[0].voucher.store"),
        (reward("beans", discount="beans"), "rewards[0].voucher.store"),
        (reward("gift", kind="gift", sku="MUG"), "rewards[0].voucher.store"),
        (
            reward("tenth", discount="tenth", voucher={"store": "shopify", "uses": 2}),
            "rewards[0].voucher.uses",
        ),
    ],
)
def test_what_a_store_cannot_say_is_refused_when_it_is_published(
    wrong: dict[str, Any], field: str
) -> None:
    reply = publish(Shop(memory_store()), wrong)
    assert reply.status == 422, reply.raw
    assert [one["field"] for one in reply.json["errors"]] == [field], reply.raw


def test_the_stream_tells_of_every_voucher(store: Storefront) -> None:
    image = {"pk": {"S": "prg_1#voucher#CODE"}, "sk": {"S": "voucher"}, "kind": {"S": "voucher"}}
    record = {"eventName": "INSERT", "dynamodb": {"NewImage": image}}
    use = {**image, "kind": {"S": "voucher_use"}}
    other = {"eventName": "INSERT", "dynamodb": {"NewImage": use}}
    on_records({"Records": [record, other, record]})
    assert [json.loads(one) for one in store.shop.queues.stores.messages] == [
        {"program": "prg_1", "voucher": "CODE"}
    ]
