"""Entries and the snapshot that each one carries: the bytes of the ledger.

One entry is one change of one member's account. It is stored as MessagePack arrays: field order is
the format, so fields are only ever added at the end, with a default, and `tests/golden/` keeps an
entry of every schema version. Names are the program's small numbers (`domain/program/numbers.py`).

Amounts of points are integers; times are instants (milliseconds); days are `date.toordinal()`
days of the program's time zone, 0 for never.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from chalicelib.domain.errors import Corrupt
from chalicelib.kernel.clock import Instant

SCHEMA = 1
FIRST_PREV = bytes(32)  # what the first entry of a log names as its predecessor
NEVER = 0


class Kind(IntEnum):
    """What an entry records."""

    ENROLLED = 1
    ORDER = 2
    REFUND = 3
    REDEMPTION = 4
    CONFIRMED = 5  # a fact of time: pending points can be spent
    EXPIRED = 6  # a fact of time: points are gone
    ADJUSTMENT = 7


class State(IntEnum):
    """Whether points can be spent."""

    AVAILABLE = 0
    PENDING = 1
    CONFIRMED = 2  # was pending and now can be spent: the amount was counted before


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


class Refunded(msgspec.Struct, frozen=True, array_like=True):
    """What a refund brought back: units of the order's lines by position, and money beside them."""

    lines: tuple[tuple[int, int], ...] = ()
    amount: int = 0
    rest: bool = False  # all that was left, whatever it was


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The whole account after an entry; reading a balance reads nothing else."""

    joined_at: Instant
    lots: tuple[Lot, ...] = ()  # in the order in which they are spent
    debts: tuple[Debt, ...] = ()
    remainders: tuple[Remainder, ...] = ()


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One change of an account, why it happened and what the account was after it."""

    schema: int
    kind: int
    recorded_at: Instant
    occurred_at: Instant
    program_version: int
    fingerprint: bytes
    effects: tuple[Effect, ...]
    moves: tuple[Lot, ...]
    snapshot: Snapshot
    refunded: Refunded | None = None
    reward: int = 0
    quantity: int = 0


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


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """The bytes of an entry, the same for the same entry."""
    return _ENCODER.encode(entry)


def decode(body: bytes) -> Entry:
    """The entry in these bytes. Raises `Corrupt`."""
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise Corrupt("an entry of the ledger cannot be read") from error
