"""Square's API: orders as they are read from it, and whatever it may answer."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters.http import Http, Response
from chalicelib.adapters.stores.square import PRODUCTION, SANDBOX, Square
from chalicelib.adapters.stores.square_api import PAGE, VERSION, SquareApi
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.domain.ledger.commands import LineRefund
from chalicelib.domain.orders import Order, OrderLine, Payment, check_order
from chalicelib.domain.referrals.checks import Seen
from chalicelib.domain.stores.connection import Connection, StoreKind
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerGone,
    CustomerSaid,
    OrderSaid,
    OrdersChanged,
    OrderState,
    OrderToFetch,
    StoreMessage,
    StoreRefund,
    Unreadable,
)
from chalicelib.kernel.clock import SECOND, from_rfc3339
from local.store_stand_ins.square import ACCESS, LOCATION, SIGNATURE_KEY, Line, SquareShop
from tests.fakes.shop import START, SetClock

GOLDEN = Path(__file__).parents[1] / "golden" / "stores" / "square"
ORDER = "oHyQ6w9wEc72nlKaIptsnc3CLnSZY"
RETURN = "j7CWK5PozTAPsfm2XlGPKPzeV"
PAYMENT = "5RAIyfBiXGvpcNhXJZJYgqMoTFQZY"
REFUND = "bP9mAsEMYPUGjjGNaNO5ZDVyLhSZY_69MmgHubkLqx9wGhnmenRUHOaKitE6llfZuxcWYjGxd"
AMELIA = "A0AP25A6SCVTH8JES9BX01GXM4"
CARD = "sq-1-Tvruf3vPQxlvI6n0IcKYfBukrcv6IqWr8UyBdViWXU2yzGn5VMJvrsHMKpINMhPmVg"

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


class Recorded(Http):
    """Answers by the path of what is asked, 404 where nothing was recorded."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = dict(answers)
        self.headers: list[Mapping[str, str]] = []

    def send(
        self,
        method: str,  # noqa: ARG002
        url: str,
        body: bytes,  # noqa: ARG002
        headers: Mapping[str, str],
    ) -> Response:
        self.headers.append(headers)
        found = self.answers.get(url.partition("/v2/")[2])
        if isinstance(found, Response):
            return found
        return Response(404 if found is None else 200, {}, json.dumps(found).encode())


