"""The stand-in itself: a server on this machine that the real `stripe` library can talk to.

It mirrors API version 2026-10-28.endive, that of stripe 16.1.0.
"""

import json
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from chalicelib.kernel.clock import Clock, SystemClock
from local.loopback import LoopbackServer
from local.stripe_stand_in import (  # noqa: F401 (their routes)
    checkout_page,
    coupons,
    endings,
    invoice_lists,
    portal,
    search,
)
from local.stripe_stand_in.books import Account, books
from local.stripe_stand_in.errors import Refused
from local.stripe_stand_in.events import make_endpoint, matches
from local.stripe_stand_in.forms import Params, decode
from local.stripe_stand_in.keys import After, Before, Delay, Faults, How, Keys, mark
from local.stripe_stand_in.lifecycle import play
from local.stripe_stand_in.lists import expanded
from local.stripe_stand_in.pages import Reply, show
from local.stripe_stand_in.routes import answer
from local.stripe_stand_in.shapes import Object, shown
from local.stripe_stand_in.webhooks import Delivery, Webhooks, body_of, signature
from local.stripe_stand_in.world import Settings, World

SECRET_KEY = "sk_test_stand_in"
PUBLISHABLE_KEY = "pk_test_stand_in"  # of a mobile app: confirms intents by their secret
WEBHOOK_SECRET = "whsec_stand_in"


@dataclass(frozen=True)
class Call:
    """A request of the API."""

    method: str
    path: str
    form: str
    authorization: str = ""
    idempotency_key: str | None = None


