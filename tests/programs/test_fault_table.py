"""Faults of the table in docs/faults.md, each played against the API on the twin."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from moto import mock_aws

from chalicelib.adapters.aws import make_client
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Unavailable
from chalicelib.events.time import on_due
from chalicelib.kernel.clock import MINUTE, from_rfc3339
from chalicelib.services.sweeps import message
from infra.replay import replay
from local.cloud import REGION
from tests.fakes.interference import interfered, is_effect
from tests.fakes.plugin import store_on
from tests.fakes.shop import Queued, Reply, Shop, goods

Send = Callable[[Shop, str, str], Reply]


def keyed(shop: Shop, path: str, body: Any, key: str) -> Reply:
    return shop.call("POST", f"/v1/members/{path}", body, headers={"idempotency-key": key})


def send_order(shop: Shop, ada: str, _: str) -> Reply:
    return shop.order(ada, "new", goods(1000))


def send_refund(shop: Shop, _: str, __: str) -> Reply:
    return shop.refund("old", "r", amount=500)


def send_cancellation(shop: Shop, _: str, __: str) -> Reply:
    return shop.call("POST", "/v1/orders/till/old/cancel")


def send_redemption(shop: Shop, ada: str, _: str) -> Reply:
    return shop.redeem(ada, "mug", "redeem")


def send_adjustment(shop: Shop, ada: str, _: str) -> Reply:
    body = {"currency": "points", "amount": 7, "reason": "r"}
    return keyed(shop, f"{ada}/adjustments", body, "adjust")


def send_reservation(shop: Shop, ada: str, _: str) -> Reply:
    return keyed(shop, f"{ada}/reservations", {"currency": "points", "amount": 9}, "reserve")


def send_transfer(shop: Shop, ada: str, ben: str) -> Reply:
    body = {"currency": "points", "amount": 9, "to_member_id": ben, "reason": "r"}
    return keyed(shop, f"{ada}/transfers", body, "transfer")


def send_merge(shop: Shop, ada: str, ben: str) -> Reply:
    return shop.call("POST", f"/v1/members/{ada}/merge", {"member_id": ben})


EVERYTHING: list[Send] = [
    send_order,
    send_refund,
    send_cancellation,
    send_redemption,
    send_adjustment,
    send_reservation,
    send_transfer,
    send_merge,
]


def scene() -> tuple[Shop, str, str]:
    """Two members, one of them with 300 points of one order."""
    shop = Shop(memory_store())
    shop.publish("points")
    ada, ben = shop.enrol(external_id="ada"), shop.enrol(external_id="ben")
    assert shop.order(ada, "old", goods(30_000)).status == 201
    return shop, ada, ben


@dataclass
class CutOff:
    """Fails once: at the effect of this number, or just after it."""

    number: int
    committed: bool

    def __call__(self, name: str, call: partial[Any]) -> Any:
        if is_effect(name) and not name.startswith("audit"):
            self.number -= 1
            if self.number == 0:
                if self.committed:
                    call()
                raise Unavailable("the connection was cut")
        return call()


def books(shop: Shop, *members: str) -> list[Any]:
    """All entries, without what differs from run to run."""
    shown = ("version", "kind", "effects", "note")
    return [
        {name: entry[name] for name in shown}
        for member_id in members
        for entry in entries(shop, member_id)
    ]


def entries(shop: Shop, member_id: str) -> list[Any]:
    return list(shop.call("GET", f"/v1/members/{member_id}/entries").json["data"])


@pytest.mark.parametrize("committed", [True, False], ids=["fault_01", "fault_02"])
@pytest.mark.parametrize("send", EVERYTHING, ids=lambda send: send.__name__)
def test_faults_01_02_a_call_that_was_cut_off_is_sent_again_and_is_done_once(
    send: Send, committed: bool
) -> None:
    """After every effect of it, whether that was committed or not."""
    plain, ada, ben = scene()
    right = send(plain, ada, ben)
    assert right.status in (200, 201), right.raw
    expected = books(plain, ada, ben)
    for number in range(1, 20):
        shop, ada, ben = scene()
        context = shop.runtime.context
        store = interfered(context.store, CutOff(number, committed))
        shop.runtime.context = dataclasses.replace(context, store=store)
        first = send(shop, ada, ben)
        if first.status != 503:
            assert number > 1
            return
        assert first.headers["retry-after"]
        again = send(shop, ada, ben)
        assert again.status == right.status, again.raw
        assert again.json["effects"] == right.json["effects"]
        assert again.json["balances"] == right.json["balances"]
        assert books(shop, ada, ben) == expected
    raise AssertionError("it never got through")


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("adjustments", {"currency": "points", "amount": 7, "reason": "r"}, {"amount": 8}),
        ("redemptions", {"reward": "mug"}, {"quantity": 2}),
        ("reservations", {"currency": "points", "amount": 9}, {"amount": 8}),
    ],
)
def test_fault_04_the_same_key_with_another_body_is_refused(
    path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    shop, ada, ben = scene()
    assert keyed(shop, f"{ada}/{path}", body, "k").status == 201
    before = books(shop, ada, ben)
    reply = keyed(shop, f"{ada}/{path}", {**body, **other}, "k")
    assert (reply.status, reply.code) == (422, "different_request")
    assert books(shop, ada, ben) == before


def due_event(shop: Shop, *members: str) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": str(number), "body": message(shop.program_id, member_id)}
            for number, member_id in enumerate(members)
        ]
    }


def test_fault_09_a_message_that_comes_again_changes_nothing() -> None:
    shop, ada, ben = scene()
    keyed(shop, f"{ada}/reservations", {"currency": "points", "amount": 9}, "r")
    shop.clock.at += 20 * MINUTE
    for _ in range(2):
        assert on_due(due_event(shop, ada, ben, ada)) == {"batchItemFailures": []}
        kinds = [entry["kind"] for entry in books(shop, ada)]
        assert kinds == ["released", "reserved", "order", "enrolled"]


def test_fault_10_one_bad_message_fails_alone() -> None:
    shop, ada, ben = scene()
    keyed(shop, f"{ada}/reservations", {"currency": "points", "amount": 9}, "r")
    shop.clock.at += 20 * MINUTE
    event = due_event(shop, ben, ada)
    event["Records"].insert(1, {"messageId": "bad", "body": "{"})
    assert on_due(event) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert books(shop, ada)[0]["kind"] == "released"


@mock_aws
def test_fault_12_what_the_stream_forgot_is_told_from_the_ledger() -> None:
    client = make_client("dynamodb", REGION)
    shop = Shop(store_on(client))
    shop.publish("points")
    members = [shop.enrol() for _ in range(130)]
    queues = Queued(), Queued()
    assert replay(client, "Ledger", queues) == len(members)
    for queue in queues:
        assert sorted(queue.messages) == sorted(message(shop.program_id, one) for one in members)


def test_fault_18_a_late_clock_spends_nothing_that_another_saw_expire() -> None:
    """Two machines, their clocks ten minutes apart, at the midnight when the points end."""
    shop = Shop(memory_store())
    document = {
        "name": "P",
        "time_zone": "Europe/Berlin",
        "money": "EUR",
        "currencies": {"points": {"label": "Points", "expires": {"days": 1}}},
        "earn": [{"id": "g", "kind": "per_amount", "currency": "points", "give": 1, "per": 100}],
        "rewards": [
            {
                "id": "mug",
                "kind": "product",
                "name": "Mug",
                "cost": {"currency": "points", "amount": 10},
            }
        ],
    }
    shop.call("POST", "/v1/programs", document)
    ada = shop.enrol()
    shop.order(ada, "1", goods(5000))
    midnight = from_rfc3339("2026-11-24T00:00:00+01:00")
    shop.clock.at = midnight + 5 * MINUTE
    shop.order(ada, "2", goods(5000), placed_at="2026-11-23T13:00:00Z")  # it is over already
    shop.clock.at = midnight - 5 * MINUTE
    assert shop.redeem(ada, "mug", "late").code == "insufficient_balance"
    moments = [one["recorded_at"] for one in entries(shop, ada)]
    assert moments == sorted(moments, reverse=True)


def test_fault_23_more_than_was_earned_is_never_taken_back() -> None:
    shop, ada, _ = scene()
    assert shop.redeem(ada, "mug", "spent").status == 201
    assert shop.refund("old", "r1").status == 201
    for refund_id in ("r1", "r2", "r3"):
        reply = shop.refund("old", refund_id)
        assert reply.status == 201 if refund_id == "r1" else reply.code == "refund_exceeds_order"
    assert shop.balance(ada, "points") == -150
    shop.order(ada, "next", goods(20_000))
    assert shop.balance(ada, "points") == 50