def golden(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return read


def documented() -> dict[str, Any]:
    return {
        f"orders/{ORDER}": golden("order"),
        f"orders/{RETURN}": golden("order_of_return"),
        f"payments/{PAYMENT}": golden("payment"),
        f"refunds/{REFUND}": golden("refund"),
        f"customers/{AMELIA}": golden("customer"),
    }


def api_of(http: Http, address: str = PRODUCTION, money: str = "USD") -> SquareApi:
    connection = Connection("prg_1", "str_1", StoreKind.SQUARE, "square", address, (), START)
    return Square(http, allow_local=True).api(connection, ACCESS, money)


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


def read(order: dict[str, Any], order_id: str = "o", **more: Any) -> OrderSaid | None:
    """An order of these fields beside those that every order has."""
    usual = {
        "id": order_id,
        "state": "COMPLETED",
        "created_at": "2026-11-23T12:00:00Z",
        "updated_at": "2026-11-23T12:00:00Z",
    }
    return api_of(Recorded({f"orders/{order_id}": {"order": {**usual, **order}}, **more})).order(
        order_id
    )


def said(order: dict[str, Any], **more: Any) -> OrderSaid:
    found = read(order, **more)
    assert found is not None
    return found


def row(total: int, quantity: str = "1", uid: str = "1", **more: Any) -> dict[str, Any]:
    return {"uid": uid, "quantity": quantity, "total_money": usd(total), **more}


def sold(*rows: dict[str, Any], beside: int = 0, **more: Any) -> dict[str, Any]:
    total = sum(one["total_money"]["amount"] for one in rows) + beside
    return {"line_items": list(rows), "total_money": usd(total), **more}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def shop(clock: SetClock) -> Iterator[SquareShop]:
    with SquareShop(clock) as shop:
        yield shop


def ask(shop: SquareShop) -> SquareApi:
    return api_of(Http(), shop.url, "EUR")


def now(shop: SquareShop, order_id: str) -> OrderSaid:
    found = ask(shop).order(order_id)
    assert found is not None
    assert check_order(found.order) == []
    return found


def test_what_square_documents_is_understood() -> None:
    expected = OrderSaid(
        Order(
            "square",
            ORDER,
            "USD",
            from_rfc3339("2021-05-20T22:38:25.167Z"),
            (OrderLine("333r2", 1, 100, name="A Widget", tax=0),),
            store="VJN4XSBFTVPK9",
            paid_with=(Payment("card", 100),),
            updated_at=from_rfc3339("2021-05-20T22:40:40.000Z"),
        ),
        OrderState.PAID,
        Customer(
            AMELIA,
            "Amelia.Earhart@example.com",
            phone="+1-212-555-4240",
            given_name="Amelia",
            family_name="Earhart",
            country="US",
        ),
        (StoreRefund(RETURN, (LineRefund("333r2", 1),)),),
        seen=Seen(CARD, email="Amelia.Earhart@example.com", phone="+1-212-555-4240"),
    )
    http = Recorded(documented())
    assert api_of(http).order(ORDER) == expected
    assert api_of(http).order(RETURN) == expected  # a refund names the return, not the order
    assert {one["square-version"] for one in http.headers} == {VERSION}
    assert {one["authorization"] for one in http.headers} == {f"Bearer {ACCESS}"}


def test_what_is_sold_in_the_sandbox_is_a_test() -> None:
    found = api_of(Recorded(documented()), SANDBOX).order(ORDER)
    assert found is not None and found.is_test


@pytest.mark.parametrize("status", ["PENDING", "REJECTED", "FAILED"])
def test_money_that_is_not_back_is_no_refund(status: str) -> None:
    answers = documented()
    answers[f"refunds/{REFUND}"]["refund"]["status"] = status
    found = api_of(Recorded(answers)).order(ORDER)
    assert found is not None and found.refunds == ()


def test_a_refund_whose_return_is_gone_or_not_named_is_an_amount_under_its_own_id() -> None:
    answers = documented()
    del answers[f"orders/{RETURN}"]
    assert refunds(answers) == (StoreRefund(RETURN, amount=100),)
    for other in (ORDER, None):
        answers[f"refunds/{REFUND}"]["refund"]["order_id"] = other
        assert refunds(answers) == (StoreRefund(REFUND, amount=100),)
    del answers[f"refunds/{REFUND}"]
    assert refunds(answers) == ()


def refunds(answers: dict[str, Any]) -> tuple[StoreRefund, ...]:
    found = api_of(Recorded(answers)).order(ORDER)
    assert found is not None
    return found.refunds


def test_two_payments_back_for_one_return_are_one_refund_once_both_are_through() -> None:
    answers = documented()
    first = answers[f"refunds/{REFUND}"]["refund"]
    first["amount_money"] = usd(60)
    second = {**first, "id": "second", "amount_money": usd(40), "status": "PENDING"}
    answers["refunds/second"] = {"refund": second}
    answers[f"payments/{PAYMENT}"]["payment"]["refund_ids"].append("second")
    assert refunds(answers) == ()
    second["status"] = "COMPLETED"
    assert refunds(answers) == (StoreRefund(RETURN, (LineRefund("333r2", 1),)),)
    second["status"] = "FAILED"
    assert refunds(answers) == (StoreRefund(RETURN, amount=60),)


def test_an_order_has_what_the_till_says() -> None:
    found = said(
        sold(
            row(700, "2", "a", catalog_object_id="LATTE", total_discount_money=usd(100)),
            row(2500, uid="b", item_type="GIFT_CARD"),
            beside=150,
            total_tip_money=usd(50),
            source={"name": "Square Online"},
            location_id="L1",
            tenders=[
                {"id": "p1", "type": "SQUARE_GIFT_CARD", "amount_money": usd(350)},
                {"id": "p2", "type": "CASH", "amount_money": usd(3000)},
            ],
        )
    )
    assert found.order.lines == (
        OrderLine("a", 2, 400, sku="LATTE", discount=100, tax=0),
        OrderLine("b", 1, 2500, tax=0, gift_card=True),
    )
    assert (found.order.shipping, found.order.tip, found.order.total) == (100, 50, 3350)
    assert found.order.paid_with == (Payment("gift_card", 350), Payment("cash", 3000))
    assert (found.order.channel, found.order.store) == ("Square Online", "L1")
    assert found.customer == Customer()


@pytest.mark.parametrize(
    ("types", "included", "unit_price"),
    [
        (["ADDITIVE"], False, 1000),
        (["INCLUSIVE"], True, 1080),
        (["ADDITIVE", "INCLUSIVE"], True, 1080),
    ],
)
def test_taxes_are_in_the_prices_or_on_top(
    types: list[str], included: bool, unit_price: int
) -> None:
    taxes = [{"uid": kind, "type": kind} for kind in types]
    found = said(sold(row(1080, total_tax_money=usd(80)), taxes=taxes))
    assert found.order.tax_included is included
    assert found.order.lines[0].unit_price == unit_price
    assert found.order.taxes == (80,)
    assert found.order.total == 1080
    assert check_order(found.order) == []


@pytest.mark.parametrize(
    ("quantity", "unit", "units", "unit_price"),
    [
        ("3", None, 3, 350),
        ("3.0", None, 3, 350),
        ("1.5", None, 1, 1050),
        ("1.70000", {"precision": 5}, 1, 1050),
        ("3", {"precision": 0}, 1, 1050),
        ("0.001", None, 1, 1050),
        ("4", None, 4, 263),  # less the odd two units
    ],
)
def test_what_is_measured_is_one_unit_at_the_whole_price(
    quantity: str, unit: Any, units: int, unit_price: int
) -> None:
    line = said(sold(row(1050, quantity, quantity_unit=unit))).order.lines[0]
    assert (line.quantity, line.unit_price, line.price) == (units, unit_price, 1050)


def test_a_line_of_nothing_is_none() -> None:
    assert said(sold(row(0, "0"), row(100, uid="b"))).order.quantities == (1,)


def test_yen_have_no_decimals() -> None:
    yen = {"amount": 1200, "currency": "JPY"}
    found = said(
        {"line_items": [{"uid": "1", "quantity": "1", "total_money": yen}], "total_money": yen}
    )
    assert (found.order.currency, found.order.total) == ("JPY", 1200)


def test_cash_that_was_rounded_down_is_a_discount_of_the_order() -> None:
    found = said(sold(row(1003), beside=-3))
    assert (found.order.discount, found.order.total) == (3, 1000)


@pytest.mark.parametrize(
    ("state", "payments", "expected"),
    [
        ("OPEN", [], OrderState.PENDING),
        ("OPEN", [("APPROVED", 500)], OrderState.PENDING),
        ("OPEN", [("COMPLETED", 499)], OrderState.PENDING),
        ("OPEN", [("COMPLETED", 300), ("COMPLETED", 200)], OrderState.PAID),
        ("OPEN", [("COMPLETED", 300), ("CANCELED", 200)], OrderState.PENDING),
        ("COMPLETED", [], OrderState.PAID),
        ("CANCELED", [], OrderState.CANCELLED),
        ("CANCELED", [("COMPLETED", 500)], OrderState.CANCELLED),
    ],
)
def test_an_order_is_paid_when_all_of_its_money_is_there(
    state: str, payments: list[tuple[str, int]], expected: OrderState
) -> None:
    tenders = [{"id": f"p{at}", "type": "CARD"} for at in range(len(payments))]
    answers = {
        f"payments/p{at}": {"payment": {"id": f"p{at}", "status": status, "total_money": usd(paid)}}
        for at, (status, paid) in enumerate(payments)
    }
    found = said(sold(row(500), state=state, tenders=tenders), **answers)
    assert found.state is expected


def test_an_open_order_that_costs_nothing_is_paid_when_it_is_completed() -> None:
    assert said(sold(row(0), state="OPEN")).state is OrderState.PENDING
    assert said(sold(row(0))).state is OrderState.PAID


def test_drafts_drawers_and_returns_of_nothing_are_no_orders() -> None:
    assert read(sold(row(500), state="DRAFT")) is None
    assert read({"tenders": [{"id": "p", "type": "NO_SALE"}]}) is None
    emptied = said({"state": "CANCELED"})
    assert (emptied.state, emptied.order.lines) == (OrderState.CANCELLED, ())
    assert read({"returns": [{"return_line_items": []}]}) is None
    assert read({"returns": [{"source_order_id": "gone"}]}) is None
    assert api_of(Recorded({})).order("nothing") is None


def test_a_guest_is_who_the_payment_says() -> None:
    payment = {"id": "p", "status": "COMPLETED", "buyer_email_address": "ada@example.com"}
    order = sold(row(500), tenders=[{"id": "p", "type": "CARD"}])
    found = said(order, **{"payments/p": {"payment": payment}})
    assert found.customer == Customer(email="ada@example.com")
    assert found.seen == Seen(email="ada@example.com")


def test_goods_that_were_exchanged_count_by_the_difference() -> None:
    """100.00 came back for 60.00: the new order is worth nothing, 40.00 of the old came back."""
    back = {"source_line_item_uid": "1", "quantity": "1", "total_money": usd(10000)}
    exchange = sold(
        row(6000, uid="new"),
        returns=[{"source_order_id": "old", "return_line_items": [back]}],
        return_amounts={"total_money": usd(10000)},
        refunds=[{"id": "r", "status": "APPROVED", "amount_money": usd(4000)}],
    )
    assert said(exchange).order.total == 0
    usual = {"created_at": "2026-11-23T12:00:00Z", "updated_at": "2026-11-23T12:00:00Z"}
    old = said(
        sold(row(10000), tenders=[{"id": "p", "type": "CARD"}]),
        **{
            "payments/p": {"payment": {"id": "p", "refund_ids": ["r"]}},
            "refunds/r": {
                "refund": {
                    "id": "r",
                    "status": "COMPLETED",
                    "order_id": "new",
                    "amount_money": usd(4000),
                }
            },
            "orders/new": {"order": {"id": "new", **usual, **exchange}},
        },
    )
    assert old.refunds == (StoreRefund("new", amount=4000),)


def test_goods_that_were_paid_back_pay_for_nothing() -> None:
    exchange = sold(
        row(6000),
        returns=[{"source_order_id": "old"}],
        return_amounts={"total_money": usd(10000)},
        refunds=[
            {"id": "r", "status": "APPROVED", "amount_money": usd(10000)},
            {"id": "s", "status": "FAILED", "amount_money": usd(10000)},
        ],
    )
    assert said(exchange).order.total == 6000


@pytest.mark.parametrize(
    "order",
    [
        sold(row(1), id=None),
        sold({"uid": "1", "total_money": usd(1)}),
        sold(row(1, "-1")),
        sold(row(1, "1e3")),
        sold(row(1, "٣")),
        sold(row(1, "9" * 13)),
        sold(row(-1)),
        sold(row(10**13)),
        sold(row(1, uid="1", total_tax_money=usd(2)), taxes=[{"type": "ADDITIVE"}]),
        sold(row(1, total_tax_money={"amount": 1, "currency": "EUR"})),
        sold(row(1, total_tax_money="1")),
        {"line_items": {"a": 1}, "total_money": usd(1)},
        {"line_items": [1], "total_money": usd(1)},
        {"line_items": [row(1)], "total_money": {"amount": 1, "currency": "XXX"}},
        {"line_items": [row(1)], "total_money": {"amount": "1", "currency": "USD"}},
        {"line_items": [row(1)], "total_money": {"amount": True, "currency": "USD"}},
        sold(row(1), created_at="yesterday"),
        sold(row(1), updated_at=None),
        sold(row(1), tenders=[{"type": "CARD"}]),
        sold(row(1), tenders=[{"id": "p"}]),
    ],
)
def test_an_order_that_makes_no_sense_is_unreadable(order: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        said(order)


@settings(deadline=None)
@given(
    st.sampled_from([*golden("order")["order"], "returns", "taxes", "return_amounts", "refunds"]),
    Json,
)
def test_an_order_with_any_field_spoiled_is_read_or_unreadable(name: str, value: Any) -> None:
    answers = documented()
    answers[f"orders/{ORDER}"]["order"][name] = value
    only_readable(answers)


@settings(deadline=None)
@given(st.sampled_from(["payment", "refund", "customer"]), st.text(), Json)
def test_what_belongs_to_an_order_may_be_of_any_shape(kind: str, name: str, value: Any) -> None:
    answers = documented()
    path = next(one for one in answers if one.startswith(kind))
    named = [*answers[path][kind], name]
    for field in named:
        answers = documented()
        answers[path][kind][field] = value
        only_readable(answers)


@settings(deadline=None)
@given(st.sampled_from(["line_items", "returns"]), Json)
def test_a_line_may_be_of_any_shape(name: str, value: Any) -> None:
    for field in golden("order")["order"]["line_items"][0]:
        answers = documented()
        answers[f"orders/{ORDER}"]["order"]["line_items"][0][field] = value
        only_readable(answers)
    for field in ("source_order_id", "return_line_items"):
        answers = documented()
        answers[f"orders/{RETURN}"]["order"]["returns"][0][field] = value
        only_readable(answers)


def only_readable(answers: dict[str, Any]) -> None:
    try:
        api_of(Recorded(answers)).order(ORDER)
    except Unreadable:
        return


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
        (401, Fault),
        (403, Fault),
        (400, Fault),
    ],
)
def test_what_passes_is_unavailable_and_what_does_not_is_a_fault(
    status: int, error: type[Fault]
) -> None:
    api = api_of(
        Recorded({"orders/o": Response(status, {}, b"{}"), "locations": Response(status, {}, b"")})
    )
    for call in (lambda: api.order("o"), lambda: api.changed(START, None)):
        with pytest.raises(Fault) as raised:
            call()
        assert type(raised.value) is error


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"order": []}'])
def test_an_answer_that_is_none_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        api_of(Recorded({"orders/o": Response(200, {}, body)})).order("o")


