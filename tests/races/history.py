"""What clients saw, held against what the ledger says: was it one serial history?

The versions of a member's log are the order in which its changes happened. Every answer must fit
into it: the entry that was told is there, once; whoever was answered before another asked comes
before it; the balances that were told are those at that place (after Jepsen's "bank" test).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.ledger.account import balance_of
from chalicelib.domain.ledger.chain import check as check_chain
from chalicelib.domain.ledger.entries import StoredEntry, decode


@dataclass(frozen=True)
class Call:
    """One request, from when it was sent to when it was answered for good."""

    name: str  # what is asked for: the same name is the same thing asked again
    sent_at: float
    answered_at: float
    status: int
    body: Any
    replayed: bool = False

    @property
    def done(self) -> bool:
        return self.status in (200, 201)


def check(calls: Sequence[Call], logs: Mapping[str, Sequence[StoredEntry]]) -> None:
    """Raises AssertionError where it is no serial history. Logs are oldest first."""
    for member_id, log in logs.items():
        assert [one.version for one in log] == list(range(1, len(log) + 1)), f"{member_id}: a gap"
        broken = check_chain(list(log)[::-1], to_the_first=True)
        assert broken is None, f"{member_id}: {broken}"
        refs = [one.ref for one in log]
        assert len(set(refs)) == len(refs), f"{member_id}: something happened twice"
    _check_answers(calls, logs)
    _check_order(calls)


def _check_answers(calls: Sequence[Call], logs: Mapping[str, Sequence[StoredEntry]]) -> None:
    places: defaultdict[str, set[str]] = defaultdict(set)
    names: defaultdict[str, set[str]] = defaultdict(set)
    for call in calls:
        if not call.done:
            continue
        event = call.body["entry"]["event_id"]
        places[call.name].add(event)
        names[event].add(call.name)
        member_id, _, version = event.rpartition(".")
        log = logs[member_id]
        assert int(version) <= len(log), f"{call.name}: the entry that was told is not there"
        _check_balances(call, log[int(version) - 1])
    for name, events in places.items():
        assert len(events) == 1, f"{name} was answered with {sorted(events)}"
    for event, asked in names.items():
        assert len(asked) == 1, f"{sorted(asked)} were answered with the same entry {event}"
    told = {event for events in places.values() for event in events}
    for member_id, log in logs.items():
        for stored in log[1:]:
            assert stored.event_id in told or _is_consequence(stored), (
                f"{member_id}: nobody was told of {stored.ref}"
            )


def _is_consequence(stored: StoredEntry) -> bool:
    return stored.ref.startswith(("time:", "transfer:"))


def _check_balances(call: Call, stored: StoredEntry) -> None:
    snapshot = decode(stored.body).snapshot
    [told] = call.body["balances"].values()
    held = balance_of(snapshot, 1)
    there = {
        "available": held.available,
        "pending": held.pending,
        "reserved": held.reserved,
        "debt": held.debt,
    }
    assert told == there, f"{call.name}: {told} was told, the entry says {there}"


def _check_order(calls: Sequence[Call]) -> None:
    """Answered before the other was sent is before it in the log."""
    by_member: defaultdict[str, list[tuple[Call, int]]] = defaultdict(list)
    for call in calls:
        if call.done and not call.replayed:
            member_id, _, version = call.body["entry"]["event_id"].rpartition(".")
            by_member[member_id].append((call, int(version)))
    for mine in by_member.values():
        for call, version in mine:
            for other, later in mine:
                if call.answered_at < other.sent_at:
                    assert version < later, f"{other.name} was put before {call.name}"
