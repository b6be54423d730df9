"""A fleet: several processes of the application on one engine, and clients that keep a history."""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from chalicelib.adapters.aws import make_client
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.domain.ports import Store
from chalicelib.kernel.clock import MINUTE, SystemClock, to_rfc3339
from infra.package import ROOT
from local.client import Client
from local.cloud import REGION
from local.processes import LOOPBACK, free_port, listening, running
from tests.fakes.plugin import store_on
from tests.fakes.shop import Shop
from tests.races.history import Call, check

PROCESSES = 6
WRITERS = 16
PREFIX = "races-"
PLACED_AT = to_rfc3339(SystemClock().now() + 5 * MINUTE)  # by a till whose clock is ahead
LOST = 0.03  # of the answers to writes
TRIES = 80
DOCUMENT = {
    "name": "Races",
    "time_zone": "Europe/Berlin",
    "money": "EUR",
    "currencies": {"points": {"label": "Points"}},
    "earn": [{"id": "g", "kind": "per_amount", "currency": "points", "give": 1, "per": 100}],
    "rewards": [
        {
            "id": name,
            "kind": "product",
            "name": name,
            "cost": {"currency": "points", "amount": 10},
            **more,
        }
        for name, more in (("mug", {}), ("last", {"stock": 5}))
    ],
}

T = TypeVar("T")


@dataclass
class Fleet:
    """What a test calls, and everything that it was answered."""

    ports: Sequence[int]
    program_id: str
    key: str
    store: Store
    calls: list[Call] = field(default_factory=list)

    def call(
        self, name: str, method: str, path: str, body: Any = None, key: str | None = None
    ) -> Call:
        """Asks until there is an answer for good."""
        headers = {"Idempotency-Key": key} if key else {}
        sent_at = time.monotonic()
        for attempt in range(TRIES):
            port = random.choice(self.ports)
            client = Client(f"http://{LOOPBACK}:{port}", self.key)
            reply = client.call(method, path, body, headers)
            named = {name.lower(): value for name, value in reply.headers.items()}
            if "retry-after" not in named:
                answered_at = time.monotonic()
                replayed = named.get("idempotent-replayed") == "true"
                call = Call(name, sent_at, answered_at, reply.status, reply.json, replayed)
                self.calls.append(call)
                return call
            time.sleep(random.uniform(0, 0.02 * min(attempt + 1, 20)))
        raise AssertionError(f"{name} starves")

    def enrol(self, name: str) -> str:
        found = self.call(name, "POST", "/v1/members", {"external_id": name}, key=name)
        self.calls.remove(found)
        assert found.done, found.body
        return str(found.body["id"])

    def order(self, member_id: str, order_id: str, euros: int = 1) -> Call:
        body = {
            "source": "till",
            "id": order_id,
            "member_id": member_id,
            "currency": "EUR",
            "placed_at": PLACED_AT,
            "lines": [{"id": "1", "quantity": 1, "unit_price": 100 * euros}],
        }
        return self.call(order_id, "POST", "/v1/orders", body)

    def keyed(self, member_id: str, what: str, body: Any, key: str) -> Call:
        return self.call(key, "POST", f"/v1/members/{member_id}/{what}", body, key)

    def give(self, member_id: str, amount: int) -> None:
        body = {"currency": "points", "amount": amount, "reason": "r"}
        assert self.keyed(member_id, "adjustments", body, f"gift-{member_id}").done

    def balance(self, member_id: str) -> int:
        read = Client(f"http://{LOOPBACK}:{self.ports[0]}", self.key)
        account = read.do("GET", f"/v1/members/{member_id}/account")
        return int(account["balances"]["points"]["available"])

    def log(self, member_id: str) -> list[StoredEntry]:
        key = LogKey(self.program_id, member_id)
        return self.store.ledger.entries(key, None, 100_000)[::-1]

    def check(self, *members: str) -> None:
        """Whether everything that was answered makes one serial history of these members."""
        mine = {member_id: self.log(member_id) for member_id in members}
        calls = [
            one
            for one in self.calls
            if one.done and one.body["entry"]["event_id"].rpartition(".")[0] in mine
        ]
        check(calls, mine)


def at_once(work: Callable[[int], T], count: int = WRITERS) -> list[T]:
    """What so many threads get, which all start at the same moment."""
    ready = threading.Barrier(count)

    def begin(number: int) -> T:
        ready.wait()
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(begin, range(count)))


@pytest.fixture(scope="module")
def fleet(emulator: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Six processes, which lose some of the answers to their writes."""
    store = store_on(make_client("dynamodb", REGION, emulator), PREFIX)
    shop = Shop(store)
    assert shop.call("POST", "/v1/programs", DOCUMENT).status == 201
    folder: Path = tmp_path_factory.mktemp("fleet")
    with ExitStack() as stack:
        ports = []
        for number in range(PROCESSES):
            port = free_port()
            command = [sys.executable, "-m", "tests.races.server", "--port", str(port)]
            command += ["--endpoint", emulator, "--prefix", PREFIX, "--lose", str(LOST)]
            log = folder / f"{number}.log"
            ready = _listening_at(port)
            stack.enter_context(running("A process", command, log, ready, work_folder=ROOT))
            ports.append(port)
        yield Fleet(ports, shop.program_id, shop.key, store)


def _listening_at(port: int) -> Callable[[], bool]:
    return lambda: listening(port)
