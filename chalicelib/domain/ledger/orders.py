"""An order was placed, paid, changed or confirmed: every earn rule weighs it and gives points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.earning.rule import EarnRule
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import ConfirmOrder, EditOrder, OrderFacts, RecordOrder
from chalicelib.domain.ledger.entries import (
    SCHEMA,
    Effect,
    Entry,
    Kind,
    State,
    StoredEntry,
)
from chalicelib.domain.ledger.refunds import NOT_RECORDED, claw_back
from chalicelib.domain.ledger.story import (
    OrderStory,
    bucket_of,
    ended_by,
    fold,
    is_pending,
    waits_until,
    weigh,
)
from chalicelib.domain.orders import Order
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import MINUTE, SECOND, Instant, local_date

CLOCK_TOLERANCE = 10 * MINUTE  # how far a store's clock may be ahead of ours


@dataclass(frozen=True)
class Earning:
    """What one rule makes of one order."""

    rule: EarnRule
    weight: int
    points: int
    remainder: int | None  # what the rule now has left over; None where it carries nothing


def earn(program: Program, order: Order, remainders: Mapping[int, int]) -> list[Earning]:
    """What every rule of the program gives for an order."""
    earnings = []
    for rule in program.earn:
        weight = sum(rule.weigh(order))
        if rule.rate.carry_remainder:
            points, left = rule.rate.points_carried(weight, remainders.get(rule.number, 0))
            earnings.append(Earning(rule, weight, points, left))
        else:
            earnings.append(Earning(rule, weight, rule.rate.points(weight), None))
    return earnings


def refuse_order(order: Order, program: Program, now: Instant) -> Refusal | None:
    """Why the program cannot take this order, None where it can."""
    if order.currency != program.money:
        reason = f"the program's orders are in {program.money}"
        return Refusal("wrong_currency", reason, (FieldError("currency", reason),))
    if order.placed_at > now + CLOCK_TOLERANCE:
        reason = "lies in the future"
        return Refusal(
            "placed_in_future", "placed_at " + reason, (FieldError("placed_at", reason),)
        )
    return None


def record_order(
    head: Head,
    story: Sequence[StoredEntry],
    facts: OrderFacts | None,
    command: RecordOrder,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal | StoredEntry:
    """Gives what the order earns; an order from before the member joined earns nothing.

    Paid wins over pending, and cancelled over both, in whatever order they come.
    """
    overtaken = ended_by(story, refs.CANCELLED if command.paid else refs.PAID)
    if overtaken is not None:
        return overtaken
    standing = fold(story, facts)
    if standing is not None:
        return _restate(head, standing, command.order, command, Kind.ORDER, recorded_at)
    order = command.order
    refusal = refuse_order(order, program, recorded_at)
    if refusal:
        return refusal
    account = Account.open(head.snapshot)
    effects = []
    if counts(order, account.was.joined_at):
        for one in earn(program, order, account.remainders):
            if not one.weight:
                continue
            until = waits_until(program, one.rule, order, command.paid, confirmed=False)
            account.credit(bucket_of(program, one.rule, order, until), one.points)
            if one.remainder is not None:
                account.remainders[one.rule.number] = one.remainder
            effects.append(
                Effect(
                    one.rule.number, one.rule.currency, one.points, one.weight, is_pending(until)
                )
            )
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
    if (command.order.updated_at or 0) < (standing.order.updated_at or 0):
        return standing.last
    return _restate(head, standing, command.order, command, Kind.ORDER_EDITED, recorded_at)


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
    confirmed = replace(standing, confirmed=True)
    effects = _release(account, standing, confirmed, standing.order)
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
    )


def counts(order: Order, joined_at: Instant) -> bool:
    """Whether the order was placed since the member joined; stores tell whole seconds."""
    return order.placed_at >= joined_at // SECOND * SECOND


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
    command: RecordOrder | EditOrder,
    kind: Kind,
    recorded_at: Instant,
) -> Entry | Refusal:
    """The order has another content, or is paid now: the difference to what it gave."""
    refusal = refuse_order(content, before.program, recorded_at)
    if refusal:
        return refusal
    account = Account.open(head.snapshot)
    paid = before.paid or kind is Kind.ORDER
    given = _given(account, before, content)
    after = replace(
        before,
        order=content,
        given=given,
        paid=paid,
        returned=before.returned.of(content),
    )
    effects = _release(account, before, after, content)
    for rule in before.program.earn:
        effects += _difference(account, before, after, rule)
    return Entry(
        schema=SCHEMA,
        kind=kind,
        recorded_at=recorded_at,
        occurred_at=content.placed_at,
        program_version=before.program.version,
        fingerprint=command.fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        stands=given,
    )


def _given(account: Account, before: OrderStory, content: Order) -> tuple[Effect, ...]:
    """What every rule gives for the new content by itself."""
    if not counts(content, account.was.joined_at):
        return ()
    given = []
    for rule in before.program.earn:
        weight = sum(rule.weigh(content))
        if weight:
            given.append(Effect(rule.number, rule.currency, rule.rate.points(weight), weight))
    return tuple(given)


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
    account.credit(bucket_of(after.program, rule, after.order, until), points)
    return [Effect(rule.number, rule.currency, points, weight, is_pending(until))]


def _kept(standing: OrderStory, rule: EarnRule, effect: Effect | None) -> int:
    """The weight of what did not come back."""
    if effect is None:
        return 0
    weights = weigh(rule, standing.order, effect)
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
        bucket = bucket_of(before.program, rule, before.order, was)
        currency = before.program.currencies_by_number[rule.currency]
        released = account.release(bucket, now, net, renewed=currency.renewed)
        if released and not now:
            effects.append(Effect(rule.number, rule.currency, released, state=State.CONFIRMED))
    return effects
