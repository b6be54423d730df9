"""Everything the stand-in knows: objects by kind, what time it is for whom, and what happened.

Times are whole seconds since 1970, as in all of Stripe's API; amounts are minor units.
"""

import json
import marshal
import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib.kernel.clock import SECOND, Clock
from local.stripe_stand_in.errors import Refused, missing
from local.stripe_stand_in.shapes import Object, made, shown

API_VERSION = "2026-10-28.endive"
_LETTERS = string.ascii_letters + string.digits
_PREFIXES = {
    "product": "prod",
    "price": "price",
    "customer": "cus",
    "payment_method": "pm",
    "setup_intent": "seti",
    "checkout.session": "cs_test",
    "item": "li",
    "subscription": "sub",
    "subscription_item": "si",
    "invoice": "in",
    "line_item": "il",
    "payment_intent": "pi",
    "charge": "ch",
    "refund": "re",
    "coupon": "coupon",
    "promotion_code": "promo",
    "discount": "di",
    "billing_portal.session": "bps",
    "test_helpers.test_clock": "clock",
    "dispute": "dp",
    "event": "evt",
    "webhook_endpoint": "we",
    "invoice_payment": "inpay",
    "customer_balance_transaction": "cbtxn",
    "invoiceitem": "ii",
}
_EVENT_NAMES = {"subscription": "customer.subscription", "dispute": "charge.dispute"}


@dataclass(frozen=True)
class Settings:
    """What an account sets in the dashboard ("Revenue recovery", "Subscription settings").

    `retry_after_days` counts from the attempt before. `after_retries` is what becomes of the
    subscription then: `cancel`, `unpaid` or `past_due`. An invoice that a renewal made stays a
    draft for `draft_seconds`; about an hour at Stripe ("Subscription invoices").
    """

    retry_after_days: tuple[int, ...] = (3, 5, 7)
    after_retries: str = "cancel"
    upcoming_days: int = 7
    draft_seconds: int = 3600


@dataclass
class World:
    """One account. Who uses it holds `lock` of the server."""

    clock: Clock
    settings: Settings = field(default_factory=Settings)
    url: str = ""
    announce: Callable[[list[Object]], Any] = list  # by itself, nobody is told
    objects: dict[str, dict[str, Object]] = field(default_factory=dict)
    answers: dict[str, Object] = field(default_factory=dict)  # by idempotency key
    shift: int = 0  # seconds that the local clock was moved forward
    playing_at: int | None = None  # while what was due is played, the time it was due
    request: Object = field(default_factory=lambda: {"id": None, "idempotency_key": None})
    outbox: list[Object] = field(default_factory=list)
    rehearsing: bool = False

    def now(self, customer: Object | str | None = None) -> int:
        """The time for a customer: of its test clock if it has one."""
        if isinstance(customer, str):
            customer = self.objects.get("customer", {}).get(customer)
        group = (customer or {}).get("test_clock")
        if group:
            return int(self.get("test_helpers.test_clock", group)["frozen_time"])
        if self.playing_at is not None:
            return self.playing_at
        return self.wall_clock() + self.shift

    def wall_clock(self) -> int:
        """The time on the wall: that of signatures, which no moved clock makes old or young."""
        return self.clock.now() // SECOND

    def new_id(self, kind: str) -> str:
        """An id that nothing else has."""
        return f"{_PREFIXES[kind]}_{''.join(secrets.choice(_LETTERS) for _ in range(24))}"

    def make(self, kind: str, **values: Any) -> Object:
        """A new object, kept."""
        thing = made(kind, id=values.pop("id", None) or self.new_id(kind), **values)
        self.objects.setdefault(kind, {})[thing["id"]] = thing
        return thing

    def find(self, kind: str, object_id: str | None) -> Object | None:
        """The object, if it is here."""
        return self.objects.get(kind, {}).get(object_id or "")

    def get(self, kind: str, object_id: str, param: str = "id") -> Object:
        """The object; 404 where it is not here."""
        thing = self.find(kind, object_id)
        if thing is None:
            raise missing(kind, object_id, param)
        return thing

    def all(self, kind: str, **equal: Any) -> list[Object]:
        """Every object of a kind whose fields are so, oldest first."""
        return [
            thing
            for thing in self.objects.get(kind, {}).values()
            if all(thing.get(name) == value for name, value in equal.items())
        ]

    def drop(self, kind: str, object_id: str) -> Object:
        """Removes an object and says so as Stripe does."""
        thing = self.get(kind, object_id)
        del self.objects[kind][object_id]
        self.record("deleted", thing)
        return made(f"deleted_{kind}", id=object_id)

    @contextmanager
    def changing(self, thing: Object) -> Iterator[None]:
        """Records `....updated` with what was different before, if anything was."""
        before = shown(thing)
        yield
        now = shown(thing)
        previous = {name: before.get(name) for name in now if now[name] != before.get(name)}
        if previous:
            self.record("updated", thing, previous)

    def record(self, what: str, thing: Object, previous: Object | None = None) -> None:
        """An event: `what` alone, such as `created`, is prefixed by the kind."""
        if self.rehearsing:
            return
        kind = thing["object"]
        data: Object = {"object": shown(thing)}
        if previous is not None:
            data["previous_attributes"] = previous
        customer = thing if kind == "customer" else thing.get("customer")
        name = what if "." in what else f"{_EVENT_NAMES.get(kind, kind)}.{what}"
        event = self.make(
            "event",
            api_version=API_VERSION,
            created=self.now(customer),
            data=data,
            request=dict(self.request),
            type=name,
        )
        self.outbox.append(event)

    def flush(self) -> None:
        """Lets the events of the work that was just done go out."""
        self.announce(self.outbox)
        self.outbox = []

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Nothing of it happened if it is refused."""
        kept, sent = self._copy(), len(self.outbox)
        try:
            yield
        except Refused:
            self.objects = kept
            del self.outbox[sent:]
            raise

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Nothing of it happens: inside, everything is a copy ("Create a preview invoice")."""
        kept, self.objects = self.objects, self._copy()
        self.rehearsing = True
        try:
            yield
        finally:
            self.objects = kept
            self.rehearsing = False

    def _copy(self) -> dict[str, dict[str, Object]]:
        """A copy of all but events, which never change; by marshal, since deepcopy is slow."""
        return {
            kind: dict(rows) if kind == "event" else marshal.loads(marshal.dumps(rows))
            for kind, rows in self.objects.items()
        }

    def save(self, folder: Path) -> None:
        """Writes everything down, whole or not at all."""
        state = {"objects": self.objects, "answers": self.answers, "shift": self.shift}
        new = folder / "state.json.new"
        new.write_text(json.dumps(state) + "\n")
        new.replace(folder / "state.json")

    def load(self, folder: Path) -> None:
        """Goes on where `save` left off."""
        path = folder / "state.json"
        if path.exists():
            state = json.loads(path.read_bytes())
            self.objects, self.answers = state["objects"], state["answers"]
            self.shift = state["shift"]
