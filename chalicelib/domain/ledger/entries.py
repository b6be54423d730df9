"""Entries and the snapshot that each one carries: the bytes of the ledger.

One entry is one change of one member's account. It is stored as MessagePack arrays: field order is
the format, so fields are only ever added at the end, with a default, and `tests/golden/` keeps an
entry of every schema version. Names are the program's small numbers (`domain/program/numbers.py`).
Lots are packed: an account with a lot for each day of a year stays below the ceiling of 4 KB.

Amounts of points are integers; times are instants (milliseconds); days are `date.toordinal()`
days of the program's time zone, 0 for never.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec

from chalicelib.domain.conditions.situation import Known
from chalicelib.domain.counting.tallies import NO_TALLIES, Tallies
from chalicelib.domain.errors import Corrupt
from chalicelib.domain.memberships.membership import Membership
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.tiers.tiers import Held
from chalicelib.kernel.clock import Instant

SCHEMA = 4
FIRST_PREV = bytes(32)  # what the first entry of a log names as its predecessor


class Kind(IntEnum):
    """What an entry records."""

    ENROLLED = 1
    ORDER = 2
    REFUND = 3
    REDEMPTION = 4
    CONFIRMED = 5  # a fact of time: pending points can be spent
    EXPIRED = 6  # a fact of time: points are gone
    ADJUSTMENT = 7
    ORDER_PENDING = 8  # an order that nobody has paid yet
    ORDER_CONFIRMED = 9
    ORDER_CANCELLED = 10
    ORDER_EDITED = 11
    RESERVED = 12
    CAPTURED = 13
    VOIDED = 14
    RELEASED = 15  # a fact of time: a reservation ran out
    REDEMPTION_CANCELLED = 16
    TRANSFER_SENT = 17
    TRANSFER_RECEIVED = 18
    MERGED = 19  # another member's account was taken over
    CLOSED = 20  # this account was taken over by another member's
    RESTRICTED = 21
    UNRESTRICTED = 22
    ERASED = 23
    EXCHANGED = 24  # points of one currency became points of another
    ACTIVITY = 25  # something a member did that is no order
    TIER_ENDED = 26  # a fact of time: a tier, or a floor, was kept until here
    CONVERTED = 27  # a fact of time: points of one currency became points of another
    TIER_SET = 28  # the shop gave the member a tier by hand
    CELEBRATED = 29  # a birthday, an anniversary, a long absence
    MEMBERSHIP = 30  # a paid membership is another than before
    MEMBERSHIP_DUE = 31  # a fact of time: a membership ended, lapsed, or is soon charged for
    REFERRAL = 32  # an advocate, or a friend, gets what a referral brings
    REFERRAL_REVERSED = 33  # and loses it


class State(IntEnum):
    """Whether points can be spent."""

    AVAILABLE = 0
    PENDING = 1
    CONFIRMED = 2  # was pending and now can be spent
    RESERVED = 3  # set aside by a reservation (below zero), or free again
    LAPSED = 4  # to be taken back, but gone by expiry already: nobody loses them twice
    QUALIFIES = 5  # no points: an activity is what the terms of referrals ask for


PASSING = frozenset({State.CONFIRMED, State.RESERVED})  # no change of what a rule gave
UNCOUNTED = PASSING | {State.LAPSED}  # no change of what is owned


class Standing(IntEnum):
    """Whether an account can change."""

    OPEN = 0
    RESTRICTED = 1  # nothing is earned or spent; refunds and time go on
    CLOSED = 2  # merged into another
    ERASED = 3


class Lot(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Points of one bucket. In `Entry.moves` the amount is what was added or taken."""

    currency: int
    expires_on: int  # the day they are gone
    pending_until: int  # the day they become available
    issuer: int
    amount: int

    @property
    def bucket(self) -> tuple[int, int, int, int]:
        """What lots are told apart by."""
        return (self.currency, self.expires_on, self.pending_until, self.issuer)


