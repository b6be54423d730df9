"""Members and orders from files: what becomes of each row, twice, half, and by two workers."""

import json
import threading
from functools import partial
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.jobs import imports as limits
from chalicelib.domain.ledger.entries import LogKey, decode
from chalicelib.services import import_rows, import_work
from chalicelib.services.imports import MAX_BYTES
from tests.fakes.interference import DiesAfter
from tests.fakes.jobs import (
    begin,
    beset,
    bring,
    counts,
    errors,
    finish,
    handle,
    lines,
    put_upload,
    state,
    work,
)
from tests.fakes.receiver import OK, World, add_endpoint
from tests.fakes.shop import Shop, goods

CSV = """\ufeffexternal_id,email,given_name,birthday,joined_at,attributes.size,balances.points
c-1,ada@example.com,Ada,1990-02-28,2020-05-01T10:00:00Z,L,120
c-2,ben@example.com,"Ben ""the"" Boss",,2021-05-01T10:00:00Z,,0
c-3,not an address,Eve,,,,
,,Nobody,,,,

c-4,dan@example.com,Dan,1990-02-30,,,
c-5,fay@example.com,Fay,,2999-01-01T00:00:00Z,,
c-6,gil@example.com,Gil,,,,many
"""


def order(number: int, whose: dict[str, Any], at: str, euros: int = 10) -> dict[str, Any]:
    return {
        "source": "old-shop",
        "id": f"o-{number}",
        "currency": "EUR",
        "placed_at": at,
        "lines": [{"id": "1", **goods(euros * 100)}],
        "member": whose,
    }


ADA, BEN = {"external_id": "c-1"}, {"email": "ben@example.com"}
MEMBERS = lines(
    {"external_id": "c-1", "joined_at": "2020-05-01T10:00:00Z"},
    {"email": "ben@example.com", "joined_at": "2020-05-01T10:00:00Z"},
)
ORDERS = lines(
    order(3, ADA, "2022-01-01T00:00:00Z", 30),
    order(1, ADA, "2020-06-01T00:00:00Z", 10),
    order(9, BEN, "2019-01-01T00:00:00Z", 90),
    order(2, ADA, "2021-01-01T00:00:00Z", 20),
    order(4, BEN, "2023-01-01T00:00:00Z", 40),
)


def find(shop: Shop, **by: str) -> dict[str, Any]:
    [found] = shop.call("GET", "/v1/members", query=by).json["data"]
    return dict(found)


def logs(shop: Shop) -> dict[str, list[str]]:
    """The hash of every entry of every member."""
    store = shop.runtime.context.store
    ids = [one for s in range(4) for one in store.members.of_program(shop.program_id, s, "", 999)]
    return {
        one: [
            entry.hash.hex()
            for entry in store.ledger.entries(LogKey(shop.program_id, one), None, 999)
        ]
        for one in ids
    }


def ends(shop: Shop) -> dict[str, tuple[int, list[str]]]:
    """What every member has, and what his entries are of, whenever they were written."""
    store = shop.runtime.context.store
    found = {}
    for one in logs(shop):
        entries = store.ledger.entries(LogKey(shop.program_id, one), None, 999)
        member = store.members.get(shop.program_id, one)
        assert member is not None
        name = member.profile.external_id or member.profile.email or ""
        found[name] = (shop.balance(one, "points"), [e.ref.replace(one, name) for e in entries])
    return found


# --- members ------------------------------------------------------------------------------------


def test_a_csv_file_brings_members_and_says_what_is_wrong_with_the_others(points: Shop) -> None:
    found = bring(points, CSV, "members", format="csv")
    assert (found["status"], found["rows"], found["done"]) == ("done", 7, 7)
    assert counts(found) == (2, 0, 5)
    assert [(one["row"], one["field"]) for one in errors(points, found["id"])] == [
        (4, "email"),
        (5, "external_id"),
        (7, "birthday"),
        (8, "joined_at"),
        (9, "balances[...][0].amount"),
    ]
    ada, ben = find(points, external_id="c-1"), find(points, email="ben@example.com")
    assert ada["joined_at"] == "2020-05-01T10:00:00Z"
    assert (ada["birthday"], ada["attributes"]) == ("1990-02-28", {"size": "L"})
    assert ben["given_name"] == 'Ben "the" Boss'
    assert points.balance(ada["id"], "points") == 120
    assert len(logs(points)[ben["id"]]) == 1, "no points are no entry"


