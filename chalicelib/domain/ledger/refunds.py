"""An order was given back, in part or in whole: the rules that paid take back their share.

The share is cumulative: after each refund a rule has taken `given * returned // weighed` in all,
so that partial refunds, in any order and of any size, sum to the whole exactly. What was given and
weighed stands in the entries of the order; today's rules have no say. A rule that carries its
remainder is inverted exactly: points x step + remainder, less what came back.

A refund by line returns the weight of the units that came back. A refund of an amount, of which
nobody can say what it was for, returns the same share of every weight as it is of the order's
total. Once all the money is back, or the refund says it was the rest, everything is returned.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import CancelOrder, OrderFacts, RefundOrder
from chalicelib.domain.ledger.entries import (
    SCHEMA,
    Effect,
    Entry,
    Kind,
    Refunded,
    State,
    StoredEntry,
)
from chalicelib.domain.ledger.progress import count_order, review
from chalicelib.domain.ledger.story import OrderStory, Returned, ended_by, fold
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant

NOT_RECORDED = Refusal("order_not_recorded", "nothing of the order was recorded yet")


def refund_order(
    head: Head,
    story: Sequence[StoredEntry],
    facts: OrderFacts | None,
    command: RefundOrder,
    program: Program,  # noqa: ARG001 (today's rules have no say)
    recorded_at: Instant,
) -> Entry | Refusal | StoredEntry:
    """Takes back what the order's rules gave for what came back."""
    standing = fold(story, facts)
    if standing is None:
        return NOT_RECORDED
    cancelled = ended_by(story, refs.CANCELLED)
    if cancelled is not None:
        return cancelled
    asked = _asked(command, standing.returned)
    if isinstance(asked, Refusal):
        return asked
    return give_back(head, standing, asked, Kind.REFUND, command.fingerprint, recorded_at)


def cancel_order(
    head: Head,
    story: Sequence[StoredEntry],
    facts: OrderFacts | None,
    command: CancelOrder,
    program: Program,  # noqa: ARG001 (today's rules have no say)
    recorded_at: Instant,
) -> Entry | Refusal:
    """Takes back all that is left; nothing of the order counts any more."""
    standing = fold(story, facts)
    if standing is None:
        return NOT_RECORDED
    rest = Refunded(rest=True)
    return give_back(head, standing, rest, Kind.ORDER_CANCELLED, command.fingerprint, recorded_at)


def give_back(
    head: Head,
    standing: OrderStory,
    refunded: Refunded,
    kind: Kind,
    fingerprint: bytes,
    recorded_at: Instant,
) -> Entry:
    """The entry that takes back the share of what came back."""
    after = replace(standing, returned=standing.returned.and_then(refunded))
    account = Account.open(head.snapshot)
    effects = []
    for effect in standing.given:
        effects += take_back(account, standing, after, effect)
    count_order(account, standing, after, effects)
    tier = review(account, standing.program, recorded_at, taken_back=True)
    return Entry(
        schema=SCHEMA,
        kind=kind,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=standing.program.version,  # whose rules take back
        fingerprint=fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        refunded=refunded,
        budgets=returned_budgets(standing, effects),
        tier=tier,
    )


def returned_budgets(
    standing: OrderStory, effects: Sequence[Effect]
) -> tuple[tuple[int, int], ...]:
    """What goes back to the budgets of campaigns, below zero: points as they are taken back, a
    time when all that a rule gave is."""
    back: Counter[int] = Counter()
    for rule in standing.program.earn:
        campaign = rule.campaign
        if campaign is None or campaign.budget is None:
            continue
        taken = sum(effect.amount for effect in effects if effect.rule == rule.number)
        was = standing.net[rule.number]
        if campaign.budget.counts_points:
            back[campaign.number] += taken
        elif was > 0 >= was + taken:
            back[campaign.number] -= 1
    return tuple(
        (number, amount)
        for number, amount in sorted(back.items())
        if amount < 0 < standing.budgets[number]
    )


def take_back(
    account: Account, before: OrderStory, after: OrderStory, effect: Effect
) -> list[Effect]:
    """Takes what one rule gave for what came back between the two."""
    rule = before.program.rules_by_number[effect.rule]
    weights = before.weigh(rule, effect)
    already = int(before.returned.weight(weights))
    now = int(after.returned.weight(weights))
    if rule.rate.carry_remainder:
        remainder = account.remainders.get(rule.number, 0)
        points, account.remainders[rule.number] = rule.rate.points_carried(already - now, remainder)
    else:
        points = after.nominal(effect) - before.nominal(effect)
    return claw_back(account, before, effect, -points, now - already)


def claw_back(
    account: Account, standing: OrderStory, effect: Effect, amount: int, weight: int
) -> list[Effect]:
    """Takes points of one rule from the account, as the program that gave them says."""
    currency = standing.program.currencies_by_number[effect.currency]
    taken = account.claw_back(
        effect.currency,
        amount,
        standing.buckets,
        currency.clawback,
        waits=standing.waits_until(standing.program.rules_by_number[effect.rule]),
        renewed=currency.renewed,
    )
    effects = [Effect(effect.rule, effect.currency, -taken.amount, weight)]
    if taken.lapsed:
        effects.append(Effect(effect.rule, effect.currency, -taken.lapsed, 0, State.LAPSED))
    return effects


def _asked(command: RefundOrder, before: Returned) -> Refunded | Refusal:
    """What the refund brings back, as it will be stored."""
    if before.everything:
        return _exceeds("", "everything of the order was refunded before")
    if command.amount is not None:
        asked = Refunded(amount=command.amount)
    elif command.lines:
        found = _lines(command, before)
        if isinstance(found, Refusal):
            return found
        asked = found
    else:
        return Refunded(rest=True)
    if before.and_then(asked).money > before.order.total:
        left = before.order.total - before.money
        return _exceeds("amount" if command.amount else "lines", f"only {left} is left to refund")
    return asked


def _lines(command: RefundOrder, before: Returned) -> Refunded | Refusal:
    positions = {line.id: index for index, line in enumerate(before.order.lines)}
    units: Counter[int] = Counter()
    for index, asked in enumerate(command.lines):
        if asked.id not in positions:
            error = FieldError(f"lines[{index}].id", "is not a line of the order")
            return Refusal("unknown_line", "the order has no such line", (error,))
        units[positions[asked.id]] += asked.quantity
        bought = before.order.lines[positions[asked.id]].quantity
        left = bought - before.units[positions[asked.id]]
        if units[positions[asked.id]] > left:
            return _exceeds(f"lines[{index}].quantity", f"only {left} are left to refund")
    return Refunded(lines=tuple(sorted(units.items())))


def _exceeds(field: str, reason: str) -> Refusal:
    errors = (FieldError(field, reason),) if field else ()
    return Refusal("refund_exceeds_order", reason, errors)
