"""The demo shop of `make run`: a till's page that sells coffee to members whose phones it plays.

The shop is a caller of the API like any other, with its secret key, which stays on this side. The
page itself is the member's phone: it fetches the pass and registers through the PassKit routes, and
hears of the pushes that the stand-in of Apple's service received for its token.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from infra.progress import Failed
from local.client import Client
from local.pages import NOT_FOUND, Answer, Request, event, file, ticks
from local.seed import SOURCE, Demo, members_of, order
from local.stand_ins import StandIns

_ENTRIES = 50  # how far back a refund looks for an order


class DemoShop:
    """What lies below `/shop`."""

    def __init__(self, demo: Demo, stand_ins: StandIns) -> None:
        self._api = Client(demo.base_url, demo.secret_key)
        self._pushes = stand_ins.apns_folder / "pushes.jsonl"
        self._stand_ins = stand_ins
        self._stand_in = Client(stand_ins.parameters["GoogleWalletUrl"])
        self._actions: dict[str, Callable[[str], Any]] = {
            "/buy": self._buy,
            "/refund": self._refund,
            "/redeem": self._redeem,
            "/google/save": self._save,
            "/google/delete": self._delete,
            "/club/join": self._join_club,
            "/club/leave": self._leave_club,
        }

    def answer(self, request: Request) -> Answer:
        """Obeys the page. What the API refuses is shown there as it was said."""
        try:
            return self._answer(request)
        except Failed as failure:
            return Answer.of({"title": str(failure)}, 409)

    def _answer(self, request: Request) -> Answer:
        if request.method == "POST" and request.path in self._actions:
            return Answer.of(self._actions[request.path](str(request.json["member"])))
        if request.path == "":
            return file("shop.html")
        if request.path == "/members":
            return Answer.of(members_of(self._api))
        if request.path == "/member":
            return Answer.of(self._member(request.query["id"]))
        if request.path == "/events":
            return Answer(self._events(request), "text/event-stream")
        return NOT_FOUND

    def _member(self, member_id: str) -> dict[str, Any]:
        path = f"/v1/members/{member_id}"
        return {
            "member": self._api.do("GET", path),
            "account": self._api.do("GET", f"{path}/account"),
            "links": self._api.do("GET", f"{path}/passes"),
            "rewards": self._api.do("GET", f"{path}/rewards")["rewards"],
            "refundable": self._refundable(member_id) is not None,
        }

    def _buy(self, member_id: str) -> dict[str, Any]:
        sent = order(member_id, f"shop-{secrets.token_hex(6)}", 1)
        return _said("POST /v1/orders", self._api.do("POST", "/v1/orders", sent))

    def _refund(self, member_id: str) -> dict[str, Any]:
        order_id = self._refundable(member_id)
        if order_id is None:
            raise Failed("There is no order to refund.")
        path = f"/v1/orders/{SOURCE}/{order_id}/refunds"
        done = self._api.do("POST", path, {"id": "r1", "reason": "cold"})
        return _said("POST /v1/orders/{source}/{id}/refunds", done)

    def _redeem(self, member_id: str) -> dict[str, Any]:
        path = f"/v1/members/{member_id}/redemptions"
        key = secrets.token_hex(8)
        done = self._api.do("POST", path, {"reward": "free_drink"}, Idempotency_Key=key)
        return _said("POST /v1/members/{id}/redemptions", done)

    def _refundable(self, member_id: str) -> str | None:
        """The newest order that was paid here and not given back."""
        path = f"/v1/members/{member_id}/entries?limit={_ENTRIES}"
        refunded = set()
        for entry in self._api.do("GET", path)["data"]:
            order_id, _, what = entry["ref"].removeprefix(f"{SOURCE}:").partition("#")
            if what.startswith("refund:"):
                refunded.add(order_id)
            elif what == "paid" and entry["ref"].startswith(SOURCE) and order_id not in refunded:
                return str(order_id)
        return None

    def _join_club(self, member_id: str) -> dict[str, Any]:
        """Where the member pays; Stripe's page leads back here."""
        back = f"{self._api.base_url}/shop?member={member_id}"
        asked = {"plan": "club", "price": "monthly", "success_url": back, "cancel_url": back}
        path = f"/v1/members/{member_id}/membership/checkout"
        done = self._api.do("POST", path, asked, Idempotency_Key=secrets.token_hex(8))
        return {"call": "POST .../membership/checkout", "status": 201, "url": done["url"]}

    def _leave_club(self, member_id: str) -> dict[str, Any]:
        """At once: the rules of the program say what is given back."""
        path = f"/v1/members/{member_id}/membership/cancel"
        key = secrets.token_hex(8)
        done = self._api.do("POST", path, {"when": "now"}, Idempotency_Key=key)
        back = done["refund"]
        moved = f"{back['amount'] / 100:.2f} {back['money']} back: {back['why']}"
        return {"call": "POST .../membership/cancel", "status": 200, "moved": moved}

    def _save(self, member_id: str) -> dict[str, Any]:
        """Follows the save link, then says in Google's place that the pass came into a wallet."""
        links = self._api.do("GET", f"/v1/members/{member_id}/passes")
        reply = self._api.call("GET", links["google"])
        if reply.status != 302:
            raise Failed(f"the save link was answered {reply.status}")
        self._google_says("save", member_id)
        return {"call": "GET /p/{token}/google", "status": 302, "moved": "the object is made"}

    def _delete(self, member_id: str) -> dict[str, Any]:
        self._google_says("delete", member_id)
        return {"call": "Google: deleted", "status": 200, "moved": ""}

    def _google_says(self, what: str, member_id: str) -> None:
        found = self._stand_ins.google_pass(member_id)
        if found is None:
            raise Failed("Google has no object of this member.")
        self._stand_in.do("POST", f"/_local/{what}", {"objectId": found["object"]["id"]})

    def _events(self, request: Request) -> Iterator[bytes]:
        """Pushes to one token and changes of one object, from now or where a stream broke."""
        token, member_id = request.query["token"], request.query["member"]
        size = self._pushes.stat().st_size if self._pushes.exists() else 0
        place = int(request.last_event or size)
        shown: dict[str, Any] | None = None
        for tick in ticks():
            yield tick
            for row, place in _rows(self._pushes, place):  # noqa: B020 (goes on from there)
                if row["token"] == token:
                    yield event("push", row, place)
            found = self._stand_ins.google_pass(member_id)
            if found is not None and found != shown:
                shown = found
                yield event("google", found, place)


def _said(call: str, done: dict[str, Any]) -> dict[str, Any]:
    """What a call moved, in a line."""
    moved = [f"{one['amount']:+} {one['currency']}: {one['why']}" for one in done["effects"]]
    return {"call": call, "status": 201, "moved": ", ".join(moved)}


def _rows(file: Path, start: int) -> Iterator[tuple[dict[str, Any], int]]:
    """The whole lines from a position on, each with the position after it."""
    if not file.exists():
        return
    with file.open("rb") as opened:
        opened.seek(start)
        for line in opened:
            if not line.endswith(b"\n"):
                return
            start += len(line)
            yield json.loads(line), start
