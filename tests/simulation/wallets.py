"""A change of every card, with workers that die: `make soak-wallets PASSES=100000`.

The store is the twin in memory and the time is simulated; what works the pages is the real code,
and the pushes go over HTTP/2 to a server in a process of its own. Half way a second version is
published. Now and then a worker is killed after its pushes and before its marks, and messages come
twice.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.pushes import Server, our_client, push_server
from chalicelib import wiring
from chalicelib.adapters.apple.apns import ApnsClient
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.members.member import Profile
from chalicelib.domain.ports import PushOutcome, PushResult
from chalicelib.events.router import on_records
from chalicelib.events.wallet import on_wallet
from chalicelib.kernel.clock import MINUTE, SECOND
from chalicelib.services.context import Here, enter
from chalicelib.services.members import Enrolled, enrol
from chalicelib.services.passes import PassKey, issue, register
from tests.fakes.interference import Crash
from tests.fakes.queues import TimedQueue
from tests.fakes.shop import Queued, Shop

TWICE = 0.1  # of the batches come again
BATCH = 10


@dataclass
class Phones:
    """Apple's push service; now and then the worker dies once it has told the phones."""

    client: ApnsClient
    shop: Shop
    random: Random
    killed_share: float
    members: dict[str, PassKey] = field(default_factory=dict)  # by push token
    told: Counter[tuple[str, int]] = field(default_factory=Counter)  # token and revision
    of_killed: set[tuple[str, int]] = field(default_factory=set)
    killed: int = 0
    seconds: float = 0

    def push(self, tokens: Sequence[str]) -> list[PushResult]:
        """Tells them for good, and notes of which revision."""
        began = time.perf_counter()
        results = self.client.push(tokens)
        self.seconds += time.perf_counter() - began
        assert all(one.outcome is PushOutcome.SENT for one in results)
        pairs = [(token, self.revision(token)) for token in tokens]
        self.told.update(pairs)
        if self.random.random() < self.killed_share:
            self.killed += 1
            self.of_killed.update(pairs)
            raise Crash
        return results

    def revision(self, token: str) -> int:
        """The newest revision of the pass on a phone."""
        key = self.members[token]
        issued = self.shop.runtime.context.store.passes.issued(key.program_id, key.member_id)
        assert issued is not None
        return issued.revision


class Soak:
    """A program with so many passes, each on one phone."""

    def __init__(self, server: Server, passes: int, killed_share: float, seed: int = 1) -> None:
        self.passes = passes
        self.random = Random(seed)
        self.shop = shop = Shop(
            memory_store(), mode="live", apple=json.dumps(server.certificates.apple)
        )
        self.queue = TimedQueue.deployed("Wallet", shop.clock, BATCH)
        shop.queues = wiring.Queues(self.queue, *(Queued() for _ in range(6)))
        wiring.install(shop.runtime, shop.queues)
        self.phones = Phones(our_client(server), shop, self.random, killed_share)
        shop.runtime._push_services["apple"] = self.phones
        shop.publish("coffee_stamps")
        shop.clock.at += MINUTE
        self.version = 1
        self.twice = self.messages = 0
        self.began_at = 0
        self._fill()

    def _fill(self) -> None:
        context = self.shop.runtime.context
        here = enter(context, self.shop.program_id)
        assert here is not None
        for number in range(self.passes):
            token = f"{number:064x}"
            key = self._member(here, number)
            self.phones.members[token] = key
            assert register(context, key, f"device-{number}", "pass.soak", token) is True
        self.shop.clock.at += MINUTE

    def _member(self, here: Here, number: int) -> PassKey:
        """Enrolled, with a pass."""
        context = self.shop.runtime.context
        made = enrol(context, here, Profile(external_id=str(number)), None)
        assert isinstance(made, Enrolled)
        key = PassKey(here.program_id, made.member.id)
        issue(context, key)
        return key

    def publish(self) -> None:
        """Another version, which the stream brings to the queue."""
        shop = self.shop
        document = shop.call("GET", f"/v1/programs/{self.version}").json["document"]
        self.version += 1
        document["name"] = f"Corner Coffee {self.version}"
        assert shop.call("POST", "/v1/programs", document).status == 201
        image = {
            "kind": {"S": "version"},
            "pk": {"S": f"program#{shop.program_id}"},
            "sk": {"S": f"version#{self.version:09d}"},
        }
        on_records({"Records": [{"dynamodb": {"NewImage": image}}] * 2})

    def run(self) -> None:
        """Two changes, the second in the middle of the first, until nothing is left to do."""
        clock = self.shop.clock
        self.began_at = clock.at
        self.publish()
        while self.queue.next_at is not None:
            clock.at = max(clock.at, self.queue.next_at)
            self.messages += self.queue.work(self._work)
            if self.version == 2 and self.phones.told.total() >= self.passes // 2:
                self.publish()

    def _work(self, event: dict[str, Any]) -> dict[str, Any]:
        """The worker; what it has worked may come once more."""
        answer = on_wallet(event)
        if self.random.random() < TWICE:
            self.twice += 1
            bodies = [one["body"] for one in event["Records"]]
            self.queue.send(bodies, self.random.randrange(1, 400))
        return answer

    @property
    def doubled(self) -> int:
        """How many pushes told a phone of what it had been told of."""
        return self.phones.told.total() - len(self.phones.told)

    @property
    def simulated_seconds(self) -> int:
        """From the first publication on."""
        return (self.shop.clock.at - self.began_at) // SECOND

    def check(self) -> None:
        """What must be true in the end."""
        phones = self.phones
        assert self.version == 3
        for token in phones.members:
            assert phones.told[token, phones.revision(token)], f"{token} was not told of the latest"
        assert {pair for pair, times in phones.told.items() if times > 1} <= phones.of_killed
        refresh = self.shop.call("GET", "/v1/wallets").json["refresh"]
        assert (refresh["version"], refresh["done"]) == (3, self.passes), refresh
        assert refresh["ended_at"] is not None
        assert self.queue.dead == []


@contextmanager
def soaked(passes: int, killed_share: float) -> Iterator[tuple[Soak, float]]:
    """A soak that has run, and the seconds that it took; its server has ended and agrees."""
    with tempfile.TemporaryDirectory() as folder:
        with push_server(Path(folder)) as server:
            soak = Soak(server, passes, killed_share)
            began = time.perf_counter()
            soak.run()
            taken = time.perf_counter() - began
            connection = soak.phones.client._connection
            assert connection is not None
            connection.close()
        assert server.stats["pushes"] == soak.phones.told.total()
        assert server.stats["connections"] == 1
        yield soak, taken


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A change of every card, with workers that die.")
    parser.add_argument("--passes", type=int, default=100_000)
    asked = parser.parse_args()
    logging.disable()
    began = time.perf_counter()
    with (
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        soaked(asked.passes, killed_share=0.02) as (soak, taken),
    ):
        soak.check()
    phones = soak.phones
    pushes = phones.told.total()
    sys.stdout.write(
        f"{asked.passes} passes, two changes of every card, the second half way: "
        f"{soak.messages} messages in {soak.simulated_seconds} s of simulated time and "
        f"{taken:.0f} s of real time ({time.perf_counter() - began:.0f} s with the enrolments); "
        f"{pushes} pushes, {pushes / taken:.0f} a second, {pushes / phones.seconds:.0f} a second "
        f"of pushing; {phones.killed} workers killed after their pushes, {soak.twice} batches came "
        f"twice; {soak.doubled} pushes doubled, all of killed workers; every phone was told of the "
        f"latest, and the API says done\n"
    )


if __name__ == "__main__":
    main()
