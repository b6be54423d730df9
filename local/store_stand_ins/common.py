"""What the stand-ins of stores share: a clock, numbers, and the API in front of a shop."""

import base64
import hashlib
import hmac
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from threading import Lock
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from chalicelib.kernel.clock import SECOND, Clock, Instant, SystemClock
from chalicelib.kernel.money import format_amount
from local.loopback import LoopbackServer

Found = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """One request that a store would send. The names of the headers are in lower case."""

    topic: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Asked:
    """One call of a store's API. The names of the headers are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What it is answered, as JSON."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()


class StandIn(ABC):
    """A store. Port 0 takes a free one; `failures` are the statuses of the next calls.

    `first_id` is where its numbers begin. Whoever changes something while the API answers holds
    the `lock`.
    """

    def __init__(self, currency: str, clock: Clock | None, port: int, first_id: int) -> None:
        self.currency = currency
        self.messages: list[Message] = []
        self.requests: list[str] = []  # method and path
        self.failures: Iterator[int] = iter(())
        self.lock = Lock()
        self.url = ""  # known when it was started
        self.step = SECOND  # between two changes at least; 0 for an edit in bulk
        self._clock = clock or SystemClock()
        self._now: Instant = 0
        self._last_id = first_id
        self._port = port
        self._servers: list[LoopbackServer] = []

    def start(self) -> None:
        """Answers from now on: whoever reads the messages alone does without."""
        server = LoopbackServer(self._port, _handler(self))
        self._servers.append(server)
        self.url = server.url
        server.start()

    def stop(self) -> None:
        """Ends with all its connections."""
        self._servers.pop().stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def respond(self, asked: Asked) -> Answer:
        """The answer of one call, or what it was told to fail with."""
        with self.lock:
            self.requests.append(f"{asked.method} {asked.path}")
            failure = next(self.failures, None)
            return self._serve(asked) if failure is None else self._failed(failure)

    @abstractmethod
    def _serve(self, asked: Asked) -> Answer: ...

    @abstractmethod
    def _failed(self, status: int) -> Answer: ...

    def _id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _tick(self) -> Instant:
        """Now, in seconds, and each change a `step` later at least, so that they have an order."""
        self._now = max(self._now + self.step, self._clock.now() // SECOND * SECOND)
        return self._now

    def _text(self, minor: int) -> str:
        return format_amount(minor, self.currency)


def mark_of(secret: str, signed: bytes) -> str:
    """The base64 of an HMAC-SHA256: so all of them sign."""
    return base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # the body does not wait until its headers were received

        def answer(self) -> None:
            address = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length") or 0))
            query = dict(parse_qsl(address.query))
            asked = Asked(self.command, address.path, query, headers, body)
            found = stand_in.respond(asked)
            content = json.dumps(found.body).encode()
            self.send_response(found.status)
            for name, value in found.headers:
                self.send_header(name, value)
            self.send_header("content-type", "application/json; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Says nothing: `requests` has it all."""

    return Handler
