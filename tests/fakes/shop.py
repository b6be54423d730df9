"""A shop for tests: the whole API in one process, on any store, with a clock that is set."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chalicelib import wiring
from chalicelib.adapters.memory.files import MemoryFiles
from chalicelib.domain.ports import Store
from chalicelib.events.operator import on_operator
from chalicelib.kernel.clock import Instant, from_rfc3339, to_rfc3339
from chalicelib.wiring import Runtime, Settings
from local import client

ROOT = Path(__file__).resolve().parents[2]
MASTER_KEY = "5a" * 32
START = from_rfc3339("2026-11-23T12:00:00Z")
SETTINGS = {
    "AWS_REGION": "eu-west-1",
    "LEDGER_TABLE": "Ledger",
    "ORDERS_TABLE": "Orders",
    "RECORDS_TABLE": "Records",
    "PARAMETERS_PATH": "/regulars/test",
    "BASE_URL": "https://shop.test",
}


@dataclass
class SetClock:
    """A clock that shows what it is told."""

    at: Instant = START

    def now(self) -> Instant:
        return self.at


class NoPause:
    """Waits for nobody."""

    def before(self, attempt: int) -> None:
        """Returns at once."""


@dataclass
class Queued:
    """A queue that only keeps."""

    messages: list[str] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)

    def send(self, messages: Sequence[str], after_seconds: int = 0) -> None:
        """Keeps them in their order, and how long each is to wait."""
        self.messages += messages
        self.delays += [after_seconds] * len(messages)


@dataclass(frozen=True)
class Reply(client.Reply):
    """What came back over HTTP."""

    @property
    def code(self) -> str:
        """The stable code of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self.raw
        assert self.json["status"] == self.status
        return str(self.json["code"])


class Shop:
    """One program with its keys, called as a shop calls it."""

    def __init__(
        self,
        store: Store,
        mode: str = "test",
        stripe_url: str = "",
        clock: SetClock | None = None,
        local_webhooks: bool = False,
        **parameters: str,
    ) -> None:
        self.clock = clock or SetClock()
        self.address = "192.0.2.1"  # where calls come from
        local = "true" if local_webhooks else "false"
        told = {**SETTINGS, "STRIPE_URL": stripe_url, "LOCAL_WEBHOOKS": local}
        settings = Settings.of_environment(told)
        self.runtime = Runtime(
            settings,
            store,
            {"master_key": MASTER_KEY, **parameters},
            clock=self.clock,
            pause=NoPause(),
        )
        self.files = MemoryFiles()
        self.runtime.files = self.files
        self.queues = wiring.Queues(*(Queued() for _ in range(7)))
        wiring.install(self.runtime, self.queues)
        made = on_operator({"action": "create_program", "name": "Corner Coffee", "mode": mode})
        self.program_id: str = made["program_id"]
        self.key: str = made["secret_key"]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> Reply:
        """One request. The shop's own secret key is sent unless another (or None) is given."""
        from app import app

        sent = {"content-type": "application/json", **(headers or {})}
        if key is not None and "authorization" not in {name.lower() for name in sent}:
            sent["authorization"] = f"Bearer {key or self.key}"
        raw = body if isinstance(body, (bytes, str)) else "" if body is None else json.dumps(body)
        return invoke(app, method, path, raw, sent, query or {}, self.address)

    def publish(self, name: str) -> Reply:
        """Publishes a program of `programs/`."""
        document = (ROOT / "programs" / f"{name}.yaml").read_bytes()
        return self.call(
            "POST", "/v1/programs", document, headers={"content-type": "application/yaml"}
        )

    def enrol(self, **fields: Any) -> str:
        """A new member's id."""
        reply = self.call("POST", "/v1/members", fields or {"given_name": "Ada"})
        assert reply.status == 201, reply.raw
        return str(reply.json["id"])

    def order(self, member_id: str, order_id: str, *lines: dict[str, Any], **more: Any) -> Reply:
        """Sends a paid order of these lines."""
        body = {
            "source": "till",
            "id": order_id,
            "member_id": member_id,
            "currency": "EUR",
            "placed_at": to_rfc3339(self.clock.at),
            "lines": [{"id": str(index), **line} for index, line in enumerate(lines, 1)],
            **more,
        }
        return self.call("POST", "/v1/orders", body)

    def refund(self, order_id: str, refund_id: str, **what: Any) -> Reply:
        """Gives an order back, whole or in part."""
        path = f"/v1/orders/till/{quote(order_id, safe='')}/refunds"
        return self.call("POST", path, {"id": refund_id, **what})

    def redeem(self, member_id: str, reward: str, key: str, quantity: int = 1) -> Reply:
        """Takes a reward under an Idempotency-Key."""
        return self.call(
            "POST",
            f"/v1/members/{member_id}/redemptions",
            {"reward": reward, "quantity": quantity},
            headers={"idempotency-key": key},
        )

    def balance(self, member_id: str, currency: str) -> int:
        """What the member can spend, or minus what he owes."""
        reply = self.call("GET", f"/v1/members/{member_id}/account")
        assert reply.status == 200, reply.raw
        held = reply.json["balances"][currency]
        return int(held["available"] - held["debt"])


def drink(quantity: int = 1, price: int = 350, **more: Any) -> dict[str, Any]:
    """A line of drinks."""
    return {"quantity": quantity, "unit_price": price, "categories": ["drinks"], **more}


def goods(price: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    """A line of anything."""
    return {"quantity": quantity, "unit_price": price, **more}


def invoke(
    app: Any,
    method: str,
    path: str,
    body: str | bytes,
    headers: dict[str, str],
    query: Any,
    address: str = "192.0.2.1",
) -> Reply:
    """Calls the application as API Gateway does."""
    resource, parameters = _match(app, method, path)
    text = body.decode("latin-1") if isinstance(body, bytes) else body
    encoded = isinstance(body, bytes)
    if encoded:
        text = base64.b64encode(body).decode()
    event = {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {k: [v] for k, v in query.items()} or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "httpMethod": method,
            "resourcePath": resource,
            "path": path,
            "identity": {"sourceIp": address},
        },
        "body": text or None,
        "isBase64Encoded": encoded,
    }
    answer = json.loads(json.dumps(app(event, None)))  # as Lambda hands it on
    raw = answer["body"].encode()
    if answer.get("isBase64Encoded"):
        raw = base64.b64decode(raw)
    reply_headers = {name.lower(): value for name, value in answer["headers"].items()}
    return Reply(answer["statusCode"], reply_headers, raw)


@lru_cache(maxsize=4096)
def _match(app: Any, method: str, path: str) -> tuple[str, dict[str, str]]:
    """API Gateway's choice: a fixed segment is stronger than a variable one."""
    segments = path.split("/")
    found = []
    for resource in app.routes:
        pattern = resource.split("/")
        if len(pattern) != len(segments):
            continue
        pairs = list(zip(pattern, segments, strict=True))
        if all(one.startswith("{") or one == other for one, other in pairs):
            variable = [one.startswith("{") for one in pattern]
            parameters = {one[1:-1]: other for one, other in pairs if one.startswith("{")}
            found.append((variable, resource, parameters))
    assert found, f"no route for {method} {path}"
    _, resource, parameters = min(found, key=lambda row: row[0])
    return resource, parameters
