"""What a member may ask for by law, and that what was forgotten is nowhere any more."""

import dataclasses
import logging
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from moto import mock_aws

from chalicelib.adapters.aws import make_client
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.cards.card import Card
from chalicelib.domain.ports import Registration, Store
from chalicelib.kernel.clock import HOUR, MINUTE, SECOND
from chalicelib.services import rights
from chalicelib.services.context import Context, enter
from chalicelib.services.passes import PassKey, issue, read_card, register
from chalicelib.services.sweeps import settle_member
from local.cloud import REGION
from tests.fakes.interference import Crash, DiesAfter, interfered
from tests.fakes.plugin import store_on
from tests.fakes.shop import Shop, goods
from tests.unit.test_passkit import worked

PLANTED = "planted"  # in everything that tells of the person, however it is spelt


@dataclass
class Google:
    """Google Wallet, as far as it keeps what was put last."""

    objects: dict[str, Card] = field(default_factory=dict)

    def put(self, card: Card, *, notify: bool = False) -> None:  # noqa: ARG002
        self.objects[card.serial] = card

    def save_link(self, card: Card) -> str:
        return f"https://google.test/{card.serial}"


def plant(shop: Shop) -> str:
    """A member about whom something personal lies wherever something can lie."""
    ada = shop.enrol(
        external_id="planted-1",
        email="Planted@Example.com",
        phone="+49 30 7526833",  # in letters: planted
        given_name="Planted",
        family_name="McPlanted",
        attributes={"pet": "planted the cat"},
        consents=[{"purpose": "marketing.email", "granted": True, "version": "planted-v1"}],
    )
    ben = shop.enrol(external_id="ben")
    shop.order(ada, "1", goods(5000, name="engraved: planted"), goods(900, name="planted"))
    shop.order(ada, "2", goods(5000, name="for planted"))
    shop.refund("1", "r1", amount=100, reason="planted did not like it")
    shop.refund("9", "r9", reason="planted again")  # before its order
    shop.order(ada, "9", goods(700, name="planted, too"))
    key = {"idempotency-key": "k1"}
    gift = {"currency": "points", "amount": 10, "reason": "planted is kind"}
    shop.call("POST", f"/v1/members/{ada}/adjustments", gift, headers=key)
    gift = {"currency": "points", "amount": 1, "reason": "from planted", "to_member_id": ben}
    shop.call("POST", f"/v1/members/{ada}/transfers", gift, headers=key)
    shop.call("PATCH", f"/v1/members/{ada}", {"given_name": "Implanted"})
    context = shop.runtime.context
    issue(context, PassKey(shop.program_id, ada), google=True)
    registration = Registration("planted-device", "pass.x", shop.program_id, ada, "planted", 0)
    context.store.passes.register(registration)
    return ada


def card_of(shop: Shop, member_id: str) -> Card:
    card = read_card(shop.runtime.context, PassKey(shop.program_id, member_id))
    assert isinstance(card, Card)
    return card


def everything_in(store: Store) -> str:
    """All that lies in the twin, as text."""
    ports = (getattr(store, one.name) for one in dataclasses.fields(store))
    return " ".join(repr(vars(port)) for port in ports).lower()


def everything_on(client: Any) -> str:
    """All that lies in the tables of a DynamoDB, as text."""
    texts = []
    for table in client.list_tables()["TableNames"]:
        for page in client.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                texts.append(repr(item))
                lines = item.get("lines")
                texts.append(repr(zlib.decompress(lines["B"])) if lines else "")
    return " ".join(texts).lower()


def swept(shop: Shop, member_id: str, context: Context | None = None) -> None:
    """What the stream and the hour bring of themselves, an hour later."""
    shop.clock.at += HOUR + MINUTE
    settle_member(context or shop.runtime.context, shop.program_id, member_id)


def erase(shop: Shop, member_id: str) -> Any:
    reply = shop.call("DELETE", f"/v1/members/{member_id}")
    assert reply.status == 200, reply.raw
    return reply.json


