"""What calls cost the store: the same for a new member and for one with a long history.

The twin counts the units of the ledger alone, so that these are "beside the order record"
(DESIGN.md, section 2: an earn at most 2 write and 1.5 read units, a balance at most 1).
"""

from typing import Any

import pytest
from moto import mock_aws

from chalicelib.adapters.aws import make_client
from chalicelib.adapters.memory.store import MemoryLedger, memory_store
from chalicelib.adapters.units import entry_size
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.services.sweeps import settle_member
from local.cloud import REGION
from tests.fakes.plugin import store_on
from tests.fakes.shop import ROOT, Reply, Shop, drink, goods

METER = {"regulars-meter": "1"}


def units(reply: Reply) -> tuple[float, int]:
    """Read and write units."""
    assert reply.status in (200, 201), reply.raw
    read, written = (reply.headers[f"regulars-{one}-units"] for one in ("read", "write"))
    return float(read), int(written)


def earn(shop: Shop, member_id: str, order_id: str) -> Reply:
    body = {
        "source": "till",
        "id": order_id,
        "member_id": member_id,
        "currency": "EUR",
        "placed_at": "2026-11-23T12:00:00Z",
        "lines": [{"id": "1", **goods(1000)}],
    }
    return shop.call("POST", "/v1/orders", body, headers=METER)


def redeem(shop: Shop, member_id: str, key: str) -> Reply:
    path = f"/v1/members/{member_id}/redemptions"
    headers = {**METER, "idempotency-key": key}
    return shop.call("POST", path, {"reward": "mug"}, headers=headers)


def balance(shop: Shop, member_id: str) -> Reply:
    return shop.call("GET", f"/v1/members/{member_id}/account", headers=METER)


def grow(shop: Shop, member_id: str, length: int) -> None:
    """Makes a log longer, with entries that repeat the last."""
    ledger = shop.runtime.context.store.ledger
    assert isinstance(ledger, MemoryLedger)
    key = LogKey(shop.program_id, member_id)
    [last] = ledger.entries(key, None, 1)
    while last.version < length:
        version = last.version + 1
        last = StoredEntry(key, version, f"till:old-{version}#paid", last.hash, last.body)
        assert ledger.append(last) is None


def test_units_are_within_the_promise_and_the_same_after_100_000_entries(points: Shop) -> None:
    ada = points.enrol()
    points.order(ada, "first", goods(100_000))
    seen = set()
    for length in (10, 10_000, 100_000):
        grow(points, ada, length)
        costs = (
            units(earn(points, ada, f"o-{length}")),
            units(redeem(points, ada, f"r-{length}")),
            units(balance(points, ada)),
        )
        seen.add(costs)
    [(of_earn, of_redeem, of_balance)] = seen
    assert of_earn[0] <= 0.5, "a new order has no story to read"
    assert of_earn[1] <= 2
    assert of_redeem[0] <= 1.5
    assert of_redeem[1] <= 2
    assert of_balance[0] <= 1
    assert of_balance[1] == 0


def test_fault_06_an_order_that_comes_again_10_000_entries_later_is_known(points: Shop) -> None:
    ada = points.enrol()
    first = earn(points, ada, "o-1")
    redeemed = points.call(
        "POST",
        f"/v1/members/{ada}/adjustments",
        {"currency": "points", "amount": 1, "reason": "r"},
        headers={"idempotency-key": "k"},
    )
    grow(points, ada, 10_000)
    again = earn(points, ada, "o-1")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json == first.json
    assert units(again)[1] == 0
    repeated = points.call(
        "POST",
        f"/v1/members/{ada}/adjustments",
        {"currency": "points", "amount": 1, "reason": "r"},
        headers={"idempotency-key": "k"},
    )
    assert repeated.json == redeemed.json
    head = points.runtime.context.store.ledger.head(LogKey(points.program_id, ada), strong=True)
    assert head is not None
    assert head.version == 10_000


@mock_aws
def test_dynamodb_costs_what_the_twin_says() -> None:
    """On DynamoDB the meter sees every table: the order record is added to what the twin tells."""
    client = make_client("dynamodb", REGION)
    told = []
    for store in (memory_store(), store_on(client)):
        shop = Shop(store)
        shop.publish("points")
        ada = shop.enrol()
        earn(shop, ada, "o-1")
        balance(shop, ada)  # the program is warm
        told.append([units(one) for one in (earn(shop, ada, "o-2"), balance(shop, ada))])
    (twins_earn, twins_balance), (earn_there, balance_there) = told
    head_of_the_program = 1  # a test program's is read for every call
    assert earn_there == (twins_earn[0] + head_of_the_program, twins_earn[1] + 2)
    assert balance_there == (twins_balance[0] + head_of_the_program, 0)


@mock_aws
def test_an_earn_reads_the_head_and_puts_once_and_reads_the_story_only_when_it_may_be() -> None:
    client = make_client("dynamodb", REGION)
    shop = Shop(store_on(client))
    shop.publish("points")
    ada = shop.enrol()
    earn(shop, ada, "o-1")
    heard = []

    def listen(params: dict[str, Any], model: Any, **_: Any) -> None:
        if params.get("TableName") == "Ledger":
            heard.append(model.name)

    client.meta.events.register("before-parameter-build.dynamodb", listen)
    earn(shop, ada, "o-2")
    assert heard == ["Query", "PutItem"]
    earn(shop, ada, "o-2")
    assert heard[2:] == ["Query", "Query", "GetItem"]


@mock_aws
def test_a_program_without_referrals_never_asks_for_one() -> None:
    client = make_client("dynamodb", REGION)
    shop = Shop(store_on(client))
    shop.publish("points")
    heard = []

    def listen(params: dict[str, Any], **_: Any) -> None:
        heard.append(str(params))

    client.meta.events.register("before-parameter-build.dynamodb", listen)
    ada = shop.enrol(email="ada@example.com")
    shop.order(ada, "o-1", goods(1000), buyer={"email": "ada@example.com", "device": "d"})
    settle_member(shop.runtime.context, shop.program_id, ada)
    shop.call("GET", f"/v1/members/{ada}/passes")
    assert len(heard) > 8
    assert [one for one in heard if "referr" in one or "trace" in one] == []


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "programs").glob("*.yaml")))
def test_fault_17_a_usual_entry_is_below_one_write_unit(shop: Shop, name: str) -> None:
    """After a year in which the member came every second day, took rewards and gave things back."""
    assert shop.publish(name).status == 201
    program = shop.call("GET", "/v1/programs/current").json
    rewards = [one["id"] for one in program["rewards"]]
    ada = shop.enrol()
    for number in range(180):
        shop.clock.at += 2 * 24 * 3_600_000
        shop.order(ada, str(number), drink(3), goods(4_900, 2), currency=program["money"])
        if rewards and number % 3 == 0:
            shop.redeem(ada, rewards[0], str(number))
        if number % 5 == 0:
            shop.refund(str(number), "r", amount=500)
    ledger = shop.runtime.context.store.ledger
    entries = ledger.entries(LogKey(shop.program_id, ada), None, 1000)
    assert len(entries) > 215
    assert max(map(entry_size, entries)) < 1024
