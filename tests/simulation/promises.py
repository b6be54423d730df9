"""What must be true once everything has come to rest: I1 to I13 of the ledger, and the balances."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import fields, replace

from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Head, balance_of
from chalicelib.domain.ledger.chain import check
from chalicelib.domain.ledger.commands import Capture, Redeem, RefundOrder, Reserve, Transfer
from chalicelib.domain.ledger.entries import (
    UNCOUNTED,
    Entry,
    Kind,
    LogKey,
    Snapshot,
    Standing,
    State,
    StoredEntry,
    decode,
)
from chalicelib.domain.ledger.standing import IS_ERASED, IS_RESTRICTED
from chalicelib.domain.ledger.time import next_due, settled
from chalicelib.domain.orders import Order
from chalicelib.services.redemptions import REDEMPTION, event_of
from tests.simulation.plain import NEVER, POINTS, STARS, Bill, Plain, Purse, day
from tests.simulation.play import PLANTED, SOURCE, Play
from tests.simulation.world import PROGRAM

Balances = dict[str, tuple[int, int, int, int]]


def check_all(play: Play) -> str:
    """Raises AssertionError where a promise is broken; a digest of the whole run."""
    logs = {member_id: play.world.log(member_id) for member_id in _everybody(play)}
    for log in logs.values():
        _check_log(log)
    plain = recomputed(play)
    _check_balances(play, logs, plain)
    _check_totals(play, logs, plain)
    _check_orders(play, logs, plain)
    _check_contents(play, logs, plain)
    _check_answers(play, logs)
    _check_dues(play, logs)
    _check_forgotten(play, logs)
    digest = hashlib.sha256()
    for stored in play.world.ledger.commits:
        digest.update(stored.hash)
    return digest.hexdigest()


def recomputed(play: Play) -> Plain:
    """The plain recomputation; it is held against every entry on the way."""
    plain = Plain()
    commits = play.world.ledger.commits
    for at, stored in enumerate(commits):
        entry = decode(stored.body)
        member_id = stored.key.member_id
        if stored.ref.startswith("time:"):
            continue
        if stored.ref.startswith("enrol:"):
            plain.purses[member_id] = Purse(entry.recorded_at)
            continue
        plain.purses[member_id].advance(entry.recorded_at)
        if stored.ref.startswith("merge:") and stored.ref.endswith("#merged"):
            other = stored.ref[len("merge:") : -len("#merged")]
            closed = commits[at + 1]
            assert closed.key.member_id == other
            plain.purses[other].advance(decode(closed.body).recorded_at)
        _obey(play, plain, stored, entry)
        plain.purses[member_id].forget()
        told, mine = _told(entry.snapshot), _mine(plain.purses[member_id])
        assert told == mine, f"{stored.ref} of {stored.event_id}: {told} is not {mine}"
    return plain


def _obey(play: Play, plain: Plain, stored: StoredEntry, entry: Entry) -> None:
    """Does in plain what was asked for under a ref."""
    member_id, ref = stored.key.member_id, stored.ref
    source, _, rest = ref.partition(":")
    name, _, event = rest.partition("#")
    if source == SOURCE:
        _of_order(play, plain, stored, entry)
    elif source == "hold":
        _resolve(play, plain, stored, entry, name)
    elif source == "redemption":
        plain.give_back(member_id, name)
    elif source == "transfer":
        plain.receive(member_id, name)
    elif source == "merge" and event == "merged":
        plain.take_over(member_id, name)
    elif source == "member" and event == "erased":
        plain.erase(member_id)
    elif source == "key":
        _keyed(play, plain, stored, entry)


def _keyed(play: Play, plain: Plain, stored: StoredEntry, entry: Entry) -> None:
    member_id, terms = stored.key.member_id, play.terms[entry.program_version]
    [asked] = play.asked[stored.ref]
    if isinstance(asked, Redeem):
        plain.redeem(member_id, stored.event_id, asked.quantity, terms, entry.recorded_at)
    elif isinstance(asked, Reserve):
        ends_at = entry.recorded_at + asked.lasts_milliseconds
        amount = terms.mug if asked.reward else asked.amount
        stock = 1 if asked.reward else 0
        plain.reserve(member_id, stored.version, POINTS, amount, ends_at, stock)
    elif isinstance(asked, Transfer):
        plain.send(member_id, stored.event_id, asked.currency, asked.amount)
    else:
        ends = terms.ends(day(entry.recorded_at)) if asked.currency == POINTS else NEVER
        plain.adjust(member_id, asked.currency, asked.amount, ends)


def _of_order(play: Play, plain: Plain, stored: StoredEntry, entry: Entry) -> None:
    member_id = stored.key.member_id
    name, _, event = stored.ref.partition(":")[2].partition("#")
    kind = event.partition(":")[0]
    if kind in ("paid", "pending", "edit"):
        content = _content(play.asked[name], entry.fingerprint)
        if kind == "edit":
            plain.edit(member_id, content)
            return
        head = play.world.twin.programs.head(PROGRAM)
        assert head is not None
        version = head.in_force_at(content.placed_at)
        assert version is not None
        terms = play.terms[version]
        plain.record(member_id, content, paid=kind == "paid", terms=terms)
    elif kind == "confirm":
        plain.confirm(member_id, name)
    elif kind == "cancel":
        plain.refund(member_id, name, {}, 0, rest=True)
    else:
        [asked] = play.asked[stored.ref]
        lines = {one.id: one.quantity for one in asked.lines}
        rest = not lines and asked.amount is None
        plain.refund(member_id, name, lines, asked.amount or 0, rest=rest)


def _content(asked: list[Order], fingerprint: bytes) -> Order:
    """What an entry says of an order: a content that was asked for, as of some message's time."""
    times = {one.updated_at for one in asked}
    told = (replace(one, updated_at=at) for one in asked for at in (one.updated_at, *times))
    return next(one for one in told if one.fingerprint == fingerprint)


