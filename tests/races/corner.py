"""A shop with many tills that call the application over HTTP and note what they are told."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chalicelib.domain.ledger.account import balance_of
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.domain.ports import Store
from chalicelib.kernel.clock import MINUTE, SystemClock, to_rfc3339
from local.client import Client
from tests.fakes.shop import Reply
from tests.races.history import POINTS, Call, Outcome, mistakes

WRITERS = 16
STOCK = 5  # mugs
BUDGET = 35  # points
CODES = ("AAA-1", "AAA-2", "AAA-3", "AAA-4", "AAA-5", "AAA-6")
PATIENCE = 30  # tries of one call before a till says that it starves
PACE = 0.1  # of the time that Retry-After asks for

T = TypeVar("T")


def at_once(work: Callable[[int], T], count: int = WRITERS) -> list[T]:
    """What so many threads get from the same work, begun at the same moment."""
    ready = threading.Barrier(count)

    def begin(number: int) -> T:
        ready.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def program() -> dict[str, Any]:
    """One point a euro, ten more at the fair as long as its budget lasts; stickers for 10 points,
    five mugs for as much each, and tickets with a code."""
    cost = {"currency": "points", "amount": 10}
    sticker = {"id": "sticker", "kind": "product", "name": "Sticker", "cost": cost}
    return {
        "name": "Corner Shop",
        "time_zone": "UTC",
        "money": "EUR",
        "currencies": {"points": {"label": "Points"}},
        "earn": [
            {"id": "spend", "kind": "per_amount", "currency": "points", "per": 100},
            {
                "id": "fair",
                "kind": "per_order",
                "currency": "points",
                "give": 10,
                "campaign": "fair",
                "include": {"labels": ["fair"]},
            },
        ],
        "campaigns": {"fair": {"budget": {"points": BUDGET}}},
        "rewards": [
            sticker,
            {**sticker, "id": "mug", "name": "Mug", "stock": STOCK},
            {**sticker, "id": "ticket", "name": "Ticket", "voucher": {"codes": "pool"}},
        ],
    }


@dataclass
class Corner:
    """One program, its store, and everything that was said of it.

    All orders are placed a minute from now: after every member has joined.
    """

    client: Client
    store: Store
    program_id: str
    placed_at: str = field(default_factory=lambda: to_rfc3339(SystemClock().now() + MINUTE))
    history: list[Call] = field(default_factory=list)
    calls: int = 0

    def ask(self, method: str, path: str, body: Any = None, key: str | None = None) -> Reply | None:
        """One call; None where no answer comes."""
        self.calls += 1
        headers = {} if key is None else {"Idempotency-Key": key}
        try:
            reply = self.client.call(method, path, body, headers)
        except (OSError, http.client.HTTPException):
            return None
        lowered = {name.lower(): value for name, value in reply.headers.items()}
        return Reply(reply.status, lowered, reply.raw)

    def insist(self, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        """Calls until there is an answer that does not say to try again."""
        return self.until_answered(lambda: self.ask(method, path, body, key))

    def write(
        self, member: str, ref: str, path: str, body: Any = None, key: str | None = None
    ) -> Reply:
        """Calls for an entry with this ref, and writes every try down."""
        return self.until_answered(lambda: self._noted(member, ref, "POST", path, body, key))

    def account(self, member: str) -> int:
        """The points that can be spent."""
        path = f"/v1/members/{member}/account"
        reply = self.until_answered(lambda: self._noted(member, None, "GET", path))
        available: int = reply.json["balances"]["points"]["available"]
        return available

    def enrol(self, external_id: str, points: int = 0) -> str:
        """A new member with these points."""
        reply = self.insist("POST", "/v1/members", {"external_id": external_id}, external_id)
        assert reply.status == 201, reply.raw
        member: str = reply.json["id"]
        if points:
            assert self.adjust(member, points, "start").status == 201
        return member

    def order(self, member: str, order_id: str, euros: int = 1, label: str | None = None) -> Reply:
        """A paid order."""
        labels = [] if label is None else [label]
        body = {
            "source": "till",
            "id": order_id,
            "member_id": member,
            "currency": "EUR",
            "placed_at": self.placed_at,
            "lines": [{"id": "1", "quantity": 1, "unit_price": euros * 100, "labels": labels}],
        }
        return self.write(member, f"till:{order_id}#paid", "/v1/orders", body)

    def refund(self, member: str, order_id: str) -> Reply:
        """All of an order comes back."""
        ref = f"till:{order_id}#refund:1"
        return self.write(member, ref, f"/v1/orders/till/{order_id}/refunds", {"id": "1"})

    def adjust(self, member: str, points: int, key: str) -> Reply:
        body = {"currency": "points", "amount": points, "reason": "x"}
        return self._keyed(member, "adjust", "adjustments", body, key)

    def redeem(self, member: str, reward: str, key: str) -> Reply:
        return self._keyed(member, "redeem", "redemptions", {"reward": reward}, key)

    def reserve(self, member: str, key: str, **what: Any) -> Reply:
        return self._keyed(member, "reserve", "reservations", what, key)

    def transfer(self, giver: str, taker: str, points: int, key: str) -> Reply:
        body = {"to_member_id": taker, "currency": "points", "amount": points}
        return self._keyed(giver, "transfer", "transfers", body, key)

    def cancel(self, member: str, redemption: str) -> Reply:
        ref = f"redemption:{redemption.replace('red_', 'mem_')}#cancelled"
        return self.write(member, ref, f"/v1/members/{member}/redemptions/{redemption}/cancel")

    def resolve(self, member: str, reservation: str, how: str) -> Reply:
        """Captures or voids."""
        ref = f"hold:{reservation.replace('rsv_', 'mem_')}#resolved"
        path = f"/v1/members/{member}/reservations/{reservation}/{how}"
        return self.write(member, ref, path, {} if how == "capture" else None)

    def chain(self, member: str) -> list[StoredEntry]:
        """The member's log, oldest first."""
        return self.store.ledger.entries(LogKey(self.program_id, member), None, 10_000)[::-1]

    def heads(self, members: list[str]) -> list[tuple[int, int]]:
        """Of each member the newest version, and the points after it."""
        found = []
        for member in members:
            head = self.store.ledger.head(LogKey(self.program_id, member), strong=True)
            assert head is not None
            found.append((head.version, balance_of(head.snapshot, POINTS).available))
        return found

    def mistakes(self, *members: str) -> list[str]:
        """What the history and the logs of these members, who are all there are, contradict in."""
        return mistakes(self.history, {member: self.chain(member) for member in members})

    def _keyed(self, member: str, kind: str, path: str, body: Any, key: str) -> Reply:
        return self.write(member, f"key:{key}#{kind}", f"/v1/members/{member}/{path}", body, key)

    def _noted(
        self,
        member: str,
        ref: str | None,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = None,
    ) -> Reply | None:
        began = time.monotonic_ns()
        reply = self.ask(method, path, body, key)
        ended = time.monotonic_ns()
        request = f"{path} {json.dumps(body)}"
        outcome, version, available = _understood(reply)
        if ref is not None and ref.startswith("till:"):
            available = None  # after all that the order brought with it, not after this entry
        self.history.append(Call(member, ref, request, began, ended, outcome, version, available))
        return reply

    def until_answered(self, attempt: Callable[[], Reply | None]) -> Reply:
        """Attempts until there is an answer that does not say to try again."""
        for _ in range(PATIENCE):
            reply = attempt()
            if reply is None:
                continue
            if not _try_again(reply):
                return reply
            time.sleep(float(reply.headers["retry-after"]) * PACE)
        raise AssertionError("starved")


def _try_again(reply: Reply) -> bool:
    return reply.status == 503 or (reply.status == 409 and reply.code == "contended")


def _understood(reply: Reply | None) -> tuple[Outcome, int, int | None]:
    if reply is None or reply.status == 202 or _try_again(reply):
        return Outcome.UNKNOWN, 0, None
    if reply.status >= 400:
        assert reply.status < 500, reply.raw
        return Outcome.REFUSED, 0, None
    told = reply.json
    version = told["version"] if "version" in told else told["entry"]["version"]
    return Outcome.DONE, version, told["balances"]["points"]["available"]
