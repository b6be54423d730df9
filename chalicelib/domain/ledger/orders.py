"""An order was placed, paid, changed or confirmed: every earn rule weighs it and gives points."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.domain.conditions.situation import Known, Situation
from chalicelib.domain.counting.counter import Measure
from chalicelib.domain.earning.evaluation import Earning, Room, evaluate, spent_of_budgets
from chalicelib.domain.earning.rule import EarnRule
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import (
    ConfirmOrder,
    EditOrder,
    Facts,
    OrderFacts,
    RecordOrder,
)
from chalicelib.domain.ledger.crediting import credit, earn, effect_of
from chalicelib.domain.ledger.entries import (
    SCHEMA,
    Effect,
    Entry,
    Kind,
    State,
    StoredEntry,
)
from chalicelib.domain.ledger.progress import count_order, know, review
from chalicelib.domain.ledger.refunds import NOT_RECORDED, claw_back
from chalicelib.domain.ledger.story import (
    OrderStory,
    Returned,
    ended_by,
    fold,
    is_pending,
    waits_until,
)
from chalicelib.domain.orders import Order
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import MINUTE, SECOND, Instant, local_date

CLOCK_TOLERANCE = 10 * MINUTE  # how far a store's clock may be ahead of ours


def refuse_order(order: Order, program: Program, now: Instant) -> Refusal | None:
    """Why the program cannot take this order, None where it can."""
    if order.currency != program.money:
        reason = f"the program's orders are in {program.money}"
        return Refusal("wrong_currency", reason, (FieldError("currency", reason),))
    return refuse_time(order.placed_at, now, "placed_at")


def refuse_time(at: Instant, now: Instant, field: str) -> Refusal | None:
    """Nothing is recorded that has not happened yet."""
    if at <= now + CLOCK_TOLERANCE:
        return None
    reason = "lies in the future"
    return Refusal("placed_in_future", f"{field} {reason}", (FieldError(field, reason),))


def record_order(
    head: Head,
    story: Sequence[StoredEntry],
    facts: OrderFacts | None,
    command: RecordOrder,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal | StoredEntry:
    """Gives what the order earns; an order from before the member joined earns nothing, unless it
    was kept for him.

    Paid wins over pending, and cancelled over both, in whatever order they come. Where the store
    said another content later, the order is paid and keeps that one.
    """
    overtaken = ended_by(story, refs.CANCELLED if command.paid else refs.PAID)
    if overtaken is not None:
        return overtaken
    standing = fold(story, facts)
    if standing is not None:
        is_outdated = command.order.is_outdated_by(standing.order)
        content = standing.order if is_outdated else command.order
        return _restate(head, standing, content, Kind.ORDER, recorded_at, facts or OrderFacts())
    order = command.order
    refusal = refuse_order(order, program, recorded_at)
    if refusal:
        return refusal
    facts = facts or OrderFacts()
    account = Account.open(head.snapshot)
    effects: list[Effect] = []
    known, tier, budgets = None, None, {}
    if earns(program, order.placed_at, account.was.joined_at, credited=command.credited):
        member_id = head.key.member_id
        known = know(program, account, member_id, order.placed_at, recorded_at, facts.person)
        earnings = earn(program, account, order, known, facts.left)
        budgets = spent_of_budgets(earnings)
        effects = credit(
            account,
            program,
            earnings,
            order.placed_at,
            known.tier,
            lambda rule: waits_until(program, rule, order, command.paid, confirmed=False),
        )
        first = OrderStory(order, program, Returned(order), command.paid, known)
        count_order(account, None, first, effects)
        tier = review(account, program, recorded_at)
        renew(account, program, order.placed_at)
    return Entry(
        schema=SCHEMA,
        kind=Kind.ORDER if command.paid else Kind.ORDER_PENDING,
        recorded_at=recorded_at,
        occurred_at=order.placed_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        known=known,
        budgets=tuple(sorted(budgets.items())),
        tier=tier,
    )


def edit_order(
    head: Head,
    story: Sequence[StoredEntry],
    facts: OrderFacts | None,
    command: EditOrder,
    program: Program,  # noqa: ARG001 (the rules that decided the order decide its changes)
    recorded_at: Instant,
) -> Entry | Refusal | StoredEntry:
    """Gives or takes the difference. What the store says of an earlier time is outdated."""
    standing = fold(story, facts)
    if standing is None:
        return NOT_RECORDED
    cancelled = ended_by(story, refs.CANCELLED)
    if cancelled is not None:
        return cancelled
    if command.order.is_outdated_by(standing.order):
        assert standing.last is not None  # noqa: S101 (it was folded)
        return standing.last
    return _restate(
        head,
        standing,
        command.order,
        Kind.ORDER_EDITED,
        recorded_at,
        facts or OrderFacts(),
    )


def confirm_order(
    head: Head,
    story: Sequence[StoredEntry],
    facts: OrderFacts | None,
    command: ConfirmOrder,
    program: Program,  # noqa: ARG001
    recorded_at: Instant,
) -> Entry | Refusal:
    """Lets everything that the order gave be spent at once, whatever it waited for."""
    standing = fold(story, facts)
    if standing is None:
        return NOT_RECORDED
    if ended_by(story, refs.CANCELLED) is not None:
        return Refusal("order_cancelled", "a cancelled order stays cancelled")
    account = Account.open(head.snapshot)
    confirmed = replace(standing, confirmed=True, paid=True)
    effects = _release(account, standing, confirmed, standing.order)
    count_order(account, standing, confirmed, effects)
    tier = review(account, standing.program, recorded_at)
    return Entry(
        schema=SCHEMA,
        kind=Kind.ORDER_CONFIRMED,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=standing.program.version,
        fingerprint=command.fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        tier=tier,
    )


def earns(program: Program, at: Instant, joined_at: Instant, *, credited: bool = False) -> bool:
    """Whether something happened since the member joined (stores tell whole seconds) or was kept
    for him, and before the program's last day to earn."""
    return (credited or at >= joined_at // SECOND * SECOND) and program.earns_on(at)


def renew(account: Account, program: Program, active_at: Instant) -> None:
    """Starts validity anew where a currency lives as long as its member is active."""
    day = local_date(active_at, program.zone)
    for currency in program.currencies:
        if currency.expiry is not None and currency.expiry.since_activity:
            account.renew(currency.number, currency.expiry.day(day))


def _restate(
    head: Head,
    before: OrderStory,
    content: Order,
    kind: Kind,
    recorded_at: Instant,
    facts: Facts,
) -> Entry | Refusal:
    """The order has another content, or is paid now: the difference to what it gave."""
    refusal = refuse_order(content, before.program, recorded_at)
    if refusal:
        return refusal
    account = Account.open(head.snapshot)
    paid = before.paid or kind is Kind.ORDER
    earnings, known = _given(head, account, before, content, recorded_at, facts)
    given = tuple(effect_of(one) for one in earnings if one.points or one.rule.rate.carry_remainder)
    after = replace(
        before,
        order=content,
        given=given,
        paid=paid,
        returned=before.returned.of(content),
        known=known,
    )
    effects = _release(account, before, after, content)
    for rule in before.program.earn:
        effects += _difference(account, before, after, rule)
    count_order(account, before, after, effects)
    taken_back = any(one.amount < 0 for one in effects) or content.total < before.order.total
    tier = review(account, before.program, recorded_at, taken_back=taken_back)
    asked = spent_of_budgets(earnings)
    budgets = {
        number: asked.get(number, 0) - before.budgets[number]
        for number in sorted({*asked, *before.budgets})
    }
    return Entry(
        schema=SCHEMA,
        kind=kind,
        recorded_at=recorded_at,
        occurred_at=content.placed_at,
        program_version=before.program.version,
        fingerprint=content.fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        stands=given,
        known=known,
        budgets=tuple((number, amount) for number, amount in budgets.items() if amount),
        tier=tier,
    )


def _given(
    head: Head,
    account: Account,
    before: OrderStory,
    content: Order,
    recorded_at: Instant,
    facts: Facts,
) -> tuple[list[Earning], Known | None]:
    """What every rule gives for the new content by itself, on what was known at first."""
    program = before.program
    counts = before.known is not None  # the order, with another content
    if not earns(program, content.placed_at, account.was.joined_at, credited=counts):
        return [], None
    known = before.known or know(
        program, account, head.key.member_id, content.placed_at, recorded_at, facts.person
    )
    situation = Situation(content, program.zone, account.was.joined_at, known)
    day = local_date(content.placed_at, program.zone).toordinal()

    def used(number: int) -> int:
        counter = program.counters_by_number[number]
        mine = before.counted[counter.of]
        if counter.measure is Measure.RULE_TIMES:
            mine = int(mine > 0)
        return counter.value(account.tallies, day) - mine

    left = {number: amount + before.budgets[number] for number, amount in facts.left.items()}
    return evaluate(program, situation, None, Room(used, left)), known


def foresee(
    head: Head, order: Order, program: Program, known: Known, left: Mapping[int, int]
) -> list[Earning]:
    """What an order would earn an account, rule by rule; `left` is of the campaigns' budgets."""
    account = Account.open(head.snapshot)
    if not earns(program, order.placed_at, account.was.joined_at):
        return []
    return earn(program, account, order, known, left)


def _difference(
    account: Account, before: OrderStory, after: OrderStory, rule: EarnRule
) -> list[Effect]:
    """What a rule gives or takes because the content changed."""
    old = next((one for one in before.given if one.rule == rule.number), None)
    new = next((one for one in after.given if one.rule == rule.number), None)
    weight = _kept(after, rule, new) - _kept(before, rule, old)
    if rule.rate.carry_remainder:
        remainder = account.remainders.get(rule.number, 0)
        points, account.remainders[rule.number] = rule.rate.points_carried(weight, remainder)
    else:
        points = (after.nominal(new) if new else 0) - (before.nominal(old) if old else 0)
    if points < 0:
        effect = Effect(rule.number, rule.currency, points, weight)
        return claw_back(account, after, effect, -points, weight)
    if not points and not weight:
        return []
    until = after.waits_until(rule)
    account.credit(after.bucket(rule, until), points)
    factors = new.factors if new else ()
    return [Effect(rule.number, rule.currency, points, weight, is_pending(until), factors)]


def _kept(standing: OrderStory, rule: EarnRule, effect: Effect | None) -> int:
    """The weight of what did not come back."""
    if effect is None:
        return 0
    weights = standing.weigh(rule, effect)
    return effect.weight - int(standing.returned.weight(weights))


def _release(
    account: Account, before: OrderStory, after: OrderStory, content: Order
) -> list[Effect]:
    """Lets what the order gave wait no longer than it has to now."""
    effects = []
    for rule in before.program.earn:
        net = before.net[rule.number]
        was, now = (
            before.waits_until(rule),
            waits_until(before.program, rule, content, after.paid, after.confirmed),
        )
        if net <= 0 or was == now or not was:
            continue
        bucket = before.bucket(rule, was)
        currency = before.program.currencies_by_number[rule.currency]
        released = account.release(bucket, now, net, renewed=currency.renewed)
        if released and not now:
            effects.append(Effect(rule.number, rule.currency, released, state=State.CONFIRMED))
    return effects
