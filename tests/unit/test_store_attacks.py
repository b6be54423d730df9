"""Connected stores under attack: what must not be gained, kept or lost."""

from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Corrupt, Fault
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerSaid,
    ErasureAsked,
    OrderSaid,
    OrderState,
    OrderToFetch,
    StoreGone,
    Unreadable,
)
from chalicelib.kernel.clock import DAY, HOUR, MINUTE, SECOND
from tests.fakes.interference import Crash, DiesAfter, interfered
from tests.fakes.shop import Shop
from tests.fakes.stores import ADA, GUEST, VERIFIED, Storefront, refund
from tests.unit.test_store_discounts import CASH, TENTH, publish, status_of, take, told


@pytest.fixture
def shop() -> Shop:
    """A program of a point for each unit of money."""
    made = Shop(memory_store())
    assert made.publish("points").status == 201
    made.clock.at += HOUR
    return made


@pytest.fixture
def store(shop: Shop) -> Storefront:
    return Storefront(shop)


def points(shop: Shop, member_id: str) -> int:
    return shop.balance(member_id, "points")


def kept(shop: Shop) -> list[Any]:
    rows = shop.runtime.context.store.stores._kept  # type: ignore[attr-defined]
    return [one for each in rows.values() for one in each.values()]


def later(store: Storefront, order: Any, **more: Any) -> Any:
    """The same order, as the store says it a minute later."""
    store.shop.clock.at += MINUTE
    return replace(order, order=replace(order.order, updated_at=store.shop.clock.at), **more)


# --- What came back takes its points, whoever the order seems to be of ----------------------------


def test_a_credited_order_of_a_guest_that_comes_back_takes_its_points(store: Storefront) -> None:
    said = store.order("1", customer=GUEST)
    assert store.takes(said) == ["kept"]
    store.shop.clock.at += DAY
    member = store.shop.enrol(email="ada@example.com")
    store.takes(CustomerSaid(VERIFIED))
    assert points(store.shop, member) == 10
    assert store.takes(later(store, said, refunds=(refund(amount=500),)))[-1] == "recorded"
    assert points(store.shop, member) == 5
    store.takes(later(store, said, state=OrderState.CANCELLED))
    assert points(store.shop, member) == 0
    assert kept(store.shop) == []


def test_an_order_stays_its_members_who_is_found_by_it_no_more(store: Storefront) -> None:
    member = store.shop.enrol(email="ada@example.com")
    said = store.order("1", customer=GUEST)
    store.takes(said)
    path = f"/v1/members/{member}"
    assert store.shop.call("PATCH", path, {"email": "new@example.com"}).status == 200
    store.takes(later(store, said, refunds=(refund(amount=500),)))
    assert points(store.shop, member) == 5
    store.shop.enrol(email="ada@example.com")  # the address is somebody else's now
    store.takes(later(store, said, refunds=(refund(amount=500), refund("10", amount=500))))
    assert points(store.shop, member) == 0
    assert (kept(store.shop), store.troubles()) == ([], [])


def test_an_order_of_an_erased_member_that_comes_again_is_not_kept(store: Storefront) -> None:
    member = store.shop.enrol(email="ada@example.com")
    said = store.order("1", customer=GUEST)
    store.takes(said)
    assert store.shop.call("DELETE", f"/v1/members/{member}").status == 200
    store.takes(later(store, said, refunds=(refund(),)))
    assert kept(store.shop) == []


# --- Who buys -------------------------------------------------------------------------------------


def test_two_messages_that_enrol_at_once_lose_no_order(shop: Shop) -> None:
    """Shopify tells of a new account and of its first order in the same moment."""
    store = Storefront(shop, enrols=True)
    real = shop.runtime.context.store
    other = [CustomerSaid(replace(ADA, country="DE"))]

    def around(name: str, call: Any) -> Any:
        if name == "stores.keep" and other:
            store.tell(other.pop(), topic="customers/create")
        return call()

    object.__setattr__(shop.runtime.context, "store", interfered(real, around))
    outcomes = store.takes(store.order("1", customer=ADA))
    object.__setattr__(shop.runtime.context, "store", real)
    found = shop.call("GET", "/v1/members", query={"external_id": "shopify:5"}).json["data"]
    assert points(shop, found[0]["id"]) == 10, outcomes
    assert store.troubles() == []


