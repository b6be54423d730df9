"""What connected stores say, and what becomes of it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import permutations

import pytest

from chalicelib import wiring
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.domain.stores.connection import StoreKind
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerGone,
    CustomerSaid,
    DataAsked,
    ErasureAsked,
    OrderGone,
    OrderSaid,
    OrderState,
    OrderToFetch,
    RefundSaid,
    StoreGone,
)
from chalicelib.events.time import on_hour
from chalicelib.kernel.clock import DAY, HOUR, MINUTE, SECOND
from tests.fakes.interference import Crash, DiesAfter, interfered
from tests.fakes.shop import Shop
from tests.fakes.stores import ADA, ADDRESS, GUEST, SECRET, VERIFIED, Storefront, refund, sign

PENDING, CANCELLED = OrderState.PENDING, OrderState.CANCELLED
ORDERS = list(permutations(range(5)))


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


def entries(shop: Shop, member_id: str) -> list[str]:
    rows = shop.call("GET", f"/v1/members/{member_id}/entries").json["data"]
    return [one["kind"] for one in rows][::-1]


# --- Connecting -----------------------------------------------------------------------------------


def test_a_store_is_connected_by_one_address_and_one_secret(shop: Shop) -> None:
    store = Storefront(shop, access=None)
    assert store.made["webhook_url"].endswith(f"/v1/webhooks/stores/{store.id}")
    assert store.made["has_access"] is False
    again = shop.call("POST", "/v1/stores", store.body)
    assert (again.status, again.json) == (201, store.made)
    other = shop.call("POST", "/v1/stores", {**store.body, "address": "https://store2.example"})
    assert (other.status, other.code) == (409, "source_taken")
    listed = shop.call("GET", "/v1/stores").json["data"]
    assert [one["id"] for one in listed] == [store.id]


def test_what_an_owner_gave_us_is_shown_to_nobody_and_sealed(shop: Shop) -> None:
    store = Storefront(shop)
    shown = shop.call("GET", f"/v1/stores/{store.id}").raw + shop.call("GET", "/v1/audit_log").raw
    kept = repr(shop.runtime.context.store.stores.get(store.id)).encode()
    assert SECRET.encode() not in shown + kept
    assert b"'token'" not in kept


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"address": "https://elsewhere.example"}, "address"),
        ({"access": "other"}, "access"),
        ({"source": "stripe"}, "source"),
        ({"secret": "short"}, "secret"),
        ({"kind": "magento"}, "kind"),
        ({"keeps_days": 366}, "keeps_days"),
    ],
)
def test_what_cannot_be_a_store_is_refused(
    store: Storefront, wrong: dict[str, object], field: str
) -> None:
    body = {**store.body, "source": "second", **wrong}
    reply = store.shop.call("POST", "/v1/stores", body)
    assert reply.status == 422, reply.raw
    assert reply.json["errors"][0]["field"] == field


def test_another_programs_store_is_none(store: Storefront) -> None:
    other = Shop(store.shop.runtime.context.store)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pull"), ("GET", "/troubles")):
        reply = other.call(method, f"/v1/stores/{store.id}{path}")
        assert (reply.status, reply.code) == (404, "store_not_found")
    assert other.call("PATCH", f"/v1/stores/{store.id}", {"enrols": True}).status == 404
    assert other.call("GET", "/v1/stores").json["data"] == []


def test_fault_33_a_rotated_secret_of_a_store_is_good_beside_the_old_one_for_a_day(
    store: Storefront,
) -> None:
    path = f"/v1/stores/{store.id}"
    assert store.shop.call("PATCH", path, {"secret": "a new secret of the store"}).status == 200
    assert store.tell().status == 200
    assert store.tell(secret="a new secret of the store").status == 200
    store.shop.clock.at += DAY
    assert store.tell().status == 401
    assert store.tell(secret="a new secret of the store").status == 200


def test_who_has_not_the_secret_is_refused(store: Storefront) -> None:
    body = b'{"id": "1", "topic": "x", "facts": "none"}'
    assert store.tell(secret="another secret").status == 401
    assert store.send(body, store_id="sto_unknown").status == 401
    path = f"/v1/webhooks/stores/{store.id}"
    assert store.shop.call("POST", path, body, key=None).status == 401
    answered = store.shop.call("POST", path, body, headers={"x-signature": sign(SECRET, b"")})
    assert answered.status == 401


def test_a_disconnected_store_is_heard_no_more_and_connected_anew_at_its_address(
    store: Storefront,
) -> None:
    assert store.shop.call("DELETE", f"/v1/stores/{store.id}").status == 200
    assert store.tell().status == 401
    again = store.shop.call("POST", "/v1/stores", store.body)
    assert again.json["webhook_url"] == store.made["webhook_url"]
    assert store.tell().status == 200


# --- Messages -------------------------------------------------------------------------------------


def test_a_message_is_taken_once_and_topics_are_counted(store: Storefront) -> None:
    member = store.shop.enrol(email="ada@example.com")
    said = store.order(customer=ADA)
    assert store.takes(said, message_id="a") == ["recorded"]
    again = store.tell(said, message_id="a")
    assert (again.status, again.json["status"]) == (200, "repeated")
    unknown = store.tell(topic="carts/update")
    assert (unknown.status, unknown.json["status"]) == (200, "ignored")
    assert store.read()["topics"] == {"orders/updated": 2, "unknown": 1}
    assert points(store.shop, member) == 10


def test_a_message_that_cannot_be_read_is_answered_and_told(store: Storefront) -> None:
    reply = store.send(b"no json")
    assert (reply.status, reply.json["status"]) == (200, "unreadable")
    assert store.troubles() == ["unreadable"]


def test_before_there_is_a_program_the_store_must_try_again() -> None:
    shop = Shop(memory_store())
    store = Storefront(shop)
    assert store.tell(store.order()).status == 409


def test_what_cannot_be_done_is_answered_and_told(store: Storefront) -> None:
    store.shop.enrol(email="ada@example.com")
    said = store.order(customer=ADA, currency="USD")
    assert store.takes(said) == ["wrong_currency"]
    assert store.troubles() == ["wrong_currency"]
    told = store.shop.call("GET", f"/v1/stores/{store.id}/troubles").json["data"][0]
    assert told["about"] == "order 1"
    assert "ada" not in str(told)


def test_troubles_come_in_pages_and_their_cursors_are_the_lists_own(store: Storefront) -> None:
    store.shop.enrol(email="ada@example.com")
    for number in range(3):
        store.shop.clock.at += SECOND
        store.takes(store.order(str(number), customer=ADA, currency="USD"))
    path = f"/v1/stores/{store.id}/troubles"
    first = store.shop.call("GET", path, query={"limit": "2"}).json
    rest = {"limit": "2", "cursor": first["next_cursor"]}
    second = store.shop.call("GET", path, query=rest).json
    assert (len(first["data"]), len(second["data"])) == (2, 1)
    other = Storefront(store.shop, source="second")
    wrong = store.shop.call("GET", f"/v1/stores/{other.id}/troubles", query=rest)
    assert (wrong.status, wrong.code) == (400, "invalid_cursor")


# --- Orders ---------------------------------------------------------------------------------------


def test_an_order_finds_its_member_by_account_or_address(store: Storefront) -> None:
    by_account = store.shop.enrol(external_id="shopify:5")
    by_address = store.shop.enrol(email="Bob@example.com")
    assert store.takes(store.order("1", customer=Customer("5", "new@example.com"))) == ["recorded"]
    assert store.takes(store.order("2", customer=Customer("6", "bob@EXAMPLE.com"))) == ["recorded"]
    assert points(store.shop, by_account) == 10
    assert points(store.shop, by_address) == 10


def test_fault_07_every_order_of_messages_ends_the_same(shop: Shop) -> None:
    """Placed, paid, changed, changed back, partly refunded; and one more time what was first."""
    store = Storefront(shop)
    balances = {_played(store, number, list(order)) for number, order in enumerate(ORDERS)}
    assert balances == {5}
    assert store.troubles() == []


def _played(store: Storefront, number: int, order: list[int]) -> int:
    member = store.shop.enrol(email=f"m{number}@example.com")
    customer = Customer(email=f"m{number}@example.com")
    at = store.shop.clock.at

    def said(step: int, price: int, **more: object) -> OrderSaid:
        at_step = at + step * SECOND
        return store.order(str(number), price, at=at_step, customer=customer, **more)

    told = [
        said(0, 1000, state=PENDING),
        said(1, 1000),
        said(2, 3000),
        said(3, 1000),
        said(4, 1000, refunds=(refund(amount=500),)),
    ]
    for step in (*order, order[0]):
        assert store.tell(told[step]).status == 200
    assert len(entries(store.shop, member)) <= 7
    return points(store.shop, member)


def test_a_message_that_changes_nothing_writes_nothing(store: Storefront) -> None:
    member = store.shop.enrol(email="ada@example.com")
    at = store.shop.clock.at
    for step in range(5):
        store.takes(store.order(customer=ADA, at=at + step))
    assert entries(store.shop, member) == ["enrolled", "order"]
    assert store.takes(store.order(price=2000, customer=ADA, at=at + 2)) == ["unchanged"]
    assert store.takes(store.order(price=2000, customer=ADA, at=at + 9)) == ["recorded"]
    assert points(store.shop, member) == 20


def test_a_refund_may_come_before_its_order_and_a_cancellation_is_final(store: Storefront) -> None:
    member = store.shop.enrol(email="ada@example.com")
    assert store.takes(RefundSaid("1", refund())) == ["parked"]
    assert store.takes(store.order(customer=ADA)) == ["recorded"]
    assert points(store.shop, member) == 5
    assert store.takes(store.order("2", customer=ADA)) == ["recorded"]
    assert store.takes(OrderGone("2")) == ["recorded"]
    assert store.takes(store.order("2", customer=ADA, at=store.shop.clock.at + 1)) == ["unchanged"]
    assert store.takes(store.order("3", customer=ADA, state=CANCELLED)) == ["parked"]
    assert store.takes(store.order("3", customer=ADA)) == ["recorded"]
    assert points(store.shop, member) == 5


def test_a_test_order_counts_in_a_test_program_alone() -> None:
    for mode, earned in (("test", 10), ("live", 0)):
        shop = Shop(memory_store(), mode)
        assert shop.publish("points").status == 201
        shop.clock.at += HOUR
        store = Storefront(shop)
        member = shop.enrol(email="ada@example.com")
        store.takes(store.order(customer=ADA, is_test=True))
        assert points(shop, member) == earned


@pytest.mark.parametrize("effects", range(12))
def test_a_crash_at_any_step_is_mended_by_the_next_message(effects: int) -> None:
    """Also one between two writers: an old content that dies half way, and a new one."""
    kept = memory_store()
    shop = Shop(kept)
    assert shop.publish("points").status == 201
    shop.clock.at += HOUR
    member = shop.enrol(email="ada@example.com")
    store = Storefront(shop)
    at = shop.clock.at
    store.takes(store.order(customer=ADA, at=at))
    old = store.order(price=7000, customer=ADA, at=at + 1)
    real = shop.runtime.context
    object.__setattr__(real, "store", interfered(kept, DiesAfter(effects)))
    with suppress(Crash):
        store.tell(old)
    object.__setattr__(real, "store", kept)
    store.takes(store.order(customer=ADA, at=at + 2))
    store.takes(old)
    assert points(shop, member) == 10


# --- Whoever is not known yet ---------------------------------------------------------------------


def test_a_guests_orders_wait_for_whoever_proves_to_be_him(store: Storefront) -> None:
    shop = store.shop
    assert store.takes(store.order("1", customer=GUEST)) == ["kept"]
    assert store.takes(RefundSaid("1", refund(amount=300))) == ["parked"]
    shop.clock.at += DAY
    thief = shop.enrol(email="ada@example.com")
    shop.clock.at += MINUTE
    told = store.order("1", customer=GUEST, placed_at=shop.clock.at - DAY - MINUTE)
    assert store.takes(told) == ["kept"]  # the address alone proves nothing about the past
    assert points(shop, thief) == 0
    assert store.takes(CustomerSaid(ADA), topic="customers/update") == []
    assert points(shop, thief) == 0
    store.takes(CustomerSaid(VERIFIED), topic="customers/update")
    assert points(shop, thief) == 7
    profile = shop.call("GET", f"/v1/members/{thief}").json
    assert profile["external_id"] == "shopify:5"
    store.takes(CustomerSaid(VERIFIED), topic="customers/update")
    assert points(shop, thief) == 7


def test_orders_of_an_account_wait_for_its_owner(shop: Shop) -> None:
    store = Storefront(shop)
    told = store.order("1", customer=ADA)
    assert store.takes(told) == ["kept"]
    shop.clock.at += DAY
    member = shop.enrol(external_id="shopify:5")
    assert points(shop, member) == 10
    assert store.takes(told) == ["unchanged"]
    assert points(shop, member) == 10


def test_customers_of_a_store_that_enrols_are_members_at_their_first_order(shop: Shop) -> None:
    store = Storefront(shop, enrols=True)
    told = store.order("1", customer=replace(ADA, phone="no number", accepts_marketing=True))
    assert store.takes(told) == ["recorded", "recorded"]
    found = shop.call("GET", "/v1/members", query={"external_id": "shopify:5"}).json["data"]
    member = found[0]["id"]
    assert (found[0]["given_name"], found[0]["phone"]) == ("Ada", None)
    assert points(shop, member) == 10
    assert store.takes(CustomerSaid(ADA), topic="customers/update") == ["unchanged"]
    assert store.takes(store.order("2", customer=GUEST)) == ["recorded"]
    assert points(shop, member) == 20


def test_a_customer_with_the_address_of_a_member_is_somebody_of_his_own(shop: Shop) -> None:
    """Until the store says that the address is his."""
    known = shop.enrol(email="ada@example.com")
    store = Storefront(shop, enrols=True)
    store.takes(CustomerSaid(ADA), topic="customers/create")
    store.takes(CustomerSaid(VERIFIED), topic="customers/update")
    assert shop.call("GET", f"/v1/members/{known}").json["external_id"] == "shopify:5"


def test_what_a_member_says_himself_stays(store: Storefront) -> None:
    member = store.shop.enrol(external_id="shopify:5", given_name="Augusta")
    said = CustomerSaid(replace(ADA, family_name="King"))
    assert store.takes(said, topic="customers/update") == ["recorded"]
    profile = store.shop.call("GET", f"/v1/members/{member}").json
    assert (profile["given_name"], profile["family_name"]) == ("Augusta", "King")
    assert store.takes(CustomerGone(ADA), topic="customers/delete") == []


# --- Privacy --------------------------------------------------------------------------------------


def test_an_erasure_takes_what_was_kept_and_the_member(shop: Shop) -> None:
    store = Storefront(shop, enrols=True)
    store.takes(store.order("1", customer=ADA))
    assert store.takes(store.order("9", customer=Customer(email="b@example.com"))) == ["kept"]
    gone = ErasureAsked(Customer("5", "b@example.com"))
    assert store.takes(gone, topic="customers/redact") == ["to_erase"]
    assert store.work() == []
    found = shop.call("GET", "/v1/members", query={"external_id": "shopify:5"}).json["data"]
    assert found == []
    late = store.takes(store.order("2", customer=ADA))
    assert late == ["member_erased"]
    kept = shop.runtime.context.store.stores._kept
    assert [rows for rows in kept.values() if rows] == []


def test_a_member_who_is_erased_leaves_nothing_that_was_kept(store: Storefront) -> None:
    assert store.takes(store.order("1", customer=GUEST)) == ["kept"]
    member = store.shop.enrol(email="ada@example.com")
    assert store.shop.call("DELETE", f"/v1/members/{member}").status == 200
    kept = store.shop.runtime.context.store.stores._kept
    assert [rows for rows in kept.values() if rows] == []


def test_who_wants_to_know_is_told_to_the_shop_and_a_store_that_goes_is_gone(
    store: Storefront,
) -> None:
    member = store.shop.enrol(external_id="shopify:5")
    assert store.takes(DataAsked(ADA), topic="customers/data_request") == ["data_request"]
    told = store.shop.call("GET", f"/v1/stores/{store.id}/troubles").json["data"]
    assert [(one["code"], one["about"]) for one in told] == [("data_request", f"member {member}")]
    store.takes(StoreGone(), topic="shop/redact")
    assert store.shop.call("GET", f"/v1/stores/{store.id}").status == 404
    assert store.tell().status == 401


# --- Pulling --------------------------------------------------------------------------------------


def test_fault_48_what_no_message_told_is_found_once_an_hour(store: Storefront) -> None:
    shop = store.shop
    member = shop.enrol(email="ada@example.com")
    store.api.orders = [store.order(str(one), customer=ADA) for one in range(5)]
    store.takes(store.api.orders[0])
    shop.clock.at += HOUR
    on_hour()
    assert store.work() == []
    pulled = store.read()["pull"]
    assert (pulled["running"], pulled["checked"], pulled["missed"]) == (False, 5, 4)
    assert points(shop, member) == 50
    assert store.troubles() == ["missed_message"] * 4
    again = store.pull()
    assert (again["checked"], again["missed"]) == (5, 0)  # the last ten minutes once more
    assert points(shop, member) == 50


def test_what_changed_a_moment_ago_may_still_be_told(store: Storefront) -> None:
    store.shop.enrol(email="ada@example.com")
    store.api.orders = [store.order(customer=ADA)]
    assert store.pull()["missed"] == 0
    assert store.troubles() == []


def test_a_pull_goes_on_where_it_was_and_two_workers_end_in_one(store: Storefront) -> None:
    shop = store.shop
    member = shop.enrol(email="ada@example.com")
    store.api.orders = [store.order(str(one), customer=ADA) for one in range(6)]
    shop.clock.at += HOUR
    for _ in range(3):  # three messages at once: each pulls the page that its record says
        assert shop.call("POST", f"/v1/stores/{store.id}/pull").status == 202
    assert store.work() == []
    assert points(shop, member) == 60
    assert store.read()["pull"]["running"] is False


def test_a_store_that_cannot_be_reached_is_asked_again_and_one_that_refuses_is_told(
    store: Storefront,
) -> None:
    store.api.orders = [store.order(str(one), customer=ADA) for one in range(5)]
    store.api.trouble = Unavailable("429")
    assert len(store.shop.queues.stores.messages) == 0
    store.shop.call("POST", f"/v1/stores/{store.id}/pull")
    assert len(store.work()) == 1
    store.api.trouble = Fault("401: the token is not good")
    assert store.pull()["running"] is False
    assert store.troubles() == ["pull_failed"]
    store.api.trouble = None
    assert store.pull()["checked"] == 5


def test_without_a_token_nothing_is_pulled_or_fetched(shop: Shop) -> None:
    store = Storefront(shop, access=None)
    reply = shop.call("POST", f"/v1/stores/{store.id}/pull")
    assert (reply.status, reply.code) == (409, "no_access")
    assert store.takes(OrderToFetch("1")) == ["to_fetch"]
    assert store.work() == []
    assert store.troubles() == ["no_access"]
    on_hour()
    assert shop.queues.stores.messages == []


def test_an_order_that_is_only_named_is_fetched(store: Storefront) -> None:
    member = store.shop.enrol(email="ada@example.com")
    store.api.orders = [store.order("7", customer=ADA)]
    assert store.takes(OrderToFetch("7"), OrderToFetch("8")) == ["to_fetch", "to_fetch"]
    assert store.work() == []
    assert points(store.shop, member) == 10


def test_every_kind_of_store_has_a_system(shop: Shop) -> None:
    for kind in StoreKind:
        system: Callable[[str], str | None] = shop.runtime.store_system(kind).address_problem
        assert system("http://169.254.169.254/") is not None
    assert wiring.runtime() is shop.runtime
    assert ADDRESS