def _resolve(play: Play, plain: Plain, stored: StoredEntry, entry: Entry, event: str) -> None:
    asked = [one for one in play.asked.get(stored.ref, []) if one.fingerprint == entry.fingerprint]
    captured: int | None = 0  # the erasure frees what is reserved
    if asked and isinstance(asked[0], Capture):
        captured = asked[0].amount
    number = int(event.rpartition(".")[2])
    plain.resolve(stored.key.member_id, stored.event_id, number, captured)


def _everybody(play: Play) -> list[str]:
    return list(dict.fromkeys(one.key.member_id for one in play.world.ledger.commits))


def _told(snapshot: Snapshot) -> Balances:
    balances = {}
    for name, number in ((POINTS, 1), (STARS, 2)):
        held = balance_of(snapshot, number)
        balances[name] = (held.available, held.pending, held.reserved, held.debt)
    return balances


def _mine(purse: Purse) -> Balances:
    return {name: purse.balance(name) for name in (POINTS, STARS)}


def _check_log(log: list[StoredEntry]) -> None:
    """I1, I2, I3, I4, I5, I6: dense, summed, never below zero, chained, each ref once."""
    assert [one.version for one in log] == list(range(1, len(log) + 1))
    assert check(log[::-1], to_the_first=True) is None
    found = [one.ref for one in log]
    assert len(set(found)) == len(found)
    for stored in log:
        snapshot = decode(stored.body).snapshot
        assert all(lot.amount > 0 for lot in snapshot.lots)
        assert all(lot.amount > 0 for hold in snapshot.holds for lot in hold.lots)


def _check_balances(play: Play, logs: dict[str, list[StoredEntry]], plain: Plain) -> None:
    """The last balances, at the last moment, are the recomputed ones."""
    now = play.world.now
    for member_id, log in logs.items():
        plain.purses[member_id].advance(now)
        told = _told(settled(Head.of(log[-1]), play.world.versions, now))
        assert told == _mine(plain.purses[member_id]), member_id


def _check_totals(play: Play, logs: dict[str, list[StoredEntry]], plain: Plain) -> None:
    """I8, I9, I10, I11: what was given less what was taken is what is there; stock too."""
    moved: Counter[int] = Counter()
    transferred = 0
    for log in logs.values():
        for entry in (decode(one.body) for one in log):
            for effect in entry.effects:
                if effect.state not in UNCOUNTED:
                    moved[effect.currency] += effect.amount
                if entry.kind in (Kind.TRANSFER_SENT, Kind.TRANSFER_RECEIVED):
                    transferred += effect.amount
    for currency in (1, 2):
        owned = (balance_of(Head.of(log[-1]).snapshot, currency).owned for log in logs.values())
        assert moved[currency] == sum(owned)
    assert transferred == 0
    used = sum(play.world.ledger.used(PROGRAM).values())
    assert used == sum(purse.stock for purse in plain.purses.values())
    assert used <= 7


