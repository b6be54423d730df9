"""Facts of time are written down by sweeps: once, whether these are late, doubled, or die."""

import dataclasses
import json
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.events.time import on_due
from chalicelib.kernel.clock import DAY, HOUR, MINUTE, SECOND, Instant
from chalicelib.services import sweeps
from chalicelib.services.context import Context
from tests.fakes.interference import Crash, DiesAfter, interfered
from tests.fakes.shop import START, Queued, Shop, goods

ENDS = START + 20 * DAY


def document(expires: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "Time",
        "time_zone": "Europe/Berlin",
        "money": "EUR",
        "currencies": {"points": {"label": "Points", "expires": expires}},
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
            {
                "id": "mug",
                "kind": "product",
                "name": "Mug",
                "cost": {"currency": "points", "amount": 3},
            }
        ],
    }


FIXED: dict[str, Any] = {"days": 7}
IDLE: dict[str, Any] = {"days": 7, "since": "last_activity"}


class Played:
    """Twenty days of one member of a live program, swept in some way."""

    def __init__(self, expires: dict[str, Any], every: Instant | None, late: Instant = 0) -> None:
        self.shop = Shop(memory_store(), mode="live")
        ids = Ids()
        self.shop.runtime.context = dataclasses.replace(self.shop.runtime.context, ids=ids)
        assert self.shop.call("POST", "/v1/programs", document(expires)).status == 201
        self.shop.clock.at += MINUTE
        self.member = self.shop.enrol()
        self.queue = Queued()
        asks = {
            3 * DAY: self.redeem,
            5 * DAY: self.order,
            10 * DAY: self.reserve,
            12 * DAY: self.order,
        }
        self.order()
        while self.shop.clock.at < ENDS:
            self.shop.clock.at += HOUR
            since = self.shop.clock.at - START - MINUTE
            if since in asks:
                asks[since]()
            if every and since % every == 0 and since > late:
                self.sweep()
        self.account = self.shop.call("GET", f"/v1/members/{self.member}/account").json

    def order(self) -> None:
        assert self.shop.order(self.member, str(self.shop.clock.at), goods(1000)).status == 201

    def redeem(self) -> None:
        self.shop.redeem(self.member, "mug", "k")

    def reserve(self) -> None:
        body = {"currency": "points", "amount": 2, "expires_in_seconds": 3 * 86_400}
        path = f"/v1/members/{self.member}/reservations"
        self.shop.call("POST", path, body, headers={"idempotency-key": "r"})

    def sweep(self, context: Context | None = None) -> None:
        """The stream's messages, the hour, and the queue's worker; each twice."""
        context = context or self.shop.runtime.context
        self.settle(context)
        for _ in range(2):
            sweeps.sweep(context, self.queue)
        messages, self.queue.messages = self.queue.messages, []
        for message in messages:
            assert json.loads(message)["member_id"] == self.member
            self.settle(context)

    def settle(self, context: Context) -> None:
        sweeps.settle_member(context, self.shop.program_id, self.member)

    @property
    def log(self) -> list[StoredEntry]:
        key = LogKey(self.shop.program_id, self.member)
        return self.shop.runtime.context.store.ledger.entries(key, None, 1000)[::-1]

    @property
    def books(self) -> list[tuple[str, bytes]]:
        """What was written, byte for byte."""
        return [(one.ref, one.body) for one in self.log]


class Ids:
    """The same identifiers in every run."""

    def __init__(self) -> None:
        self.count = 0

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count:020d}"

    def secret(self, prefix: str) -> str:
        return self.new(prefix)


@pytest.mark.parametrize("expires", [FIXED, IDLE], ids=["fixed", "idle"])
@pytest.mark.parametrize(
    ("every", "late"),
    [(DAY, 0), (5 * DAY, 0), (HOUR, 11 * DAY), (None, 0)],
    ids=["daily", "every five days", "from the eleventh day on", "never"],
)
def test_late_sweeps_write_the_same_bytes_as_punctual_ones(
    expires: dict[str, Any], every: Instant | None, late: Instant
) -> None:
    punctual = Played(expires, HOUR)
    other = Played(expires, every, late)
    assert punctual.account["balances"] == other.account["balances"]
    other.sweep()
    assert other.books == punctual.books
    kinds = {ref.partition("#")[0] for ref, _ in other.books}
    assert {"time:confirm", "time:expire", "time:release"} <= kinds