def test_the_same_file_again_changes_nothing(points: Shop) -> None:
    bring(points, CSV, "members", format="csv")
    before = logs(points)
    again = bring(points, CSV, "members", format="csv")
    assert counts(again) == (0, 2, 5)
    assert logs(points) == before


def test_an_opening_balance_is_once_for_ever_whichever_file_brings_it(points: Shop) -> None:
    row = {"external_id": "c-1", "email": "ada@example.com", "balances": {"points": [LOT, MORE]}}
    bring(points, lines(row), "members")
    by_email = {**row, "given_name": "Ada"}
    del by_email["external_id"]
    assert counts(bring(points, lines(by_email), "members")) == (0, 1, 0)
    other = {**row, "balances": {"points": [{"amount": 7}]}}
    refused = bring(points, lines(other), "members")
    assert counts(refused) == (0, 0, 1)
    assert errors(points, refused["id"])[0]["code"] == "different_request"
    ada = find(points, external_id="c-1")
    assert "given_name" in ada and ada["given_name"] is None, "who is there keeps his profile"
    assert points.balance(ada["id"], "points") == 150
    account = points.call("GET", f"/v1/members/{ada['id']}/account").json
    assert account["balances"]["points"]["expiring"][0]["amount"] == 120
    assert account["balances"]["points"]["expiring"][0]["at"].startswith("2027-06-2")


LOT = {"amount": 120, "expires_on": "2027-06-30"}
MORE = {"amount": 30, "expires_on": "2028-06-30"}


def test_who_joined_before_the_import_keeps_his_place_and_gets_his_balance(points: Shop) -> None:
    ada = points.enrol(external_id="c-1", given_name="Augusta")
    row = {"external_id": "c-1", "given_name": "Ada", "balances": {"points": [{"amount": 5}]}}
    assert counts(bring(points, lines(row), "members")) == (1, 0, 0)
    assert find(points, external_id="c-1")["given_name"] == "Augusta"
    assert points.balance(ada, "points") == 5


def test_identities_of_two_members_are_nobodys(points: Shop) -> None:
    points.enrol(external_id="c-1")
    points.enrol(email="ben@example.com")
    row = {"external_id": "c-1", "email": "ben@example.com"}
    for dry_run in (True, False):
        found = bring(points, lines(row), "members", dry_run=dry_run)
        assert errors(points, found["id"])[0]["code"] == "member_exists"


def test_members_who_were_merged_keep_one_opening_each(points: Shop) -> None:
    one = {"external_id": "c-1", "balances": {"points": [{"amount": 5}]}}
    two = {"external_id": "c-2", "balances": {"points": [{"amount": 7}]}}
    bring(points, lines(one, two), "members")
    ada, ben = find(points, external_id="c-1")["id"], find(points, external_id="c-2")["id"]
    assert points.call("POST", f"/v1/members/{ada}/merge", {"member_id": ben}).status == 200
    assert counts(bring(points, lines(one, two), "members")) == (0, 2, 0)
    assert points.balance(ada, "points") == 12


def test_a_tier_by_hand_and_consents_come_with_the_member(shop: Shop) -> None:
    assert shop.publish("sephora").status == 201
    consent = {"purpose": "marketing.email", "granted": True, "version": "2019-1"}
    row = {
        "external_id": "c-1",
        "joined_at": "2020-05-01T10:00:00Z",
        "tier": "rouge",
        "tier_until": "2027-01-01",
        "consents": [consent],
    }
    assert counts(bring(shop, lines(row, {**row, "tier": "platinum"}), "members")) == (1, 0, 1)
    ada = find(shop, external_id="c-1")
    account = shop.call("GET", f"/v1/members/{ada['id']}/account").json
    assert account["tier"]["id"] == "rouge"
    assert ada["consents"][0] == {**consent, "given_at": row["joined_at"], "source": "import"}


