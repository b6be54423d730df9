"""The one way into the ledger: read, decide, put on the condition that nobody was faster.

The head is read first (cheaply: it may be a moment old), the story of the cause second (strongly),
so that a ref that is there is always seen; then one conditional put. Whoever loses re-reads and
decides again. A refusal reached on an old head is decided again on a strong one. What comes for a
member who was merged into another goes to the survivor, and finds the stories of both.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import (
    Command,
    Facts,
    OfReferral,
    WelcomeFriend,
)
from chalicelib.domain.ledger.decide import decide, follow
from chalicelib.domain.ledger.entries import Entry, LogKey, StoredEntry, decode
from chalicelib.domain.ledger.referrals import CAPPED, most_friends, terms_of
from chalicelib.domain.ledger.time import settle
from chalicelib.domain.ports import Take, Wrote
from chalicelib.domain.program.program import Program
from chalicelib.services.context import Context, Here
from chalicelib.services.vouchers import changes_with

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


@dataclass(frozen=True)
class UsedUp:
    """What all members share was changed meanwhile: an entry asked for more than is left of these
    budgets, by the campaign's number, or for a code that another has."""

    budgets: dict[int, Take]


def append(
    context: Context,
    here: Here,
    key: LogKey,
    command: Command,
    program: Program,
    facts_of: FactsOf = lambda _: None,
    head: Head | None = None,
    *,
    is_new: bool = False,
) -> Appended | Refusal:
    """Obeys a command once, for ever.

    The same command again is answered with the entry that the first made; another command of the
    same ref is refused. `head` saves the first read to a caller who has just read it, or written
    it. Raises `Contended` where other writers win every try.

    `is_new` saves the story to a caller who knows that after he had `head` the cause was in no log
    yet (an order that he was the first to claim). Whatever has been written of it since lies above
    `head`, where the put then fails, and the next try reads the story.
    """
    strong = False
    untold = is_new and head is not None
    left: dict[int, int] = {}
    for attempt in range(TRIES):
        if head is None or strong:
            head = context.store.ledger.head(key, strong=strong)
        if head is not None and head.snapshot.merged_into:
            key, head = LogKey(key.program_id, head.snapshot.merged_into), None
            continue
        story = [] if untold and not attempt else read_story(context, key, head, command)
        earlier = next((one for one in story if one.ref == command.ref), None)
        if earlier is not None:
            return replay(earlier, command)
        if head is None and strong:
            return NOT_FOUND
        strong, was_strong = True, strong
        if head is None:
            continue
        current = settle_down(context, here, head)
        outcome: Appended | Refusal | UsedUp | None = None
        if current is not None:
            facts = _with_budgets(facts_of(story), left)
            outcome = _try(context, here, current, story, facts, command, program)
        if isinstance(outcome, Appended) or (isinstance(outcome, Refusal) and was_strong):
            return outcome
        if not isinstance(outcome, Refusal):
            left |= _left(context, outcome.budgets if outcome else {})
            context.pause.before(attempt)
    raise Contended(f"{TRIES} writers were faster")


def _with_budgets(facts: Any, left: dict[int, int]) -> Any:
    return replace(facts, left=dict(left)) if left and isinstance(facts, Facts) else facts


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


def settle_down(context: Context, here: Here, head: Head) -> Head | None:
    """Writes down what time alone has done since the head; None where another writer was faster.

    A settled fact has the same bytes whoever writes it, so that losing to one is no loss.
    """
    versions = context.catalog.versions(here.program)
    for stored in settle(head, versions, here.now):
        winner = _put(context, stored, decode(stored.body))
        if winner is not None and winner != stored:
            return None
        head = Head.of(stored)
    return head


def _try(
    context: Context,
    here: Here,
    head: Head,
    story: list[StoredEntry],
    facts: Any,
    command: Command,
    program: Program,
) -> Appended | Refusal | UsedUp | None:
    made = decide(head, story, facts, command, program, here.now)
    if isinstance(made, Refusal):
        return made
    if isinstance(made, StoredEntry):
        return Appended(made, decode(made.body), replayed=True)
    made = _marked(here, made)
    stored = follow(head, command.ref, made)
    winner = _put(context, stored, made, command)
    if isinstance(winner, (Refusal, UsedUp)):
        return winner
    if winner is None or winner == stored:
        return Appended(stored, made, replayed=False)
    return None


