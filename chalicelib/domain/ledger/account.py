"""The account that `decide` changes: a snapshot, and how points enter and leave it.

Points enter by paying debt first, then into the lot of their bucket. They leave from the buckets
they are said to come from, then soonest expiry first (what never expires comes last), and what
is missing becomes debt where that is allowed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.counting.tallies import Tallies, Tally
from chalicelib.domain.ledger.entries import (
    FIRST_PREV,
    Debt,
    Hold,
    LogKey,
    Lot,
    Lots,
    Remainder,
    Snapshot,
    StoredEntry,
    decode,
)
from chalicelib.domain.program.clawback import Clawback
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.tiers.tiers import Held

Bucket = tuple[int, int, int, int]
EXPIRED_KEPT = 16  # buckets whose expiry a refund still knows of


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
    imported: bool = False

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
            entry.imported,
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

    @property
    def owned(self) -> int:
        """All of it, less the debt."""
        return self.available + self.pending + self.reserved - self.debt


def balance_of(snapshot: Snapshot, currency: int) -> Balance:
    """What the account holds of a currency."""
    lots = [lot for lot in snapshot.lots if lot.currency == currency]
    return Balance(
        available=sum(lot.amount for lot in lots if not lot.pending_until),
        pending=sum(lot.amount for lot in lots if lot.pending_until),
        reserved=sum(hold.amount for hold in snapshot.holds if hold.currency == currency),
        debt=sum(debt.amount for debt in snapshot.debts if debt.currency == currency),
    )


def currencies_of(snapshot: Snapshot) -> set[int]:
    """Every currency that the account holds or owes."""
    held = {lot.currency for lot in snapshot.lots} | {hold.currency for hold in snapshot.holds}
    return held | {debt.currency for debt in snapshot.debts}


@dataclass(frozen=True)
class Taken:
    """What became of points that were to be taken."""

    taken: int  # from the account
    owed: int = 0
    lapsed: int = 0  # expired before

    @property
    def amount(self) -> int:
        """By how much the member owns less now."""
        return self.taken + self.owed


@dataclass
class Account:
    """An account while one entry is being made. It starts as a snapshot and ends as the next."""

    was: Snapshot
    lots: dict[Bucket, int]
    debts: dict[int, int]
    remainders: dict[int, int]
    holds: dict[int, Hold]
    expired: dict[Bucket, int]
    tallies: list[Tally]
    held: Held
    moves: dict[Bucket, int] = field(default_factory=dict)

    @classmethod
    def open(cls, snapshot: Snapshot) -> "Account":
        return cls(
            was=snapshot,
            lots={lot.bucket: lot.amount for lot in snapshot.lots},
            debts={debt.currency: debt.amount for debt in snapshot.debts},
            remainders={one.rule: one.amount for one in snapshot.remainders},
            holds={hold.number: hold for hold in snapshot.holds},
            expired={lot.bucket: lot.amount for lot in snapshot.expired},
            tallies=list(snapshot.tallies),
            held=snapshot.held,
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

    def debit(self, currency: int, amount: int) -> Lots:
        """Takes points as they are spent, and the rest as debt; returns what left which bucket."""
        before = dict(self.moves)
        missing = self._drain(self._spendable(currency), amount)
        if missing:
            self.debts[currency] = self.debts.get(currency, 0) + missing
        return Lots(
            Lot(*bucket, before.get(bucket, 0) - moved)
            for bucket, moved in self.moves.items()
            if moved != before.get(bucket, 0)
        )

    def claw_back(
        self,
        currency: int,
        amount: int,
        own: Iterable[Bucket],
        policy: Clawback,
        *,
        waits: int = 0,
        renewed: bool = False,
    ) -> Taken:
        """Takes back what an order gave: where it waits (`waits`: until that day), else of its own
        lots, then of any.

        What of its own lots expired unspent is gone already and is not taken again; where activity
        has `renewed` their expiry, any expired lot may have been theirs. Points that a reservation
        has set aside are not touched, nor what waits for other orders.
        """
        own = [bucket for bucket in own if bucket[0] == currency]
        waiting = list(dict.fromkeys((*bucket[:2], waits, bucket[3]) for bucket in own if waits))
        left = self._drain([*waiting, *(self._renewed(waiting) if renewed else ())], amount)
        if policy is Clawback.ONLY_PENDING:
            return Taken(amount - left)
        confirmed = list(dict.fromkeys((*bucket[:2], 0, bucket[3]) for bucket in own))
        left = self._drain(confirmed, left)
        taken = amount - left
        lapsed = 0
        lapsing = [bucket for bucket in self.expired if renewed and bucket[0] == currency]
        for bucket in dict.fromkeys((*confirmed, *lapsing)):
            gone = min(left, self.expired.get(bucket, 0))
            if gone:
                self.expired[bucket] -= gone
                lapsed += gone
                left -= gone
        missing = self._drain(self._spendable(currency), left)
        taken += left - missing
        if policy is Clawback.CLAMP or not missing:
            return Taken(taken, lapsed=lapsed)
        self.debts[currency] = self.debts.get(currency, 0) + missing
        return Taken(taken, missing, lapsed)

    def take(self, bucket: Bucket, amount: int) -> None:
        """Takes points out of the one bucket that holds them."""
        self._move(bucket, -amount)

    def expire(self, bucket: Bucket) -> int:
        """Takes all points of a bucket, and remembers for a while that they expired."""
        amount = self.lots.get(bucket, 0)
        self._move(bucket, -amount)
        gone = (*bucket[:2], 0, bucket[3])
        self.expired[gone] = self.expired.get(gone, 0) + amount
        return amount

    def move(self, bucket: Bucket, to: Bucket, amount: int) -> None:
        """Moves points from one bucket to another; debt they could pay now is paid first."""
        self._move(bucket, -amount)
        self.credit(to, amount)

    def release(
        self, bucket: Bucket, to_pending_until: int, amount: int, *, renewed: bool = False
    ) -> int:
        """Lets pending points wait until another day, or no longer (0); how many there were.

        They are looked for in the bucket, and where activity has `renewed` their expiry.
        """
        released = 0
        for source in (bucket, *(self._renewed([bucket]) if renewed else ())):
            moved = min(amount - released, self.lots.get(source, 0))
            if moved:
                self.move(source, (*source[:2], to_pending_until, source[3]), moved)
                released += moved
        return released

    def hold(self, hold: Hold) -> None:
        """Sets points aside that were taken out of their buckets before."""
        self.holds[hold.number] = hold

    def free(self, number: int, amount: int | None = None) -> tuple[Lots, Lots]:
        """Ends a reservation: `amount` of it (all) comes back to its buckets.

        What is spent for good is taken soonest expiry first. Returns what came back and what did
        not.
        """
        hold = self.holds.pop(number)
        spends = 0 if amount is None else hold.amount - amount
        back, gone = [], []
        for lot in hold.lots:
            spent = min(spends, lot.amount)
            spends -= spent
            if spent:
                gone.append(Lot(*lot.bucket, spent))
            if lot.amount > spent:
                back.append(Lot(*lot.bucket, lot.amount - spent))
                self.credit(lot.bucket, lot.amount - spent)
        return Lots(back), Lots(gone)

    def renew(self, currency: int, expires_on: int) -> None:
        """Gives all points of a currency a new day of expiry."""
        for bucket, amount in list(self.lots.items()):
            if bucket[0] == currency and amount and bucket[1] != expires_on:
                self._move(bucket, -amount)
                self._move((currency, expires_on, *bucket[2:]), amount)

    def count(self, counter: Counter, day: int, amount: int) -> None:
        """Counts more of something, or takes it away again."""
        mine = counter.mine(self.tallies)
        others = [one for one in self.tallies if one.counter != counter.number]
        self.tallies = others + counter.window.add(mine, counter.number, day, amount)

    def snapshot(self, **changes: object) -> Snapshot:
        """The account as it now is; `changes` are of its standing and its membership."""
        was = self.was
        fields: dict[str, object] = {
            "joined_at": was.joined_at,
            "lots": self._lots(),
            "debts": tuple(Debt(of, owed) for of, owed in sorted(self.debts.items()) if owed),
            "remainders": tuple(
                Remainder(rule, amount)
                for rule, amount in sorted(self.remainders.items())
                if amount
            ),
            "holds": tuple(hold for _, hold in sorted(self.holds.items())),
            "expired": self._expired_lately(),
            "standing": was.standing,
            "merged_into": was.merged_into,
            "merged": was.merged,
            "tallies": Tallies(one for one in self.tallies if one.amount),
            "held": self.held,
            "converted_on": was.converted_on,
            "membership": was.membership,
            "welcomed": was.welcomed,
        }
        return Snapshot(**{**fields, **changes})  # type: ignore[arg-type]

    def moved(self) -> Lots:
        """What was added to and taken from each bucket."""
        return Lots(Lot(*bucket, amount) for bucket, amount in self.moves.items() if amount)

    def _expired_lately(self) -> Lots:
        kept = sorted((lot for lot in self.expired.items() if lot[1]), key=lambda row: row[0][1])
        return Lots(Lot(*bucket, amount) for bucket, amount in kept[-EXPIRED_KEPT:])

    def _drain(self, buckets: Iterable[Bucket], amount: int) -> int:
        """Takes points from these buckets in their order; how many were missing."""
        for bucket in buckets:
            taken = min(amount, self.lots.get(bucket, 0))
            self._move(bucket, -taken)
            amount -= taken
        return amount

    def _spendable(self, currency: int) -> list[Bucket]:
        lots = (lot for lot in self._lots() if lot.currency == currency)
        return [lot.bucket for lot in lots if not lot.pending_until]

    def _renewed(self, buckets: list[Bucket]) -> list[Bucket]:
        """Where points that wait for the same day may have been moved: they end on some day."""
        waits = {(of, until, issuer) for of, _, until, issuer in buckets}
        return [
            bucket
            for bucket in sorted(self.lots)
            if (bucket[0], bucket[2], bucket[3]) in waits
            and bucket[1] != NEVER
            and bucket not in buckets
        ]

    def _move(self, bucket: Bucket, amount: int) -> None:
        if amount:
            self.lots[bucket] = self.lots.get(bucket, 0) + amount
            self.moves[bucket] = self.moves.get(bucket, 0) + amount

    def _lots(self) -> Lots:
        return Lots(Lot(*bucket, amount) for bucket, amount in self.lots.items() if amount)
