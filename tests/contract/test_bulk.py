"""What writes and reads many at once keeps the promises of each one.

On the twin and the emulator: moto does not know a PartiQL insert with parameters.
"""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.adapters.aws import make_client
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ledger.commands import RefundOrder
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.members.member import Claim
from chalicelib.domain.ports import Parked, Store
from chalicelib.kernel.meter import measured
from local.cloud import REGION
from tests.contract import samples
from tests.contract.test_faults import Transport, answer, lose_answer
from tests.fakes.plugin import store_on


@pytest.fixture(params=["twin", "emulator"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store."""
    if request.param == "twin":
        return memory_store()
    found: Store = request.getfixturevalue("emulated")
    return found


@pytest.fixture
def engine(
    emulator: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[Store, Transport]:
    """The emulator behind a transport that does what it is told."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    client = make_client("dynamodb", REGION, emulator)
    store = store_on(client, prefix=f"b{abs(hash(request.node.nodeid))}-")
    return store, Transport(client)


def logs(count: int) -> list[Any]:
    """A first entry for so many logs."""
    keys = [LogKey("prg_1", f"mem_{number}") for number in range(count)]
    return [samples.entry(1, "shop:1#paid", key) for key in keys]


def test_entries_are_put_each_for_itself_and_losers_are_shown_the_winner(store: Store) -> None:
    entries = logs(60)
    other = replace(entries[30], ref="shop:2#paid")
    assert store.ledger.append(other) is None
    assert store.ledger.append(entries[40]) is None
    winners = store.ledger.append_each(entries)
    assert winners[30] == other
    assert winners[40] == entries[40]
    assert [one for at, one in enumerate(winners) if at not in (30, 40)] == [None] * 58
    for at, one in enumerate(entries):
        head = store.ledger.entry(one.key, 1)
        assert head == (other if at == 30 else one)
        assert store.ledger.story(one.key, one.ref) == ([] if at == 30 else [one])
    assert store.ledger.append_each([]) == []


def test_orders_are_claimed_each_for_itself(store: Store) -> None:
    refund = Parked(RefundOrder("shop", "7", "r"))
    assert store.orders.park("prg_1", "shop", "7", refund) is None
    theirs = samples.order("9", "mem_2")
    store.orders.claim(theirs)
    records = [samples.order(str(number)) for number in range(30)]
    claimed = store.orders.claim_each(records)
    firsts = [at for at, one in enumerate(claimed) if one is records[at]]
    assert firsts == [number for number in range(30) if number not in (7, 9)]
    assert claimed[9] == theirs
    assert claimed[7] == replace(records[7], parked=(refund,))
    again = store.orders.claim_each(records)
    assert again == claimed
    assert not any(one is mine for one, mine in zip(again, records, strict=True))
    assert [one.order.id for one in store.orders.of_member("prg_1", "mem_1", None, 99)[0]]


def test_claims_of_many_are_read_at_once(store: Store) -> None:
    claims = [Claim("email", f"mark-{number}") for number in range(130)]
    for number in (0, 50, 129):
        one = samples.member(f"mem_{number}", claims[number])
        assert store.members.enrol(one, samples.first(one))
    found = store.members.claimed_by_each("prg_1", claims)
    assert found == {claims[number]: f"mem_{number}" for number in (0, 50, 129)}
    assert store.members.claimed_by_each("prg_2", claims) == {}
    assert store.members.claimed_by_each("prg_1", []) == {}


def test_a_request_that_did_commit_and_is_sent_again_finds_its_own(
    engine: tuple[Store, Transport],
) -> None:
    store, transport = engine
    entries = logs(3)
    transport.troubles = [lose_answer]
    assert store.ledger.append_each(entries) == entries, "each is shown what lies there: its own"
    records = [samples.order(str(number)) for number in range(3)]
    transport.troubles = [lose_answer]
    claimed = store.orders.claim_each(records)
    assert claimed == records
    assert not any(one is mine for one, mine in zip(claimed, records, strict=True))


def test_throttling_is_waited_for_and_then_said(engine: tuple[Store, Transport]) -> None:
    store, transport = engine
    throttled = answer("ThrottlingException")
    transport.troubles = [throttled] * 2
    assert store.ledger.append_each(logs(2)) == [None, None]
    for work in (
        lambda: store.ledger.append_each(logs(2)),
        lambda: store.orders.claim_each([samples.order()]),
        lambda: store.members.claimed_by_each("prg_1", [samples.EMAIL]),
    ):
        transport.troubles = [throttled] * 20
        with pytest.raises(Unavailable):
            work()
        transport.troubles = []


def test_what_was_left_over_is_asked_for_again(
    engine: tuple[Store, Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB answers for as many keys as it likes to."""
    store, _ = engine
    ada = samples.member()
    store.members.enrol(ada, samples.first(ada))
    client = store.members._records._client  # type: ignore[attr-defined]
    real = client.batch_get_item
    asked = []

    def partly(RequestItems: Any) -> Any:  # noqa: N803
        asked.append(RequestItems)
        if len(asked) == 1:
            return {"Responses": {}, "UnprocessedKeys": RequestItems}
        return real(RequestItems=RequestItems)

    monkeypatch.setattr(client, "batch_get_item", partly)
    assert store.members.claimed_by_each("prg_1", [samples.EMAIL]) == {samples.EMAIL: "mem_1"}
    monkeypatch.setattr(
        client, "batch_get_item", lambda **more: {"Responses": {}, "UnprocessedKeys": more}
    )
    with pytest.raises(Unavailable):
        store.members.claimed_by_each("prg_1", [samples.EMAIL])


def test_many_at_once_cost_what_each_costs(engine: tuple[Store, Transport]) -> None:
    store, _ = engine
    first, *others = logs(4)
    with measured() as alone:
        store.ledger.append(first)
    with measured() as together:
        store.ledger.append_each(others)
    assert together.writes == 3 * alone.writes
    with measured() as alone:
        store.orders.claim(samples.order("1"))
    with measured() as together:
        store.orders.claim_each([samples.order("2"), samples.order("3")])
    assert together.writes == 2 * alone.writes
    with measured() as alone:
        store.members.claimed_by("prg_1", samples.EMAIL)
    with measured() as together:
        store.members.claimed_by_each("prg_1", [samples.EMAIL, samples.PHONE])
    assert together.reads == 2 * alone.reads
