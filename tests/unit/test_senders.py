"""The examples that send orders: run as a shop runs them, against the application."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from chalicelib.kernel.clock import to_rfc3339
from infra.package import ROOT
from local.loopback import LoopbackServer
from tests.fakes.shop import Shop, drink

PATH = "/v1/webhooks/orders/webshop"
LOST = 0  # the message is done, and its answer gets lost


class Door(LoopbackServer):
    """Hands what is sent to the application, and answers the first requests as it is told."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(0, _Handler)
        self.shop = shop
        self.first: list[int] = []
        self.message_ids: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Door

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.message_ids.append(headers["webhook-id"])
        mood = self.server.first.pop(0) if self.server.first else None
        if mood:
            self._answer(mood, b"not now")
            return
        reply = self.server.shop.call("POST", self.path, body, key=None, headers=headers)
        if mood != LOST:
            self._answer(reply.status, reply.raw)

    def _answer(self, status: int, raw: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def door(coffee: Shop) -> Iterator[Door]:
    coffee.clock.at = int(time.time() * 1000)  # as the senders' clocks show
    door = Door(coffee)
    door.start()
    yield door
    door.stop()


@pytest.fixture(params=["send_order.py", "send_order.mjs", "send_order.php"])
def sender(request: pytest.FixtureRequest) -> list[str]:
    """The command of an example; node is there wherever all verifiers must be."""
    runners = {"py": sys.executable, "mjs": shutil.which("node"), "php": shutil.which("php")}
    kind = request.param.partition(".")[2]
    runner = runners[kind]
    if runner is None:
        assert kind == "php" or os.environ.get("REGULARS_VERIFIERS") != "required"
        pytest.skip(f"nothing here runs {request.param}")
    return [str(runner), str(ROOT / "examples" / request.param)]


def run(
    sender: list[str], door: Door, secret: str, message: Any
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "URL": door.url + PATH, "SECRET": secret}
    return subprocess.run(
        sender,
        input=json.dumps(message),
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def secret_of(shop: Shop) -> str:
    body = {"kind": "webhook", "name": "web shop", "source": "webshop"}
    return str(shop.call("POST", "/v1/keys", body).json["secret"])


def paid(shop: Shop) -> dict[str, Any]:
    data = {
        "id": "1",
        "member": {"email": "ada@example.com"},
        "currency": "EUR",
        "placed_at": to_rfc3339(shop.clock.at),
        "lines": [{"id": "1", "name": "crème brûlée", **drink(2)}],
    }
    return {"type": "order.paid", "data": data}


def test_an_order_that_is_sent_is_recorded(sender: list[str], door: Door) -> None:
    ada = door.shop.enrol(email="ada@example.com")
    done = run(sender, door, secret_of(door.shop), paid(door.shop))
    assert (done.returncode, done.stderr) == (0, "")
    status, _, answer = done.stdout.partition(" ")
    assert (status, json.loads(answer)["member_id"]) == ("200", ada)
    assert door.shop.balance(ada, "stamps") == 2


def test_a_lost_answer_is_asked_for_again_and_counted_once(sender: list[str], door: Door) -> None:
    ada = door.shop.enrol(email="ada@example.com")
    door.first = [LOST]
    done = run(sender, door, secret_of(door.shop), paid(door.shop))
    assert done.returncode == 0, done.stdout
    assert len(door.message_ids) == 2 and len(set(door.message_ids)) == 1
    assert door.shop.balance(ada, "stamps") == 2


def test_a_door_that_is_shut_for_a_moment_is_knocked_at_again(
    sender: list[str], door: Door
) -> None:
    ada = door.shop.enrol(email="ada@example.com")
    door.first = [503, 429]
    done = run(sender, door, secret_of(door.shop), paid(door.shop))
    assert done.returncode == 0, done.stdout
    assert len(door.message_ids) == 3 and len(set(door.message_ids)) == 1
    assert door.shop.balance(ada, "stamps") == 2


def test_what_is_refused_is_said_and_not_sent_again(sender: list[str], door: Door) -> None:
    secret_of(door.shop)
    done = run(sender, door, "whsec_" + "c2Vj" * 8, paid(door.shop))
    assert done.returncode == 1
    assert done.stdout.startswith("401 ") and '"code":"unauthorized"' in done.stdout
    assert len(door.message_ids) == 1