class StripeStandIn:
    """The server. Port 0 takes a free one; without a folder nothing is written down.

    `webhook_url` gets all events, signed with `webhook_secret`; without one nothing is posted and
    `events` is what there is to read. `clock` is the time of customers without a test clock.
    """

    def __init__(
        self,
        folder: Path | None = None,
        port: int = 0,
        clock: Clock | None = None,
        settings: Settings | None = None,
        webhook_url: str | None = None,
        webhook_secret: str = WEBHOOK_SECRET,
        enabled_events: Sequence[str] = ("*",),
    ) -> None:
        self.folder = folder
        self._webhook_secret = webhook_secret
        self.requests: list[tuple[str, str, int]] = []  # method, path, status of the answer
        self.world = World(clock or SystemClock(), settings or Settings())
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self.world.load(folder)
        self.webhooks = Webhooks(self.world.wall_clock)
        self.world.announce = self._announce
        self._faults = Faults()
        self._keys = Keys(self.world)
        self._lock = threading.RLock()
        self._server = LoopbackServer(port, _handler(self))
        self.url = self.world.url = self._server.url
        if webhook_url:
            self._replace_endpoint(webhook_url, webhook_secret, list(enabled_events))

    def __enter__(self) -> Self:
        self.webhooks.start()
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()
        self.webhooks.stop()
        if self.folder is not None:
            self.world.save(self.folder)

    def _replace_endpoint(self, url: str, secret: str, wanted: list[str]) -> None:
        """The endpoint of the start: the one of an earlier start may listen no more."""
        endpoints = self.world.objects.get("webhook_endpoint", {})
        for old in [one["id"] for one in endpoints.values() if one.get("_of_start")]:
            del endpoints[old]
        make_endpoint(self.world, url, secret, wanted)["_of_start"] = True

    @property
    def events(self) -> list[Object]:
        """Everything that happened, oldest first."""
        with self._lock:
            return [shown(event) for event in self.world.all("event")]

    def signed(self, event: Object) -> tuple[bytes, str]:
        """An event as it would be posted now: the body and its `Stripe-Signature`."""
        body = body_of(event)
        return body, signature(body, self._webhook_secret, self.world.wall_clock())

    def books(self) -> dict[str, dict[str, Account]]:
        """What was charged, refunded and kept as credit, by customer and currency."""
        with self._lock:
            return books(self.world)

    def fail_next(self, method: str, path_prefix: str, how: How) -> None:
        """The next request of the kind is refused `Before`, loses its answer `After`, or waits."""
        self._faults.plan(method, path_prefix, how)

    def play_due(self) -> None:
        """Plays what the clock has made due since the last request."""
        with self._lock:
            play(self.world, None, self.world.now())
            self.world.flush()

    def respond(self, call: Call) -> tuple[int, Any, dict[str, str]]:
        """One request of the API: status, body, and headers beside the usual ones."""
        fault = self._faults.take(call.method, call.path)
        headers: dict[str, str] = {}
        if isinstance(fault, Before):
            status, body = fault.status, _lost()
        else:
            status, body, headers = self._respond(call, fault)
            if isinstance(fault, After):
                status, body, headers = fault.status, _lost(), {}
        self.requests.append((call.method, call.path, status))
        return status, body, headers

    def _respond(self, call: Call, fault: How | None) -> tuple[int, Any, dict[str, str]]:
        key = call.idempotency_key if call.method == "POST" else None
        try:
            self._authorize(call)
            with self._keys.working(key):
                if isinstance(fault, Delay):
                    time.sleep(fault.seconds)
                with self._lock:
                    return self._serve(call, key)
        except Refused as refused:
            return refused.status, refused.body, {}

    def _authorize(self, call: Call) -> None:
        given = call.authorization.removeprefix("Bearer ")
        intents = ("/v1/payment_intents/", "/v1/setup_intents/")
        if call.path.startswith("/_local/") or given == SECRET_KEY:
            return
        if given == PUBLISHABLE_KEY and call.path.startswith(intents):
            self._check_client_secret(call)
            return
        message = f"Invalid API Key provided: {given[:7]}***" if given else "No API key provided."
        raise Refused(401, "invalid_request_error", message)

    def _check_client_secret(self, call: Call) -> None:
        """An app has no right but to the intent whose secret it has."""
        kind, intent_id = call.path.split("/")[2:4]
        with self._lock:
            intent = self.world.get(kind.removesuffix("s"), intent_id)
        if dict(parse_qsl(call.form)).get("client_secret") != intent["client_secret"]:
            raise Refused(401, "invalid_request_error", "The client_secret does not match.")

    def _serve(self, call: Call, key: str | None) -> tuple[int, Any, dict[str, str]]:
        """Under the lock: what is due first, then the request, then the events of both."""
        play(self.world, None, self.world.now())
        sign = mark(call.method, call.path, call.form)
        kept = self._keys.stored(key, sign) if key else None
        if kept:
            return *kept, {"Idempotent-Replayed": "true"}
        request_id = f"req_{secrets.token_hex(7)}"
        self.world.request = {"id": request_id, "idempotency_key": key}
        try:
            status, body = self._work(call)
        finally:
            self.world.request = {"id": None, "idempotency_key": None}
            self.world.flush()
        if key and _executed(body):
            self._keys.store(key, sign, status, body)
        return status, body, {"Request-Id": request_id}

    def _work(self, call: Call) -> tuple[int, Any]:
        try:
            params = Params(decode(call.form))
            found = answer(self.world, call.method, call.path, params)
            return 200, expanded(self.world, found, params)
        except Refused as refused:
            return refused.status, refused.body

    def page(self, method: str, target: str, body: bytes) -> Reply:
        """One page that a person sees."""
        form = dict(parse_qsl(body.decode()))
        with self._lock:
            play(self.world, None, self.world.now())
            reply = show(self.world, method, urlsplit(target).path, form)
            self.world.flush()
        return reply

    def _announce(self, events: list[Object]) -> None:
        endpoints = self.world.all("webhook_endpoint", status="enabled")
        for event in events:
            for endpoint in endpoints:
                if matches(endpoint["enabled_events"], event["type"]):
                    delivery = Delivery(event, endpoint["url"], endpoint["_secret"])
                    self.webhooks.send([delivery])


def _lost() -> Object:
    return {"error": {"type": "api_error", "message": "The stand-in was told to fail."}}


def _executed(body: Any) -> bool:
    """Answers are kept once the work began; not what was refused for its form."""
    refused: Object = body.get("error", {})
    return refused.get("type") != "invalid_request_error"


def _handler(stand_in: StripeStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            address = urlsplit(self.path)
            if not address.path.startswith(("/v1/", "/_local/")):
                self._show(stand_in.page(self.command, self.path, body))
                return
            call = Call(
                self.command,
                unquote(address.path),
                body.decode() if self.command == "POST" else address.query,
                self.headers.get("authorization", ""),
                self.headers.get("idempotency-key"),
            )
            status, answered, headers = stand_in.respond(call)
            headers |= {"content-type": "application/json"}
            self._send(status, json.dumps(answered).encode(), headers)

        def _show(self, reply: Reply) -> None:
            headers = {"content-type": "text/html; charset=utf-8"}
            if reply.location:
                headers["location"] = reply.location
            self._send(reply.status, reply.html.encode(), headers)

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _respond  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Says nothing: `requests` has it all."""

    return Handler