def test_fault_51_what_was_erased_is_in_no_store_no_queue_no_log_and_no_wallet(
    points: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ada = plant(points)
    key = PassKey(points.program_id, ada)
    google = Google()
    google.put(card_of(points, ada))
    assert everything_in(points.runtime.context.store).count(PLANTED) > 15

    assert erase(points, ada)["standing"] == "erased"
    worked(points.runtime.context, key, None, google)

    store = points.runtime.context.store
    assert PLANTED not in everything_in(store)
    assert ada not in repr((store.passes._issued, store.passes._registrations))  # type: ignore[attr-defined]
    assert PLANTED not in repr(points.queues).lower()
    assert PLANTED not in caplog.text.lower()
    assert PLANTED not in repr(google).lower()
    assert google.objects[key.serial].voided


@mock_aws
def test_what_was_erased_is_in_no_table_of_dynamodb() -> None:
    client = make_client("dynamodb", REGION)
    shop = Shop(store_on(client))
    shop.publish("points")
    ada = plant(shop)
    assert everything_on(client).count(PLANTED) > 15
    erase(shop, ada)
    worked(shop.runtime.context, PassKey(shop.program_id, ada), None, Google())
    assert PLANTED not in everything_on(client)


def test_the_erased_are_not_known_and_their_chain_is_sound(points: Shop) -> None:
    ada = plant(points)
    before = points.balance(ada, "points")
    erase(points, ada)
    path = f"/v1/members/{ada}"

    assert points.call("GET", path).status == 404
    assert points.call("GET", "/v1/members", query={"external_id": "planted-1"}).json["data"] == []
    account = points.call("GET", path + "/account").json
    assert (account["standing"], points.balance(ada, "points")) == ("erased", 0)
    assert points.call("GET", path + "/verify").json["valid"]
    last = points.call("GET", path + "/entries").json["data"][0]
    assert [effect["amount"] for effect in last["effects"]] == [-before]
    export = points.call("GET", path + "/export").json
    assert not export["profiles"] + export["consents"] + export["devices"] + export["operations"]


def test_nothing_comes_back_for_the_erased(points: Shop) -> None:
    ada = plant(points)
    erase(points, ada)
    context = points.runtime.context

    assert points.order(ada, "3", goods(100, name="planted")).code == "member_erased"
    assert points.order(ada, "1", goods(100, name="planted")).status == 409
    assert points.refund("2", "r2", reason="planted").code == "member_erased"
    assert points.redeem(ada, "mug", "k9").code == "member_erased"
    assert points.call("PATCH", f"/v1/members/{ada}", {"given_name": "planted"}).status == 404
    assert points.call("POST", f"/v1/members/{ada}/tokens").status == 404
    register(context, PassKey(points.program_id, ada), "planted", "pass.x", "planted")
    assert PLANTED not in everything_in(context.store)
    again = points.enrol(external_id="planted-1", email="planted@example.com")
    assert again != ada
    assert points.balance(again, "points") == 0


def steps_of(work: Callable[[Context], object], shop: Shop) -> int:
    """How many effects some work has."""
    plan = DiesAfter(10_000)
    work(dataclasses.replace(shop.runtime.context, store=interfered(memory_of(shop), plan)))
    return 10_000 - plan.effects


def memory_of(shop: Shop) -> Store:
    return shop.runtime.context.store


def a_shop() -> tuple[Shop, str]:
    shop = Shop(memory_store())
    shop.publish("points")
    return shop, plant(shop)


@pytest.mark.parametrize("finish", ["the next call", "the sweep"])
def test_an_erasure_that_dies_after_any_step_is_finished(finish: str) -> None:
    shop, ada = a_shop()
    steps = steps_of(lambda context: erased(context, shop, ada), shop)
    assert steps >= 8
    for step in range(1 if finish == "the sweep" else 0, steps):
        shop, ada = a_shop()
        dying = interfered(memory_of(shop), DiesAfter(step))
        with pytest.raises(Crash):
            erased(dataclasses.replace(shop.runtime.context, store=dying), shop, ada)
        if finish == "the sweep":
            swept(shop, ada)
        else:
            erase(shop, ada)
        shop.runtime.context.store.passes.forget(
            shop.program_id, ada, shop.clock.at
        )  # the wallet queue's part
        assert PLANTED not in everything_in(memory_of(shop)), step


def erased(context: Context, shop: Shop, member_id: str) -> None:
    here = enter(context, shop.program_id)
    assert here is not None
    rights.erase(context, here, member_id)


def test_what_was_under_way_during_the_erasure_is_gone_an_hour_later(points: Shop) -> None:
    ada = plant(points)
    erase(points, ada)
    store = memory_of(points)
    head = store.ledger.head(rights.LogKey(points.program_id, ada), strong=True)
    assert head is not None
    store.notes.put(head.key, "key:late#adjust", "planted late")  # its process was slow
    settle_member(points.runtime.context, points.program_id, ada)
    [row] = store.dues.until(f"test#{points.program_id}", points.clock.at + 2 * HOUR, 10)
    assert row.at == head.recorded_at + HOUR
    swept(points, ada)
    assert PLANTED not in everything_in(store)
    assert store.dues.of(points.program_id, ada) is None


@pytest.mark.parametrize("step", range(12))
def test_fault_45_no_push_brings_a_name_back_during_an_erasure(points: Shop, step: int) -> None:
    """The push stops after any of its calls to the store, the member is erased, it goes on."""
    ada = plant(points)
    key = PassKey(points.program_id, ada)
    google = Google()
    calls = iter(range(100))

    def erase_then(name: str, call: Callable[[], Any]) -> Any:
        if next(calls) == step:
            erase(points, ada)
        return call()

    racing = dataclasses.replace(
        points.runtime.context, store=interfered(memory_of(points), erase_then)
    )
    points.order(ada, "77", goods(1000))
    worked(racing, key, None, google)
    if next(calls) > step:  # the tombstone's own message comes after it
        worked(points.runtime.context, key, None, google)
        assert PLANTED not in repr(google).lower()
        assert PLANTED not in everything_in(memory_of(points))


def test_fault_46_an_erasure_can_be_repeated(points: Shop) -> None:
    ada = plant(points)
    first = erase(points, ada)
    points.clock.at += SECOND
    assert erase(points, ada) == first


def test_erasing_the_survivor_erases_everybody_merged_into_him(points: Shop) -> None:
    ada = plant(points)
    survivor = points.enrol(email="planted-too@example.com")
    points.order(survivor, "5", goods(100, name="planted"))
    points.call("POST", f"/v1/members/{survivor}/merge", {"member_id": ada})
    erase(points, ada)  # he is the same person
    points.runtime.context.store.passes.forget(points.program_id, ada, points.clock.at)
    assert PLANTED not in everything_in(memory_of(points))


def test_an_open_reservation_of_the_erased_gives_its_stock_back(shop: Shop) -> None:
    document = {
        "name": "P",
        "time_zone": "Europe/Berlin",
        "money": "EUR",
        "currencies": {"points": {"label": "Points"}},
        "earn": [{"id": "g", "kind": "per_amount", "currency": "points", "give": 1, "per": 1}],
        "rewards": [
            {
                "id": "mug",
                "kind": "product",
                "name": "Mug",
                "cost": {"currency": "points", "amount": 10},
                "stock": 1,
            }
        ],
    }
    assert shop.call("POST", "/v1/programs", document).status == 201
    ada, ben = shop.enrol(), shop.enrol()
    for number, one in enumerate((ada, ben)):
        shop.order(one, str(number), goods(1000))
    reserve = {"reward": "mug"}
    key = {"idempotency-key": "k"}
    path = "/v1/members/{}/reservations"
    assert shop.call("POST", path.format(ada), reserve, headers=key).status == 201
    assert shop.redeem(ben, "mug", "k1").code == "out_of_stock"
    erase(shop, ada)
    assert shop.redeem(ben, "mug", "k2").status == 201


def test_an_export_has_everything_in_pages(points: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "PAGE", 2)
    ada = plant(points)
    mary = points.enrol(email="mary@example.com")
    points.order(mary, "m1", goods(100, name="a gift"))
    points.call("POST", f"/v1/members/{mary}/merge", {"member_id": ada})
    pages = []
    cursor: str | None = None
    while cursor is not None or not pages:
        query = {"cursor": cursor} if cursor else {}
        pages.append(points.call("GET", f"/v1/members/{mary}/export", query=query).json)
        cursor = pages[-1]["next_cursor"]

    first = pages[0]
    assert {one["id"] for one in first["profiles"]} == {ada, mary}
    assert [one["purpose"] for one in first["consents"]] == ["marketing.email"]
    assert [one["device_id"] for one in first["devices"]] == ["planted-device"]
    assert [one["in_google_wallet"] for one in first["passes"]] == [True]
    assert {one["action"] for one in first["operations"]} >= {"members.change"}
    orders = [one["order"]["id"] for page in pages for one in page["orders"]]
    assert sorted(orders) == ["1", "2", "9", "m1"]
    entries = [entry["hash"] for page in pages for entry in page["entries"]]
    assert len(entries) == len(set(entries))
    app = str(points.call("POST", f"/v1/members/{mary}/tokens").json["token"])
    own = points.call("GET", f"/v1/members/{mary}/export", key=app).json
    assert (own["profiles"], own["operations"]) == (first["profiles"], [])
    for one in (ada, mary):
        written = points.call("GET", f"/v1/members/{one}/entries").json["data"]
        assert {entry["hash"] for entry in written} <= set(entries)


def test_a_restriction_stops_new_use_and_nothing_that_gives_back(points: Shop) -> None:
    ada = points.enrol(email="ada@example.com")
    points.order(ada, "1", goods(20_000))
    path = f"/v1/members/{ada}"
    for _ in range(2):
        reply = points.call("PUT", path + "/restriction", {"restricted": True})
        assert (reply.status, reply.json["standing"]) == (200, "restricted")

    assert points.call("GET", path + "/account").json["standing"] == "restricted"
    assert points.order(ada, "2", goods(100)).code == "member_restricted"
    assert points.redeem(ada, "mug", "k").code == "member_restricted"
    assert points.call("PATCH", path, {"given_name": "A"}).code == "member_restricted"
    withdrawn = {"consents": [{"purpose": "profiling", "granted": False, "version": "1"}]}
    assert points.call("POST", path + "/consents", withdrawn).status == 200
    assert points.refund("1", "r1", amount=100).status == 201

    points.call("PUT", path + "/restriction", {"restricted": False})
    assert points.order(ada, "2", goods(100)).status == 201


def test_consents_have_a_history_with_version_time_and_source(points: Shop) -> None:
    ada = points.enrol(
        consents=[{"purpose": "marketing.email", "granted": True, "version": "v1"}],
        terms_version="2026-01",
    )
    path = f"/v1/members/{ada}/consents"
    app = str(points.call("POST", f"/v1/members/{ada}/tokens").json["token"])
    points.clock.at += MINUTE
    withdrawn = {"consents": [{"purpose": "marketing.email", "granted": False, "version": "v1"}]}
    for _ in range(2):  # again changes nothing
        reply = points.call("POST", path, withdrawn, key=app)
        points.clock.at += MINUTE
    points.call("POST", path, {"privacy_version": "p2"})

    found = points.call("GET", path, key=app).json
    assert [(one["purpose"], one["granted"]) for one in found["current"]] == [
        ("marketing.email", False)
    ]
    assert reply.json["current"] == found["current"]
    assert (found["terms_version"], found["privacy_version"]) == ("2026-01", "p2")
    assert [
        (one["purpose"], one["granted"], one["version"], one["source"], one["given_at"][11:16])
        for one in found["history"]
    ] == [
        ("marketing.email", True, "v1", "shop", "12:00"),
        ("terms", True, "2026-01", "shop", "12:00"),
        ("marketing.email", False, "v1", "app", "12:01"),
        ("privacy", True, "p2", "shop", "12:03"),
    ]


def test_an_exported_order_can_be_read(points: Shop) -> None:
    ada = plant(points)
    [order, *_] = points.call("GET", f"/v1/members/{ada}/export").json["orders"]
    assert order["order"]["placed_at"] == "2026-11-23T12:00:00Z"
    assert order["order"]["lines"][0]["unit_price"] == 5000
    assert msgspec.json.encode(order)
