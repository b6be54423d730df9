"""Facts of time: points that can be spent from a day on, reservations that run out, points that
are gone, memberships that end.

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
from chalicelib.domain.ledger.calendar import Brought, next_brought
from chalicelib.domain.ledger.entries import (
    NO_LOTS,
    SCHEMA,
    Effect,
    Entry,
    Kind,
    Snapshot,
    State,
    StoredEntry,
    encode,
)
from chalicelib.domain.ledger.progress import tier_change
from chalicelib.domain.memberships.membership import Change, after, dues_of
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.program.program import Program, Versions
from chalicelib.domain.tiers.tiers import FOR_EVER, NONE, Held
from chalicelib.kernel.canonical import fingerprint
from chalicelib.kernel.clock import Instant, start_of_day

NO_RULE = 0
_NAMES = {
    Kind.CONFIRMED: "confirm",
    Kind.EXPIRED: "expire",
    Kind.RELEASED: "release",
    Kind.TIER_ENDED: "tier",
    Kind.CONVERTED: "calendar",
    Kind.MEMBERSHIP_DUE: "membership",
}


@dataclass(frozen=True)
class Due:
    """Something that happens to an account by itself. At one moment, in the order of its kinds."""

    at: Instant
    kind: Kind
    what: int  # the day of lots, the number of a reservation
    brought: Brought | None = None  # what the calendar brings then

    def ref(self, head: Head) -> str:
        """Names the fact in its log, once for ever.

        Usually by the moment alone. What lay in the past already when it came into the account
        (an old order, a reservation that outlived its points) is named by its place as well, for
        the same moment may have had its fact before.
        """
        ref = f"time:{_NAMES[self.kind]}#{self.at}"
        return ref if self.at > head.recorded_at else f"{ref}.{head.version + 1}"

    def is_history(self, head: Head) -> bool:
        """Whether an import brought it: it was over already when the import wrote the head."""
        return head.imported and self.at <= head.recorded_at


def next_due(head: Head, versions: Versions) -> Due | None:
    """What happens next to an account that nobody touches; None where nothing ever will."""
    zone = versions.version(head.program_version).zone if head.program_version else None
    dues = list(_dues(head.snapshot, zone)) if zone else []
    brought = next_brought(head, versions)
    if brought is not None:
        dues.append(Due(brought.at, Kind.CONVERTED, brought.day, brought))
    return min(dues, key=lambda due: (due.at, due.kind, due.what), default=None)


def settle(head: Head, versions: Versions, now: Instant) -> list[StoredEntry]:
    """The entries that follow a head by time alone, up to `now`.

    Days are those of the version that made the head; what a version decides (a tier's end) is
    decided by the one in force then.
    A clock that is behind the one that wrote the head is set by it: time never goes back in a log.
    """
    now = max(now, head.recorded_at)
    entries = []
    while (due := next_due(head, versions)) is not None and due.at <= now:
        stored = _follow(head, due, versions)
        entries.append(stored)
        head = Head.of(stored)
    return entries


def settled(head: Head, versions: Versions, now: Instant) -> Snapshot:
    """The account as it is at `now`, whatever was written down of it."""
    entries = settle(head, versions, now)
    return Head.of(entries[-1]).snapshot if entries else head.snapshot


def _dues(snapshot: Snapshot, zone: ZoneInfo) -> Iterator[Due]:
    for lot in snapshot.lots:
        if lot.pending_until:
            yield _on(lot.pending_until, Kind.CONFIRMED, zone)
        if lot.expires_on != NEVER:
            yield _on(lot.expires_on, Kind.EXPIRED, zone)
    if snapshot.held.ends != FOR_EVER:
        yield _on(snapshot.held.ends, Kind.TIER_ENDED, zone)
    for hold in snapshot.holds:
        yield Due(hold.expires_at, Kind.RELEASED, hold.number)
    if snapshot.membership is not None:
        for at, change in dues_of(snapshot.membership):
            yield Due(at, Kind.MEMBERSHIP_DUE, change)


def _on(day: int, kind: Kind, zone: ZoneInfo) -> Due:
    if day >= date.max.toordinal() - 1:  # its start may have no place in every zone
        return Due(FAR, kind, day)
    return Due(start_of_day(date.fromordinal(day), zone), kind, day)


FAR: Instant = 2**62  # later than every clock


def _follow(head: Head, due: Due, versions: Versions) -> StoredEntry:
    if due.brought is not None:
        return _bring(head, due, due.brought, versions)
    if due.kind is Kind.MEMBERSHIP_DUE:
        return _change_membership(head, due)
    account = Account.open(head.snapshot)
    tier = None
    if due.kind is Kind.TIER_ENDED:
        tier = _end_tier(account, due.what, versions.at(due.at))
    effects: Counter[int] = Counter()
    reward, quantity, stock = 0, 0, 0
    for lot in head.snapshot.lots:
        if due.kind is Kind.CONFIRMED and lot.pending_until == due.what:
            account.move(lot.bucket, (*lot.bucket[:2], 0, lot.issuer), lot.amount)
            effects[lot.currency] += lot.amount
        if due.kind is Kind.EXPIRED and lot.expires_on == due.what:
            effects[lot.currency] -= account.expire(lot.bucket)
    if due.kind is Kind.RELEASED:
        hold = account.holds[due.what]
        effects[hold.currency] += hold.amount
        reward, quantity, stock = hold.reward, hold.quantity, hold.stock
        account.free(due.what)
    ref = due.ref(head)
    entry = Entry(
        schema=SCHEMA,
        kind=due.kind,
        recorded_at=max(due.at, head.recorded_at),  # an old order may bring what is over already
        occurred_at=due.at,
        program_version=head.program_version,
        fingerprint=fingerprint(ref),
        effects=tuple(
            Effect(NO_RULE, currency, amount, state=_STATES[due.kind])
            for currency, amount in sorted(effects.items())
        ),
        moves=account.moved(),
        snapshot=account.snapshot(),
        reward=reward,
        quantity=quantity,
        stock=stock,
        tier=tier,
        imported=due.is_history(head),
    )
    return StoredEntry(head.key, head.version + 1, ref, head.hash, encode(entry))


def _bring(head: Head, due: Due, brought: Brought, versions: Versions) -> StoredEntry:
    """What the calendar brings on a day: all of it is one entry."""
    ref = due.ref(head)
    entry = Entry(
        schema=SCHEMA,
        kind=brought.entry_kind,
        recorded_at=max(due.at, head.recorded_at),
        occurred_at=due.at,
        program_version=versions.at(due.at).version,
        fingerprint=fingerprint(ref),
        effects=brought.effects,
        moves=brought.account.moved(),
        snapshot=brought.account.snapshot(converted_on=brought.day),
        imported=due.is_history(head),
    )
    return StoredEntry(head.key, head.version + 1, ref, head.hash, encode(entry))


def _change_membership(head: Head, due: Due) -> StoredEntry:
    """A membership ended, lapsed, or will be charged for soon."""
    membership = head.snapshot.membership
    assert membership is not None  # noqa: S101 (it is due)
    change = Change(due.what)
    ref = due.ref(head)
    entry = Entry(
        schema=SCHEMA,
        kind=due.kind,
        recorded_at=max(due.at, head.recorded_at),
        occurred_at=due.at,
        program_version=head.program_version,
        fingerprint=fingerprint(ref),
        effects=(),
        moves=NO_LOTS,
        snapshot=Account.open(head.snapshot).snapshot(membership=after(membership, change)),
        change=change,
        imported=due.is_history(head),
    )
    return StoredEntry(head.key, head.version + 1, ref, head.hash, encode(entry))


def _end_tier(account: Account, day: int, program: Program) -> tuple[int, int] | None:
    """Lets the tier, or the floor, end that was held until this day."""
    was = account.held
    account.held = _past(was, day)
    if program.tiers is None:
        return None
    before = program.tiers.tier(was, day - 1)
    account.held = program.tiers.end(was, account.tallies, day)
    now = program.tiers.tier(account.held, day)
    return tier_change(before.number if before else 0, now.number if now else 0)


def _past(held: Held, day: int) -> Held:
    """Without what ended by this day."""
    over = held.until != FOR_EVER and held.until <= day
    floor_over = held.floor_until != FOR_EVER and held.floor_until <= day
    return Held(
        NONE if over else held.level,
        FOR_EVER if over else held.until,
        NONE if floor_over else held.floor,
        FOR_EVER if floor_over else held.floor_until,
    )


_STATES = {
    Kind.CONFIRMED: State.CONFIRMED,
    Kind.EXPIRED: State.AVAILABLE,
    Kind.RELEASED: State.RESERVED,
}
