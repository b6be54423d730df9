"""WooCommerce's REST API, against a stand-in of a shop."""

import base64
import json
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest

from chalicelib.adapters.http import Response
from chalicelib.adapters.public_http import PublicHttp
from chalicelib.adapters.stores import woocommerce_api
from chalicelib.adapters.stores.woocommerce import WooCommerce
from chalicelib.adapters.stores.woocommerce_api import MAX_BYTES, WooCommerceApi
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.domain.stores.connection import Connection, StoreKind
from chalicelib.domain.stores.facts import OrderState, StoreDiscount, Unreadable
from chalicelib.kernel.clock import SECOND, from_rfc3339
from local.store_stand_ins.woocommerce import ACCESS, Item, WooCommerceStandIn
from tests.fakes.shop import START, SetClock

VOUCHER = StoreDiscount("V-5KQ2", "5 off", "EUR", amount=500, ends_at=START + 500)


@pytest.fixture
def woo() -> Iterator[WooCommerceStandIn]:
    with WooCommerceStandIn(clock=SetClock(START)) as shop:
        yield shop


@pytest.fixture
def api(woo: WooCommerceStandIn, monkeypatch: pytest.MonkeyPatch) -> WooCommerceApi:
    monkeypatch.setattr(woocommerce_api, "PAGE", 3)
    return api_of(woo.url)


def api_of(address: str, access: str = ACCESS) -> WooCommerceApi:
    connection = Connection("prg_1", "sto_1", StoreKind.WOOCOMMERCE, "webshop", address, (), START)
    return WooCommerce(PublicHttp(allow_local=True)).api(connection, access, "EUR")


class Walk:
    """A walk through the pages of what changed."""

    def __init__(self, api: WooCommerceApi, since: int = START) -> None:
        self.api = api
        self.since = since
        self.cursor: str | None = None
        self.seen: dict[str, int] = {}  # the content that was seen last, by order
        self.pages = 0

    def step(self) -> bool:
        """Reads a page; whether there is another."""
        page = self.api.changed(self.since, self.cursor)
        assert page.unreadable == ()
        for one in page.orders:
            self.seen[one.order.id] = one.order.total
        self.cursor = page.cursor
        self.pages += 1
        assert self.pages < 50, "the walk does not end"
        return self.cursor is not None

    def end(self) -> dict[str, int]:
        while self.step():
            pass
        return self.seen


def truth(woo: WooCommerceStandIn, *orders: int) -> dict[str, int]:
    return {str(one): int(float(woo.payload(one)["total"]) * 100) for one in orders}


def test_all_orders_that_changed_are_read_page_by_page(
    woo: WooCommerceStandIn, api: WooCommerceApi
) -> None:
    orders = [woo.order(Item(100 + at)) for at in range(8)]
    walk = Walk(api)
    assert walk.end() == truth(woo, *orders)
    assert walk.pages == 4  # each begins with the last order of the page before
    assert Walk(api, from_rfc3339("2026-11-23T13:00:00Z")).end() == {}


def test_the_first_second_is_within(woo: WooCommerceStandIn, api: WooCommerceApi) -> None:
    first, *_ = [woo.order(Item(100)) for _ in range(4)]
    changed = from_rfc3339(f"{woo.payload(first)['date_modified_gmt']}Z")
    assert str(first) in Walk(api, changed).end()
    assert str(first) in Walk(api, changed + 999).end()
    assert str(first) not in Walk(api, changed + SECOND).end()


def test_nothing_is_missed_where_orders_change_while_pages_are_read(
    woo: WooCommerceStandIn, api: WooCommerceApi
) -> None:
    orders = [woo.order(Item(100)) for _ in range(7)]
    walk = Walk(api)
    for order in (orders[0], orders[1], orders[3], orders[4]):
        assert walk.step()
        woo.add(order, Item(50))
    assert walk.end() == truth(woo, *orders)


def test_nothing_is_missed_of_an_edit_in_bulk(woo: WooCommerceStandIn, api: WooCommerceApi) -> None:
    before = woo.order(Item(100))
    woo.step = 0
    woo.order(Item(100))
    orders = [woo.order(Item(100)) for _ in range(9)]  # all in one second
    woo.step = SECOND
    after = [woo.order(Item(100)), woo.order(Item(100))]
    walk = Walk(api)
    for order in (None, None, orders[0], None, orders[1]):
        assert walk.step()
        if order is not None:
            woo.add(order, Item(50))
    seen = walk.end()
    assert seen.items() >= truth(woo, before, *orders, *after).items()