class Lots:
    """Lots in the order in which they are spent: soonest expiry first, what never expires last.

    Packed they are one list of numbers: for each currency, pending day and issuer those three and
    a count, then so many pairs of an amount and a day, each day counted from the one before.
    """

    __slots__ = ("_lots",)

    def __init__(self, lots: Iterable[Lot] = ()) -> None:
        self._lots = tuple(sorted(lots, key=_spending_order))

    def __iter__(self) -> Iterator[Lot]:
        return iter(self._lots)

    def __len__(self) -> int:
        return len(self._lots)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lots) and self._lots == other._lots

    def __hash__(self) -> int:
        return hash(self._lots)

    def __repr__(self) -> str:
        return f"Lots({self._lots!r})"

    def packed(self) -> list[int]:
        """As they are stored."""
        groups: dict[tuple[int, int, int], list[Lot]] = {}
        for lot in self._lots:
            groups.setdefault((lot.currency, lot.pending_until, lot.issuer), []).append(lot)
        numbers: list[int] = []
        for group, lots in groups.items():
            numbers += (*group, len(lots))
            day = 0
            for lot in lots:
                numbers += (lot.amount, lot.expires_on - day)
                day = lot.expires_on
        return numbers

    @classmethod
    def unpacked(cls, stored: list[Any]) -> "Lots":
        """What was stored: packed, or, in the first schema, one list a lot."""
        if stored and isinstance(stored[0], list):
            return cls(Lot(*fields) for fields in stored)
        lots = []
        at = 0
        while at < len(stored):
            currency, pending_until, issuer, count = stored[at : at + 4]
            at += 4
            day = 0
            for _ in range(count):
                amount, distance = stored[at : at + 2]
                at += 2
                day += distance
                lots.append(Lot(currency, day, pending_until, issuer, amount))
        return cls(lots)


def _spending_order(lot: Lot) -> tuple[int, int, int, int, int]:
    never = lot.expires_on == NEVER
    return (lot.currency, never, lot.expires_on, lot.pending_until, lot.issuer)


NO_LOTS = Lots()


class Hold(msgspec.Struct, frozen=True, array_like=True):
    """Points that a reservation has set aside, by the buckets they came from."""

    number: int  # the version of the entry that made it
    expires_at: Instant
    lots: Lots
    reward: int = 0
    quantity: int = 0
    stock: int = 0  # units of the reward's stock that it keeps

    @property
    def currency(self) -> int:
        return next(iter(self.lots)).currency

    @property
    def amount(self) -> int:
        return sum(lot.amount for lot in self.lots)


class Debt(msgspec.Struct, frozen=True, array_like=True):
    """Points of one currency that were taken back after they had been spent."""

    currency: int
    amount: int


class Remainder(msgspec.Struct, frozen=True, array_like=True):
    """What one carrying rule has left over: money or units times points, below one step."""

    rule: int
    amount: int


class Effect(msgspec.Struct, frozen=True, array_like=True):
    """What one rule gave or took."""

    rule: int  # 0: no rule, a reward's price
    currency: int
    amount: int
    weight: int = 0  # of the order, or of what came back
    state: int = State.AVAILABLE
    factors: tuple[int, ...] = ()  # the multipliers that counted: the weight is with them