def test_what_was_kept_for_a_restricted_member_waits_until_he_is_free(store: Storefront) -> None:
    assert store.takes(store.order("1", customer=ADA)) == ["kept"]
    store.shop.clock.at += DAY
    member = store.shop.enrol(email="ada@example.com")
    path = f"/v1/members/{member}/restriction"
    assert store.shop.call("PUT", path, {"restricted": True}).status == 200
    store.takes(CustomerSaid(VERIFIED))
    assert points(store.shop, member) == 0
    assert store.shop.call("PUT", path, {"restricted": False}).status == 200
    store.takes(CustomerSaid(VERIFIED))
    assert points(store.shop, member) == 10


def test_an_order_whose_store_vouches_for_its_buyer_credits_what_he_bought_before(
    store: Storefront,
) -> None:
    assert store.takes(store.order("1", customer=GUEST)) == ["kept"]
    assert store.takes(store.order("2", customer=ADA)) == ["kept"]
    store.shop.clock.at += DAY
    member = store.shop.enrol(email="ada@example.com")
    store.takes(store.order("3", customer=VERIFIED))
    assert points(store.shop, member) == 30
    assert kept(store.shop) == []


def test_a_consent_that_was_withdrawn_is_not_given_again_by_a_late_message(
    store: Storefront,
) -> None:
    member = store.shop.enrol(external_id="shopify:5")
    at = store.shop.clock.at

    def said(granted: bool, after: int | None) -> None:
        when = None if after is None else at - HOUR + after
        customer = replace(ADA, accepts_marketing=granted, accepted_at=when)
        store.takes(CustomerSaid(customer), topic="customers/update")

    def granted() -> list[bool]:
        path = f"/v1/members/{member}/consents"
        return [one["granted"] for one in store.shop.call("GET", path).json["current"]]

    said(True, 1)
    assert granted() == [True]
    said(False, 2)
    said(True, 1)
    said(True, None)
    assert granted() == [False]
    said(True, 3)
    assert granted() == [True]
    said(False, None)
    assert granted() == [False]


def test_a_no_is_heeded_though_nothing_else_can_be_taken(store: Storefront) -> None:
    member = store.shop.enrol(external_id="shopify:5", email="old@example.com")
    store.shop.enrol(email="ada@example.com")
    said = replace(VERIFIED, accepts_marketing=False)
    assert store.takes(CustomerSaid(said), topic="customers/update") == ["member_exists"]
    current = store.shop.call("GET", f"/v1/members/{member}/consents").json["current"]
    assert [one["granted"] for one in current] == [False]


def test_an_order_counts_whether_it_comes_before_its_member_joins_or_after(
    store: Storefront,
) -> None:
    """He joins on the page that thanks him; the message of his order is a second behind."""
    at = store.shop.clock.at
    store.shop.clock.at += MINUTE
    member = store.shop.enrol(external_id="shopify:5")
    store.takes(store.order("1", customer=ADA, placed_at=at))
    assert points(store.shop, member) == 10
    old = store.order("2", customer=ADA, placed_at=at - 60 * DAY)
    assert store.takes(old) == ["recorded"]
    assert points(store.shop, member) == 10
    assert kept(store.shop) == []


def test_an_order_is_kept_for_some_days_however_often_it_is_told(store: Storefront) -> None:
    said = store.order("1", customer=GUEST)
    store.shop.clock.at += 59 * DAY
    assert store.takes(later(store, said)) == ["kept"]
    store.shop.clock.at += DAY
    assert store.takes(later(store, said)) == ["ignored"]


def test_what_was_kept_last_counts_though_an_older_message_is_credited(store: Storefront) -> None:
    said = store.order("1", customer=VERIFIED)
    assert store.takes(later(store, said, refunds=(refund(),))) == ["kept"]
    store.shop.clock.at += DAY
    member = store.shop.enrol(email="ada@example.com")
    store.takes(said)
    assert points(store.shop, member) == 5
    assert kept(store.shop) == []


@pytest.mark.parametrize("moment", range(18))
def test_an_order_that_comes_back_while_it_is_credited_is_not_lost(
    store: Storefront, moment: int
) -> None:
    """Whichever call of the one the other comes before."""
    said = store.order("1", customer=GUEST)
    store.takes(said)
    store.shop.clock.at += DAY
    member = store.shop.enrol(email="ada@example.com")
    gone = later(store, said, state=OrderState.CANCELLED)
    context = store.shop.runtime.context
    real = context.store
    calls = []

    def around(name: str, call: Any) -> Any:
        calls.append(name)
        if len(calls) == moment + 1:
            object.__setattr__(context, "store", real)
            store.tell(gone)
        return call()

    object.__setattr__(context, "store", interfered(real, around))
    store.takes(CustomerSaid(VERIFIED), topic="customers/update")
    object.__setattr__(context, "store", real)
    assert len(calls) > moment
    assert points(store.shop, member) == 0
    assert kept(store.shop) == []