def foresee(
    context: Context, here: Here, head: Head, facts: Any, command: Command, program: Program
) -> Appended | None:
    """The entry that a command of a cause without a story makes on a head, if it is stored there.

    None where it would be more than one put, or a refusal: `append` knows what to do then.
    """
    if settle(head, context.catalog.versions(here.program), here.now):
        return None
    made = decide(head, [], facts, command, program, here.now)
    if not isinstance(made, Entry) or not _is_alone(made):
        return None
    made = _marked(here, made)
    return Appended(follow(head, command.ref, made), made, replayed=False)


def _marked(here: Here, made: Entry) -> Entry:
    """What an import brings says so."""
    return msgspec.structs.replace(made, imported=True) if here.imports else made


def _is_alone(entry: Entry) -> bool:
    """Whether it takes nothing of what all members share."""
    return not (entry.budgets or entry.stock_taken or entry.reward)


def _put(
    context: Context, stored: StoredEntry, entry: Entry, command: Command | None = None
) -> StoredEntry | Refusal | UsedUp | None:
    """Puts an entry, and what it takes of what all members share, or puts back there: a reward's
    stock, the budgets of campaigns, vouchers."""
    ledger = context.store.ledger
    of_referral = isinstance(command, OfReferral)
    if _is_alone(entry) and not of_referral:
        return ledger.append(stored)
    program = context.catalog.version(stored.key.program_id, entry.program_version)
    vouchers = changes_with(context, stored, entry, command, program)
    if isinstance(vouchers, Refusal):
        return vouchers
    takes = [_of_budget(stored, program, number, amount) for number, amount in entry.budgets]
    if entry.stock_taken:
        reward = program.rewards_by_number.get(entry.reward)
        limit = reward.stock if reward and entry.stock_taken > 0 else None
        name = f"stock#{entry.reward}"
        takes.append(Take(stored.key.program_id, name, entry.stock_taken, limit))
    takes += _of_referral(stored, program, command)
    if not takes and not vouchers:
        return ledger.append(stored)
    wrote = ledger.append_all([stored], takes, vouchers)
    budgets = {number: take for (number, _), take in zip(entry.budgets, takes, strict=False)}
    if wrote is Wrote.CHANGED or (wrote is Wrote.EXCEEDED and budgets):
        return UsedUp(budgets)
    if wrote is Wrote.EXCEEDED:
        return CAPPED if of_referral and not entry.stock_taken else OUT_OF_STOCK
    return None if wrote is Wrote.STORED else ledger.entry(stored.key, stored.version)


def budget_name(number: int) -> str:
    """What the counter of a campaign's budget is called."""
    return f"budget#{number}"


def _of_referral(stored: StoredEntry, program: Program, command: Command | None) -> list[Take]:
    """The friend's place among those whom one advocate, or partner, may bring.

    It is taken for ever: what a made-up friend has spent is not had back from him.
    """
    if not isinstance(command, WelcomeFriend):
        return []
    limit = most_friends(terms_of(program), command.partner, command.variant)
    if limit is None:
        return []
    return [Take(stored.key.program_id, f"referral#{command.referrer}", 1, limit)]


def _of_budget(stored: StoredEntry, program: Program, number: int, amount: int) -> Take:
    campaign = program.campaigns_by_number.get(number)
    budget = campaign.budget if campaign and amount > 0 else None
    limit = budget.limit if budget else None
    return Take(stored.key.program_id, budget_name(number), amount, limit)


def _left(context: Context, budgets: dict[int, Take]) -> dict[int, int]:
    """What is left of the budgets that an entry asked too much of, by the campaign's number."""
    ledger = context.store.ledger
    return {
        number: max(0, take.limit - ledger.used(take.program_id, take.name))
        for number, take in budgets.items()
        if take.limit is not None
    }
