"""Real orders (CDNOW) one by one against a hundred a call, on the same engine over HTTP.

The first 600 orders of the file: it goes customer by customer, as a history is brought. Each way
has tables of its own; the members are there before, and one call of each warms up.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.adapters.aws import make_client
from chalicelib.adapters.dynamo.store import dynamo_store
from chalicelib.kernel.clock import from_rfc3339
from infra.tables import create_tables
from local.cloud import ACCOUNT, REGION, running_cloud
from tests.fakes.cdnow import PROGRAM, Purchase, purchases
from tests.fakes.shop import Shop

ORDERS = 600
AT_ONCE = 100
METER = {"regulars-meter": "1"}


@dataclass
class _Cost:
    """What a way of sending them cost."""

    seconds: float = 0
    calls: int = 0  # of the API
    requests: int = 0  # of the store
    reads: float = 0
    writes: int = 0

    def line(self, title: str) -> str:
        return (
            f"{title}: {ORDERS / self.seconds:.0f} orders a second, {self.calls} API calls, "
            f"{self.requests} store requests, {self.reads:.0f} read and {self.writes} write units"
        )


def run() -> list[str]:
    """The lines to show."""
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "local"}
    bought = purchases()[:ORDERS]
    with tempfile.TemporaryDirectory() as folder, running_cloud(Path(folder)) as cloud:
        alone = _Way(cloud.endpoint, "alone-", bought).measure(_one_by_one, bought)
        batched = _Way(cloud.endpoint, "batched-", bought).measure(_in_batches, bought)
    return [
        alone.line(f"{ORDERS} orders of CDNOW one by one"),
        batched.line("    in batches of 100"),
        f"    {alone.seconds / batched.seconds:.1f} times as fast (aim >= 5), "
        f"{alone.calls / batched.calls:.0f} times fewer API calls (aim >= 20), "
        f"{alone.requests / batched.requests:.1f} times fewer store requests",
    ]


def _one_by_one(send: Callable[[str, Any], Any], bought: list[Purchase]) -> None:
    for one in bought:
        assert send("/v1/orders", one.request).status == 201


def _in_batches(send: Callable[[str, Any], Any], bought: list[Purchase]) -> None:
    for start in range(0, len(bought), AT_ONCE):
        orders = [one.request for one in bought[start : start + AT_ONCE]]
        reply = send("/v1/orders/batch", {"orders": orders})
        assert {row["status"] for row in reply.json["data"]} == {201}


class _Way:
    """A shop on tables of its own, with the members there."""

    def __init__(self, endpoint: str, prefix: str, bought: list[Purchase]) -> None:
        self._client = make_client("dynamodb", REGION, endpoint)
        names = create_tables(self._client, prefix)
        store = dynamo_store(self._client, names["Ledger"], names["Orders"], names["Records"])
        self._shop = Shop(store, mode="live")
        self._shop.clock.at = from_rfc3339("1996-12-31T12:00:00Z")
        sent = {"content-type": "application/yaml"}
        assert self._shop.call("POST", "/v1/programs", PROGRAM, headers=sent).status == 201
        for customer in dict.fromkeys(one.customer for one in bought):
            self._shop.enrol(external_id=customer)
        self._shop.clock.at = from_rfc3339("1998-07-01T12:00:00Z")
        self._cost = _Cost()

    def measure(
        self, work: Callable[[Callable[[str, Any], Any], list[Purchase]], None], bought: Any
    ) -> _Cost:
        """What it cost to send them; the first is sent before, and again."""
        work(self._send, bought[:1])
        self._client.meta.events.register("before-send.dynamodb", self._count)
        self._cost = _Cost()
        began = time.perf_counter()
        work(self._send, bought)
        self._cost.seconds = time.perf_counter() - began
        return self._cost

    def _send(self, path: str, body: Any) -> Any:
        reply = self._shop.call("POST", path, body, headers=METER)
        self._cost.calls += 1
        self._cost.reads += float(reply.headers["regulars-read-units"])
        self._cost.writes += int(reply.headers["regulars-write-units"])
        return reply

    def _count(self, **_: Any) -> None:
        self._cost.requests += 1
