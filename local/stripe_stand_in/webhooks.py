"""Sends events, signed as Stripe does, in any order that a test wants ("Webhooks").

"Verify webhook signatures manually": HMAC-SHA256 with the endpoint's secret over
`<timestamp>.<body>`, in the header `Stripe-Signature: t=...,v1=...`.
"""

import hashlib
import hmac
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from local.stripe_stand_in.shapes import Object, shown

TRIES = 4
PAUSE_SECONDS = 0.2  # before the second try, then twice as long each time
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint."""

    event: Object
    url: str
    secret: str


@dataclass(frozen=True)
class Posted:
    """A try: the status of the answer, 0 where there was none."""

    event_id: str
    type: str
    url: str
    status: int


def signature(body: bytes, secret: str, at: int) -> str:
    """The value of `Stripe-Signature`; `at` is in seconds."""
    signed = str(at).encode() + b"." + body
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def body_of(event: Object) -> bytes:
    """An event as it is posted."""
    return json.dumps(shown(event), indent=2).encode()


class Webhooks:
    """Posts from a thread of its own, at once and in order, unless it is told to hold.

    `hold()` keeps what comes; `held` may then be reordered, duplicated or emptied at will (it is a
    plain list), and `release()` sends it as it lies there. Calls nobody while no endpoint is set.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self.held: list[Delivery] = []
        self.posted: list[Posted] = []
        self._now = now
        self._holding = False
        self._queue: list[Delivery] = []
        self._busy = False
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begins to post."""
        self._thread.start()

    def stop(self) -> None:
        """Posts nothing more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def hold(self) -> None:
        """From now on, events wait in `held`."""
        self._holding = True

    def release(self, order: list[int] | None = None) -> None:
        """Sends what is held, as it lies or by positions: `[2, 0, 0]` drops 1 and doubles 0.

        What comes later goes out at once again.
        """
        held, self.held, self._holding = self.held, [], False
        self._enqueue(held if order is None else [held[place] for place in order])

    def send(self, deliveries: list[Delivery]) -> None:
        """Posts them in their order, or keeps them while it holds."""
        if self._holding:
            self.held += deliveries
        else:
            self._enqueue(deliveries)

    def wait(self, seconds: float = 10) -> None:
        """Until all is posted. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._queue and not self._busy, seconds):
                raise TimeoutError("webhooks are still on their way")

    def _enqueue(self, deliveries: list[Delivery]) -> None:
        with self._changed:
            self._queue += deliveries
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._ended)
                if self._ended:
                    return
                delivery, self._busy = self._queue.pop(0), True
            self._deliver(delivery)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _deliver(self, delivery: Delivery) -> None:
        for attempt in range(TRIES):
            status = self._post(delivery)
            event = delivery.event
            self.posted.append(Posted(event["id"], event["type"], delivery.url, status))
            if 200 <= status < 300:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._ended, PAUSE_SECONDS * 2**attempt)
                if self._ended:
                    return

    def _post(self, delivery: Delivery) -> int:
        body = body_of(delivery.event)
        headers = {
            "content-type": "application/json; charset=utf-8",
            "stripe-signature": signature(body, delivery.secret, self._now()),
            "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        request = urllib.request.Request(delivery.url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return int(error.code)
        except OSError:
            return 0