def test_fields_that_nobody_knows_are_refused_with_their_name(points: Shop) -> None:
    found = bring(points, "external_id,shoe_size\nc-1,44\n", "members", format="csv")
    [error] = errors(points, found["id"])
    assert "shoe_size" in error["reason"] + error["field"]


# --- orders -------------------------------------------------------------------------------------


def test_orders_are_worked_in_the_order_in_which_they_were_placed(points: Shop) -> None:
    bring(points, MEMBERS, "members")
    found = bring(points, ORDERS, "orders")
    assert counts(found) == (5, 0, 0)
    ada, ben = find(points, external_id="c-1")["id"], find(points, email="ben@example.com")["id"]
    rows = points.call("GET", f"/v1/members/{ada}/entries").json["data"]
    refs = [one["ref"] for one in rows if one["kind"] == "order"]
    assert refs == [f"old-shop:o-{number}#paid" for number in (3, 2, 1)]
    assert points.balance(ada, "points") == 60
    assert points.balance(ben, "points") == 40, "what he bought before he joined earns nothing"


def test_history_again_changes_nothing(points: Shop) -> None:
    bring(points, MEMBERS, "members")
    bring(points, ORDERS, "orders")
    before = logs(points)
    points.clock.at += 1000
    assert counts(bring(points, ORDERS, "orders")) == (0, 5, 0)
    assert logs(points) == before


def test_a_row_that_is_no_order_or_of_nobody_is_named(points: Shop) -> None:
    rows = [
        "{",
        lines(order(1, {"external_id": "c-9"}, "2022-01-01T00:00:00Z")),
        "",
        lines({**order(2, {}, "2022-01-01T00:00:00Z"), "member": None}),
        lines({**order(3, ADA, "2022-01-01T00:00:00Z"), "source": "key"}),
        '"' + "x" * 300_000 + '"',
        "\x80",
    ]
    found = bring(points, "\n".join(rows).encode("latin-1"), "orders")
    codes = {one["row"]: one["code"] for one in errors(points, found["id"])}
    assert codes == {
        1: "invalid_json",
        2: "member_not_found",
        4: "invalid_request",
        5: "invalid_request",
        6: "invalid_json",
        7: "invalid_json",
    }


def test_nobody_is_told_of_history_and_everybody_of_what_follows() -> None:
    world = World()
    hook = add_endpoint(world.shop)
    world.receiver.answers = lambda _: OK
    bring(world.shop, MEMBERS, "members")
    bring(world.shop, ORDERS, "orders")
    ada = find(world.shop, external_id="c-1")["id"]
    world.tell(ada)
    queues = world.shop.queues
    assert queues.wallet.messages == []  # type: ignore[attr-defined]
    assert len(queues.due.messages) == 1, "what is due of him is"  # type: ignore[attr-defined]
    world.order(ada)
    world.tell(ada)
    world.pass_time(60_000)
    assert [one["event_type"] for one in world.deliveries(hook)] == ["order.recorded"]
    assert len(queues.wallet.messages) == 1  # type: ignore[attr-defined]


def test_what_was_over_when_history_came_is_history_too(shop: Shop) -> None:
    """Points of 2022 that ended in 2023: nobody is told today that they are gone."""
    document = POINTS_THAT_END.encode()
    sent = {"content-type": "application/yaml"}
    assert shop.call("POST", "/v1/programs", document, headers=sent).status == 201
    bring(shop, MEMBERS, "members")
    bring(shop, lines(order(1, ADA, "2022-01-01T00:00:00Z")), "orders")
    ada = find(shop, external_id="c-1")["id"]
    late = "2026-06-01T00:00:00Z"
    shop.call("POST", "/v1/orders", {**order(2, ADA, late), "source": "till"})
    entries = shop.runtime.context.store.ledger.entries(LogKey(shop.program_id, ada), None, 9)
    told = [(one.ref, decode(one.body).imported) for one in entries[::-1]]
    assert told[1:] == [
        ("old-shop:o-1#paid", True),
        (told[2][0], True),
        ("till:o-2#paid", False),
    ]
    assert told[2][0].startswith("time:expire#")


