"""What callers were told while many called at once, held against the ledger that came of it.

A call is known by when it began and ended, by the ref that its entry would have, and by what it
was told. `mistakes` finds what no order of the calls, one after another, could explain.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from chalicelib.domain.ledger.account import balance_of
from chalicelib.domain.ledger.chain import check
from chalicelib.domain.ledger.entries import Kind, StoredEntry, decode
from chalicelib.domain.ledger.refs import received

POINTS = 1  # the number of the one currency
_OUR_OWN = ("enrol:", "time:", "transfer:")  # refs of entries that follow from others

Chains = Mapping[str, Sequence[StoredEntry]]  # of each member, oldest first


class Outcome(Enum):
    """What a caller knows."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # no answer, or one that says to try again


@dataclass(frozen=True)
class Call:
    """One call about one member. A read has no ref."""

    member: str
    ref: str | None
    request: str
    began: int
    ended: int
    outcome: Outcome
    version: int = 0  # of the entry that was told
    available: int | None = None  # the points that were told


def mistakes(history: Iterable[Call], chains: Chains) -> list[str]:
    """Everything that is wrong, in words."""
    of_members: dict[str, list[Call]] = defaultdict(list)
    for call in history:
        of_members[call.member].append(call)
    found = [f"{member}: has no log" for member in of_members.keys() - chains.keys()]
    for member, chain in chains.items():
        calls = of_members[member]
        checks = (
            _chain(chain),
            _told(calls, chain),
            _answers(calls),
            _refusals(calls, chain),
            _uncalled(calls, chain),
            _order(calls),
        )
        found += [f"{member}: {one}" for each in checks for one in each]
    return [*found, *_halves(chains)]


def _chain(chain: Sequence[StoredEntry]) -> Iterator[str]:
    if [one.version for one in chain] != list(range(1, len(chain) + 1)):
        yield "the versions are not dense"
    broken = check(chain[::-1], to_the_first=True)
    if broken is not None:
        yield f"entry {broken.version}: {broken.reason}"
    for ref, count in Counter(one.ref for one in chain).items():
        if count > 1:
            yield f"{ref} was done {count} times"


def _told(calls: Sequence[Call], chain: Sequence[StoredEntry]) -> Iterator[str]:
    """Whoever was told of an entry was told the truth."""
    by_version = {one.version: one for one in chain}
    for call in calls:
        if call.outcome is not Outcome.DONE:
            continue
        stored = by_version.get(call.version)
        if stored is None or call.ref not in (None, stored.ref):
            yield f"{call.ref or 'a read'} was told of entry {call.version}, which is not there"
        elif call.available is not None:
            available = balance_of(decode(stored.body).snapshot, POINTS).available
            if available != call.available:
                yield f"{call.available} points were told at entry {call.version}, not {available}"


def _answers(calls: Sequence[Call]) -> Iterator[str]:
    """One ref has one request that is done, and one answer."""
    answers: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for call in calls:
        if call.ref is not None and call.outcome is Outcome.DONE:
            answers[call.ref].add((call.request, call.version))
    for ref, told in answers.items():
        if len(told) > 1:
            yield f"{ref} was answered in {len(told)} ways"


def _refusals(calls: Sequence[Call], chain: Sequence[StoredEntry]) -> Iterator[str]:
    """What was refused is not there, and what was done is not refused later."""
    outcomes: dict[str | None, set[Outcome]] = defaultdict(set)
    done: dict[tuple[str | None, str], int] = {}
    for call in calls:
        outcomes[call.ref].add(call.outcome)
        if call.outcome is Outcome.DONE:
            key = (call.ref, call.request)
            done[key] = min(call.ended, done.get(key, call.ended))
    for stored in chain:
        if outcomes.get(stored.ref) == {Outcome.REFUSED}:
            yield f"{stored.ref} was refused and is there"
    for call in calls:
        if call.outcome is Outcome.REFUSED:
            ended = done.get((call.ref, call.request))
            if ended is not None and ended < call.began:
                yield f"{call.ref} was refused after it was done"


def _uncalled(calls: Sequence[Call], chain: Sequence[StoredEntry]) -> Iterator[str]:
    asked = {call.ref for call in calls}
    for stored in chain:
        if stored.ref not in asked and not stored.ref.startswith(_OUR_OWN):
            yield f"nobody asked for {stored.ref}"


def _order(calls: Sequence[Call]) -> Iterator[str]:
    """Who ended before another began comes before him, and a read sees what had ended.

    A write that was tried several times began with the first try.
    """
    began: dict[str, int] = {}
    for call in calls:
        if call.ref is not None:
            began[call.ref] = min(call.began, began.get(call.ref, call.began))
    # A read of version 4 comes after the write of version 4, and before that of 5.
    told = [
        (2 * call.version, began[call.ref], call)
        if call.ref is not None
        else (2 * call.version + 1, call.began, call)
        for call in calls
        if call.outcome is Outcome.DONE
    ]
    told.sort(key=lambda one: (-one[0], one[1]))
    earliest: Call | None = None  # among those further on
    here: list[Call] = []
    place = 0
    for position, begins, call in told:
        if position != place:
            earliest = min([*here, *([earliest] if earliest else [])], key=_ended, default=None)
            here, place = [], position
        here.append(call)
        if earliest is not None and earliest.ended < begins:
            yield f"{_named(earliest)} ended before {_named(call)} began, and comes after it"


def _ended(call: Call) -> int:
    return call.ended


def _named(call: Call) -> str:
    return f"{call.ref or 'a read'} at {call.version}"


def _halves(chains: Chains) -> Iterator[str]:
    """Both entries of a transfer are there, of as many points, or none."""
    sent: dict[str, int] = {}
    got: dict[str, int] = {}
    for chain in chains.values():
        for stored in chain:
            entry = decode(stored.body)
            if entry.kind == Kind.TRANSFER_SENT:
                sent[received(stored.event_id)] = -sum(one.amount for one in entry.effects)
            elif entry.kind == Kind.TRANSFER_RECEIVED:
                got[stored.ref] = sum(one.amount for one in entry.effects)
    for ref in sorted(sent.keys() | got.keys()):
        if sent.get(ref) != got.get(ref):
            yield f"{ref}: {sent.get(ref)} were sent and {got.get(ref)} received"
