"""What can go wrong between us and DynamoDB, injected where botocore sends and receives.

No emulator throttles, conflicts or loses an answer by itself, so a transport does it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from moto import mock_aws

from chalicelib.adapters.aws import make_client
from chalicelib.domain.errors import Contended, Fault, Unavailable
from chalicelib.domain.ports import Store
from local.cloud import REGION
from tests.contract import samples
from tests.fakes.plugin import store_on


class Transport:
    """Stands between botocore and the engine, and does what it is told to the next requests."""

    def __init__(self, client: Any) -> None:
        self._send = client._endpoint.http_session.send
        client._endpoint.http_session.send = self.send
        self.troubles: list[Callable[[Callable[[], Any]], Any]] = []
        self.sent = 0

    def send(self, request: Any) -> Any:
        self.sent += 1
        if self.troubles:
            return self.troubles.pop(0)(lambda: self._send(request))
        return self._send(request)


def answer(code: str, status: int = 400, **more: Any) -> Callable[[Callable[[], Any]], Any]:
    """An answer of DynamoDB's in place of the engine's."""
    import json

    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **more}).encode()

    class Raw:
        def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
            yield body

    return lambda _: AWSResponse("http://x", status, {"content-length": str(len(body))}, Raw())


def lose_request(_: Callable[[], Any]) -> Any:
    """The request never arrives."""
    raise ConnectionClosedError(endpoint_url="http://x")


def lose_answer(send: Callable[[], Any]) -> Any:
    """The engine does it, and the answer never comes back."""
    send()
    raise ReadTimeoutError(endpoint_url="http://x")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Store, Transport]]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with mock_aws():
        client = make_client("dynamodb", REGION)
        store = store_on(client)
        yield store, _through_moto(client)


def _through_moto(client: Any) -> Transport:
    """moto answers before the request is sent; here it answers when the transport sends."""
    from moto.core.models import botocore_stubber

    transport = Transport(client)
    transport._send = lambda request: botocore_stubber("before-send", request)
    client.meta.events.unregister("before-send", botocore_stubber)
    return transport


def test_a_lost_request_is_sent_again(engine: tuple[Store, Transport]) -> None:
    store, transport = engine
    transport.troubles = [lose_request]
    assert store.ledger.append(samples.entry(1, "shop:1#paid")) is None
    assert transport.sent == 2


def test_fault_03_a_put_that_did_commit_meets_itself_when_it_is_sent_again(
    engine: tuple[Store, Transport],
) -> None:
    store, transport = engine
    mine = samples.entry(1, "shop:1#paid")
    transport.troubles = [lose_answer]
    assert store.ledger.append(mine) == mine
    transport.troubles = [lose_answer]
    assert store.programs.create(samples.program())
    transport.troubles = [lose_answer]
    assert store.passes.put_issued(samples.issued(), replaces=0)
    transport.troubles = [lose_answer]
    assert store.orders.claim(samples.order()) == samples.order()


def test_a_transaction_that_did_commit_is_not_done_twice(
    engine: tuple[Store, Transport],
) -> None:
    store, transport = engine
    ada = samples.member()
    transport.troubles = [lose_answer]
    assert store.members.enrol(ada, samples.first(ada))
    assert len(store.ledger.entries(samples.LOG, None, 9)) == 1


@pytest.mark.parametrize(
    "code",
    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"],
)
def test_fault_15_throttling_is_waited_for_and_then_said(
    engine: tuple[Store, Transport], code: str
) -> None:
    store, transport = engine
    transport.troubles = [answer(code)] * 2
    assert store.ledger.head(samples.LOG, strong=True) is None
    transport.troubles = [answer(code)] * 20
    with pytest.raises(Unavailable):
        store.ledger.head(samples.LOG, strong=True)
    with pytest.raises(Unavailable):
        store.programs.head("prg_1")
    with pytest.raises(Unavailable):
        store.programs.create(samples.program())


def test_no_connection_is_said(engine: tuple[Store, Transport]) -> None:
    store, transport = engine
    transport.troubles = [lose_request] * 40
    with pytest.raises(Unavailable):
        store.ledger.append(samples.entry(1, "shop:1#paid"))
    with pytest.raises(Unavailable):
        store.members.get("prg_1", "mem_1")
    with pytest.raises(Unavailable):
        store.members.enrol(samples.member(), samples.first(samples.member()))


def test_a_conflict_with_a_transaction_is_tried_again(engine: tuple[Store, Transport]) -> None:
    store, transport = engine
    transport.troubles = [answer("TransactionConflictException")] * 2
    assert store.ledger.append(samples.entry(1, "shop:1#paid")) is None
    transport.troubles = [answer("TransactionConflictException")] * 40
    with pytest.raises(Contended):
        store.ledger.append(samples.entry(2, "shop:2#paid"))


def test_fault_14_a_transaction_that_conflicts_is_tried_again(
    engine: tuple[Store, Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, transport = engine
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}, {"Code": "None"}]
    conflict = answer("TransactionCanceledException", CancellationReasons=reasons)
    ada = samples.member()
    transport.troubles = [conflict, conflict]
    assert store.members.enrol(ada, samples.first(ada))
    assert len(pauses) == 2, "who comes again at once meets the same transaction"
    bob = samples.member("mem_2", samples.PHONE)
    transport.troubles = [conflict] * 40
    with pytest.raises(Contended):
        store.members.enrol(bob, samples.first(bob))


def test_what_we_do_not_expect_is_a_fault_and_not_the_librarys(
    engine: tuple[Store, Transport],
) -> None:
    store, transport = engine
    for work in (
        lambda: store.ledger.head(samples.LOG, strong=True),
        lambda: store.programs.head("prg_1"),
        lambda: store.programs.create(samples.program()),
        lambda: store.members.enrol(samples.member(), samples.first(samples.member())),
    ):
        transport.troubles = [answer("ValidationException")]
        with pytest.raises(Fault):
            work()