@pytest.mark.parametrize("effects", range(10))
def test_a_crash_while_kept_orders_are_credited_is_mended_by_the_next_message(
    effects: int,
) -> None:
    real = memory_store()
    shop = Shop(real)
    assert shop.publish("points").status == 201
    shop.clock.at += HOUR
    store = Storefront(shop)
    orders = [
        store.order("1", customer=GUEST),
        store.order("2", customer=ADA, refunds=(refund(),)),
    ]
    for one in orders:
        store.takes(one)
    shop.clock.at += DAY
    member = shop.enrol(email="ada@example.com")
    context = shop.runtime.context
    object.__setattr__(context, "store", interfered(real, DiesAfter(effects)))
    with suppress(Crash):
        store.tell(CustomerSaid(VERIFIED), topic="customers/update")
    object.__setattr__(context, "store", real)
    for one in orders:
        store.takes(later(store, one))
    store.takes(CustomerSaid(VERIFIED), topic="customers/update")
    assert points(shop, member) == 15
    assert kept(shop) == []


def test_who_types_an_address_cannot_have_its_owner_erased(store: Storefront) -> None:
    member = store.shop.enrol(external_id="shopify:5", email="ada@example.com")
    asked = ErasureAsked(Customer("66", "ada@example.com"))
    assert store.takes(asked, topic="customers/redact") == ["data_request"]
    assert store.work() == []
    assert store.shop.call("GET", f"/v1/members/{member}").status == 200
    assert store.troubles() == ["data_request"]


def test_the_account_of_a_merged_member_is_the_account_of_who_has_it_now(
    store: Storefront,
) -> None:
    assert store.takes(store.order("1", customer=Customer("7"))) == ["kept"]
    store.shop.clock.at += DAY
    merged = store.shop.enrol(external_id="shopify:5")
    member = store.shop.enrol(external_id="shopify:6")
    path = f"/v1/members/{member}/merge"
    assert store.shop.call("POST", path, {"member_id": merged}).status == 200
    store.takes(store.order("2", customer=Customer("5"), placed_at=store.shop.clock.at))
    assert points(store.shop, member) == 10
    gone = ErasureAsked(Customer("5", "ada@example.com"))
    assert store.takes(gone, topic="customers/redact") == ["to_erase"]


def test_a_refund_takes_its_points_while_the_member_is_restricted(store: Storefront) -> None:
    member = store.shop.enrol(email="ada@example.com")
    said = store.order("1", customer=GUEST)
    store.takes(said)
    path = f"/v1/members/{member}/restriction"
    assert store.shop.call("PUT", path, {"restricted": True}).status == 200
    store.takes(later(store, said, refunds=(refund(amount=500),)))
    assert points(store.shop, member) == 5
    edited = replace(said, order=replace(said.order, shipping=100))
    more = (refund(amount=500), refund("10", amount=500))
    store.takes(later(store, edited, refunds=more))
    assert points(store.shop, member) == 0


def test_what_is_kept_for_no_day_is_not_kept_and_of_the_rest_no_person(shop: Shop) -> None:
    nothing = Storefront(shop, "second", keeps_days=0)
    assert nothing.takes(nothing.order("1", customer=GUEST)) == ["ignored"]
    store = Storefront(shop)
    assert store.takes(store.order("1", customer=GUEST)) == ["kept"]
    assert [one.customer for one in kept(shop)] == [Customer()]


def test_of_a_store_that_goes_nothing_stays_that_was_kept(shop: Shop) -> None:
    other = Storefront(shop, "second")
    other.takes(other.order("1", customer=GUEST))
    store = Storefront(shop)
    for number in range(501):
        store.takes(store.order(str(number), customer=Customer(email=f"m{number}@example.com")))
    assert store.takes(StoreGone(), topic="shop/redact") == ["to_forget"]
    assert store.work() == []
    assert [one.order.source for one in kept(shop)] == ["second"]