def test_an_order_of_the_second_that_a_walk_begins_with(
    woo: WooCommerceStandIn, api: WooCommerceApi
) -> None:
    woo.step = 0
    orders = [woo.order(Item(100)) for _ in range(7)]
    assert Walk(api).end() == truth(woo, *orders)


def test_what_cannot_be_read_is_told_and_the_rest_is_read(
    woo: WooCommerceStandIn, api: WooCommerceApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = woo.order(Item(100)), woo.order(Item(200))
    payload = woo.payload
    monkeypatch.setattr(
        woo, "payload", lambda one: {**payload(one), **({"total": "much"} if one == bad else {})}
    )
    page = api.changed(START, None)
    assert [one.order.id for one in page.orders] == [str(good)]
    assert page.unreadable == (f"order {bad}: total: 'much' is not an amount",)
    with pytest.raises(Unreadable):
        api.order(str(bad))


def test_one_order_as_it_is(woo: WooCommerceStandIn, api: WooCommerceApi) -> None:
    number = woo.order(Item(1000), paid=False)
    found = api.order(str(number))
    assert found is not None
    assert (found.state, found.order.source) == (OrderState.PENDING, "webshop")
    woo.delete(number)
    found = api.order(str(number))
    assert found is not None
    assert found.state is OrderState.CANCELLED
    assert api.order("999") is None
    assert api.order("../coupons") is None
    assert woo.requests[-1] == "GET /wp-json/wc/v3/orders/..%2Fcoupons"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_shop_that_throttles_or_is_down_may_be_asked_again(
    woo: WooCommerceStandIn, api: WooCommerceApi, status: int
) -> None:
    woo.order(Item(100))
    woo.failures = iter([status])
    with pytest.raises(Unavailable, match=str(status)):
        api.changed(START, None)
    assert len(api.changed(START, None).orders) == 1
    woo.failures = repeat(status)
    for call in (
        lambda: api.order("1"),
        lambda: api.put_discount(VOUCHER),
        lambda: api.end_discount("x"),
    ):
        with pytest.raises(Unavailable):
            call()


def test_no_redirect_is_followed(woo: WooCommerceStandIn, api: WooCommerceApi) -> None:
    woo.failures = iter([301, 302, 308])
    for status in (301, 302, 308):
        with pytest.raises(Fault, match=str(status)):
            api.changed(START, None)
    assert len(woo.requests) == 3


def test_a_wrong_key_is_a_fault_that_does_not_tell_it(woo: WooCommerceStandIn) -> None:
    access = f"ck_{'99' * 20}:cs_{'98' * 20}"
    with pytest.raises(Fault, match="401 woocommerce_rest_cannot_view") as refused:
        api_of(woo.url, access).changed(START, None)
    assert "99" not in str(refused.value)
    with pytest.raises(Fault, match="404 rest_no_route"):
        api_of(f"{woo.url}/elsewhere").changed(START, None)


def test_a_shop_that_is_not_there() -> None:
    with WooCommerceStandIn() as closed:
        url = closed.url
    with pytest.raises(Unavailable, match="no answer"):
        api_of(url).changed(START, None)


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1",
        "https://169.254.169.254",
        "https://localhost",
        "https://10.0.0.7/shop",
        "http://shop.example",
        "https://shop.example:6379",
        "https://user:secret@shop.example",
        "https://[::1]",
    ],
)
def test_no_address_of_a_network_of_ours_is_asked(address: str) -> None:
    with pytest.raises(Fault, match="the address of the store"):
        api_of(address).changed(START, None)


@pytest.mark.parametrize("resolved", ["10.0.0.7", "127.0.0.1", "169.254.169.254", "::1"])
def test_no_name_of_a_network_of_ours_is_asked(resolved: str) -> None:
    http = PublicHttp(resolve=lambda host, port: [resolved])  # noqa: ARG005
    api = WooCommerceApi(http, "https://shop.example", ACCESS, "webshop")
    with pytest.raises(Fault, match="is not on the public internet"):
        api.put_discount(VOUCHER)


