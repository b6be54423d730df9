"""A receiver of webhooks for tests, and a shop that sends to it as it does where it is deployed."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from chalicelib import wiring
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.domain.ports import Sent, Store
from chalicelib.events.router import on_ledger
from chalicelib.events.webhooks import on_webhooks
from chalicelib.kernel.clock import SECOND
from tests.fakes.queues import TimedQueue, work_all
from tests.fakes.shop import Queued, Reply, SetClock, Shop, goods

URL = "https://shop.example/hooks"
OK = Sent(200, "thanks", 20)
BATCH = 10  # of app.py

Answers = Callable[["Came"], Sent]


@dataclass(frozen=True)
class Came:
    """One request."""

    url: str
    id: str
    timestamp: int
    body: bytes
    headers: Mapping[str, str] = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Keeps the port `WebhookSender`: what is sent arrives here."""

    clock: SetClock
    answers: Answers = lambda came: OK  # noqa: ARG005
    came: list[Came] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)  # URLs that may not be called

    def problem(self, url: str) -> str | None:
        return "is not on the public internet" if url in self.refused else None

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        timestamp = int(headers["webhook-timestamp"])
        assert timestamp == self.clock.at // SECOND
        came = Came(url, headers["webhook-id"], timestamp, body, dict(headers))
        self.came.append(came)
        return self.answers(came)

    @property
    def bodies(self) -> dict[str, set[bytes]]:
        """Every body that came under an id: one, if all is well."""
        found: dict[str, set[bytes]] = {}
        for one in self.came:
            found.setdefault(one.id, set()).add(one.body)
        return found


@dataclass(frozen=True)
class Hook:
    """An endpoint as its owner knows it."""

    id: str
    secret: str

    @property
    def path(self) -> str:
        return f"/v1/webhook_endpoints/{self.id}"


def add_endpoint(shop: Shop, *event_types: str, url: str = URL) -> Hook:
    """A new endpoint of the shop."""
    body = {"url": url, "event_types": list(event_types or ("*",))}
    reply = shop.call("POST", "/v1/webhook_endpoints", body)
    assert reply.status == 201, reply.raw
    return Hook(reply.json["id"], reply.json["secret"])


class World:
    """A shop whose stream and queue of webhooks work as they are deployed."""

    def __init__(self, program: str = "points", store: Store | None = None) -> None:
        self.shop = shop = Shop(store or memory_store())
        assert shop.publish(program).status == 201
        self.queue = TimedQueue.deployed("Webhooks", shop.clock, BATCH)
        queues = [Queued() for _ in range(3)], [Queued() for _ in range(3)]
        shop.queues = wiring.Queues(*queues[0], self.queue, *queues[1])
        wiring.install(shop.runtime, shop.queues)
        self.receiver = Receiver(shop.clock)
        shop.runtime.webhook_sender = self.receiver
        self.orders = count(1)
        self._told: set[tuple[str, int]] = set()

    def order(self, member: str, price: int = 100) -> Reply:
        reply = self.shop.order(member, f"o{next(self.orders)}", goods(price))
        assert reply.status == 201, reply.raw
        return reply

    def records(self, *members: str) -> list[dict[str, Any]]:
        """What the stream has of members and has not told yet."""
        ledger = self.shop.runtime.context.store.ledger
        found = []
        for member in members:
            rows = ledger.entries(LogKey(self.shop.program_id, member), None, 100)
            for one in reversed(rows):
                if (member, one.version) not in self._told:
                    self._told.add((member, one.version))
                    found.append(stream_record(one))
        return found

    def tell(self, *members: str) -> None:
        """The stream tells of all that is new."""
        on_ledger({"Records": self.records(*members)})

    def pass_time(self, duration: int) -> None:
        """Works what is due until then."""
        until = self.shop.clock.at + duration
        work_all(self.shop.clock, until, (self.queue, on_webhooks))
        self.shop.clock.at = until

    def deliveries(self, hook: Hook) -> list[dict[str, Any]]:
        reply = self.shop.call("GET", f"{hook.path}/deliveries", query={"limit": "100"})
        assert reply.status == 200, reply.raw
        return list(reply.json["data"])

    def read(self, hook: Hook) -> Any:
        return self.shop.call("GET", hook.path).json


def stream_record(entry: StoredEntry) -> dict[str, Any]:
    """An entry as the stream of the table brings it to a Lambda."""
    keys = {"pk": {"S": str(entry.key)}, "sk": {"S": f"{entry.version:012d}"}}
    image = {**keys, "body": {"B": b64encode(entry.body).decode()}}
    return {"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": image}}
