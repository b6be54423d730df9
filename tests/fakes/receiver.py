"""A receiver of webhooks for tests: keeps what came, checks every signature, answers as told."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.ports import Sent
from chalicelib.kernel.clock import SECOND
from tests.fakes.shop import SetClock, Shop

URL = "https://shop.example/hooks"
OK = Sent(200, "thanks", 20)

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