def test_a_refused_list_of_locations_is_no_empty_shop() -> None:
    with pytest.raises(Fault):
        api_of(Recorded({})).changed(START, None)
    assert api_of(Recorded({"locations": {}})).changed(START, None) == OrdersChanged((), None)


def test_an_order_of_any_id_is_asked_for_as_one(shop: SquareShop) -> None:
    assert ask(shop).order("../locations?x=/#") is None
    assert shop.requests == ["GET /v2/orders/..%2Flocations%3Fx%3D%2F%23"]


def test_the_life_of_an_order(shop: SquareShop) -> None:
    ada = shop.customer("ada@example.com", given_name="Ada")
    coffee, cake = Line("coffee", 350, "3"), Line("cake", 500, discount=100, tax=32)
    order_id = shop.order(coffee, cake, customer_id=ada, charge=200)
    placed = now(shop, order_id)
    assert (placed.state, placed.order.total) == (OrderState.PENDING, 1050 + 432 + 200)
    assert placed.customer == Customer(ada, "ada@example.com", given_name="Ada")
    shop.edit(order_id, coffee)
    assert [line.id for line in now(shop, order_id).order.lines] == ["coffee"]
    shop.pay(order_id, tip=100)
    paid = now(shop, order_id)
    assert (paid.state, paid.order.tip, paid.order.total) == (OrderState.PAID, 100, 1150)
    first = shop.refund(order_id, {"coffee": "1"}, status="PENDING")
    assert now(shop, order_id) == paid
    shop.settle(first, "COMPLETED")
    shop.refund(order_id, amount=200)
    back = now(shop, order_id)
    assert [one.lines for one in back.refunds] == [(LineRefund("coffee", 1),), ()]
    assert [one.amount for one in back.refunds] == [None, 200]
    assert back.order == paid.order
    assert now(shop, order_id) == back


