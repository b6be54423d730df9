"""What WooCommerce says, by the payloads of its documentation, and what the ledger makes of it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters.memory.store import memory_store
from chalicelib.adapters.public_http import PublicHttp
from chalicelib.adapters.stores.woocommerce import WooCommerce
from chalicelib.domain.orders import Order, OrderLine, Payment, check_order
from chalicelib.domain.referrals.checks import Seen
from chalicelib.domain.stores.connection import Connection, StoreKind
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerGone,
    CustomerSaid,
    Heard,
    OrderGone,
    OrderSaid,
    OrderState,
    StoreMessage,
    StoreRefund,
    Unreadable,
)
from chalicelib.kernel.clock import DAY, from_rfc3339
from chalicelib.kernel.signatures import BadSignature
from chalicelib.services.context import enter
from chalicelib.services.store_orders import Counter, Took, take
from local.store_stand_ins.woocommerce import SECRET, Item, Message, WooCommerceStandIn
from tests.fakes.shop import START, SetClock, Shop

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "stores" / "woocommerce"
WOOCOMMERCE = WooCommerce(PublicHttp())
URL = "https://shop.test/v1/webhooks/stores/sto_1"
CONNECTION = Connection(
    "prg_1", "sto_1", StoreKind.WOOCOMMERCE, "webshop", "https://shop.example", (), START
)


def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_bytes())
    return found


def sign(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def hear(topic: str, body: bytes, *secrets: str, **headers: str) -> Heard:
    """What is heard of a message; `headers` are written over those of a good one."""
    sent = {
        "x-wc-webhook-topic": topic,
        "x-wc-webhook-delivery-id": "36e520ebabc2fa725092ff4a47acedf2",
        "x-wc-webhook-signature": sign(body),
        **{f"x-wc-webhook-{name}": value for name, value in headers.items()},
    }
    message = StoreMessage(sent, body, URL)
    return WOOCOMMERCE.hear(message, secrets or (SECRET,), "webshop", "EUR", START)


def said(payload: dict[str, Any]) -> OrderSaid:
    [fact] = hear("order.updated", json.dumps(payload).encode()).facts
    assert isinstance(fact, OrderSaid)
    assert check_order(fact.order) == []
    return fact


def order_of(name: str, **changes: Any) -> OrderSaid:
    return said({**golden(name), **changes})


# The golden payloads.


def test_the_documented_order_of_a_guest() -> None:
    order = Order(
        source="webshop",
        id="727",
        currency="USD",
        placed_at=from_rfc3339("2017-03-22T19:28:02Z"),
        updated_at=from_rfc3339("2017-03-22T19:28:08Z"),
        lines=(
            OrderLine(
                "315", 2, 300, name="Woo Single #1", labels=("product:93",), discount=0, tax=45
            ),
            OrderLine(
                "316",
                1,
                1200,
                sku="Bar3",
                name="Ship Your Idea – Color: Black, Size: M Test",
                labels=("product:22", "variation:23"),
                tax=90,
            ),
        ),
        channel="rest-api",
        shipping=1000,
        tax_included=False,
        paid_with=(Payment("bacs", 2935),),
    )
    assert order_of("order_727") == OrderSaid(
        order,
        OrderState.PAID,
        Customer(
            email="john.doe@example.com",
            phone="(555) 555-5555",
            given_name="John",
            family_name="Doe",
            country="US",
        ),
        seen=Seen(
            postal_address="969 Market, 94103, San Francisco, US",
            email="john.doe@example.com",
            phone="(555) 555-5555",
        ),
    )
    assert order.total == 2935


def test_the_documented_order_with_two_refunds() -> None:
    found = order_of("order_723")
    assert found.refunds == (StoreRefund("724", amount=900), StoreRefund("726", amount=1000))
    assert found.customer.id == "26"
    assert found.seen.network_address == "127.0.0.1"
    assert (found.order.channel, found.state) == ("online", OrderState.PAID)
    assert [line.price for line in found.order.lines] == [900, 2000]


def test_coupons_fees_and_quantities_by_weight() -> None:
    """The coupon is in the lines; the fee below zero is a discount, with its tax."""
    order = order_of("order_coupon").order
    assert [(line.quantity, line.unit_price, line.discount) for line in order.lines] == [
        (3, 421, 171),  # 12.61 before and 10.92 after
        (1, 250, 0),  # a quarter of 10.00
    ]
    assert order.discount == 300
    assert sum(order.taxes) == 207 + 48 - 57
    assert order.shipping == 390 + 74 + 200 + 38  # and the fee for wrapping
    assert order.total == 1092 + 250 - 300 + 198 + 702 == 1942
    assert order_of("order_coupon").discount_codes == ("thanks2",)
    assert order_of("order_coupon").customer.phone is None


def test_a_code_of_ours_is_short() -> None:
    rows = [{"id": 1, "code": "x" * 81}, {"id": 2, "code": ""}, {"id": 3, "code": "v-1"}]
    assert order_of("order_723", coupon_lines=rows).discount_codes == ("v-1",)


def test_yen_have_no_decimals_and_a_whole_refund_is_all_of_it() -> None:
    found = order_of("order_jpy")
    assert (found.order.total, found.order.lines[0].unit_price) == (1100, 500)
    assert found.refunds == (StoreRefund("731", amount=1100),)
    assert found.customer == Customer()
    assert (found.order.channel, found.order.paid_with) == ("pos", ())
    assert order_of("order_jpy", total="1100.00").order.total == 1100


def test_dinars_have_three_decimals() -> None:
    found = order_of("order_kwd")
    assert found.order.lines[0].unit_price == 1250
    assert found.order.total == 3750
    assert found.state is OrderState.PENDING


def test_customers_come_and_go() -> None:
    body = json.dumps(golden("customer_25")).encode()
    customer = Customer(
        id="25",
        email="john.doe@example.com",
        phone="(555) 555-5555",
        given_name="John",
        family_name="Doe",
        country="US",
    )
    assert hear("customer.created", body).facts == (CustomerSaid(customer),)
    assert hear("customer.updated", body).facts == (CustomerSaid(customer),)
    gone = json.dumps(golden("deleted")).encode()
    assert hear("customer.deleted", gone).facts == (CustomerGone(Customer("727")),)


def test_what_is_deleted_is_told_by_its_id_alone() -> None:
    gone = json.dumps(golden("deleted")).encode()
    assert hear("order.deleted", gone).facts == (OrderGone("727"),)
    with pytest.raises(Unreadable, match="more than the id"):
        # The topic is not signed: an order that was heard once cannot be turned into its end.
        hear("order.deleted", json.dumps(golden("order_727")).encode())


def test_an_error_in_place_of_an_order_says_which() -> None:
    with pytest.raises(Unreadable, match="woocommerce_rest_cannot_view"):
        hear("order.updated", json.dumps(golden("refused")).encode())


def test_topics_that_say_nothing_for_us() -> None:
    heard = hear("product.updated", b'{"id": 1}')
    assert (heard.known, heard.facts, heard.topic) == (False, (), "product.updated")
    assert len(hear("action." + "x" * 999, b"[]").topic) == 64
    with pytest.raises(Unreadable):
        hear("", b"{}")


# States.


@pytest.mark.parametrize(
    ("status", "date_paid", "state", "is_empty"),
    [
        ("pending", None, OrderState.PENDING, False),
        ("on-hold", None, OrderState.PENDING, False),
        ("on-hold", "2017-03-22T19:28:08", OrderState.PAID, False),
        ("processing", None, OrderState.PAID, False),
        ("completed", None, OrderState.PAID, False),
        ("refunded", "2017-03-22T19:28:08", OrderState.PAID, False),
        ("failed", None, OrderState.PENDING, True),
        ("failed", "2017-03-22T19:28:08", OrderState.PENDING, True),
        ("cancelled", None, OrderState.PENDING, True),
        ("cancelled", "2017-03-22T19:28:08", OrderState.CANCELLED, False),
        ("trash", None, OrderState.CANCELLED, False),
        ("ready-to-ship", None, OrderState.PENDING, False),  # of a plugin
        ("ready-to-ship", "2017-03-22T19:28:08", OrderState.PAID, False),
    ],
)
def test_every_status(
    status: str, date_paid: str | None, state: OrderState, is_empty: bool
) -> None:
    found = order_of("order_723", status=status, date_paid_gmt=date_paid)
    assert found.state is state
    assert (found.order.total == 0 and not found.order.lines and not found.refunds) is is_empty


@pytest.mark.parametrize("status", ["checkout-draft", "auto-draft"])
def test_drafts_say_nothing(status: str) -> None:
    heard = hear("order.created", json.dumps({**golden("order_727"), "status": status}).encode())
    assert (heard.facts, heard.known) == ((), True)


# Money.


def priced(total: str, *lines: tuple[str, str], shipping: str = "0", fee: str = "0") -> Order:
    """An order of lines (total and tax) whose total is said to be so."""
    rows = [
        {"id": at, "quantity": 1, "subtotal": net, "total": net, "total_tax": tax}
        for at, (net, tax) in enumerate(lines, 1)
    ]
    changes = {
        "total": total,
        "line_items": rows,
        "shipping_lines": [{"id": 91, "total": shipping, "total_tax": "0"}],
        "fee_lines": [{"id": 92, "total": fee, "total_tax": "0"}],
    }
    return order_of("order_723", **changes).order


def test_rounded_parts_sum_to_the_total() -> None:
    assert priced("10.01", ("8.26", "1.74")).total == 1001
    order = priced("9.99", ("8.26", "1.74"))
    assert (order.total, order.discount, order.taxes) == (999, 1, (174,))


def test_a_gift_card_that_pays_is_taken_off_the_goods_then_the_rest() -> None:
    lines = (("50.00", "10.00"), ("50.00", "10.00"))
    order = priced("85.00", *lines, shipping="5.00")
    assert (order.total, order.goods, order.shipping) == (8500, (3000, 3000), 500)
    order = priced("10.00", *lines, shipping="5.00")
    assert (order.total, order.goods, order.shipping, order.taxes) == (1000, (0, 0), 0, (500, 500))
    assert priced("0", *lines, shipping="5.00").total == 0


def test_a_fee_or_a_line_below_zero_is_a_discount() -> None:
    order = priced("15.00", ("20.00", "0"), fee="-5.00")
    assert (order.total, order.goods, order.discount) == (1500, (1500,), 500)
    order = priced("15.00", ("20.00", "0"), ("-5.00", "0"))
    assert (order.total, order.goods, [line.id for line in order.lines]) == (1500, (1500,), ["1"])
    assert priced("0", ("20.00", "0"), fee="-50.00").total == 0


def test_a_fee_alone_is_no_goods() -> None:
    order = priced("7.00", fee="7.00")
    assert (order.total, order.goods, order.shipping) == (700, (), 700)


@given(
    lines=st.lists(
        st.tuples(st.integers(-5000, 50_000), st.integers(0, 9000), st.integers(0, 9)), max_size=6
    ),
    fees=st.lists(st.integers(-20_000, 20_000), max_size=3),
    total=st.integers(0, 300_000),
)
def test_every_order_is_sound_and_sums_to_its_total(
    lines: list[tuple[int, int, int]], fees: list[int], total: int
) -> None:
    changes = {
        "total": f"{total / 100:.2f}",
        "line_items": [
            {
                "id": at,
                "quantity": quantity,
                "subtotal": f"{net / 100:.4f}",
                "total": f"{net / 100:.2f}",
                "total_tax": f"{tax / 100:.2f}",
            }
            for at, (net, tax, quantity) in enumerate(lines, 1)
        ],
        "fee_lines": [
            {"id": 90 + at, "total": f"{fee / 100:.2f}", "total_tax": f"{fee / 500:.2f}"}
            for at, fee in enumerate(fees)
        ],
    }
    order = order_of("order_723", **changes).order
    assert order.total == total
    assert all(amount >= 0 for amount in (*order.goods, *order.taxes, order.shipping))


@pytest.mark.parametrize(
    ("quantity", "units"), [(2, 2), ("2", 2), (2.0, 2), (0.25, 1), (0, 1), (-1, 1), ("x", 1)]
)
def test_quantities(quantity: Any, units: int) -> None:
    rows = [{"id": 1, "quantity": quantity, "subtotal": "9.00", "total": "9.00", "total_tax": "0"}]
    [line] = order_of("order_723", line_items=rows).order.lines
    assert (line.quantity, line.price) == (units, 900)


def test_a_refund_of_no_money_says_nothing() -> None:
    rows = [{"id": 5, "reason": "restock", "total": "-0.00"}]
    assert order_of("order_723", refunds=rows).refunds == ()


# Signatures.


def test_any_of_the_secrets_may_have_signed() -> None:
    body = json.dumps(golden("order_727")).encode()
    assert hear("order.updated", body, "new", SECRET).facts
    with pytest.raises(BadSignature):
        hear("order.updated", body, "new", "older")
    with pytest.raises(BadSignature):
        WOOCOMMERCE.hear(StoreMessage({}, body, URL), (SECRET,), "webshop", "EUR", START)
    with pytest.raises(BadSignature):
        hear("order.updated", body + b" ", signature=sign(body))


@given(st.text())
def test_a_signature_of_garbage_is_a_bad_signature(garbage: str) -> None:
    with pytest.raises(BadSignature):
        hear("order.updated", b"{}", signature=garbage)


def test_a_ping_is_heard_signed_or_not() -> None:
    ping = StoreMessage({}, b"webhook_id=5", URL)
    heard = Heard("ping.5", "ping")
    assert WOOCOMMERCE.hear(ping, (SECRET,), "webshop", "EUR", START) == heard
    assert hear("", b"webhook_id=5") == heard
    with pytest.raises(BadSignature):
        hear("", b"webhook_id=5", signature=sign(b"webhook_id=6"))
    longer = StoreMessage({}, b"webhook_id=5&id=1", URL)
    with pytest.raises(BadSignature):
        WOOCOMMERCE.hear(longer, (SECRET,), "webshop", "EUR", START)


def test_the_id_is_of_the_delivery_and_of_what_it_says() -> None:
    one = json.dumps(golden("order_727")).encode()
    other = json.dumps(golden("order_723")).encode()
    same = {hear("order.updated", one).id, hear("order.updated", one).id}
    assert len(same) == 1
    # Two events of one second have the same delivery id.
    different = {
        hear("order.updated", other).id,
        hear("order.created", one).id,
        hear("order.updated", one, **{"delivery-id": "f00"}).id,
    }
    assert len(same | different) == 4


# Garbage.

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "total", "quantity", "email", "code"]), inner)
    ),
    max_leaves=6,
)


@given(st.data())
def test_an_order_of_garbage_is_unreadable_or_sound(data: st.DataObject) -> None:
    payload = golden("order_723")
    for name in data.draw(st.lists(st.sampled_from(sorted(payload)), min_size=1, max_size=3)):
        payload[name] = data.draw(VALUES)
    try:
        heard = hear("order.updated", json.dumps(payload).encode())
    except Unreadable:
        return
    assert all(isinstance(fact, OrderSaid) and fact.order.total >= 0 for fact in heard.facts)


@given(
    st.sampled_from(["order.created", "order.deleted", "customer.created", "customer.deleted"]),
    st.binary() | VALUES.map(lambda value: json.dumps(value).encode()),
)
def test_a_body_of_garbage_is_unreadable_or_read(topic: str, body: bytes) -> None:
    try:
        heard = hear(topic, body)
    except Unreadable:
        return
    assert heard.topic in (topic, "ping")


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "BTC"},
        {"currency": None},
        {"total": "1e400"},
        {"total": None},
        {"date_created_gmt": "yesterday"},
        {"date_created_gmt": None},
        {"id": "12; DROP"},
        {"line_items": [1]},
        {"line_items": [{"total": "1.00"}]},
        {"customer_id": "ada"},
        {"refunds": [{"id": 1, "total": "much"}]},
    ],
)
def test_what_cannot_be_read(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        order_of("order_723", **changes)


def test_access_is_a_key_and_its_secret() -> None:
    assert WOOCOMMERCE.access_problem(f"ck_{'a1' * 20}:cs_{'b2' * 20}") is None
    for wrong in ("", "ck_abc", f"cs_{'a1' * 20}:ck_{'b2' * 20}", f"ck_{'a1' * 20}:cs_x\n"):
        problem = WOOCOMMERCE.access_problem(wrong)
        assert problem == "is not a consumer key and its secret, ck_...:cs_..."


# What the ledger makes of a shop's messages.


class World:
    """A shop on WooCommerce, and a program of one point for each euro of goods."""

    def __init__(self, woo: WooCommerceStandIn) -> None:
        self.woo = woo
        self.shop = Shop(memory_store())
        assert self.shop.publish("points").status == 201
        self.member = self.shop.enrol(email="ada@example.com")
        self.told = 0

    def tell(self, *messages: Message) -> list[Took]:
        """Brings the ledger to what these say, or all that are new; what a person must see."""
        new = messages or tuple(self.woo.messages[self.told :])
        self.told = len(self.woo.messages)
        self.shop.clock.at += DAY
        context = self.shop.runtime.context
        here = enter(context, self.shop.program_id)
        assert here is not None
        counter = Counter(context, here, CONNECTION)
        heard = [self.hear(message) for message in new]
        took = [one for each in heard for fact in each.facts for one in take(counter, fact)]
        return [one for one in took if one.needs_somebody]

    def hear(self, message: Message) -> Heard:
        sent = StoreMessage(message.headers, message.body, URL)
        return WOOCOMMERCE.hear(sent, (SECRET,), "webshop", "EUR", START)

    def points(self, state: str = "available") -> int:
        account = self.shop.call("GET", f"/v1/members/{self.member}/account").json
        return int(account["balances"]["points"][state])


@pytest.fixture
def world() -> Iterator[World]:
    with WooCommerceStandIn(tax_percent=20, clock=SetClock(START)) as woo:
        yield World(woo)


def test_a_sale_and_its_refunds_by_amount(world: World) -> None:
    order = world.woo.order(Item(1000, 3), Item(500), shipping=490)
    assert world.tell() == []
    assert world.points() == 42
    world.woo.refund(order, {world.woo.line_ids(order)[0]: 1})
    assert world.tell() == []
    assert 0 < world.points() < 42
    world.woo.refund(order, amount=100_000)  # all that is left
    assert world.tell() == []
    assert (world.points(), world.points("debt")) == (0, 0)


def test_a_payment_that_failed_at_first(world: World) -> None:
    order = world.woo.order(Item(1000), paid=False)
    world.tell()
    assert (world.points(), world.points("pending")) == (0, 12)
    world.woo.fail(order)
    world.tell()
    assert (world.points(), world.points("pending")) == (0, 0)
    world.woo.pay(order)
    assert world.tell() == []
    assert (world.points(), world.points("pending")) == (12, 0)
    world.woo.fail(order)  # the bank took it back
    world.tell()
    assert (world.points(), world.points("debt")) == (0, 0)
    world.woo.pay(order)
    world.tell()
    assert world.points() == 12


def test_a_cancelled_order_is_paid_late(world: World) -> None:
    order = world.woo.order(Item(1000), paid=False)
    world.woo.cancel(order)
    world.tell()
    assert world.points("pending") == 0
    world.woo.pay(order)
    world.tell()
    assert world.points() == 12


def test_cancelled_after_payment_is_for_good(world: World) -> None:
    order = world.woo.order(Item(1000))
    world.tell()
    world.woo.cancel(order)
    world.tell()
    world.woo.pay(order)
    world.tell()
    assert world.points() == 0


def test_the_trash_is_for_good(world: World) -> None:
    order = world.woo.order(Item(1000))
    world.tell()
    world.woo.delete(order)
    world.tell()
    world.woo.restore(order)
    world.tell()
    assert world.points() == 0


def test_edits_and_an_outdated_message(world: World) -> None:
    order = world.woo.order(Item(1000, 3))
    [first] = world.woo.messages
    world.woo.edit(order, world.woo.line_ids(order)[0], 2)
    world.woo.add(order, Item(500))
    world.tell()
    assert world.points() == 30
    world.tell(first)
    assert world.points() == 30


def test_any_order_of_the_messages_ends_the_same(world: World) -> None:
    order = world.woo.order(Item(1000, 3), paid=False)
    world.woo.fail(order)
    world.woo.pay(order)
    world.woo.edit(order, world.woo.line_ids(order)[0], 4)
    world.woo.refund(order, amount=1200)
    world.tell(*reversed(world.woo.messages))
    assert world.points() == 36
    world.tell(*world.woo.messages)
    assert (world.points(), world.points("pending")) == (36, 0)


def test_a_deleted_refund_changes_nothing(world: World) -> None:
    order = world.woo.order(Item(1000, 3))
    refund = world.woo.refund(order, amount=1200)
    world.tell()
    assert world.points() == 24
    world.woo.delete_refund(order, refund)
    assert world.tell() == []
    assert world.points() == 24


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "edit", "add", "refund", "refund_all", "fail", "cancel"]),
        st.integers(1, 900),
    ),
    max_size=6,
)


def live(woo: WooCommerceStandIn, order: int, step: str, number: int) -> None:
    """One thing that may happen to an order as it is now; else nothing does."""
    status = woo.payload(order)["status"]
    if step == "pay" and status != "refunded":
        woo.pay(order)
    elif step == "edit" and not woo.payload(order)["refunds"]:
        woo.edit(order, woo.line_ids(order)[0], 1 + number % 4)
    elif step == "add":
        woo.add(order, Item(number))
    elif step.startswith("refund") and status == "processing":
        woo.refund(order, amount=number if step == "refund" else 10**6)
    elif step == "fail":
        woo.fail(order)
    elif step == "cancel":
        woo.cancel(order)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS, tax=st.sampled_from([0, 19]), paid=st.booleans(), random=st.randoms())
def test_any_life_of_an_order_ends_the_same_in_any_order(
    steps: list[tuple[str, int]], tax: int, paid: bool, random: Random
) -> None:
    """Messages in their order, against all of them shuffled, half of them twice."""
    with WooCommerceStandIn(tax_percent=tax, clock=SetClock(START)) as woo:
        order = woo.order(Item(1999, 3), Item(250), paid=paid, shipping=490)
        for step, number in steps:
            live(woo, order, step, number)
        messages = woo.messages
        shuffled = messages + random.sample(messages, len(messages) // 2)
        random.shuffle(shuffled)
        ends = []
        for told in (messages, shuffled):
            world = World(woo)
            world.tell(*told)
            world.tell(messages[-1])
            ends.append([world.points(state) for state in ("available", "pending", "debt")])
    assert ends[0] == ends[1]


def test_what_a_buyer_types_can_be_kept_however_long_it_is() -> None:
    found = golden("order_727")
    found["billing"]["address_1"] = "x" * 500_000
    found["billing"]["first_name"] = "y" * 500_000
    (said,) = hear("order.updated", json.dumps(found).encode()).facts
    assert len(repr(said)) < 10_000
