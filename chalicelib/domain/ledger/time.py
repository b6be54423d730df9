"""Facts of time: points that can be spent from a day on, and points that are gone.

They are facts, not jobs: whoever reads an account or changes it first settles what has become due,
so that nothing depends on when a sweep ran, or whether it did. A settled fact is an entry of its
own, recorded at the moment when it was due: it has the same bytes whoever writes it and whenever.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.entries import (
    NEVER,
    SCHEMA,
    Effect,
    Entry,
    Kind,
    Lot,
    Snapshot,
    State,
    StoredEntry,
    encode,
)
from chalicelib.kernel.canonical import fingerprint
from chalicelib.kernel.clock import Instant, start_of_day

NO_RULE = 0
_NAMES = {Kind.CONFIRMED: "confirm", Kind.EXPIRED: "expire"}


@dataclass(frozen=True)
class Due:
    """Something that happens to an account by itself. At one moment, in the order of its kinds."""

    at: Instant
    kind: Kind
    day: int

    @property
    def ref(self) -> str:
        """Names the fact in its log, once for ever."""
        return f"time:{_NAMES[self.kind]}#{self.at}"


def next_due(snapshot: Snapshot, zone: ZoneInfo) -> Due | None:
    """What happens next to an account that nobody touches; None where nothing ever will."""
    dues = list(_dues(snapshot, zone))
    return min(dues, key=lambda due: (due.at, due.kind), default=None)


def settle(head: Head, zone: ZoneInfo, now: Instant) -> list[StoredEntry]:
    """The entries that follow a head by time alone, up to `now`."""
    entries = []
    while (due := next_due(head.snapshot, zone)) is not None and due.at <= now:
        stored = _follow(head, due)
        entries.append(stored)
        head = Head.of(stored)
    return entries


def settled(head: Head, zone: ZoneInfo, now: Instant) -> Snapshot:
    """The account as it is at `now`, whatever was written down of it."""
    entries = settle(head, zone, now)
    return Head.of(entries[-1]).snapshot if entries else head.snapshot


def _dues(snapshot: Snapshot, zone: ZoneInfo) -> Iterator[Due]:
    for lot in snapshot.lots:
        if lot.pending_until:
            yield _on(lot.pending_until, Kind.CONFIRMED, zone)
        if lot.expires_on != NEVER:
            yield _on(lot.expires_on, Kind.EXPIRED, zone)


def _on(day: int, kind: Kind, zone: ZoneInfo) -> Due:
    if day >= date.max.toordinal() - 1:  # its start may have no place in every zone
        return Due(FAR, kind, day)
    return Due(start_of_day(date.fromordinal(day), zone), kind, day)


FAR: Instant = 2**62  # later than every clock


def _follow(head: Head, due: Due) -> StoredEntry:
    account = Account.open(head.snapshot)
    effects: Counter[int] = Counter()
    for lot in head.snapshot.lots:
        if due.kind is Kind.CONFIRMED and lot.pending_until == due.day:
            account.move(lot.bucket, confirmed_bucket(lot), lot.amount)
            effects[lot.currency] += lot.amount
        if due.kind is Kind.EXPIRED and lot.expires_on == due.day:
            account.take(lot.bucket, lot.amount)
            effects[lot.currency] -= lot.amount
    entry = Entry(
        schema=SCHEMA,
        kind=due.kind,
        recorded_at=max(due.at, head.recorded_at),  # an old order may bring what is over already
        occurred_at=due.at,
        program_version=head.program_version,
        fingerprint=fingerprint(due.ref),
        effects=tuple(
            Effect(NO_RULE, currency, amount, state=_state(due))
            for currency, amount in sorted(effects.items())
        ),
        moves=account.moved(),
        snapshot=account.snapshot(),
    )
    return StoredEntry(head.key, head.version + 1, due.ref, head.hash, encode(entry))


def _state(due: Due) -> State:
    return State.CONFIRMED if due.kind is Kind.CONFIRMED else State.AVAILABLE


def confirmed_bucket(lot: Lot) -> tuple[int, int, int, int]:
    """Where the points of a pending lot go when they can be spent."""
    return (lot.currency, lot.expires_on, 0, lot.issuer)