def test_a_part_of_what_is_measured_comes_back_as_an_amount(shop: SquareShop) -> None:
    beans = Line("beans", 2000, "1.5", unit="METRIC_KILOGRAM")
    order_id = shop.order(beans)
    shop.pay(order_id)
    shop.refund(order_id, {"beans": "0.5"})
    assert [one.amount for one in now(shop, order_id).refunds] == [1000]
    whole = shop.order(beans)
    shop.pay(whole)
    shop.refund(whole)
    assert [one.lines for one in now(shop, whole).refunds] == [(LineRefund("beans", 1),)]


def test_an_order_that_was_given_up_is_cancelled(shop: SquareShop) -> None:
    order_id = shop.order(Line("coffee", 350))
    shop.cancel(order_id)
    assert now(shop, order_id).state is OrderState.CANCELLED


def test_every_message_of_the_stand_in_is_heard(shop: SquareShop) -> None:
    shop.notification_url = "https://shop.example/v1/webhooks/stores/str_1"
    ada = shop.customer("ada@example.com")
    order_id = shop.order(Line("coffee", 350), customer_id=ada)
    shop.pay(order_id)
    shop.refund(order_id)
    shop.close_account(ada)
    heard = [
        Square(Http()).hear(
            StoreMessage(sent.headers, sent.body, shop.notification_url),
            [SIGNATURE_KEY],
            "s",
            "EUR",
            START,
        )
        for sent in shop.messages
    ]
    assert len({one.id for one in heard}) == len(heard) == 8
    kinds = [type(fact) for one in heard for fact in one.facts]
    assert kinds == [CustomerSaid, *[OrderToFetch] * 6, CustomerGone]
    fetched = {fact.order_id for one in heard for fact in one.facts if type(fact) is OrderToFetch}
    found = [ask(shop).order(each) for each in fetched]
    assert {one.order.id for one in found if one} == {order_id}


