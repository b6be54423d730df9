"""Shopify: each documented payload to its facts, and whatever a shop can do to an order."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters.stores.shopify import Shopify
from chalicelib.domain.errors import Fault
from chalicelib.domain.ledger.commands import LineRefund
from chalicelib.domain.orders import Order, OrderLine, Payment, check_order
from chalicelib.domain.referrals.checks import Seen
from chalicelib.domain.stores.connection import Connection, StoreKind
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerGone,
    CustomerSaid,
    DataAsked,
    ErasureAsked,
    Fact,
    Heard,
    OrderGone,
    OrderSaid,
    OrderState,
    OrderToFetch,
    RefundSaid,
    StoreGone,
    StoreMessage,
    StoreRefund,
    Unreadable,
)
from chalicelib.kernel.clock import from_rfc3339
from chalicelib.kernel.signatures import BadSignature
from local.store_stand_ins.common import mark_of
from local.store_stand_ins.shopify import SECRET, Item, ShopifyStandIn
from tests.fakes.shop import ROOT

GOLDEN = ROOT / "tests" / "golden" / "stores" / "shopify"
AT = "2026-11-01T10:00:00+01:00"
MAX_BODY = 1 << 20

Found = dict[str, Any]


def message(body: bytes, topic: str = "orders/updated", **headers: str) -> StoreMessage:
    signed = {
        "x-shopify-hmac-sha256": mark_of(SECRET, body),
        "x-shopify-topic": topic,
        "x-shopify-webhook-id": "b54557e4",
    }
    return StoreMessage(
        {**signed, **headers}, body, "https://regulars.test/v1/webhooks/stores/st_1"
    )


def hear(sent: StoreMessage, money: str = "EUR", *secrets: str) -> Heard:
    return Shopify().hear(sent, secrets or (SECRET,), "shopify", money, 0)


def facts(topic: str, body: Found, money: str = "EUR") -> tuple[Fact, ...]:
    return hear(message(json.dumps(body).encode(), topic), money).facts


def golden(name: str, topic: str, money: str = "USD") -> tuple[Fact, ...]:
    return hear(message((GOLDEN / f"{name}.json").read_bytes(), topic), money).facts


def read(body: Found, money: str = "EUR") -> OrderSaid:
    (said,) = facts("orders/updated", body, money)
    assert isinstance(said, OrderSaid)
    assert check_order(said.order) == []
    return said


def line(**changes: Any) -> Found:
    return {"id": 7, "quantity": 2, "price": "10.00", **changes}


def order(*lines: Found, **changes: Any) -> Found:
    return {
        "id": 1001,
        "currency": "EUR",
        "created_at": AT,
        "updated_at": AT,
        "financial_status": "paid",
        "taxes_included": True,
        "line_items": list(lines) or [line()],
        **changes,
    }


def refund(refund_id: int = 50, units: int = 0, **changes: Any) -> Found:
    """Of the line 7, whose unit is 10.00; all money came back."""
    rows = [{"line_item_id": 7, "quantity": units, "subtotal": 10.0 * units, "total_tax": 0.0}]
    return {
        "id": refund_id,
        "order_id": 1001,
        "refund_line_items": rows if units else [],
        "transactions": [paid_back(f"{10 * units}.00")],
        "order_adjustments": [],
        **changes,
    }


def paid_back(amount: str, status: str = "success", currency: str = "EUR") -> Found:
    return {"kind": "refund", "status": status, "amount": amount, "currency": currency}


def adjustment(amount: str, kind: str = "refund_discrepancy") -> Found:
    return {"kind": kind, "amount": amount, "tax_amount": "0.00"}


# The payloads of the documentation.


def test_the_documented_order() -> None:
    taxed = {"quantity": 1, "unit_price": 19900, "tax": 398, "sku": "IPOD2008GREEN"}
    green = OrderLine("466157049", name="IPod Nano - 8gb - green", discount=334, **taxed)
    red = replace(
        green, id="518995019", sku="IPOD2008RED", name="IPod Nano - 8gb - red", discount=333
    )
    black = replace(red, id="703073504", sku="IPOD2008BLACK", name="IPod Nano - 8gb - black")
    at = from_rfc3339("2008-01-10T16:00:00Z")
    expected = OrderSaid(
        order=Order(
            "shopify",
            "450789469",
            "USD",
            at,
            (green, red, black),
            channel="online",
            tax_included=False,
            paid_with=(Payment("bogus", 59894),),
            updated_at=at,
        ),
        state=OrderState.PAID,
        customer=Customer(
            id="207119551",
            email="bob.norman@mail.example.com",
            phone="+16136120707",
            given_name="Bob",
            family_name="Norman",
            country="US",
            accepts_marketing=False,
        ),
        refunds=(
            StoreRefund("509562969", (LineRefund("703073504", 1), LineRefund("466157049", 1))),
        ),
        discount_codes=("TENOFF",),
        seen=Seen(
            network_address="0.0.0.0",
            email="bob.norman@mail.example.com",
            phone="+557734881234",
        ),
    )
    assert golden("order", "orders/updated") == (expected,)
    assert expected.order.total == 59894  # the documented total_price


def test_the_documented_refund_is_the_one_inside_its_order() -> None:
    (said,) = golden("order", "orders/updated")
    assert isinstance(said, OrderSaid)
    assert golden("refund", "refunds/create") == (RefundSaid("450789469", said.refunds[0]),)


def test_the_test_message_of_the_admin_is_a_test_order_that_is_cancelled() -> None:
    (said,) = golden("order_test_message", "orders/cancelled")
    assert isinstance(said, OrderSaid)
    assert (said.order.id, said.is_test, said.state) == (
        "820982911946154508",
        True,
        OrderState.CANCELLED,
    )
    assert said.order.lines[0].labels == ("tag1", "tag2")
    assert (said.order.shipping, said.order.paid_with) == (1000, ())  # two gateways: who knows
    assert said.customer.country == "CA"


@pytest.mark.parametrize(
    ("name", "topic", "fact"),
    [
        ("order_edited", "orders/edited", OrderToFetch("74567788093")),
        ("order_deleted", "orders/delete", OrderGone("820982911946154508")),
        ("customer_deleted", "customers/delete", CustomerGone(Customer("706405506930370084"))),
        (
            "customer_data_request",
            "customers/data_request",
            DataAsked(Customer("191167", email="john@example.com", phone="555-625-1199")),
        ),
        (
            "customer_redact",
            "customers/redact",
            ErasureAsked(Customer("191167", email="john@example.com", phone="555-625-1199")),
        ),
        ("shop_redact", "shop/redact", StoreGone()),
    ],
)
def test_the_other_documented_messages(name: str, topic: str, fact: Fact) -> None:
    assert golden(name, topic) == (fact,)


@pytest.mark.parametrize("topic", ["customers/create", "customers/update"])
def test_a_customer_is_verified_once_he_signed_in(topic: str) -> None:
    (said,) = golden("customer", topic)
    assert isinstance(said, CustomerSaid)
    assert (said.customer.id, said.customer.email_verified) == ("207119551", False)
    body = json.loads((GOLDEN / "customer.json").read_text())
    assert said.customer.accepts_marketing is None  # he never said anything
    consent = {"state": "subscribed", "consent_updated_at": AT}
    body |= {"state": "enabled", "email_marketing_consent": consent}
    (said,) = facts(topic, body)
    assert isinstance(said, CustomerSaid)
    assert (said.customer.email_verified, said.customer.accepts_marketing) == (True, True)
    assert said.customer.accepted_at == from_rfc3339(AT)
    body["email_marketing_consent"] = {"state": "unsubscribed", "consent_updated_at": None}
    (said,) = facts(topic, body)
    assert isinstance(said, CustomerSaid)
    assert (said.customer.accepts_marketing, said.customer.accepted_at) == (False, None)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_golden_payload_is_used(path: Path) -> None:
    assert f'"{path.stem}"' in Path(__file__).read_text()


# Headers and signatures.


def test_what_repeats_a_message_has_its_id() -> None:
    body = json.dumps(order()).encode()
    headers = {"x-shopify-webhook-id": "w-1", "x-shopify-event-id": "e-1"}
    assert hear(message(body, **headers)).id == "w-1"


def test_any_of_the_secrets_may_have_signed() -> None:
    assert hear(message(json.dumps(order()).encode()), "EUR", "new", SECRET).known
    with pytest.raises(BadSignature):
        hear(message(json.dumps(order()).encode()), "EUR", "new", "other")


@pytest.mark.parametrize(
    "mark",
    ["", "é", "not base64!", "AAAA", "=" * 44, mark_of(SECRET, b"{} "), "A" * 100_000],
)
def test_a_bad_signature_is_refused_before_the_body_is_read(mark: str) -> None:
    with pytest.raises(BadSignature):
        hear(message(b"{}", **{"x-shopify-hmac-sha256": mark}))
    with pytest.raises(BadSignature):
        hear(StoreMessage({}, b"{", "https://regulars.test/"))


def test_one_changed_byte_of_the_body_is_noticed() -> None:
    body = json.dumps(order()).encode()
    with pytest.raises(BadSignature):
        hear(replace(message(body), body=body.replace(b"1001", b"1002")))


def test_a_topic_nobody_knows_says_nothing() -> None:
    assert hear(message(b"anything", "products/create")) == Heard(
        "b54557e4", "products/create", known=False
    )


@pytest.mark.parametrize("name", ["x-shopify-topic", "x-shopify-webhook-id"])
def test_a_message_without_topic_or_id_cannot_be_read(name: str) -> None:
    with pytest.raises(Unreadable, match=name):
        hear(message(b"{}", **{name: " "}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
TOPICS = st.sampled_from(
    [
        "orders/create",
        "orders/edited",
        "orders/delete",
        "refunds/create",
        "customers/create",
        "customers/delete",
        "customers/redact",
        "customers/data_request",
        "shop/redact",
    ]
)


@settings(max_examples=200, deadline=None)
@given(TOPICS, st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_unreadable_and_nothing_worse(topic: str, body: bytes) -> None:
    with suppress(Unreadable):
        hear(message(body, topic))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["order", "refund"]), st.data())
def test_a_payload_with_one_wrong_value_is_read_or_unreadable(name: str, data: Any) -> None:
    body = json.loads((GOLDEN / f"{name}.json").read_text())
    places = list(_places(body))
    holder, key = places[data.draw(st.integers(0, len(places) - 1))]
    holder[key] = data.draw(JSON)
    topic = "orders/updated" if name == "order" else "refunds/create"
    try:
        found = hear(message(json.dumps(body).encode(), topic), "USD").facts
    except Unreadable:
        return
    for said in found:
        if isinstance(said, OrderSaid):
            assert said.order.fingerprint  # it can be stored


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_garbage_in_the_signature_is_bad_and_nothing_worse(mark: str) -> None:
    with pytest.raises(BadSignature):
        hear(message(b"{}", **{"x-shopify-hmac-sha256": mark}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'"text"',
        b"[" * 100_000,
        b'{"id": NaN}',
        b'{"id": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        json.dumps(order(line(name="\ud83d"))).encode(),
        json.dumps(order(id=None)).encode(),
        json.dumps(order(currency="XXX")).encode(),
        json.dumps(order(updated_at="yesterday")).encode(),
        json.dumps(order(line_items={})).encode()[:-1],
        json.dumps(order(line_items={"id": 1})).encode(),
        json.dumps(order(customer="me")).encode(),
        json.dumps(order(line(quantity=-1))).encode(),
        json.dumps(order(line(quantity=True))).encode(),
        json.dumps(order(line(price=None))).encode(),
        json.dumps(order(line(price="-1.00"))).encode(),
        json.dumps(order(line(price="1e3"))).encode(),
        json.dumps(order(line(price="9" * 40))).encode(),
        json.dumps(order(line(price={"amount": "1"}))).encode(),
    ],
)
def test_a_body_that_is_not_as_documented_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        hear(message(body))


def test_an_order_of_a_megabyte_is_read() -> None:
    rows = [line(id=number, name="n" * 500) for number in range(1860)]
    body = json.dumps(order(*rows)).encode()
    assert 0.95 * MAX_BODY < len(body) < MAX_BODY
    (said,) = hear(message(body)).facts
    assert isinstance(said, OrderSaid)
    assert len(said.order.lines) == 1860


# States.


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", OrderState.PENDING),
        ("authorized", OrderState.PENDING),
        ("partially_paid", OrderState.PENDING),
        ("expired", OrderState.PENDING),
        ("voided", OrderState.PENDING),
        (None, OrderState.PENDING),
        ({"no": "text"}, OrderState.PENDING),
        ("paid", OrderState.PAID),
        ("partially_refunded", OrderState.PAID),
        ("refunded", OrderState.PAID),
    ],
)
def test_where_an_order_stands(status: Any, state: OrderState) -> None:
    assert read(order(financial_status=status)).state is state
    cancelled = read(order(financial_status=status, cancelled_at=AT))
    assert cancelled.state is OrderState.CANCELLED


# Money.


@pytest.mark.parametrize(
    ("currency", "price", "minor"), [("JPY", "1200", 1200), ("KWD", "1.255", 1255)]
)
def test_currencies_with_other_decimals(currency: str, price: str, minor: int) -> None:
    found = read(order(line(price=price), currency=currency), currency)
    assert (found.order.currency, found.order.lines[0].unit_price) == (currency, minor)
    assert found.order.total == 2 * minor


@pytest.mark.parametrize(("included", "total"), [(True, 2000), (False, 2380)])
def test_taxes_are_in_the_price_or_on_top(included: bool, total: int) -> None:
    taxed = line(tax_lines=[{"price": "3.00"}, {"price": "0.80"}])
    found = read(order(taxed, taxes_included=included)).order
    assert (found.lines[0].tax, found.tax_included, found.total) == (380, included, total)


def test_shipping_counts_after_its_discounts_and_with_its_tax() -> None:
    row = {
        "price": "5.00",
        "discount_allocations": [{"amount": "1.00"}],
        "tax_lines": [{"price": "0.76"}],
    }
    removed = {**row, "is_removed": True}
    assert read(order(shipping_lines=[row, removed])).order.shipping == 400
    assert read(order(shipping_lines=[row], taxes_included=False)).order.shipping == 476


def both(shop: str, presented: str) -> Found:
    return {
        "shop_money": {"amount": shop, "currency_code": "USD"},
        "presentment_money": {"amount": presented, "currency_code": "EUR"},
    }


def test_the_customers_money_is_read_where_it_is_the_programs() -> None:
    rows = {
        "discount_allocations": [{"amount": "1.00", "amount_set": both("1.00", "0.90")}],
        "tax_lines": [{"price": "2.00", "price_set": both("2.00", "1.80")}],
    }
    bought = line(price="10.00", price_set=both("10.00", "9.00"), **rows)
    back = refund(
        order_adjustments=[
            {**adjustment("-5.00"), "amount_set": both("-5.00", "-4.50")}
            | {"tax_amount_set": both("0.00", "0.00")}
        ],
        transactions=[paid_back("4.50", currency="EUR")],
    )
    body = order(bought, currency="USD", presentment_currency="EUR", refunds=[back])
    found = read(body, "EUR")
    assert (found.order.currency, found.order.total) == ("EUR", 1710)
    assert (found.order.lines[0].tax, found.refunds) == (180, (StoreRefund("50", amount=450),))
    for money in ("USD", "GBP"):  # the shop's own, or neither
        other = read(body, money)
        assert (other.order.currency, other.order.total) == ("USD", 1900)
        assert other.refunds == (StoreRefund("50", amount=500),)


def test_the_customers_money_must_be_told_where_it_is_the_programs() -> None:
    with pytest.raises(Unreadable, match="price_set"):
        read(order(currency="USD", presentment_currency="EUR"), "EUR")


# What an order is of.


def test_gift_cards_custom_lines_and_where_it_was_bought() -> None:
    card = line(id=8, gift_card=True, name="Gift card")
    custom = line(id=9, title="Engraving", product_id=None, sku="", vendor="")
    none = line(id=10, quantity=0)
    goods = line(sku="BEANS", vendor="Acme")
    body = order(goods, card, custom, none, source_name="pos", location_id=655441491)
    found = read(body).order
    assert [one.id for one in found.lines] == ["7", "8", "9"]
    assert (found.lines[0].sku, found.lines[0].categories) == ("BEANS", ("Acme",))
    assert found.lines[1].gift_card
    assert (found.lines[2].sku, found.lines[2].name, found.lines[2].categories) == (
        None,
        "Engraving",
        (),
    )
    assert (found.channel, found.store) == ("pos", "655441491")


@pytest.mark.parametrize(
    ("names", "paid"),
    [
        (["gift_card"], (Payment("gift_card", 2000),)),
        (["Cash on Delivery (COD)"], (Payment("cash_on_delivery_cod", 2000),)),
        (["gift_card", "shopify_payments"], ()),
        ([], ()),
        (["カード"], ()),
    ],
)
def test_what_paid_is_known_where_it_was_one_thing(
    names: list[str], paid: tuple[Payment, ...]
) -> None:
    assert read(order(payment_gateway_names=names)).order.paid_with == paid


@pytest.mark.parametrize("gateway", ["shopify_payments", None])
def test_a_tip_is_no_line(gateway: str | None) -> None:
    tip = line(id=8, quantity=1, price="3.00", name="Tip", tip_payment_gateway=gateway)
    found = read(order(line(), tip, total_tip_received="3.00")).order
    assert (found.tip, [one.id for one in found.lines], found.total) == (300, ["7"], 2300)
    assert read(order(total_tip_received="3.00")).order.tip == 300


def test_a_guest_is_known_by_what_the_order_says() -> None:
    found = read(
        order(
            customer=None,
            email="guest@example.com",
            phone="+4930123456",
            customer_locale="de-DE",
            billing_address={"country_code": "DE"},
            buyer_accepts_marketing=True,
        )
    )
    assert found.customer == Customer(
        email="guest@example.com",
        phone="+4930123456",
        country="DE",
        locale="de-DE",
        accepts_marketing=True,
    )
    assert read(order(contact_email="late@example.com")).customer.email == "late@example.com"


# Edits.


def test_units_that_an_edit_took_out_were_not_bought() -> None:
    taxed = line(quantity=3, current_quantity=1)
    taxed |= {"discount_allocations": [{"amount": "3.00"}], "tax_lines": [{"price": "4.31"}]}
    (found,) = read(order(taxed)).order.lines
    assert (found.quantity, found.discount, found.tax, found.price) == (1, 100, 144, 900)


def test_an_edit_is_a_refund_without_money() -> None:
    body = order(line(current_quantity=1), refunds=[refund(units=1, transactions=[])])
    found = read(body)
    assert (found.order.quantities, found.refunds) == ((1,), ())
    assert facts("refunds/create", body["refunds"][0]) == (OrderToFetch("1001"),)


def test_a_line_that_an_edit_emptied_is_gone_and_one_that_it_added_is_there() -> None:
    found = read(order(line(current_quantity=0), line(id=8, quantity=1, current_quantity=1)))
    assert [one.id for one in found.order.lines] == ["8"]
    assert found.refunds == ()


def test_units_that_came_back_stay_in_the_content() -> None:
    found = read(order(line(current_quantity=1), refunds=[refund(units=1)]))
    assert (found.order.quantities, found.refunds) == (
        (2,),
        (StoreRefund("50", (LineRefund("7", 1),)),),
    )


def test_money_for_what_an_edit_took_out_takes_back_nothing_more() -> None:
    edit = refund(50, units=1, transactions=[])
    late = refund(51, order_adjustments=[adjustment("-10.00")], transactions=[paid_back("10.00")])
    found = read(order(line(current_quantity=1), refunds=[edit, late]))
    assert (found.order.total, found.refunds) == (1000, ())
    more = {**late, "order_adjustments": [adjustment("-12.50")]}
    found = read(order(line(current_quantity=1), refunds=[edit, more]))
    assert found.refunds == (StoreRefund("51", amount=250),)
    assert facts("refunds/create", late) == (OrderToFetch("1001"),)


def test_an_edit_after_a_refund_does_not_change_the_refund() -> None:
    kind = refund(50, transactions=[paid_back("4.00")], order_adjustments=[adjustment("-4.00")])
    edit = refund(51, units=1, transactions=[])
    assert read(order(refunds=[edit, kind])).refunds == (StoreRefund("50", amount=400),)


def test_an_exchange_leaves_what_was_taken_for_what_came_back() -> None:
    taken = line(id=8, quantity=1, price="6.00")
    cheaper = refund(
        units=1, order_adjustments=[adjustment("6.00")], transactions=[paid_back("4.00")]
    )
    found = read(order(line(current_quantity=1), taken, refunds=[cheaper]))
    assert (found.order.quantities, found.order.total) == ((2, 1), 2600)
    assert found.refunds == (StoreRefund("50", (LineRefund("7", 1),)),)
    even = refund(units=1, transactions=[])
    found = read(order(line(current_quantity=1), taken, refunds=[even]))
    assert (found.order.quantities, found.refunds) == ((1, 1), ())


# Refunds.


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (refund(units=1), [StoreRefund("50", (LineRefund("7", 1),))]),
        (
            refund(units=1, order_adjustments=[adjustment("-2.00")]),
            [StoreRefund("50", (LineRefund("7", 1),)), StoreRefund("50:amount", amount=200)],
        ),
        # Less money than the lines cost: they came back all the same.
        (
            refund(units=1, order_adjustments=[adjustment("2.00")]),
            [StoreRefund("50", (LineRefund("7", 1),))],
        ),
        (
            refund(
                order_adjustments=[
                    adjustment("-5.00"),
                    adjustment("-5.00"),
                    adjustment("5.00"),
                ],
                transactions=[paid_back("5.00")],
            ),
            [StoreRefund("50", amount=500)],
        ),
        (refund(transactions=[paid_back("5.00")]), [StoreRefund("50", amount=500)]),
        (refund(transactions=[paid_back("5.00", "pending")]), []),
        (refund(units=1, transactions=[paid_back("10.00", "failure")]), []),
        # Shipping alone, as the versions before 2024-10 and those since tell it.
        (
            refund(
                order_adjustments=[adjustment("-5.00", "shipping_refund")],
                transactions=[paid_back("5.00")],
            ),
            [],
        ),
        (refund(refund_shipping_lines=[{"id": 1}], transactions=[paid_back("5.00")]), []),
        (refund(units=0, transactions=[]), []),
    ],
)
def test_what_came_back(given: Found, expected: list[StoreRefund]) -> None:
    found = read(order(refunds=[given]))
    assert list(found.refunds) == expected
    assert found.order.quantities == (2,)
    less = given["order_adjustments"] == [adjustment("2.00")]
    lines = [RefundSaid("1001", one) for one in expected if one.lines and not less]
    money = [OrderToFetch("1001")] if less or any(one.amount for one in expected) else []
    assert list(facts("refunds/create", given)) == [*lines, *money]


def test_the_rest_after_money_without_goods_counts_as_money() -> None:
    kind = refund(50, transactions=[paid_back("3.00")], order_adjustments=[adjustment("-3.00")])
    rest = refund(
        51, units=2, transactions=[paid_back("17.00")], order_adjustments=[adjustment("3.00")]
    )
    found = read(order(line(current_quantity=0), refunds=[kind, rest]))
    assert found.order.total == 2000
    assert found.refunds == (StoreRefund("50", amount=300), StoreRefund("51", amount=1700))
    assert facts("refunds/create", rest) == (OrderToFetch("1001"),)
    alone = read(order(refunds=[rest])).refunds  # a fee was kept
    assert alone == (StoreRefund("51", (LineRefund("7", 2),)),)


def test_two_rows_of_one_line_are_one() -> None:
    row = {"line_item_id": 7, "quantity": 1, "subtotal": 10.0}
    found = read(order(refunds=[refund(refund_line_items=[row, row])]))
    assert found.refunds == (StoreRefund("50", (LineRefund("7", 2),)),)


def test_a_tip_that_comes_back_is_no_line() -> None:
    tip = line(id=8, quantity=1, price="3.00", tip_payment_method="visa")
    row = {"line_item_id": 8, "quantity": 1, "subtotal": 3.0, "line_item": tip}
    back = refund(refund_line_items=[row], transactions=[paid_back("3.00")])
    assert read(order(line(), tip, refunds=[back])).refunds == ()
    assert facts("refunds/create", back) == ()


def test_a_refund_in_the_other_money_needs_both() -> None:
    back = refund(transactions=[paid_back("5.00", currency="USD")])
    with pytest.raises(Unreadable, match="amount_set"):
        read(order(refunds=[back]))


# Who may be asked, and with what.


@pytest.mark.parametrize(
    "access", ["shpat_" + "0a" * 16, "shpca_" + "0a" * 16, "0a" * 16 + ":shpss_" + "0b" * 16]
)
def test_tokens_and_clients_can_be_an_access(access: str) -> None:
    assert Shopify().access_problem(access) is None


@pytest.mark.parametrize("access", ["", "shpat_", "password", "shpat_" + "é" * 32, "a:b", "sk_1"])
def test_other_texts_cannot(access: str) -> None:
    assert Shopify().access_problem(access)


CONNECTION = Connection("prg_1", "st_1", StoreKind.SHOPIFY, "shopify", "", (), 0)


@pytest.mark.parametrize(
    "address",
    [
        "http://corner.myshopify.com",
        "https://corner.myshopify.com/",
        "https://corner.myshopify.com.evil.test",
        "https://corner.example.com",
        "https://evil.test/.myshopify.com",
        "https://a@corner.myshopify.com",
        "https://corner.myshopify.com:8443",
        "http://127.0.0.1:1",
        "https://corner.myshopify.com\n",
    ],
)
def test_the_token_goes_to_shopify_alone(address: str) -> None:
    with pytest.raises(Fault, match="myshopify"):
        Shopify().api(replace(CONNECTION, address=address), "shpat_" + "0" * 32, "EUR")


def test_a_stand_in_is_an_address_in_development() -> None:
    assert Shopify().address_problem("https://corner-coffee.myshopify.com") is None
    assert Shopify(allow_local=True).address_problem("http://127.0.0.1:8081") is None
    assert Shopify(allow_local=True).address_problem("http://192.0.2.1:80")


# The stand-in: one message after another, each says what happened.


def said_by(store: ShopifyStandIn, money: str = "EUR") -> list[Fact]:
    found: list[Fact] = []
    for sent in store.messages:
        found += hear(StoreMessage(sent.headers, sent.body, ""), money).facts
    return found


def newest(store: ShopifyStandIn) -> OrderSaid:
    return [one for one in said_by(store) if isinstance(one, OrderSaid)][-1]


@pytest.fixture
def store() -> ShopifyStandIn:
    """It answers nothing: only its messages are read."""
    return ShopifyStandIn()


def test_a_story_of_the_stand_in(store: ShopifyStandIn) -> None:
    placed = store.order(Item(1000, 3, discount=100), Item(500), paid=False, shipping=400)
    assert newest(store).state is OrderState.PENDING
    store.pay(placed)
    assert (newest(store).state, newest(store).order.total) == (OrderState.PAID, 3800)
    first, second = store.line_ids(placed)
    store.edit(placed, first, 2)
    assert newest(store).order.quantities == (2, 1)
    store.refund(placed, {second: 1}, shipping=True)
    came_back = newest(store).refunds
    assert came_back == (StoreRefund(came_back[0].id, (LineRefund(str(second), 1),)),)
    store.cancel(placed)
    assert newest(store).state is OrderState.CANCELLED
    topics = [one.topic for one in store.messages]
    assert topics[:2] == ["orders/create", "orders/paid"]
    assert {"orders/edited", "refunds/create", "orders/cancelled"} <= set(topics)
    store.delete(placed)
    assert said_by(store)[-1] == OrderGone(str(placed))


@pytest.mark.parametrize("change", ["edit", "add"])
def test_an_order_that_grew_waits_until_the_rest_is_paid(
    store: ShopifyStandIn, change: str
) -> None:
    placed = store.order(Item(1000))
    if change == "edit":
        store.edit(placed, store.line_ids(placed)[0], 2)
    else:
        store.add(placed, Item(1000))
    assert (newest(store).order.total, newest(store).state) == (2000, OrderState.PENDING)
    store.pay(placed)
    assert newest(store).state is OrderState.PAID


def test_a_pending_refund_counts_once_it_is_settled(store: ShopifyStandIn) -> None:
    placed = store.order(Item(1000, 2))
    (only,) = store.line_ids(placed)
    pending = store.refund(placed, {only: 1}, status="pending")
    assert (newest(store).order.quantities, newest(store).refunds) == ((2,), ())
    store.settle(placed, pending)
    assert newest(store).refunds == (StoreRefund(str(pending), (LineRefund(str(only), 1),)),)


STEPS: dict[str, Callable[[ShopifyStandIn, int, int], Any]] = {
    "pay": lambda store, order_id, _: store.pay(order_id),
    "fewer": lambda store, order_id, line_id: store.edit(order_id, line_id, 1),
    "more": lambda store, order_id, line_id: store.edit(order_id, line_id, 4),
    "add": lambda store, order_id, _: store.add(order_id, Item(700, 2, discount=99)),
    "money": lambda store, order_id, _: store.refund(order_id, amount=150),
    "shipping": lambda store, order_id, _: store.refund(order_id, shipping=True),
}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(STEPS)), max_size=6),
    st.sampled_from([0, 19]),
    st.booleans(),
)
def test_whatever_is_done_a_refund_says_the_same_alone_and_in_its_order(
    steps: list[str], tax: int, included: bool
) -> None:
    store = ShopifyStandIn(tax_percent=tax, taxes_included=included)
    placed = store.order(Item(999, 3, discount=100), Item(333, 2), shipping=250)
    for name in steps:
        STEPS[name](store, placed, store.line_ids(placed)[0])
    store.refund(placed, {store.line_ids(placed)[1]: 1}, amount=10)
    last = newest(store)
    assert check_order(last.order) == []
    alone = [one.refund for one in said_by(store) if isinstance(one, RefundSaid)]
    assert alone == [one for one in last.refunds if one.lines]
    before: tuple[StoreRefund, ...] = ()
    for said in said_by(store):
        if isinstance(said, OrderSaid):
            assert said.refunds[: len(before)] == before  # what came back stays so
            before = said.refunds
