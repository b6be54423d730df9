"""Plays the main story against the running system and prints what happens: `make demo`."""

import io
import json
import secrets
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.progress import Failed
from local.client import Client, Reply
from local.run import FOLDER
from local.seed import SOURCE, Demo, load, order

PUSHED_WITHIN_SECONDS = 30


@dataclass
class Phone:
    """An iPhone as far as Apple's web service sees one."""

    shop: Client
    pushes: Path
    device_id: str = field(default_factory=lambda: secrets.token_hex(16))
    push_token: str = field(default_factory=lambda: secrets.token_hex(32))
    tag: str = ""
    modified: str = ""

    def add(self, link: str) -> dict[str, Any]:
        """Opens the link of a pass, adds it and registers."""
        fetched = self.shop.call("GET", link)
        self.card = self._read(fetched)
        self.modified = fetched.headers["last-modified"]
        path = f"{self._devices}/{self.card['serialNumber']}"
        self._call("POST", path, {"pushToken": self.push_token})
        listed = self._call("GET", self._devices, None)
        self.tag = listed.json["lastUpdated"]
        return self.card

    def wait_for_push(self, already: int) -> float:
        """The seconds until the push service was told of a change."""
        begun = time.monotonic()
        while len(self.received()) <= already:
            if time.monotonic() - begun > PUSHED_WITHIN_SECONDS:
                raise Failed(f"no push came within {PUSHED_WITHIN_SECONDS} s")
            time.sleep(0.01)
        return time.monotonic() - begun

    def received(self) -> list[dict[str, Any]]:
        """The pushes to this phone, as the stand-in of Apple's service wrote them down."""
        if not self.pushes.exists():
            return []
        rows = [json.loads(line) for line in self.pushes.read_text().splitlines()]
        return [row for row in rows if row["token"] == self.push_token]

    def update(self) -> dict[str, Any]:
        """Asks what changed and fetches it, as a phone does after a push."""
        listed = self._call("GET", f"{self._devices}?passesUpdatedSince={self.tag}", None)
        if self.card["serialNumber"] not in listed.json["serialNumbers"]:
            raise Failed("the changed pass is not in the list")
        self.tag = listed.json["lastUpdated"]
        fetched = self.fetch()
        self.card = self._read(fetched)
        self.modified = fetched.headers["last-modified"]
        return self.card

    def fetch(self) -> Reply:
        """The latest pass, if it is newer than the one here."""
        path = f"{self._service}/v1/passes/{self._type}/{self.card['serialNumber']}"
        return self._call("GET", path, None, {"If-Modified-Since": self.modified})

    @property
    def _service(self) -> str:
        return str(self.card["webServiceURL"]).rstrip("/")

    @property
    def _type(self) -> str:
        return str(self.card["passTypeIdentifier"])

    @property
    def _devices(self) -> str:
        return f"{self._service}/v1/devices/{self.device_id}/registrations/{self._type}"

    def _call(
        self, method: str, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> Reply:
        token = {"Authorization": f"ApplePass {self.card['authenticationToken']}"}
        reply = Client(self.shop.base_url).call(method, path, body, {**token, **(headers or {})})
        if reply.status >= 400:
            raise Failed(f"{method} {path} was answered {reply.status}: {reply.raw.decode()}")
        return reply

    @staticmethod
    def _read(fetched: Reply) -> dict[str, Any]:
        if fetched.headers["content-type"] != "application/vnd.apple.pkpass":
            raise Failed(f"this is no pass: {fetched.raw[:200]!r}")
        with zipfile.ZipFile(io.BytesIO(fetched.raw)) as bundle:
            card: dict[str, Any] = json.loads(bundle.read("pass.json"))
            return card


def face(card: dict[str, Any]) -> str:
    """What a pass shows, in one line."""
    style = card["storeCard"]
    shown = [
        f"{one.get('label', one['key'])}: {one['value']}"
        for place in ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields")
        for one in style.get(place, [])
    ]
    return f"[ {card['logoText']} | {' | '.join(shown)} ]"


def play(demo: Demo, pushes: Path) -> Iterator[str]:
    """The story, a line at a time. Raises `Failed` where it does not go as it should."""
    shop = Client(demo.base_url, demo.secret_key)
    name = f"demo-{secrets.token_hex(3)}"

    yield "1  A member enrols"
    member = shop.do("POST", "/v1/members", {"external_id": name, "given_name": "Mary"})
    yield f"   POST /v1/members                        201  {member['id']}"

    yield "2  and puts the card into both wallets"
    passes = shop.do("GET", f"/v1/members/{member['id']}/passes")
    phone = Phone(shop, pushes)
    yield f"   Apple   {face(phone.add(passes['apple']))}"
    google = shop.call("GET", passes["google"])
    yield f"   Google  {google.status} -> {google.headers['location'][:60]}..."

    yield "3  The shop's order arrives"
    reply = shop.do("POST", "/v1/orders", order(member["id"], f"{name}-1", 8))
    yield from _effects("POST /v1/orders", reply)
    again = shop.call("POST", "/v1/orders", order(member["id"], f"{name}-1", 8))
    if again.headers.get("idempotent-replayed") == "true":
        yield f"   and once more: {again.status}, Idempotent-Replayed, nothing moves"

    yield "4  The phone is told, asks what changed and fetches the card anew"
    yield from _told(phone, 0)
    yield f"   asked again with If-Modified-Since:   {phone.fetch().status}"

    yield "5  Eight stamps are a free drink"
    reply = shop.do(
        "POST",
        f"/v1/members/{member['id']}/redemptions",
        {"reward": "free_drink"},
        Idempotency_Key=name,
    )
    yield from _effects("POST /v1/members/{id}/redemptions", reply)
    yield from _told(phone, 1)

    yield "6  Two of the drinks are given back: their stamps go, and are owed"
    refund = {"id": "r1", "lines": [{"id": "1", "quantity": 2}], "reason": "cold"}
    reply = shop.do("POST", f"/v1/orders/{SOURCE}/{name}-1/refunds", refund)
    yield from _effects("POST /v1/orders/{source}/{id}/refunds", reply)
    yield from _told(phone, 2)

    yield "7  Every movement is an entry, chained to the one before"
    for entry in shop.do("GET", f"/v1/members/{member['id']}/entries")["data"][::-1]:
        moved = ", ".join(f"{one['amount']:+} {one['currency']}" for one in entry["effects"])
        yield f"   {entry['version']}  {entry['kind']:<10}  {moved:<10}  {entry['hash'][:16]}"


def _effects(call: str, reply: dict[str, Any]) -> Iterator[str]:
    for effect in reply["effects"]:
        yield f"   {call:<38}  201  {effect['amount']:+} {effect['currency']}: {effect['why']}"


def _told(phone: Phone, already: int) -> Iterator[str]:
    seconds = phone.wait_for_push(already)
    card = phone.update()
    yield f"   push after {seconds:.2f} s; Last-Modified {phone.modified}"
    yield f"   Apple   {face(card)}"


def main() -> None:
    """The command line."""
    demo = load(FOLDER / "seed")
    if demo is None:
        sys.exit("Nothing is running yet: start `make run` in another terminal first.")
    try:
        for line in play(demo, FOLDER / "apns" / "pushes.jsonl"):
            print(line, flush=True)
    except Failed as failure:
        sys.exit(str(failure))
    except OSError:
        sys.exit(f"Nothing answers at {demo.base_url}: start `make run` in another terminal.")


if __name__ == "__main__":
    main()