def pull(shop: SquareShop, since: int = START) -> tuple[list[str], list[OrdersChanged]]:
    """The ids of all that changed, and the pages."""
    pages = [ask(shop).changed(since, None)]
    while pages[-1].cursor is not None:
        pages.append(ask(shop).changed(since, pages[-1].cursor))
        assert len(pages) < 50
    return [one.order.id for page in pages for one in page.orders], pages


def test_everything_that_changed_is_pulled_page_by_page_oldest_change_first(
    shop: SquareShop, clock: SetClock
) -> None:
    shop.order(Line("coffee", 350))
    clock.at += SECOND
    since = clock.at
    placed = []
    for _ in range(2 * PAGE + 5):
        placed.append(shop.order(Line("coffee", 350)))
        clock.at += SECOND
    shop.order(Line("coffee", 350), state="DRAFT")
    shop.cancel(placed[0])
    found, pages = pull(shop, since)
    assert found == [*placed[1:], placed[0]]
    assert [len(page.orders) for page in pages] == [PAGE, PAGE, 5]
    assert pages[-1].orders[-1].state is OrderState.CANCELLED


def test_a_return_among_the_changes_is_told_as_its_order(shop: SquareShop, clock: SetClock) -> None:
    order_id = shop.order(Line("coffee", 350))
    shop.pay(order_id)
    clock.at += SECOND
    shop.refund(order_id)
    found, pages = pull(shop, clock.at)
    assert found == [order_id]
    assert len(pages[0].orders[0].refunds) == 1


