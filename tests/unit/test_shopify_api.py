"""Shopify's Admin API, as the stand-in answers it: pages, limits, discounts, tokens."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest

from chalicelib.adapters.stores import shopify_api
from chalicelib.adapters.stores.shopify import Shopify
from chalicelib.adapters.stores.shopify_api import API_VERSIONS
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.domain.ports import StoreApi
from chalicelib.domain.stores.connection import Connection, StoreKind
from chalicelib.domain.stores.facts import OrderState, StoreDiscount
from chalicelib.kernel.clock import SECOND, from_rfc3339
from local.store_stand_ins.shopify import CLIENT, SECRET, TOKEN, VERSIONS, Item, ShopifyStandIn
from tests.fakes.shop import SetClock

NOON = from_rfc3339("2026-11-01T12:00:00Z")
DISCOUNT = StoreDiscount("REG-1", "Five off", "EUR", amount=500, ends_at=NOON)


@pytest.fixture
def store() -> Iterator[ShopifyStandIn]:
    with ShopifyStandIn(clock=SetClock(NOON)) as store:
        yield store


def api_of(store: ShopifyStandIn, access: str = TOKEN) -> StoreApi:
    connection = Connection("prg_1", "st_1", StoreKind.SHOPIFY, "shopify", store.url, (), 0)
    return Shopify(allow_local=True).api(connection, access, "EUR")


@pytest.fixture
def api(store: ShopifyStandIn) -> StoreApi:
    return api_of(store)


def ids_of_all(api: StoreApi, since: int = 0) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = api.changed(since, cursor)
        found += [one.order.id for one in page.orders]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_every_page_is_had_once(
    store: ShopifyStandIn, api: StoreApi, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shopify_api, "PAGE", 2)
    placed = [str(store.order(Item(1000))) for _ in range(count)]
    assert ids_of_all(api) == placed
    assert len(store.requests) == max(1, -(-count // 2))


def test_the_oldest_change_comes_first_and_nothing_before_since(
    store: ShopifyStandIn, api: StoreApi
) -> None:
    first, second, third = (store.order(Item(1000)) for _ in range(3))
    store.refund(first, amount=100)
    assert ids_of_all(api) == [str(second), str(third), str(first)]
    seen = api.changed(0, None).orders[1].order.updated_at
    assert seen is not None
    assert ids_of_all(api, seen) == [str(third), str(first)]
    # A moment within a second asks for all of it: Shopify's times have no parts of one.
    assert ids_of_all(api, seen + SECOND // 2) == [str(third), str(first)]


def test_what_changes_between_two_pages_is_seen_again(
    store: ShopifyStandIn, api: StoreApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shopify_api, "PAGE", 2)
    first, second, third = (store.order(Item(1000)) for _ in range(3))
    page = api.changed(0, None)
    store.cancel(first)
    rest = api.changed(0, page.cursor)
    assert [one.order.id for one in (*page.orders, *rest.orders)] == [
        str(first),
        str(second),
        str(third),
        str(first),
    ]
    assert rest.orders[-1].state is OrderState.CANCELLED


def test_an_order_that_cannot_be_read_does_not_hide_the_others(
    store: ShopifyStandIn, api: StoreApi
) -> None:
    bad, good = store.order(Item(1000)), store.order(Item(1000))
    store.change(bad, currency=None)
    page = api.changed(0, None)
    assert [one.order.id for one in page.orders] == [str(good)]
    (why,) = page.unreadable
    assert why.startswith(f"order {bad}: ")
    with pytest.raises(Fault, match="cannot be read"):
        api.order(str(bad))


def test_one_order_is_what_its_message_said(store: ShopifyStandIn, api: StoreApi) -> None:
    placed = store.order(Item(1000, 2, discount=50), shipping=400)
    store.refund(placed, {store.line_ids(placed)[0]: 1})
    (listed,) = api.changed(0, None).orders
    assert api.order(str(placed)) == listed
    assert len(listed.refunds) == 1
    assert api.order("1") is None
    assert api.order("1/../../x") is None


def test_the_newest_versions_are_asked(store: ShopifyStandIn, api: StoreApi) -> None:
    assert API_VERSIONS == VERSIONS
    assert api.order("1") is None
    assert store.requests == [f"GET /admin/api/{API_VERSIONS[0]}/orders/1.json"]


# Limits and faults.


def test_a_full_bucket_is_waited_for_once(store: ShopifyStandIn, api: StoreApi) -> None:
    placed = store.order(Item(1000))
    store.retry_after = "0.01"
    store.failures = repeat(429, 1)
    assert ids_of_all(api) == [str(placed)]
    store.failures = repeat(429, 2)
    with pytest.raises(Unavailable):
        api.changed(0, None)


def test_no_lambda_sleeps_for_long(store: ShopifyStandIn, api: StoreApi) -> None:
    store.retry_after = "2.5"
    store.failures = repeat(429, 1)
    with pytest.raises(Unavailable):
        api.changed(0, None)
    assert len(store.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, Unavailable), (503, Unavailable), (408, Unavailable), (401, Fault), (403, Fault)],
)
def test_what_the_store_cannot_do_and_what_it_refuses(
    store: ShopifyStandIn, api: StoreApi, status: int, error: type[Fault]
) -> None:
    calls: list[Any] = [
        lambda: api.changed(0, None),
        lambda: api.order("1"),
        lambda: api.put_discount(DISCOUNT),
        lambda: api.end_discount("REG-1"),
    ]
    for call in calls:
        store.failures = repeat(status, 1)
        with pytest.raises(Fault) as raised:
            call()
        assert type(raised.value) is error
    assert len(store.requests) == len(calls)


def test_no_redirect_is_followed(store: ShopifyStandIn, api: StoreApi) -> None:
    store.failures = repeat(302, 1)
    with pytest.raises(Fault, match="302"):
        api.changed(0, None)
    assert len(store.requests) == 1


def test_nothing_is_there_where_nobody_answers() -> None:
    with ShopifyStandIn() as store:
        api = api_of(store)
    with pytest.raises(Unavailable):
        api.changed(0, None)


# Discounts.


def test_a_code_is_made_once_and_ended_once(store: ShopifyStandIn, api: StoreApi) -> None:
    api.put_discount(DISCOUNT)
    api.put_discount(DISCOUNT)
    (made,) = store.discounts.values()
    assert made["usageLimit"] == 1
    assert made["endsAt"] == "2026-11-01T12:00:00Z"
    assert made["context"] == {"all": "ALL"}
    assert made["customerGets"] == {
        "value": {"discountAmount": {"amount": "5.00", "appliesOnEachItem": False}},
        "items": {"all": True},
    }
    assert len(store.requests) == 3  # the second time it is only looked for
    api.end_discount("REG-1")
    api.end_discount("reg-1")
    assert [one["status"] for one in store.discounts.values()] == ["EXPIRED"]
    api.end_discount("NOBODYS")


def test_a_share_is_a_fraction_and_an_end_may_be_missing(
    store: ShopifyStandIn, api: StoreApi
) -> None:
    api.put_discount(StoreDiscount("REG-2", "Fifteen percent", "EUR", percent=15))
    made = store.discounts["REG-2"]
    assert made["customerGets"]["value"] == {"percentage": 0.15}
    assert made["endsAt"] is None


def test_a_code_that_is_made_meanwhile_is_there(
    store: ShopifyStandIn, api: StoreApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put_discount(DISCOUNT)
    monkeypatch.setattr(store, "_find", lambda _: None)
    api.put_discount(DISCOUNT)
    assert len(store.discounts) == 1


def test_what_shopify_refuses_is_a_fault(store: ShopifyStandIn, api: StoreApi) -> None:
    with pytest.raises(Fault, match="title can't be blank"):
        api.put_discount(StoreDiscount("REG-3", "", "EUR", percent=15))
    store.throttled = True
    with pytest.raises(Unavailable):
        api.put_discount(DISCOUNT)
    assert store.discounts == {}


# Tokens.


def test_a_client_of_the_shop_gets_its_token_once(store: ShopifyStandIn) -> None:
    placed = store.order(Item(1000))
    api = api_of(store, f"{CLIENT}:{SECRET}")
    assert ids_of_all(api) == [str(placed)]
    api.put_discount(DISCOUNT)
    assert store.requests.count("POST /admin/oauth/access_token") == 1


@pytest.mark.parametrize("access", ["shpat_" + "0" * 32, f"{CLIENT}:shpss_" + "0" * 32])
def test_a_wrong_token_is_a_fault(store: ShopifyStandIn, access: str) -> None:
    with pytest.raises(Fault) as raised:
        api_of(store, access).changed(0, None)
    assert access not in str(raised.value)
