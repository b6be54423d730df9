"""The CPU of our handlers over that of the bare botocore calls that they make.

Both go over HTTP to the same engine, in another process; only the CPU of this one counts. The
calls of the handlers are written down and then made again, bare, on tables of their own.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chalicelib.adapters.aws import make_client
from chalicelib.adapters.dynamo.store import dynamo_store
from infra.tables import create_tables
from local.cloud import ACCOUNT, REGION, running_cloud
from tests.fakes.shop import Shop, drink

ROUNDS = 5
CALLS = 100  # a round; the engine is slow on long logs, so each round has its own member

Call = tuple[str, dict[str, Any]]


def run() -> list[str]:
    """The lines to show."""
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "local"}
    with tempfile.TemporaryDirectory() as folder, running_cloud(Path(folder)) as cloud:
        bench = _Bench(cloud.endpoint)
        return [
            _line("an earn, handler CPU over its botocore calls", 1.5, bench.rounds(bench.earn)),
            _line("a balance, handler CPU over its query", 1.3, bench.rounds(bench.balance)),
        ]


class _Bench:
    """A shop on the engine, and the same calls without it."""

    def __init__(self, endpoint: str) -> None:
        self._client = make_client("dynamodb", REGION, endpoint)
        names = create_tables(self._client)
        self._bare_names = create_tables(self._client, "bare-")
        self._calls: list[Call] = []
        store = dynamo_store(self._client, names["Ledger"], names["Orders"], names["Records"])
        self._shop = Shop(store, mode="live")
        self._shop.publish("coffee_stamps")
        self._client.meta.events.register("provide-client-params.dynamodb.*", self._note)

    def rounds(self, work: Callable[[str, int], None]) -> list[tuple[float, float, int]]:
        """For each round: seconds of CPU with us, seconds bare, and calls of botocore a piece."""
        measured = []
        for number in range(-1, ROUNDS):
            member = self._shop.enrol(external_id=f"{work.__name__}{number}")
            work(member, -1)  # keys and programs are remembered from here on
            self._calls.clear()
            ours = _cpu(lambda member=member: [work(member, one) for one in range(CALLS)])
            calls = list(self._calls)
            bare = _cpu(lambda calls=calls: self._repeat(calls))
            if number >= 0:  # the first round warms both up
                measured.append((ours, bare, len(calls) // CALLS))
        return measured

    def earn(self, member: str, number: int) -> None:
        """One paid order."""
        assert self._shop.order(member, f"{member}-{number}", drink()).status == 201

    def balance(self, member: str, number: int) -> None:  # noqa: ARG002
        """One look at the account."""
        assert self._shop.call("GET", f"/v1/members/{member}/account").status == 200

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self._calls.append((model.name, dict(params)))

    def _repeat(self, calls: list[Call]) -> None:
        for operation, params in calls:
            bare = {**params, "TableName": self._bare_names[params["TableName"]]}
            self._client._make_api_call(operation, bare)


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _line(title: str, aim: float, measured: list[tuple[float, float, int]]) -> str:
    ratios = [ours / bare for ours, bare, _ in measured]
    ours = statistics.median(one for one, _, _ in measured) / CALLS * 1e6
    bare = statistics.median(one for _, one, _ in measured) / CALLS * 1e6
    return (
        f"{title}: {statistics.median(ratios):.2f} (aim <= {aim}); "
        f"{ours:.0f} us over {bare:.0f} us for {measured[0][2]} calls, "
        f"median of {ROUNDS} x {CALLS}, {min(ratios):.2f} to {max(ratios):.2f}"
    )
