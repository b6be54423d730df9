"""What the port `Stores` promises, on every engine alike."""

from dataclasses import replace

from chalicelib.domain.members.member import Claim
from chalicelib.domain.orders import Order, OrderLine
from chalicelib.domain.ports import Store
from chalicelib.domain.stores.connection import (
    Connection,
    Progress,
    SealedSecret,
    StoreKind,
    Trouble,
)
from chalicelib.domain.stores.facts import Customer, OrderSaid, OrderState, StoreRefund
from tests.contract.samples import NOW

SHOP = Connection(
    "prg_1",
    "sto_1",
    StoreKind.SHOPIFY,
    "shopify",
    "https://corner.myshopify.com",
    (SealedSecret(b"new"), SealedSecret(b"old", NOW)),
    NOW,
    access=b"token",
    enrols=True,
)
OWNER = Claim("email", "mark")


def said(updated_at: int, order_id: str = "7#8", source: str = "shopify") -> OrderSaid:
    order = Order(
        source, order_id, "EUR", NOW, (OrderLine("1", 2, 350),), updated_at=NOW + updated_at
    )
    customer = Customer("5", "ada@example.com", accepts_marketing=False)
    return OrderSaid(order, OrderState.PAID, customer, (StoreRefund("9", amount=100),), ("CODE",))


def test_a_store_is_made_once_changed_by_one_and_removed(store: Store) -> None:
    stores = store.stores
    assert stores.get("sto_1") is None
    assert stores.create(SHOP)
    assert stores.create(SHOP)  # a put whose answer was lost
    assert not stores.create(replace(SHOP, address="https://other.myshopify.com"))
    changed = replace(SHOP, keeps_days=1, revision=2)
    assert stores.replace(changed, SHOP)
    assert stores.replace(changed, SHOP)
    assert not stores.replace(replace(SHOP, keeps_days=2, revision=2), SHOP)
    assert stores.get("sto_1") == changed
    assert stores.put_progress(Progress("prg_1", "sto_1", NOW))
    stores.count("sto_1", "orders/paid")
    stores.remove(changed)
    stores.remove(changed)
    assert stores.get("sto_1") is None
    assert stores.progress("sto_1") is None
    assert stores.counts("sto_1") == {}


def test_stores_are_listed_by_program_and_all(store: Store) -> None:
    for program, name in (("prg_1", "sto_2"), ("prg_1", "sto_1"), ("prg_10", "sto_3")):
        assert store.stores.create(replace(SHOP, program_id=program, id=name))
    assert [one.id for one in store.stores.of_program("prg_1")] == ["sto_1", "sto_2"]
    assert [one.id for one in store.stores.all()] == ["sto_1", "sto_2", "sto_3"]
    assert store.stores.of_program("prg_2") == []


def test_messages_are_remembered_and_counted(store: Store) -> None:
    stores = store.stores
    assert not stores.heard("sto_1", "m/1")
    stores.mark_heard("sto_1", "m/1", NOW)
    stores.mark_heard("sto_1", "m/1", NOW)
    assert stores.heard("sto_1", "m/1")
    assert not stores.heard("sto_2", "m/1")
    for topic in ("orders/paid", "unknown", "orders/paid"):
        stores.count("sto_1", topic)
    assert stores.counts("sto_1") == {"orders/paid": 2, "unknown": 1}


def test_troubles_are_listed_newest_first(store: Store) -> None:
    rows = [
        Trouble("prg_1", "sto_1", f"{at:020d}.a", at, "orders/paid", "order 1", "x", "y", NOW)
        for at in (1, 2, 3)
    ]
    for row in (rows[1], rows[0], rows[2], rows[2]):
        store.stores.add_trouble(row)
    assert store.stores.troubles("sto_1", None, 2) == [rows[2], rows[1]]
    assert store.stores.troubles("sto_1", rows[1].id, 2) == [rows[0]]
    assert store.stores.troubles("sto_2", None, 2) == []


def test_of_a_kept_order_the_latest_change_stays(store: Store) -> None:
    stores = store.stores
    for change in (2, 1, 3, 2):
        stores.keep("prg_1", OWNER, said(change), NOW)
    stores.keep("prg_1", OWNER, said(1, source="webshop"), NOW)
    assert stores.kept("prg_1", OWNER) == [said(3), said(1, source="webshop")]
    assert stores.kept("prg_2", OWNER) == []
    assert stores.kept("prg_1", Claim("external_id", "mark")) == []
    assert not stores.unkeep("prg_1", OWNER, said(2))
    assert stores.kept("prg_1", OWNER) == [said(3), said(1, source="webshop")]
    assert stores.unkeep("prg_1", OWNER, said(3))
    assert stores.unkeep("prg_1", OWNER, said(3))
    assert stores.kept("prg_1", OWNER) == [said(1, source="webshop")]


def test_a_kept_order_may_have_a_thousand_lines(store: Store) -> None:
    lines = tuple(
        OrderLine(str(at), 1, 350, name="A name " * 20, labels=("a label" * 30,))
        for at in range(1500)
    )
    large = replace(said(1), order=replace(said(1).order, lines=lines))
    store.stores.keep("prg_1", OWNER, large, NOW)
    assert store.stores.kept("prg_1", OWNER) == [large]


def test_all_that_is_kept_of_a_source_can_be_removed(store: Store) -> None:
    stores = store.stores
    for number in range(3):
        stores.keep("prg_1", Claim("email", f"mark{number}"), said(1, f"{number}"), NOW)
    stores.keep("prg_1", OWNER, said(1, source="webshop"), NOW)
    stores.keep("prg_2", OWNER, said(1), NOW)
    removed = [stores.unkeep_some("prg_1", "shopify", 2) for _ in range(3)]
    assert removed == [2, 1, 0]
    assert stores.kept("prg_1", Claim("email", "mark2")) == []
    assert stores.kept("prg_1", OWNER) == [said(1, source="webshop")]
    assert stores.kept("prg_2", OWNER) == [said(1)]


def test_how_far_a_pull_came_is_written_by_one_at_a_time(store: Store) -> None:
    first = Progress("prg_1", "sto_1", NOW, "page2", NOW, NOW + 1, checked=3)
    assert store.stores.put_progress(first)
    assert store.stores.put_progress(first)
    assert not store.stores.put_progress(replace(first, checked=4))
    second = replace(first, cursor=None, ended_at=NOW, revision=2)
    assert store.stores.put_progress(second)
    assert not store.stores.put_progress(replace(second, found=1))
    assert store.stores.progress("sto_1") == second
