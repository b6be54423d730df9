"""Everything that a program knows, as files: nothing is left out, nothing twice, whoever dies."""

import json
from collections import Counter
from functools import partial
from hashlib import sha256
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.services import export_work
from tests.fakes.interference import DiesAfter
from tests.fakes.jobs import beset, bring, finish, handle, lines, read_file, work
from tests.fakes.receiver import World, add_endpoint
from tests.fakes.shop import Shop, goods

KINDS = ("members", "entries", "events", "heads")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few rows, and pages of a few entries."""
    monkeypatch.setattr(export_work, "ROWS", 5)
    monkeypatch.setattr(export_work, "MEMBERS_AT_ONCE", 2)
    monkeypatch.setattr(export_work, "ENTRIES_AT_ONCE", 3)


def filled(shop: Shop) -> list[str]:
    """Seven members: one with many entries, one erased, one merged into another."""
    ids = [shop.enrol(external_id=f"c-{number}") for number in range(7)]
    for number in range(12):
        shop.order(ids[0], f"o-{number}", goods(1000))
    adjust = {"currency": "points", "amount": 5, "reason": "sorry"}
    key = {"idempotency-key": "k"}
    shop.call("POST", f"/v1/members/{ids[1]}/adjustments", adjust, headers=key)
    assert shop.call("DELETE", f"/v1/members/{ids[2]}").status < 300
    assert shop.call("POST", f"/v1/members/{ids[3]}/merge", {"member_id": ids[4]}).status == 200
    return ids


def begin(shop: Shop, **wish: Any) -> str:
    made = shop.call("POST", "/v1/exports", wish)
    assert (made.status, made.json["status"]) == (201, "running")
    return str(made.json["id"])


def read(shop: Shop, export_id: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of a done export, by kind; its files are as it says."""
    found = shop.call("GET", f"/v1/exports/{export_id}").json
    assert found["status"] == "done"
    folder = f"exports/{shop.program_id}/{export_id}"
    manifest = json.loads(shop.files.contents[f"{folder}/manifest.json"])
    listed = [{name: one[name] for name in one if name != "url"} for one in found["files"]]
    assert manifest["files"] == listed
    assert found["manifest_url"] and all(one["url"] for one in found["files"])
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for one in manifest["files"]:
        content = shop.files.contents[f"{folder}/{one['name']}"]
        assert (sha256(content).hexdigest(), len(content)) == (one["sha256"], one["bytes"])
        mine = list(read_file(shop, f"{folder}/{one['name']}"))
        assert len(mine) == one["rows"]
        rows[one["kind"]] += mine
    assert manifest["rows"] == found["rows"]
    assert found["rows"] == {kind: len(rows[kind]) for kind in found["rows"]}
    return rows


def ledger_of(shop: Shop, ids: list[str]) -> list[tuple[str, int, str]]:
    """Every entry: whose, its version and hash."""
    ledger = shop.runtime.context.store.ledger
    return sorted(
        (member_id, one.version, one.hash.hex())
        for member_id in ids
        for one in ledger.entries(LogKey(shop.program_id, member_id), None, 999)
    )


