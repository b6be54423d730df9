"""Proves a log: that nothing in it was changed, left out or put in, and that its sums are right."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ledger.account import balance_of, currencies_of
from chalicelib.domain.ledger.entries import (
    FIRST_PREV,
    UNCOUNTED,
    Entry,
    Snapshot,
    StoredEntry,
    decode,
)


@dataclass(frozen=True)
class Broken:
    """The first entry that is not what it must be, from the newest on."""

    version: int
    reason: str


def check(newest_first: Sequence[StoredEntry], *, to_the_first: bool) -> Broken | None:
    """What is wrong in a stretch of a log, None where nothing is.

    Every entry is held against the one before it. The oldest of a stretch is the first of the log
    (`to_the_first`), or is there only for the one after it.
    """
    for index, stored in enumerate(newest_first):
        before = newest_first[index + 1] if index + 1 < len(newest_first) else None
        if before is None and not to_the_first:
            return None
        try:
            reason = _against(stored, before)
        except Corrupt as error:
            reason = str(error)
        if reason:
            return Broken(stored.version, reason)
    return None


def _against(stored: StoredEntry, before: StoredEntry | None) -> str | None:
    entry = decode(stored.body)
    if before is None:
        if stored.version != 1:
            return "an entry is missing before it"
        if stored.prev != FIRST_PREV:
            return "the first entry names one before it"
        return _sums(Snapshot(entry.snapshot.joined_at), entry)
    if stored.version != before.version + 1:
        return "an entry is missing before it"
    if stored.prev != before.hash:
        return "the hash of the entry before is another"
    previous = decode(before.body)
    if entry.recorded_at < previous.recorded_at:
        return "it was recorded before the entry before it"
    return _sums(previous.snapshot, entry)


def _sums(before: Snapshot, entry: Entry) -> str | None:
    moved: Counter[int] = Counter()
    for effect in entry.effects:
        if effect.state not in UNCOUNTED:
            moved[effect.currency] += effect.amount
    for currency in currencies_of(before) | currencies_of(entry.snapshot) | set(moved):
        difference = balance_of(entry.snapshot, currency).owned - balance_of(before, currency).owned
        if difference != moved[currency]:
            return "its balances are not those before it and its effects"
    return None