# --- Codes ----------------------------------------------------------------------------------------


@pytest.fixture
def coded() -> Storefront:
    shop = Shop(memory_store())
    assert publish(shop, TENTH).status == 201
    shop.clock.at += HOUR
    return Storefront(shop)


def test_a_code_that_a_stranger_uses_is_used(coded: Storefront) -> None:
    """Otherwise a member would check out as a guest and take his points back."""
    member, redemption, code = take(coded, "tenth")
    stranger = Customer(email="nobody@example.com")
    said = coded.order("7", customer=stranger, discount_codes=(code,))
    assert coded.takes(said) == ["kept", "recorded"]
    assert status_of(coded, code) == "used"
    path = f"/v1/members/{member}/redemptions/{redemption}/cancel"
    assert coded.shop.call("POST", path).status == 409
    assert coded.takes(later(coded, said)) == ["kept"]
    gone = later(coded, said, state=OrderState.CANCELLED)
    assert coded.takes(gone) == ["kept", "recorded"]
    assert status_of(coded, code) == "issued"


def test_a_code_whose_money_was_spent_in_part_is_good_in_its_store_no_more() -> None:
    """It would still take off all that it was worth."""
    shop = Shop(memory_store())
    assert publish(shop, CASH).status == 201
    shop.clock.at += HOUR
    store = Storefront(shop)
    _, _, code = take(store, "cash", amount=300)
    assert told(store, code) == []
    assert (store.api.discounts[code].amount, store.api.ended) == (150, [])
    used = shop.call("POST", f"/v1/vouchers/{code}/uses", {"id": "till-1", "amount": 100})
    assert used.status in (200, 201), used.raw
    assert told(store, code) == []
    assert store.api.ended == [code]


def test_a_code_of_an_order_that_was_cancelled_before_we_heard_of_it_is_not_used(
    coded: Storefront,
) -> None:
    _, _, code = take(coded, "tenth")
    said = coded.order("7", customer=Customer("k"), discount_codes=(code,))
    coded.takes(later(coded, said, state=OrderState.CANCELLED))
    coded.takes(said)
    assert status_of(coded, code) == "issued"


def test_a_code_ends_though_its_reward_is_offered_no_more(coded: Storefront) -> None:
    member, redemption, code = take(coded, "tenth")
    assert told(coded, code) == []
    assert list(coded.api.discounts) == [code]
    coded.shop.clock.at += HOUR
    assert publish(coded.shop).status == 201
    path = f"/v1/members/{member}/redemptions/{redemption}/cancel"
    reply = coded.shop.call("POST", path)
    assert reply.status == 200, reply.raw
    assert status_of(coded, code) == "cancelled"
    assert told(coded, code) == []
    assert coded.api.ended == [code]


# --- Troubles, the queue, secrets -----------------------------------------------------------------


def test_a_store_that_refuses_to_show_an_order_is_told_and_not_asked_for_ever(
    store: Storefront,
) -> None:
    store.api.trouble = Fault("401: the token is not good")
    assert store.takes(OrderToFetch("7")) == ["to_fetch"]
    assert store.work() == []
    assert store.troubles() == ["fetch_failed"]


@pytest.mark.parametrize("trouble", [Unreadable("no list"), Corrupt("of another version")])
def test_an_answer_that_is_none_stops_a_pull_and_is_told(
    store: Storefront, trouble: Exception
) -> None:
    store.api.trouble = trouble
    assert store.shop.call("POST", f"/v1/stores/{store.id}/pull").status == 202
    assert store.work() == []
    assert store.troubles() == ["pull_failed"]


def test_an_order_that_cannot_be_stored_does_not_hold_up_the_pull(store: Storefront) -> None:
    member = store.shop.enrol(email="ada@example.com")
    store.api.orders = [store.order(str(one), customer=ADA) for one in range(5)]
    real = store.shop.runtime.context.store

    def around(name: str, call: Any) -> Any:
        if name == "orders.claim" and call.args[0].order.id == "1":
            raise Fault("the item is too large")
        return call()

    object.__setattr__(store.shop.runtime.context, "store", interfered(real, around))
    assert store.pull()["checked"] == 5
    object.__setattr__(store.shop.runtime.context, "store", real)
    assert points(store.shop, member) == 40
    assert store.troubles() == ["order_failed"]