def test_more_than_ten_locations_are_searched_in_turn(shop: SquareShop) -> None:
    shop.locations = [f"L{at}" for at in range(21)]
    placed = [shop.order(Line("coffee", 350), location_id=one) for one in shop.locations]
    found, pages = pull(shop)
    assert found == placed
    assert [len(page.orders) for page in pages] == [10, 10, 1]
    shop.locations = shop.locations[:10]
    assert ask(shop).changed(START, "1:") == OrdersChanged((), None)


def test_a_place_that_square_forgot_is_begun_anew(shop: SquareShop) -> None:
    placed = [shop.order(Line("coffee", 350)) for _ in range(PAGE + 1)]
    page = ask(shop).changed(START, "0:forgotten")
    assert [one.order.id for one in page.orders] == placed[:PAGE]
    assert page.cursor is not None


def test_what_cannot_be_read_holds_up_nothing_else() -> None:
    answers = documented() | {
        "locations": {"locations": [{"id": LOCATION}]},
        "orders/search": {
            "order_entries": [{"order_id": one} for one in ("bad", "gone", ORDER, RETURN)]
        },
        "orders/bad": {"order": {"id": "bad", "state": "OPEN"}},
    }
    page = api_of(Recorded(answers)).changed(START, None)
    assert [one.order.id for one in page.orders] == [ORDER]
    assert page.unreadable == ("bad: created_at is missing",)


@pytest.mark.parametrize("status", [429, 503])
def test_square_that_throttles_or_is_down_in_the_middle_is_asked_again_later(
    shop: SquareShop, status: int
) -> None:
    order_id = shop.order(Line("coffee", 350))
    shop.failures = iter([status])
    with pytest.raises(Unavailable):
        ask(shop).order(order_id)
    assert now(shop, order_id).order.id == order_id


def test_a_token_that_was_taken_back_is_a_fault(shop: SquareShop) -> None:
    connection = Connection("prg_1", "str_1", StoreKind.SQUARE, "square", shop.url, (), START)
    with pytest.raises(Fault, match="Square refuses us: 401"):
        Square(Http(), allow_local=True).api(connection, "another-token-16", "EUR").order("o")


def test_square_that_cannot_be_reached_is_unavailable(clock: SetClock) -> None:
    with SquareShop(clock) as shop:
        pass
    with pytest.raises(Unavailable):
        ask(shop).order("o")