POINTS_THAT_END = """
name: Points
time_zone: Europe/Berlin
money: EUR
currencies:
  points: {label: Points, expires: {days: 365}}
earn:
  - {id: points, kind: per_amount, currency: points, give: 1, per: 100, rounding: floor}
"""


# --- dry runs, files, starting ------------------------------------------------------------------


def test_a_dry_run_says_what_would_be_and_writes_nothing(points: Shop) -> None:
    would = bring(points, CSV, "members", format="csv", dry_run=True)
    assert counts(would) == (2, 0, 5)
    assert logs(points) == {}
    bring(points, MEMBERS, "members")
    bring(points, lines(order(1, ADA, "2022-01-01T00:00:00Z")), "orders")
    before = logs(points)
    rows = (
        order(1, ADA, "2022-01-01T00:00:00Z"),
        order(1, ADA, "2022-01-01T00:00:00Z", 11),
        order(1, BEN, "2022-01-01T00:00:00Z"),
        order(2, ADA, "2022-01-01T00:00:00Z"),
        order(2, {"email": "x@example.com"}, "2022-01-01T00:00:00Z"),
        {**order(3, ADA, "2022-01-01T00:00:00Z"), "currency": "USD"},
    )
    would = bring(points, lines(*rows), "orders", dry_run=True)
    assert counts(would) == (1, 1, 4)
    assert [one["code"] for one in errors(points, would["id"])] == [
        "different_request",
        "order_claimed",
        "member_not_found",
        "wrong_currency",
    ]
    assert logs(points) == before
    did = bring(points, lines(*rows), "orders")
    assert counts(did) == counts(would)
    assert errors(points, did["id"]) == errors(points, would["id"])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"external_id\n\xff\n", "UTF-8"),
        (b"email,email\n1,2\n", "twice"),
        (b"balances,balances.points\n1,2\n", "twice"),
        (b'external_id\n"' + b"x" * 200_000 + b'"\n', "CSV"),
    ],
)
def test_a_file_that_cannot_be_read_fails_as_a_whole(
    points: Shop, content: bytes, why: str
) -> None:
    found = bring(points, content, "members", format="csv")
    assert found["status"] == "failed"
    assert why in found["failure"]
    assert points.files.contents == {}, "what nobody needs is removed"


def test_an_empty_file_is_done(points: Shop) -> None:
    assert bring(points, "", "orders")["status"] == "done"


