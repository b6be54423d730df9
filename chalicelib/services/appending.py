"""The one way into the ledger: read, decide, put on the condition that nobody was faster.

The head is read first (cheaply: it may be a moment old), the story of the cause second (strongly),
so that a ref that is there is always seen; then one conditional put. Whoever loses re-reads and
decides again. A refusal reached on an old head is decided again on a strong one.
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
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant
from chalicelib.services.context import Context

TRIES = 20

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
    ledger = context.store.ledger
    strong = False
    for attempt in range(TRIES):
        if head is None or strong:
            head = ledger.head(key, strong=strong)
        story = ledger.story(key, command.story or command.ref)
        earlier = next((one for one in story if one.ref == command.ref), None)
        if earlier is not None:
            return replay(earlier, command)
        if head is None:
            if strong:
                return Refusal("member_not_found", "there is no such member")
            strong = True
            continue
        current = _settle(context, head, now)
        if current is None:
            context.pause.before(attempt)
            strong = True
            continue
        outcome = _try(context, current, story, facts_of(story), command, program, now)
        if isinstance(outcome, Appended):
            return outcome
        if outcome is None:
            context.pause.before(attempt)
        elif strong:
            return outcome
        strong = True
    raise Contended(f"{TRIES} writers were faster")


def replay(earlier: StoredEntry, command: Command) -> Appended | Refusal:
    """The entry of the same command, or why this is not the same command."""
    entry = decode(earlier.body)
    if entry.fingerprint != command.fingerprint:
        return Refusal("different_request", "the same identifier was used for something else")
    return Appended(earlier, entry, replayed=True)


def _settle(context: Context, head: Head, now: Instant) -> Head | None:
    """Writes down what time alone has done since the head; None where another writer was faster.

    A settled fact has the same bytes whoever writes it, so that losing to one is no loss.
    """
    zone = context.catalog.version(head.key.program_id, head.program_version).zone
    for entry in settle(head, zone, now):
        winner = context.store.ledger.append(entry)
        if winner is not None and winner != entry:
            return None
        head = Head.of(entry)
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
    stored = follow(head, command.ref, made)
    winner = context.store.ledger.append(stored)
    if winner is None or winner == stored:
        return Appended(stored, made, replayed=False)
    return None