def _check_orders(play: Play, logs: dict[str, list[StoredEntry]], plain: Plain) -> None:
    """I7: no order takes back more than it gave; a returned one everything that was not lost."""
    net: defaultdict[str, Counter[int]] = defaultdict(Counter)
    lapsed: defaultdict[str, Counter[int]] = defaultdict(Counter)
    paid_to: defaultdict[str, set[str]] = defaultdict(set)
    every_ref = {stored.ref for log in logs.values() for stored in log}
    for member_id, log in logs.items():
        for stored in log:
            if not stored.ref.startswith(SOURCE):
                continue
            name = stored.ref.partition(":")[2].partition("#")[0]
            paid_to[name].add(plain.whose(member_id))
            for effect in decode(stored.body).effects:
                if effect.state == State.LAPSED:
                    lapsed[name][effect.currency] += effect.amount
                elif effect.state not in UNCOUNTED:
                    net[name][effect.currency] += effect.amount
    for name, bill in plain.bills.items():
        assert len(paid_to[name]) == 1, f"{name} was given to {paid_to[name]}"
        assert net[name][1] >= 0
        assert net[name][2] >= 0 or bill.terms.beans > 1  # another order's remainder made the star
        if bill.is_back() and bill.terms.clawback == "debt" and bill.content.lines:
            assert net[name][1] + lapsed[name][1] == 0, name
        if bill.rest and _standing(logs, *paid_to[name]) != Standing.ERASED:
            _check_redemptions(bill, every_ref)
    _check_parked(play, logs, every_ref)


def _check_contents(play: Play, logs: dict[str, list[StoredEntry]], plain: Plain) -> None:
    """An order of a store is what the store said last, whatever came when. A cancelled one is as it
    was, and one of a member who was restricted or erased as he left it."""
    every_ref = {stored.ref for log in logs.values() for stored in log}
    for member_id, contents in play.of_stores:
        name = contents[0].id
        is_cancelled = refs.of_order(SOURCE, name, refs.CANCELLED) in every_ref
        is_erased = _standing(logs, plain.whose(member_id)) == Standing.ERASED
        assert play.refused[name] <= {IS_RESTRICTED.code, IS_ERASED.code}
        if is_cancelled or is_erased or play.refused[name]:
            continue
        latest = max(contents, key=lambda one: (one.updated_at, one.fingerprint))
        bill = plain.bills[name]
        assert bill.content.says_as(latest), name
        assert bill.paid == (name in play.paid), name


def _check_redemptions(bill: Bill, every_ref: set[str]) -> None:
    """What was redeemed for an order that came back came back too."""
    for redemption_id in bill.content.redemptions:
        event = event_of(redemption_id, REDEMPTION)
        assert refs.given_back(event or "") in every_ref, f"{bill.content.id}: {redemption_id}"


def _check_parked(play: Play, logs: dict[str, list[StoredEntry]], every_ref: set[str]) -> None:
    """What came before its order and takes all of it back was not forgotten."""
    taken_back = {
        ref.partition("#")[0] for ref in every_ref if "#refund" in ref or "#cancel" in ref
    }
    for member_id in logs:
        for record in play.world.twin.orders.of_member(PROGRAM, member_id, None, 10**6)[0]:
            recorded = f"{SOURCE}:{record.order.id}#paid" in every_ref
            whole = [one for one in record.parked if one.refund is None or _is_whole(one.refund)]
            if whole and recorded:
                assert f"{SOURCE}:{record.order.id}" in taken_back, record.order.id


def _is_whole(refund: RefundOrder) -> bool:
    return not refund.lines and refund.amount is None


def _standing(logs: dict[str, list[StoredEntry]], member_id: str) -> int:
    return decode(logs[member_id][-1].body).snapshot.standing


def _check_answers(play: Play, logs: dict[str, list[StoredEntry]]) -> None:
    """Whatever was answered is in the ledger, as it was answered."""
    for call in play.calls:
        for stored in call.answers:
            assert logs[stored.key.member_id][stored.version - 1] == stored, call.what


def _check_dues(play: Play, logs: dict[str, list[StoredEntry]]) -> None:
    """I12: every event was worked on: each member's row lies where his next fact is due."""
    for member_id, log in logs.items():
        head = Head.of(log[-1])
        row = play.world.twin.dues.of(PROGRAM, member_id)
        due = next_due(head, play.world.versions)
        at = due.at if due is not None and due.at < 2**61 else None
        assert (row.at if row else None) == at, member_id


def _check_forgotten(play: Play, logs: dict[str, list[StoredEntry]]) -> None:
    """I13: no entry tells of a person, and nothing at all tells of the erased."""
    store = play.world.twin
    ledger = b"".join(one.body for log in logs.values() for one in log)
    assert PLANTED.partition("{")[0].encode() not in ledger
    ports = [getattr(store, one.name) for one in fields(store)]
    everything = " ".join(repr(vars(port)) for port in ports if port is not store.ledger)
    for member_id, planted in play.planted.items():
        head = store.ledger.head(LogKey(PROGRAM, member_id), strong=True)
        while head is not None and head.snapshot.merged_into:
            head = store.ledger.head(LogKey(PROGRAM, head.snapshot.merged_into), strong=True)
        if head is not None and head.snapshot.standing == Standing.ERASED:
            assert planted not in everything, f"{member_id} is not forgotten"