class Refunded(msgspec.Struct, frozen=True, array_like=True):
    """What a refund brought back: units of the order's lines by position, and money beside them."""

    lines: tuple[tuple[int, int], ...] = ()
    amount: int = 0
    rest: bool = False  # all that was left, whatever it was


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The whole account after an entry; reading a balance reads nothing else."""

    joined_at: Instant
    lots: Lots = NO_LOTS
    debts: tuple[Debt, ...] = ()
    remainders: tuple[Remainder, ...] = ()
    holds: tuple[Hold, ...] = ()
    expired: Lots = NO_LOTS  # what expired lately: a refund does not take it a second time
    standing: int = Standing.OPEN
    merged_into: str = ""  # the member who took this account over
    merged: tuple[str, ...] = ()  # the members whose accounts were taken over
    tallies: Tallies = NO_TALLIES  # what was counted, for tiers, caps and segments
    held: Held = Held()
    converted_on: int = 0  # the last day on which points were converted by the calendar
    membership: Membership | None = None  # the newest paid one
    welcomed: tuple[int, ...] = ()  # the plans whose welcome was given


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One change of an account, why it happened and what the account was after it."""

    schema: int
    kind: int
    recorded_at: Instant
    occurred_at: Instant
    program_version: int
    fingerprint: bytes
    effects: tuple[Effect, ...]
    moves: Lots  # what was added to and taken from each bucket
    snapshot: Snapshot
    refunded: Refunded | None = None
    reward: int = 0
    quantity: int = 0
    stands: tuple[Effect, ...] | None = None  # what the whole order gives, where effects do not say
    spent: Lots = NO_LOTS  # what a redemption or a capture took for good
    stock: int = 0  # units of the reward's stock that are taken, kept or put back, as the kind says
    known: Known | None = None  # what the rules knew of the member; None: the cause counts nothing
    budgets: tuple[tuple[int, int], ...] = ()  # what it takes of each campaign's budget
    tier: tuple[int, int] | None = None  # the tier before and after, where it changed
    change: int = 0  # what happened to a membership
    imported: bool = False  # history that an import brought: nobody is told of it

    @property
    def stock_taken(self) -> int:
        """By how much the stock of the reward is less after this entry."""
        return _STOCK.get(Kind(self.kind), 0) * self.stock

    @property
    def given(self) -> tuple[Effect, ...]:
        """What the order as it stands after this entry gives in all, before any refund."""
        return self.effects if self.stands is None else self.stands


_STOCK = {
    Kind.REDEMPTION: 1,
    Kind.RESERVED: 1,
    Kind.VOIDED: -1,
    Kind.RELEASED: -1,
    Kind.REDEMPTION_CANCELLED: -1,
    Kind.REFERRAL: 1,
    Kind.REFERRAL_REVERSED: -1,
}


@dataclass(frozen=True)
class LogKey:
    """One member's log."""

    program_id: str
    member_id: str

    def __str__(self) -> str:
        return f"{self.program_id}#{self.member_id}"


@dataclass(frozen=True)
class StoredEntry:
    """An entry as it lies in the table: where, why, after what, and its bytes."""

    key: LogKey
    version: int
    ref: str
    prev: bytes
    body: bytes

    @property
    def hash(self) -> bytes:
        """SHA-256 over everything stored: what the next entry names as `prev`."""
        head = f"{self.key}\0{self.version}\0{self.ref}\0".encode()
        return hashlib.sha256(head + self.prev + self.body).digest()

    @property
    def event_id(self) -> str:
        """`<member>.<version>`: the identifier of the event that the entry is."""
        return f"{self.key.member_id}.{self.version}"


def _pack(value: Any) -> list[int]:
    if isinstance(value, (Lots, Tallies)):
        return value.packed()
    raise NotImplementedError(type(value))


def _unpack(wanted: type, stored: Any) -> Any:
    if wanted is Lots and isinstance(stored, list):
        return Lots.unpacked(stored)
    if wanted is Tallies and isinstance(stored, list):
        return Tallies.unpacked(stored)
    raise NotImplementedError(wanted)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_pack)
_DECODER = msgspec.msgpack.Decoder(Entry, dec_hook=_unpack)


def encode(entry: Entry) -> bytes:
    """The bytes of an entry, the same for the same entry.

    What is not imported does not say so: its bytes are those from before there were imports.
    """
    return _ENCODER.encode(entry if entry.imported else msgspec.structs.astuple(entry)[:-1])


def decode(body: bytes) -> Entry:
    """The entry in these bytes. Raises `Corrupt`."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise Corrupt("an entry of the ledger cannot be read") from error