def test_the_row_moves_to_what_is_due_next_and_goes_in_the_end() -> None:
    played = Played(FIXED, None)
    dues = played.shop.runtime.context.store.dues
    moments = []
    played.settle(played.shop.runtime.context)
    assert dues.of(played.shop.program_id, played.member) is None  # all of it is over

    fresh = played.shop.enrol(external_id="fresh")
    played.shop.order(fresh, "fresh", goods(1000))
    for _ in range(3):
        sweeps.settle_member(played.shop.runtime.context, played.shop.program_id, fresh)
        row = dues.of(played.shop.program_id, fresh)
        if row is None:
            break
        moments.append(row.at)
        played.shop.clock.at = row.at
    assert [moment - moments[0] for moment in moments] == [0, 5 * DAY]


def test_nobody_is_sent_before_his_time_and_finished_days_are_not_read_again() -> None:
    played = Played(FIXED, None)
    shop, queue = played.shop, Queued()
    context = shop.runtime.context
    ben = shop.enrol(external_id="ben")
    shop.order(ben, "ben", goods(1000))
    sweeps.settle_member(context, shop.program_id, ben)
    row = context.store.dues.of(shop.program_id, ben)
    assert row is not None
    shop.clock.at = row.at - SECOND
    assert sweeps.sweep(context, queue) == 0
    shop.clock.at = row.at
    assert sweeps.sweep(context, queue) == 1
    assert context.store.dues.swept_until() == row.at // DAY
    sweeps.settle_member(context, shop.program_id, ben)
    shop.clock.at += DAY
    assert sweeps.sweep(context, queue) == 0
    assert context.store.dues.swept_until() == shop.clock.at // DAY


@pytest.mark.parametrize("expires", [FIXED, IDLE], ids=["fixed", "idle"])
def test_fault_20_a_sweep_that_dies_after_any_step_is_made_good_by_the_next(
    expires: dict[str, Any],
) -> None:
    right = Played(expires, HOUR).books
    for step in range(20):
        played = Played(expires, None)
        context = played.shop.runtime.context
        dying = dataclasses.replace(context, store=interfered(context.store, DiesAfter(step)))
        try:
            played.sweep(dying)
        except Crash:
            played.sweep()
            assert played.books == right
            continue
        assert step > 4
        return
    raise AssertionError("it never ends")


def test_fault_19_points_that_are_over_are_never_spent_whether_they_were_swept_or_not() -> None:
    for swept in (True, False):
        played = Played(FIXED, None)
        if swept:
            played.sweep()
        assert played.account["balances"]["points"]["available"] == 0
        reply = played.shop.redeem(played.member, "mug", "late")
        assert reply.code == "insufficient_balance"
        played.sweep()
        expired = [ref for ref, _ in played.books if ref.startswith("time:expire")]
        assert len(expired) == len(set(expired))
        gone = sum(
            effect["amount"]
            for entry in played.shop.call(
                "GET", f"/v1/members/{played.member}/entries", query={"limit": "100"}
            ).json["data"]
            for effect in entry["effects"]
            if entry["kind"] == "expired"
        )
        assert gone == -(10 - 3 + 10 + 10)


def test_a_member_who_changes_while_he_is_settled_keeps_the_right_row() -> None:
    played = Played(FIXED, None)
    shop = played.shop
    context = shop.runtime.context
    ben = shop.enrol(external_id="ben")
    shop.order(ben, "1", goods(1000))
    changed = []

    def meanwhile(name: str, call: Any) -> Any:
        if name == "dues.put" and not changed:
            changed.append(name)
            body = {"currency": "points", "amount": 5, "reason": "r", "expires_on": tomorrow}
            path = f"/v1/members/{ben}/adjustments"
            shop.call("POST", path, body, headers={"idempotency-key": "k"})
            sweeps.settle_member(context, shop.program_id, ben)
        return call()

    tomorrow = "2026-12-14"
    racing = dataclasses.replace(context, store=interfered(context.store, meanwhile))
    sweeps.settle_member(racing, shop.program_id, ben)
    row = context.store.dues.of(shop.program_id, ben)
    assert row is not None
    assert row.at == START + 20 * DAY + 11 * HOUR


def test_the_worker_settles_whom_it_is_told_of() -> None:
    played = Played(FIXED, None)
    before = len(played.log)
    body = sweeps.message(played.shop.program_id, played.member)
    record = {"messageId": "1", "body": body}
    assert on_due({"Records": [record, record]}) == {"batchItemFailures": []}
    assert len(played.log) > before