def hashes(rows: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return sorted((one["member_id"], one["version"], one["hash"]) for one in rows)


@pytest.mark.usefixtures("small")
def test_everything_is_there_once_and_as_the_api_shows_it(points: Shop) -> None:
    ids = filled(points)
    export_id = begin(points)
    assert work(points) > 4
    rows = read(points, export_id)

    shown = [points.call("GET", f"/v1/members/{one}").json for one in (*ids[:2], ids[3], *ids[5:])]
    assert sorted(rows["members"], key=lambda one: str(one["id"])) == sorted(
        shown, key=lambda one: str(one["id"])
    )
    assert hashes(rows["entries"]) == ledger_of(points, ids)
    mine = [one for one in rows["entries"] if one["member_id"] == ids[1]]
    of_api = points.call("GET", f"/v1/members/{ids[1]}/entries").json["data"]
    assert mine == [{"member_id": ids[1], **one} for one in reversed(of_api)]
    assert mine[-1]["note"] == "sorry"
    last = {row[0]: row for row in ledger_of(points, ids)}
    assert {row[0]: row for row in hashes(rows["heads"])} == last
    assert len(rows["heads"]) == len(ids)


def test_events_are_those_that_webhooks_tell() -> None:
    world = World()
    add_endpoint(world.shop)
    ada = world.shop.enrol(external_id="c-1")
    world.order(ada)
    world.tell(ada)
    world.pass_time(60_000)
    export_id = begin(world.shop, kinds=["events"])
    work(world.shop)
    rows = read(world.shop, export_id)
    told = [{"id": one.id, **json.loads(one.body)} for one in world.receiver.came]
    assert sorted(rows["events"], key=str) == sorted(told, key=str)
    assert rows["members"] == rows["entries"] == []


def test_what_an_import_brought_is_exported_too(points: Shop) -> None:
    row = {"external_id": "c-1", "balances": {"points": [{"amount": 5}]}}
    bring(points, lines(row), "members")
    export_id = begin(points)
    work(points)
    assert len(read(points, export_id)["events"]) == 2


@pytest.mark.usefixtures("small")
def test_profiles_alone_read_no_log(points: Shop) -> None:
    ids = filled(points)
    calls: Counter[str] = Counter()

    def counted(name: str, call: partial[Any]) -> Any:
        calls[name] += 1
        return call()

    export_id = begin(points, kinds=["members"])
    beset(points, counted)
    work(points)
    rows = read(points, export_id)
    assert calls["ledger.entries"] == 0
    assert len(rows["members"]) == 5
    last = {row[0]: row for row in ledger_of(points, ids)}
    assert {row[0]: row for row in hashes(rows["heads"])} == last


def test_an_empty_program_has_an_empty_export(points: Shop) -> None:
    export_id = begin(points)
    work(points)
    assert read(points, export_id) == {kind: [] for kind in KINDS}


@pytest.mark.usefixtures("small")
def test_a_worker_may_die_after_any_effect_and_the_files_are_whole() -> None:
    died = 0
    for effects in range(40):
        shop = Shop(memory_store())
        shop.publish("points")
        ids = filled(shop)
        export_id = begin(shop)
        context = shop.runtime.context
        beset(shop, DiesAfter(effects))

        def mend(shop: Shop = shop, context: Any = context) -> None:
            shop.runtime.context = context
            shop.enrol()  # life goes on

        crashes = finish(shop, mend)
        shop.runtime.context = context
        rows = read(shop, export_id)
        entries = hashes(rows["entries"])
        assert len(set(entries)) == len(entries)
        assert set(ledger_of(shop, ids)) <= set(entries)
        died += crashes
        if not crashes:
            break
    assert died > 5


@pytest.mark.usefixtures("small")
def test_the_slower_of_two_workers_changes_no_file_that_counts(points: Shop) -> None:
    ids = filled(points)
    export_id = begin(points)
    context = points.runtime.context
    queue: list[str] = points.queues.jobs.messages  # type: ignore[attr-defined]
    first = queue[0]
    raced = False

    def meanwhile(name: str, call: partial[Any]) -> Any:
        nonlocal raced
        if name == "exports.put" and not raced:
            raced = True
            points.runtime.context = context
            points.order(ids[0], "new", goods(1000))
            assert handle(first)
        return call()

    beset(points, meanwhile)
    work(points)
    rows = read(points, export_id)
    entries = hashes(rows["entries"])
    assert len(set(entries)) == len(entries)
    assert set(entries) == set(ledger_of(points, ids))


@pytest.mark.parametrize("name", ["write", "send"])
def test_what_fails_once_comes_again(
    points: Shop, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ids = filled(points)
    export_id = begin(points)
    fails = [True, True]
    target = type(points.files if name == "write" else points.queues.jobs)
    real = getattr(target, name)

    def failing(*args: Any) -> Any:
        if fails:
            fails.pop()
            raise Unavailable("away")
        return real(*args)

    monkeypatch.setattr(target, name, failing)
    assert finish(points) == 2
    assert hashes(read(points, export_id)["entries"]) == ledger_of(points, ids)


def test_the_same_key_is_the_same_export(points: Shop) -> None:
    key = {"idempotency-key": "k"}
    made = points.call("POST", "/v1/exports", {"kinds": ["members"]}, headers=key)
    again = points.call("POST", "/v1/exports", {"kinds": ["members"]}, headers=key)
    assert again.json == made.json
    other = points.call("POST", "/v1/exports", {}, headers=key)
    assert other.code == "different_request"
    work(points)
    done = points.call("POST", "/v1/exports", {"kinds": ["members"]}, headers=key)
    assert done.json["status"] == "done"
    listed = points.call("GET", "/v1/exports").json["data"]
    assert [one["id"] for one in listed] == [made.json["id"]]


def test_a_key_needs_the_scope(points: Shop) -> None:
    wish = {"kind": "secret", "name": "reports", "scopes": ["members:read"]}
    key = points.call("POST", "/v1/keys", wish).json["secret"]
    assert points.call("POST", "/v1/exports", {}, key=key).code == "forbidden"
    assert points.call("GET", "/v1/imports", key=key).code == "forbidden"