class Saying:
    """Stands in for the network: every request has this answer."""

    def __init__(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.answer = Response(status, {f"x-wp-{name}": one for name, one in headers.items()}, body)
        self.sent: list[tuple[str, str, dict[str, str], Any]] = []

    def send(self, method: str, url: str, headers: Any, body: bytes, limit: int) -> Response:
        assert limit == MAX_BYTES + 1
        self.sent.append((method, url, headers, body and json.loads(body)))
        return self.answer


def of(saying: Saying) -> WooCommerceApi:
    return WooCommerceApi(saying, "https://shop.example/de/", ACCESS, "webshop")  # type: ignore[arg-type]


def test_answers_that_are_none() -> None:
    for body in (b"<html>maintenance</html>", b"{}", b"[1]"):
        with pytest.raises(Unavailable):
            of(Saying(body)).changed(START, None)
    with pytest.raises(Unavailable):
        of(Saying(b"[]")).order("1")
    with pytest.raises(Fault, match="X-WP-totalpages"):
        of(Saying(b"[]", total="1")).changed(START, None)
    with pytest.raises(Fault, match="more than"):
        of(Saying(b"x" * (MAX_BYTES + 1))).changed(START, None)
    with pytest.raises(Fault, match="403"):
        of(Saying(b"<html>firewall</html>", 403)).order("1")
    with pytest.raises(Fault, match="does not show"):
        of(Saying(b"[]", total="9", totalpages="3")).changed(START, None)


def test_the_key_goes_by_basic_authentication_to_the_shop_in_its_path() -> None:
    saying = Saying(b"[]", total="0", totalpages="0")
    of(saying).changed(START, None)
    [(method, url, headers, body)] = saying.sent
    assert url.startswith("https://shop.example/de/wp-json/wc/v3/orders?modified_after=2026-11-23T")
    assert headers["Authorization"] == f"Basic {base64.b64encode(ACCESS.encode()).decode()}"
    assert (method, body) == ("GET", b"")
    assert ACCESS.partition(":")[0] not in url


# Discounts.


def test_a_coupon_is_made_once(woo: WooCommerceStandIn, api: WooCommerceApi) -> None:
    api.put_discount(VOUCHER)
    api.put_discount(StoreDiscount("V-5kq2", "again", "EUR", amount=900))
    [coupon] = woo.coupons.values()
    assert coupon == {
        "id": coupon["id"],
        "code": "v-5kq2",
        "description": "5 off",
        "usage_limit": 1,
        "discount_type": "fixed_cart",
        "amount": "5.00",
        "date_expires": "2026-11-23T12:00:00Z",  # its last second
    }


def test_a_share_is_a_coupon_of_percent(woo: WooCommerceStandIn, api: WooCommerceApi) -> None:
    api.put_discount(StoreDiscount("TEN", "10 % off", "EUR", percent=10, ends_at=START))
    api.put_discount(StoreDiscount("YEN", "500 off", "JPY", amount=500))
    ten, yen = woo.coupons.values()
    assert (ten["discount_type"], ten["amount"]) == ("percent", "10")
    assert ten["date_expires"] == "2026-11-23T11:59:59Z"
    assert (yen["amount"], "date_expires" in yen) == ("500", False)


def test_a_coupon_is_ended_once(woo: WooCommerceStandIn, api: WooCommerceApi) -> None:
    api.put_discount(VOUCHER)
    api.put_discount(StoreDiscount("OTHER", "other", "EUR", percent=5))
    api.end_discount(VOUCHER.code)
    assert [one["code"] for one in woo.coupons.values()] == ["other"]
    api.end_discount(VOUCHER.code)
    assert [one["code"] for one in woo.coupons.values()] == ["other"]


def test_a_coupon_that_somebody_else_ends_meanwhile(
    woo: WooCommerceStandIn, api: WooCommerceApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put_discount(VOUCHER)
    [coupon] = woo.coupons.values()
    woo.coupons.clear()
    listed = Response(200, {}, json.dumps([coupon]).encode())
    http = PublicHttp(allow_local=True)
    send = http.send
    monkeypatch.setattr(
        http,
        "send",
        lambda method, *rest: listed if method == "GET" else send(method, *rest),
    )
    WooCommerceApi(http, woo.url, ACCESS, "webshop").end_discount(VOUCHER.code)
    assert woo.requests[-1].startswith("DELETE")


def test_only_the_coupon_of_the_code_is_ended() -> None:
    saying = Saying(json.dumps([{"id": 1, "code": "sale"}]).encode())
    of(saying).end_discount("V-5KQ2")
    assert [one[0] for one in saying.sent] == ["GET"]


def test_a_coupon_that_is_refused_is_a_fault() -> None:
    body = b'{"code": "woocommerce_rest_cannot_create"}'
    with pytest.raises(Fault, match="woocommerce_rest_cannot_create"):
        of(Saying(body, 403)).put_discount(VOUCHER)
