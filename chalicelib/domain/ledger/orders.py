"""An order was paid: every earn rule weighs it and gives its points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.earning.rule import EarnRule
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Account, Bucket, Head
from chalicelib.domain.ledger.commands import RecordOrder
from chalicelib.domain.ledger.entries import (
    NEVER,
    SCHEMA,
    Effect,
    Entry,
    Kind,
    State,
    StoredEntry,
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
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: RecordOrder,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Gives what the order earns; an order from before the member joined earns nothing."""
    order = command.order
    refusal = refuse_order(order, program, recorded_at)
    if refusal:
        return refusal
    account = Account.open(head.snapshot)
    effects = []
    if order.placed_at >= account.joined_at // SECOND * SECOND:  # stores tell whole seconds
        for one in earn(program, order, account.remainders):
            if not one.weight:
                continue
            account.credit(_bucket(program, one.rule, order), one.points)
            if one.remainder is not None:
                account.remainders[one.rule.number] = one.remainder
            state = State.PENDING if one.rule.pending else State.AVAILABLE
            effects.append(
                Effect(one.rule.number, one.rule.currency, one.points, one.weight, state)
            )
        renew(account, program, order.placed_at)
    return Entry(
        schema=SCHEMA,
        kind=Kind.ORDER,
        recorded_at=recorded_at,
        occurred_at=order.placed_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
    )


def _bucket(program: Program, rule: EarnRule, order: Order) -> Bucket:
    """Where the points of a rule go: the day they end, and the day they can be spent."""
    day = local_date(order.placed_at, program.zone)
    expiry = program.currencies_by_number[rule.currency].expiry
    return (
        rule.currency,
        expiry.day(day) if expiry else NEVER,
        rule.pending.until(day) if rule.pending else 0,
        0,
    )


def renew(account: Account, program: Program, active_at: Instant) -> None:
    """Starts validity anew where a currency lives as long as its member is active."""
    day = local_date(active_at, program.zone)
    for currency in program.currencies:
        if currency.expiry is not None and currency.expiry.since_activity:
            account.renew(currency.number, currency.expiry.day(day))
