"""The one way into the ledger: read, decide, put on the condition that nobody was faster.

The head is read first (cheaply: it may be a moment old), the story of the cause second (strongly),
so that a ref that is there is always seen; then one conditional put. Whoever loses re-reads and
decides again. A refusal reached on an old head is decided again on a strong one. What comes for a
member who was merged into another goes to the survivor, and finds the stories of both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import Command
from chalicelib.domain.ledger.decide import decide, follow
from chalicelib.domain.ledger.entries import Entry, LogKey, StoredEntry, decode
from chalicelib.domain.ledger.time import settle
from chalicelib.domain.ports import Take, Wrote
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant
from chalicelib.services.context import Context

TRIES = 20
NOT_FOUND = Refusal("member_not_found", "there is no such member")
OUT_OF_STOCK = Refusal("out_of_stock", "there is none left")

FactsOf = Callable[[list[StoredEntry]], Any]


@dataclass(frozen=True)
class Appended:
    """An entry that lies in the ledger, now or since an earlier call."""

    stored: StoredEntry
    entry: Entry
    replayed: bool


def append(
    context: Context,
    key: LogKey,
    command: Command,
    program: Program,
    now: Instant,
    facts_of: FactsOf = lambda _: None,
    head: Head | None = None,
) -> Appended | Refusal:
    """Obeys a command once, for ever.

    The same command again is answered with the entry that the first made; another command of the
    same ref is refused. `head` saves the first read to a caller who has just read it. Raises
    `Contended` where other writers win every try.
    """
    strong = False
    for attempt in range(TRIES):
        if head is None or strong:
            head = context.store.ledger.head(key, strong=strong)
        if head is not None and head.snapshot.merged_into:
            key, head = LogKey(key.program_id, head.snapshot.merged_into), None
            continue
        story = read_story(context, key, head, command)
        earlier = next((one for one in story if one.ref == command.ref), None)
        if earlier is not None:
            return replay(earlier, command)
        if head is None:
            if strong:
                return NOT_FOUND
            strong = True
            continue
        current = settle_down(context, head, now)
        if current is not None:
            facts = facts_of(story)
            outcome = _try(context, current, story, facts, command, program, now)
            if isinstance(outcome, Appended) or (isinstance(outcome, Refusal) and strong):
                return outcome
        if current is None or outcome is None:
            context.pause.before(attempt)
        strong = True
    raise Contended(f"{TRIES} writers were faster")


def replay(earlier: StoredEntry, command: Command) -> Appended | Refusal:
    """The entry of the same command, or why this is not the same command."""
    entry = decode(earlier.body)
    if entry.fingerprint != command.fingerprint:
        return Refusal("different_request", "the same identifier was used for something else")
    return Appended(earlier, entry, replayed=True)


def read_story(
    context: Context, key: LogKey, head: Head | None, command: Command
) -> list[StoredEntry]:
    """The entries of the command's cause, in the logs of everybody who was merged into one."""
    merged = head.snapshot.merged if head is not None else ()
    prefix = command.story or command.ref
    story: list[StoredEntry] = []
    for member_id in (*merged, key.member_id):
        story += context.store.ledger.story(LogKey(key.program_id, member_id), prefix)
    return story


def strong_head(context: Context, key: LogKey) -> Head | None:
    """The newest entry of a member's log, or of the log of whoever he was merged into."""
    head = context.store.ledger.head(key, strong=True)
    if head is not None and head.snapshot.merged_into:
        return strong_head(context, LogKey(key.program_id, head.snapshot.merged_into))
    return head


def settle_down(context: Context, head: Head, now: Instant) -> Head | None:
    """Writes down what time alone has done since the head; None where another writer was faster.

    A settled fact has the same bytes whoever writes it, so that losing to one is no loss.
    """
    program = context.catalog.version(head.key.program_id, head.program_version)
    for stored in settle(head, program.zone, now):
        winner = _put(context, stored, decode(stored.body), program)
        if winner is not None and winner != stored:
            return None
        head = Head.of(stored)
    return head


def _try(
    context: Context,
    head: Head,
    story: list[StoredEntry],
    facts: Any,
    command: Command,
    program: Program,
    now: Instant,
) -> Appended | Refusal | None:
    made = decide(head, story, facts, command, program, now)
    if isinstance(made, Refusal):
        return made
    if isinstance(made, StoredEntry):
        return Appended(made, decode(made.body), replayed=True)
    stored = follow(head, command.ref, made)
    winner = _put(context, stored, made, program)
    if isinstance(winner, Refusal):
        return winner
    if winner is None or winner == stored:
        return Appended(stored, made, replayed=False)
    return None


def _put(
    context: Context, stored: StoredEntry, entry: Entry, program: Program
) -> StoredEntry | Refusal | None:
    """Puts an entry, and what it takes of a reward's stock or puts back there."""
    ledger = context.store.ledger
    if not entry.stock_taken:
        return ledger.append(stored)
    reward = program.rewards_by_number.get(entry.reward)
    limit = reward.stock if reward and entry.stock_taken > 0 else None
    take = Take(stored.key.program_id, f"stock#{entry.reward}", entry.stock_taken, limit)
    wrote = ledger.append_all([stored], [take])
    if wrote is Wrote.EXCEEDED:
        return OUT_OF_STOCK
    return None if wrote is Wrote.STORED else ledger.entry(stored.key, stored.version)