def test_what_says_nothing_for_us_leaves_nothing(store: Storefront) -> None:
    """WooCommerce's pings are not signed: anyone can send them."""
    store.tell(topic="carts/update", message_id="a")
    store.tell(message_id="b")
    assert store.shop.runtime.context.store.stores._heard == set()  # type: ignore[attr-defined]


def test_what_a_trouble_says_is_short(store: Storefront) -> None:
    store.system.hear = _cannot  # type: ignore[method-assign]
    assert store.tell().json["status"] == "unreadable"
    rows = store.shop.call("GET", f"/v1/stores/{store.id}/troubles").json["data"]
    assert len(rows[0]["detail"]) <= 300


def _cannot(*_: Any) -> Any:
    raise Unreadable("x" * 500_000)


def test_what_every_pull_finds_again_is_told_once_a_day(store: Storefront) -> None:
    store.shop.enrol(email="ada@example.com")
    store.api.orders = [store.order(customer=ADA, currency="USD")]
    for _ in range(3):
        store.shop.clock.at += HOUR
        store.pull()
    assert store.troubles() == ["wrong_currency"]
    store.shop.clock.at += DAY
    store.pull()
    assert store.troubles() == ["wrong_currency"] * 2


def test_another_address_is_not_given_the_token_of_the_old_one(store: Storefront) -> None:
    path = f"/v1/stores/{store.id}"
    moved = {"address": "https://store2.example"}
    refused = store.shop.call("PATCH", path, moved)
    assert refused.status == 422
    assert refused.json["errors"][0]["field"] == "access"
    assert store.shop.call("PATCH", path, {**moved, "access": "token"}).status == 200
    assert store.shop.call("PATCH", path, moved).status == 200


def test_names_that_no_member_may_have_are_not_taken_from_a_store(shop: Shop) -> None:
    """One who buys may type anything; what cannot be stored would be told again for ever."""
    store = Storefront(shop, enrols=True)
    odd = replace(ADA, given_name="A" * 500_000, family_name="Lo\x00ve", country="Germany")
    store.takes(store.order("1", customer=replace(odd, locale="x" * 9000)))
    found = shop.call("GET", "/v1/members", query={"external_id": "shopify:5"}).json["data"][0]
    assert [found[name] for name in ("given_name", "family_name", "country", "locale")] == [
        None
    ] * 4
    assert points(shop, found["id"]) == 10


# --- All of it, in any order ----------------------------------------------------------------------


def life(store: Storefront, draw: Random, order_id: str, placed_at: int) -> list[OrderSaid]:
    """What the store says of one order, from one change to the next."""
    customer = draw.choice([GUEST, ADA, VERIFIED, Customer("5"), Customer("5", "b@example.com")])
    state = draw.choice([OrderState.PENDING, OrderState.PAID])
    price, refunds, said = 1000, (), []
    for step in range(draw.randint(1, 4)):
        if step:
            price = draw.choice([price, 500, 3000])
            refunds = draw.choice([refunds, (*refunds, refund(str(step), 100))])
            state = draw.choice([OrderState.PAID, OrderState.PAID, state, OrderState.CANCELLED])
        more = {"placed_at": placed_at, "customer": customer, "state": state, "refunds": refunds}
        said.append(store.order(order_id, price, at=placed_at + step * SECOND, **more))
        if state is OrderState.CANCELLED:
            break
    return said


def ended(seed: int, shuffled: int) -> int:
    """The points of one who joins somewhere between, once everything was told twice."""
    shop = Shop(memory_store())
    assert shop.publish("points").status == 201
    shop.clock.at += HOUR
    store, draw = Storefront(shop), Random(seed)
    lives = [life(store, draw, str(one), shop.clock.at + one * MINUTE) for one in range(4)]
    told = [said for each in lives for said in each]
    joins_at = draw.randint(0, len(told) - 1)
    if shuffled:
        Random(shuffled).shuffle(told)
    shop.clock.at += DAY
    for number, said in enumerate(told):
        if number == joins_at:
            member = shop.enrol(email="ada@example.com")
        store.takes(said)
    store.takes(CustomerSaid(VERIFIED), topic="customers/update")
    for said in told:
        store.takes(said)
    assert store.troubles() == []
    return points(shop, member)


@pytest.mark.parametrize("seed", range(12))
def test_whoever_buys_and_whenever_he_joins_the_order_of_messages_changes_nothing(
    seed: int,
) -> None:
    assert len({ended(seed, shuffled) for shuffled in range(3)}) == 1
