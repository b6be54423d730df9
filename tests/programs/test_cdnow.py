"""Eighteen months of a real shop, all of it in batches, twice."""

from collections import Counter
from typing import Any

from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.kernel.clock import from_rfc3339
from tests.fakes.cdnow import PROGRAM, Purchase, purchases
from tests.fakes.jobs import bring, counts, lines
from tests.fakes.shop import Shop

ORDERS, MEMBERS, CENTS = 6_919, 2_357, 244_091_94  # tests/data/README.md
AT_ONCE = 100


def batches(shop: Shop, bought: list[Purchase]) -> list[dict[str, Any]]:
    rows = []
    for start in range(0, len(bought), AT_ONCE):
        orders = [one.request for one in bought[start : start + AT_ONCE]]
        reply = shop.call("POST", "/v1/orders/batch", {"orders": orders})
        assert reply.status == 200, reply.raw
        rows += reply.json["data"]
    return rows


def heads(shop: Shop, ids: dict[str, str]) -> dict[str, Head]:
    ledger = shop.runtime.context.store.ledger
    found = {}
    for customer, member_id in ids.items():
        head = ledger.head(LogKey(shop.program_id, member_id), strong=True)
        assert head is not None
        found[customer] = head
    return found


def test_every_dollar_of_cdnow_is_a_point_and_the_second_time_nothing_is(shop: Shop) -> None:
    bought = purchases()
    customers = sorted({one.customer for one in bought})
    assert (len(bought), len(customers)) == (ORDERS, MEMBERS)
    assert sum(one.cents for one in bought) == CENTS
    assert (min(bought, key=lambda one: one.day).day, max(one.day for one in bought)) == (
        "1997-01-01",
        "1998-06-30",
    )

    shop.clock.at = from_rfc3339("1998-07-01T12:00:00Z")
    sent = {"content-type": "application/yaml"}
    assert shop.call("POST", "/v1/programs", PROGRAM, headers=sent).status == 201
    joined = [{"external_id": one, "joined_at": "1997-01-01T05:00:00Z"} for one in customers]
    assert counts(bring(shop, lines(*joined), "members")) == (MEMBERS, 0, 0)

    rows = batches(shop, bought)
    assert {(row["status"], row["replayed"]) for row in rows} == {(201, False)}
    ids = {one.customer: row["order"]["member_id"] for one, row in zip(bought, rows, strict=True)}
    assert len(set(ids.values())) == MEMBERS
    dollars: Counter[str] = Counter()
    for one in bought:
        dollars[one.customer] += one.cents // 100
    after = heads(shop, ids)
    points = {
        customer: sum(lot.amount for lot in head.snapshot.lots) for customer, head in after.items()
    }
    assert points == {customer: dollars[customer] for customer in customers}
    assert sum(points.values()) == 239_444
    assert sum(head.version for head in after.values()) == ORDERS + MEMBERS

    again = batches(shop, bought)
    assert {(row["status"], row["replayed"]) for row in again} == {(201, True)}
    assert heads(shop, ids) == after
