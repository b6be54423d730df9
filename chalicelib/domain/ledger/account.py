"""The account that `decide` changes: a snapshot, and how points enter and leave it.

Points enter by paying debt first, then into the lot of their bucket. They leave from the bucket
they are said to come from, then soonest expiry first (what never expires comes last), and what
is missing becomes debt where that is allowed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from chalicelib.domain.ledger.entries import (
    FIRST_PREV,
    NEVER,
    Debt,
    LogKey,
    Lot,
    Remainder,
    Snapshot,
    StoredEntry,
    decode,
)

Bucket = tuple[int, int, int, int]


@dataclass(frozen=True)
class Head:
    """The last entry of a log, as far as the next one needs it."""

    key: LogKey
    version: int
    ref: str
    hash: bytes
    recorded_at: int
    program_version: int
    snapshot: Snapshot

    @classmethod
    def of(cls, stored: StoredEntry) -> "Head":
        """The head that an entry is. Raises `Corrupt` where it cannot be read."""
        entry = decode(stored.body)
        return cls(
            stored.key,
            stored.version,
            stored.ref,
            stored.hash,
            entry.recorded_at,
            entry.program_version,
            entry.snapshot,
        )

    @classmethod
    def before_first(cls, key: LogKey, joined_at: int) -> "Head":
        """Where a log starts: version 0, an empty account."""
        return cls(key, 0, "", FIRST_PREV, joined_at, 0, Snapshot(joined_at))


@dataclass(frozen=True)
class Balance:
    """One currency of one account."""

    available: int = 0
    pending: int = 0
    reserved: int = 0
    debt: int = 0


def balance_of(snapshot: Snapshot, currency: int) -> Balance:
    """What the account holds of a currency."""
    lots = [lot for lot in snapshot.lots if lot.currency == currency]
    return Balance(
        available=sum(lot.amount for lot in lots if not lot.pending_until),
        pending=sum(lot.amount for lot in lots if lot.pending_until),
        debt=sum(debt.amount for debt in snapshot.debts if debt.currency == currency),
    )


def _spending_order(lot: Lot) -> tuple[int, int, int, int, int]:
    never = lot.expires_on == NEVER
    return (lot.currency, never, lot.expires_on, lot.pending_until, lot.issuer)


@dataclass
class Account:
    """An account while one entry is being made. It starts as a snapshot and ends as the next."""

    joined_at: int
    lots: dict[Bucket, int]
    debts: dict[int, int]
    remainders: dict[int, int]
    moves: dict[Bucket, int] = field(default_factory=dict)

    @classmethod
    def open(cls, snapshot: Snapshot) -> "Account":
        return cls(
            joined_at=snapshot.joined_at,
            lots={lot.bucket: lot.amount for lot in snapshot.lots},
            debts={debt.currency: debt.amount for debt in snapshot.debts},
            remainders={one.rule: one.amount for one in snapshot.remainders},
        )

    def available(self, currency: int) -> int:
        """What can be spent now."""
        return sum(
            amount
            for (of, _, pending_until, _), amount in self.lots.items()
            if of == currency and not pending_until
        )

    def credit(self, bucket: Bucket, amount: int) -> None:
        """Adds points: to the debt of their currency first, the rest to their bucket.

        Pending points pay nothing: they may still be taken back.
        """
        currency, _, pending_until, _ = bucket
        pays = 0 if pending_until else min(amount, self.debts.get(currency, 0))
        if pays:
            self.debts[currency] -= pays
        self._move(bucket, amount - pays)

    def debit(self, currency: int, amount: int, first: Iterable[Bucket] = ()) -> None:
        """Takes points: from `first`, then as they are spent, and the rest as debt."""
        spendable = [lot.bucket for lot in self._sorted_lots() if not lot.pending_until]
        for bucket in (*first, *spendable):
            if bucket[0] != currency:
                continue
            taken = min(amount, self.lots.get(bucket, 0))
            self._move(bucket, -taken)
            amount -= taken
        if amount:
            self.debts[currency] = self.debts.get(currency, 0) + amount

    def take(self, bucket: Bucket, amount: int) -> None:
        """Takes points out of the one bucket that holds them."""
        self._move(bucket, -amount)

    def move(self, bucket: Bucket, to: Bucket, amount: int) -> None:
        """Moves points from one bucket to another; debt they could pay now is paid first."""
        self._move(bucket, -amount)
        self.credit(to, amount)

    def renew(self, currency: int, expires_on: int) -> None:
        """Gives all points of a currency a new day of expiry."""
        for bucket, amount in list(self.lots.items()):
            if bucket[0] == currency and amount and bucket[1] != expires_on:
                self._move(bucket, -amount)
                self._move((currency, expires_on, *bucket[2:]), amount)

    def snapshot(self) -> Snapshot:
        """The account as it now is."""
        return Snapshot(
            joined_at=self.joined_at,
            lots=tuple(self._sorted_lots()),
            debts=tuple(Debt(of, amount) for of, amount in sorted(self.debts.items()) if amount),
            remainders=tuple(
                Remainder(rule, amount)
                for rule, amount in sorted(self.remainders.items())
                if amount
            ),
        )

    def moved(self) -> tuple[Lot, ...]:
        """What was added to and taken from each bucket."""
        return tuple(Lot(*bucket, amount) for bucket, amount in self.moves.items() if amount)

    def _move(self, bucket: Bucket, amount: int) -> None:
        if amount:
            self.lots[bucket] = self.lots.get(bucket, 0) + amount
            self.moves[bucket] = self.moves.get(bucket, 0) + amount

    def _sorted_lots(self) -> list[Lot]:
        lots = [Lot(*bucket, amount) for bucket, amount in self.lots.items() if amount]
        return sorted(lots, key=_spending_order)