def test_an_import_is_started_once_its_file_is_there_and_small_enough(
    points: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = {"kind": "members", "format": "csv"}
    key = {"idempotency-key": "k"}
    made = points.call("POST", "/v1/imports", wish, headers=key)
    assert (made.json["status"], made.json["max_bytes"]) == ("waiting", MAX_BYTES)
    assert made.json["upload_url"]
    path = f"/v1/imports/{made.json['id']}"
    assert points.call("POST", f"{path}/start").code == "not_uploaded"
    put_upload(points, made.json["id"], b"external_id\nc-1\n")
    monkeypatch.setattr("chalicelib.services.imports.MAX_BYTES", 3)
    assert points.call("POST", f"{path}/start").code == "file_too_large"
    monkeypatch.undo()
    assert points.call("POST", f"{path}/start").json["status"] == "running"
    assert points.call("POST", f"{path}/start").status == 202
    work(points)
    done = points.call("POST", f"{path}/start").json
    assert (done["status"], done["created"], done["upload_url"]) == ("done", 1, None)
    assert points.call("POST", "/v1/imports", wish, headers=key).json["id"] == made.json["id"]
    other = points.call("POST", "/v1/imports", {**wish, "dry_run": True}, headers=key)
    assert other.code == "different_request"
    assert points.call("POST", "/v1/imports", {"kind": "orders", "format": "csv"}).status == 422
    assert points.call("GET", "/v1/imports").json["data"] == [state(points, made.json["id"])]


def test_a_file_that_grew_since_it_was_looked_at_is_not_read(
    points: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = begin(points, "external_id\nc-1\n", "members", format="csv")
    monkeypatch.setattr(import_work, "MAX_BYTES", 3)
    work(points)
    assert state(points, import_id)["failure"] == "the file is above 3 bytes"


def test_errors_are_kept_up_to_a_number_and_listed_in_pages(
    points: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_work, "ROWS", 4)
    monkeypatch.setattr(limits, "MAX_ERRORS", 6)
    found = bring(points, "{\n" * 10, "orders")
    assert counts(found) == (0, 0, 10)
    path = f"/v1/imports/{found['id']}/errors"
    first = points.call("GET", path, query={"limit": "4"}).json
    rest = points.call("GET", path, query={"limit": "4", "cursor": first["next_cursor"]}).json
    assert [one["row"] for one in first["data"] + rest["data"]] == [1, 2, 3, 4, 5, 6]
    assert rest["next_cursor"] is None


def test_a_file_is_read_in_pieces_and_rows_in_parts(
    points: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_rows, "AT_ONCE", 7)
    monkeypatch.setattr(import_rows, "MAX_ROW_BYTES", 60)
    monkeypatch.setattr(import_work, "ROWS", 3)
    rows = lines(*({"external_id": f"c-{number}"} for number in range(11)))
    import_id = begin(points, rows, "members")
    assert work(points) == 5
    assert counts(state(points, import_id)) == (11, 0, 0)


# --- workers that die, come twice, or at once ---------------------------------------------------


def whole(shop: Shop) -> dict[str, tuple[int, list[str]]]:
    bring(shop, WITH_BALANCES, "members")
    bring(shop, ORDERS, "orders")
    return ends(shop)


WITH_BALANCES = lines(
    *(
        {**json.loads(row), "balances": {"points": [{"amount": 100}]}}
        for row in MEMBERS.splitlines()
    )
)


@pytest.mark.parametrize("kind", ["members", "orders"])
def test_a_worker_may_die_after_any_effect(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_work, "ROWS", 2)
    twin = Shop(memory_store())
    twin.publish("points")
    wanted = whole(twin)
    died = 0
    for effects in range(40):
        shop = Shop(memory_store())
        shop.publish("points")
        if kind == "orders":
            bring(shop, WITH_BALANCES, "members")
        import_id = begin(shop, WITH_BALANCES if kind == "members" else ORDERS, kind)
        context = shop.runtime.context
        beset(shop, DiesAfter(effects))

        def mend(shop: Shop = shop, context: Any = context) -> None:
            shop.runtime.context = context

        crashes = finish(shop, mend)
        mend()
        found = state(shop, import_id)
        assert (found["status"], found["done"]) == ("done", found["rows"])
        if kind == "members":
            bring(shop, ORDERS, "orders")
        assert ends(shop) == wanted, effects
        died += crashes
        if not crashes:
            break
    assert died > 5


@pytest.mark.parametrize("lost", ["send", "files"])
def test_a_message_or_a_file_that_failed_once_holds_nothing_up(
    points: Shop, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setattr(import_work, "ROWS", 1)
    import_id = begin(points, MEMBERS, "members")
    fails = [True, True, True]
    name = "send" if lost == "send" else "read"
    target = type(points.queues.jobs if lost == "send" else points.files)
    real = getattr(target, name)

    def failing(*args: Any, **options: Any) -> Any:
        if fails and fails.pop():
            raise Unavailable("away")
        return real(*args, **options)

    monkeypatch.setattr(target, name, failing)
    assert finish(points) == 3
    found = state(points, import_id)
    assert (found["status"], found["created"], fails) == ("done", 2, [])


def test_messages_that_come_twice_and_late_change_nothing(
    points: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_work, "ROWS", 1)
    bring(points, MEMBERS, "members")
    import_id = begin(points, ORDERS, "orders")
    queue: list[str] = points.queues.jobs.messages  # type: ignore[attr-defined]
    seen: list[str] = []
    while queue:
        body = queue.pop(0)
        seen.append(body)
        for one in (body, body, seen[0]):
            assert handle(one)
        assert len(queue) <= 1
    before = logs(points)
    for one in seen:
        handle(one)
    assert queue == []
    assert counts(state(points, import_id)) == (5, 0, 0)
    assert logs(points) == before


def test_two_workers_of_the_same_part_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_work, "ROWS", 2)
    twin = Shop(memory_store())
    twin.publish("points")
    wanted = whole(twin)
    shop = Shop(memory_store())
    shop.publish("points")
    for content, kind in ((WITH_BALANCES, "members"), (ORDERS, "orders")):
        import_id = begin(shop, content, kind)
        queue: list[str] = shop.queues.jobs.messages  # type: ignore[attr-defined]
        while queue:
            bodies = list(queue)
            queue.clear()
            threads = [
                threading.Thread(target=handle, args=(body,)) for body in bodies for _ in range(3)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(set(queue)) <= 1, "whoever was first, what is next is the same"
            del queue[1:]
        found = state(shop, import_id)
        assert (found["status"], found["done"]) == ("done", found["rows"])
    assert ends(shop) == wanted


def test_a_file_that_is_put_again_while_it_is_worked_is_not_mixed_in(
    points: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_work, "ROWS", 1)
    import_id = begin(points, MEMBERS, "members")
    queue: list[str] = points.queues.jobs.messages  # type: ignore[attr-defined]
    handle(queue.pop(0))
    put_upload(points, import_id, lines({"external_id": "eve"}).encode())
    work(points)
    assert set(ends(points)) == {"c-1", "ben@example.com"}


def test_another_order_of_the_member_meanwhile_is_not_lost(points: Shop) -> None:
    bring(points, MEMBERS, "members")
    ada = find(points, external_id="c-1")["id"]
    import_id = begin(points, ORDERS, "orders")
    context = points.runtime.context
    puts = 0

    def other_till(name: str, call: partial[Any]) -> Any:
        nonlocal puts
        if name == "ledger.append_each":
            puts += 1
            if puts == 2:
                points.runtime.context = context
                assert points.order(ada, "now", goods(10_000)).status == 201
        return call()

    beset(points, other_till)
    work(points)
    assert counts(state(points, import_id)) == (5, 0, 0)
    assert points.balance(ada, "points") == 160


@pytest.mark.parametrize("amount", ["9" * 30, "1_000", "１２", " 12"])
def test_what_is_no_amount_is_refused_with_its_row(coffee: Shop, amount: str) -> None:
    content = f"external_id,balances.stamps\nc-1,{amount}\nc-2,5\n"
    found = bring(coffee, content, "members", format="csv")
    assert (found["status"], counts(found)) == ("done", (1, 0, 1))


def test_an_open_quote_hides_no_rows(coffee: Shop) -> None:
    found = bring(coffee, 'external_id,given_name\nc-1,"Ada\nc-2,Ben\n', "members", format="csv")
    assert found["status"] == "failed"
    assert "not CSV" in found["failure"]


def test_what_an_error_repeats_of_its_row_is_short(coffee: Shop) -> None:
    begun = begin(coffee, lines({"external_id": "c-1", "x" * 5000: 1}), "members")
    finish(coffee)
    [error] = errors(coffee, begun)
    assert len(error["reason"]) <= 300
    assert len(error["field"]) <= 300


def test_who_may_only_look_cannot_put_another_file(coffee: Shop) -> None:
    body = {"kind": "secret", "name": "looks", "scopes": ["imports:read"]}
    looks = coffee.call("POST", "/v1/keys", body).json["secret"]
    made = coffee.call("POST", "/v1/imports", {"kind": "orders", "format": "ndjson"}).json
    path = f"/v1/imports/{made['id']}"
    assert coffee.call("GET", path).json["upload_url"]
    assert coffee.call("GET", path, key=looks).json["upload_url"] is None
    assert coffee.call("GET", "/v1/imports", key=looks).json["data"][0]["upload_url"] is None
