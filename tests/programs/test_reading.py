"""The books: the account at any past moment, statements that join, and the proof of the chain."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from chalicelib.adapters.memory.store import MemoryLedger, memory_store
from chalicelib.domain.ledger.entries import (
    FIRST_PREV,
    Entry,
    LogKey,
    Lot,
    Lots,
    decode,
    encode,
)
from chalicelib.domain.program.expiry import NEVER
from chalicelib.kernel.clock import DAY, HOUR, SECOND, Instant, from_rfc3339, to_rfc3339
from chalicelib.services import accounts
from tests.fakes.shop import START, Shop, goods

DOCUMENT = {
    "name": "Books",
    "time_zone": "Europe/Berlin",
    "money": "EUR",
    "currencies": {"points": {"label": "Points", "expires": {"days": 10}}},
    "earn": [
        {
            "id": "g",
            "kind": "per_amount",
            "currency": "points",
            "give": 1,
            "per": 100,
            "pending": {"days": 2},
        }
    ],
    "rewards": [
        {"id": "mug", "kind": "product", "name": "Mug", "cost": {"currency": "points", "amount": 5}}
    ],
}


class Month:
    """A month of one member, and what the account was after each hour of it."""

    def __init__(self) -> None:
        self.shop = Shop(memory_store())
        self.shop.call("POST", "/v1/programs", DOCUMENT)
        self.shop.clock.at += DAY
        self.member = self.shop.enrol()
        self.seen: dict[Instant, Any] = {}
        for day in range(25):
            self._day(day)
            for _ in range(4):
                self.shop.clock.at += 6 * HOUR - SECOND
                self.seen[self.shop.clock.at] = self.account()
                self.shop.clock.at += SECOND

    def _day(self, day: int) -> None:
        shop, member = self.shop, self.member
        if day % 3 == 0 and day < 15:
            shop.order(member, f"o{day}", goods(3_000))
        if day % 5 == 4:
            shop.redeem(member, "mug", f"m{day}")
        if day == 7:
            shop.refund("o6", "r", amount=1000)
        if day in (8, 20):
            body = {"currency": "points", "amount": 3, "expires_in_seconds": 2 * 86_400}
            key = {"idempotency-key": f"hold-{day}"}
            shop.call("POST", f"/v1/members/{member}/reservations", body, headers=key)

    def account(self, at: Instant | None = None) -> Any:
        query = {} if at is None else {"at": to_rfc3339(at)}
        reply = self.shop.call("GET", f"/v1/members/{self.member}/account", query=query)
        assert reply.status == 200, reply.raw
        return reply.json["balances"]

    def statement(self, start: Instant, end: Instant, **query: str) -> Any:
        period = {"from": to_rfc3339(start), "to": to_rfc3339(end), **query}
        reply = self.shop.call("GET", f"/v1/members/{self.member}/statement", query=period)
        assert reply.status == 200, reply.raw
        return reply.json


@pytest.fixture(scope="module")
def written() -> Month:
    """Nothing was swept: what time did is written down by whoever came next, or by nobody yet."""
    return Month()


@pytest.fixture
def month(written: Month) -> Month:
    from chalicelib import wiring

    wiring.install(written.shop.runtime, written.shop.queues)
    return written


def owned(balances: Any) -> int:
    held = balances.get("points", {})
    return sum(held.get(one, 0) for one in ("available", "pending", "reserved")) - held.get(
        "debt", 0
    )


def moved(entries: Any) -> int:
    effects = (effect for entry in entries for effect in entry["effects"])
    return sum(one["amount"] for one in effects if one["state"] in ("available", "pending"))


def test_the_account_of_any_past_moment_is_what_it_was_then(month: Month) -> None:
    assert len({str(balances) for balances in month.seen.values()}) > 12
    for moment, then in month.seen.items():
        assert month.account(moment) == then, to_rfc3339(moment)


def test_before_the_first_entry_there_is_nothing_and_the_future_is_not_told(month: Month) -> None:
    assert owned(month.account(START)) == 0
    path = f"/v1/members/{month.member}/account"
    later = to_rfc3339(month.shop.clock.at + SECOND)
    assert month.shop.call("GET", path, query={"at": later}).status == 422
    stranger = "/v1/members/mem_nobody/account"
    assert month.shop.call("GET", stranger, query={"at": to_rfc3339(START)}).status == 404


@pytest.mark.parametrize("hours", [7, 24, 24 * 9, 24 * 40])
def test_statements_of_following_periods_join_without_a_gap(month: Month, hours: int) -> None:
    ends = [START + number * hours * HOUR for number in range(40 * 24 // hours + 2)]
    pages = [month.statement(start, end) for start, end in pairwise(ends)]
    for page in pages:
        assert owned(page["opening"]) + moved(page["entries"]) == owned(page["closing"])
    for one, following in pairwise(pages):
        assert one["closing"] == following["opening"]
        assert one["head_hash"] == following["opening_hash"]
    versions = [entry["version"] for page in pages for entry in page["entries"]]
    assert versions == list(range(1, len(versions) + 1))
    kinds = {entry["kind"] for page in pages for entry in page["entries"]}
    assert {"expired", "confirmed", "released", "order", "refund", "redemption"} <= kinds
    assert pages[-1]["closing"]["points"]["available"] == month.account()["points"]["available"]


def test_a_long_statement_comes_in_pages(month: Month) -> None:
    whole = month.statement(START, month.shop.clock.at)
    entries: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = month.statement(
            START, month.shop.clock.at, limit="4", **({"cursor": cursor} if cursor else {})
        )
        assert (page["opening"], page["closing"]) == (whole["opening"], whole["closing"])
        entries += page["entries"]
        cursor = page["next_cursor"]
    assert entries == whole["entries"]


def test_an_empty_period_moves_nothing(month: Month) -> None:
    moment = from_rfc3339("2027-02-01T00:00:00Z")
    page = month.statement(moment, moment + DAY)
    assert page["entries"] == []
    assert page["opening"] == page["closing"]
    turned = {"from": to_rfc3339(moment), "to": to_rfc3339(moment)}
    path = f"/v1/members/{month.member}/statement"
    assert month.shop.call("GET", path, query=turned).status == 422


def test_the_books_of_others_are_closed(month: Month) -> None:
    stranger = month.shop.enrol(external_id="stranger")
    token = str(month.shop.call("POST", f"/v1/members/{stranger}/tokens").json["token"])
    period = {"from": to_rfc3339(START), "to": to_rfc3339(START + DAY)}
    for what, query in (("statement", period), ("account", {}), ("entries", {})):
        path = f"/v1/members/{month.member}/{what}"
        assert month.shop.call("GET", path, key=token, query=query).status == 404
    assert month.shop.call("GET", f"/v1/members/{stranger}/verify", key=token).status == 403
    other = Shop(month.shop.runtime.context.store)
    for what in ("account", "entries", "verify"):
        assert other.call("GET", f"/v1/members/{month.member}/{what}").status == 404


# --- The proof ------------------------------------------------------------------------------------


def proved(month: Month, at_once: int = 1000) -> Any:
    """All pages of the proof; the last."""
    path = f"/v1/members/{month.member}/verify"
    checked, query = 0, {}
    while True:
        page = month.shop.call("GET", path, query=query).json
        checked += page["checked"]
        assert page["checked"] <= at_once
        if page["next_cursor"] is None:
            return {**page, "checked": checked}
        query = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_a_sound_chain_is_proved_whole(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(accounts, "PROVED_AT_ONCE", at_once)
    month = Month()
    proof = proved(month, at_once)
    assert proof["valid"]
    assert proof["checked"] == proof["head_version"] > 15
    newest = month.shop.call("GET", f"/v1/members/{month.member}/entries").json["data"][0]
    assert proof["head_hash"] == newest["hash"]


def forge(log: list[Any], how: str, at: int) -> None:
    """Changes an entry as somebody with rights to the table might."""
    entry = log[at]
    if how == "a byte":
        log[at] = replace(entry, body=entry.body[:-1] + bytes([entry.body[-1] ^ 1]))
    if how == "an amount":
        log[at] = replace(entry, body=encode(with_one_more_point(decode(entry.body))))
    if how == "an amount and the link after it":
        log[at] = replace(entry, body=encode(with_one_more_point(decode(entry.body))))
        log[at + 1] = replace(log[at + 1], prev=log[at].hash)
    if how == "the link":
        log[at] = replace(entry, prev=FIRST_PREV)
    if how == "left out":
        del log[at]
        log[at:] = [replace(one, version=one.version - 1) for one in log[at:]]
    if how == "exchanged":
        one, other = log[at], log[at + 1]
        log[at] = replace(other, version=one.version)
        log[at + 1] = replace(one, version=other.version)


def with_one_more_point(entry: Entry) -> Entry:
    lots = Lots([*entry.snapshot.lots, Lot(1, NEVER, 0, 0, 1)])
    return msgspec.structs.replace(
        entry, snapshot=msgspec.structs.replace(entry.snapshot, lots=lots)
    )


@pytest.mark.parametrize("at", [1, 7, 12])
@pytest.mark.parametrize(
    "how",
    [
        "a byte",
        "an amount",
        "an amount and the link after it",
        "the link",
        "left out",
        "exchanged",
    ],
)
def test_whatever_is_tampered_with_is_found(how: str, at: int) -> None:
    month = Month()
    ledger = month.shop.runtime.context.store.ledger
    assert isinstance(ledger, MemoryLedger)
    forge(ledger._logs[LogKey(month.shop.program_id, month.member)], how, at)
    proof = proved(month)
    assert not proof["valid"]
    renumbered = how == "left out"  # every hash after it is another: the newest is told
    assert at <= proof["broken"]["version"] <= (proof["head_version"] if renumbered else at + 3)
    assert proof["broken"]["reason"]
