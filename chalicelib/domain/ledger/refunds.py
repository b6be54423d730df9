"""An order was given back, in part or in whole: the rules that paid take back their share.

The share is cumulative: after each refund a rule has taken `given * returned // weighed` in all,
so that partial refunds, in any order and of any size, sum to the whole exactly. What was given and
weighed stands in the entry of the order; today's rules have no say. A rule that carries its
remainder is inverted exactly: points x step + remainder, less what came back.

A refund by line returns the weight of the units that came back. A refund of an amount, of which
nobody can say what it was for, returns the same share of every weight as it is of the order's
total. Once all the money is back, or the refund says it was the rest, everything is returned.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from chalicelib.domain.earning.rule import EarnRule
from chalicelib.domain.errors import Corrupt, FieldError, Refusal
from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import RefundFacts, RefundOrder
from chalicelib.domain.ledger.entries import (
    SCHEMA,
    Effect,
    Entry,
    Kind,
    Refunded,
    StoredEntry,
    decode,
)
from chalicelib.domain.ledger.time import confirmed_bucket
from chalicelib.domain.orders import Order
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant


@dataclass(frozen=True)
class Returned:
    """How much of an order has come back after some of its refunds."""

    order: Order
    units: Counter[int]  # by the line's position
    amount: int  # of money beside the lines
    rest: bool  # a refund gave back all that was left

    @classmethod
    def by(cls, order: Order, refunds: Sequence[Refunded]) -> "Returned":
        units: Counter[int] = Counter()
        for refund in refunds:
            units.update(dict(refund.lines))
        return cls(
            order, units, sum(one.amount for one in refunds), any(one.rest for one in refunds)
        )

    @property
    def money(self) -> int:
        """What the customer got back."""
        if self.rest:
            return self.order.total
        lines = zip(self.order.lines, self.order.paid_lines, strict=True)
        of_lines = sum(
            paid * self.units[index] // line.quantity for index, (line, paid) in enumerate(lines)
        )
        return of_lines + self.amount

    @property
    def everything(self) -> bool:
        return self.rest or (self.order.total > 0 and self.money == self.order.total)

    def weight(self, weights: Sequence[int]) -> Fraction:
        """How much of a rule's weights (one a line, and the shipping's) came back, exactly."""
        whole = sum(weights)
        if self.everything:
            return Fraction(whole)
        of_lines = sum(
            Fraction(weight * self.units[index], line.quantity)
            for index, (weight, line) in enumerate(zip(weights, self.order.lines, strict=False))
        )
        of_amount = Fraction(whole * self.amount, self.order.total or 1)
        return min(Fraction(whole), of_lines + of_amount)


def refund_order(
    head: Head,
    story: Sequence[StoredEntry],
    facts: RefundFacts | None,
    command: RefundOrder,
    program: Program,  # noqa: ARG001 (today's rules have no say)
    recorded_at: Instant,
) -> Entry | Refusal:
    """Takes back what the order's rules gave for what came back."""
    if facts is None:
        return Refusal("order_not_recorded", "the order's payment was not recorded yet")
    paid_ref = refs.paid(command.source, command.order_id)
    entries = {stored.ref: decode(stored.body) for stored in story}
    paid = entries[paid_ref]
    earlier = [entry.refunded for entry in entries.values() if entry.refunded]
    asked = _asked(command, Returned.by(facts.order, earlier))
    if isinstance(asked, Refusal):
        return asked
    before = Returned.by(facts.order, earlier)
    after = Returned.by(facts.order, [*earlier, asked])

    account = Account.open(head.snapshot)
    effects = []
    for effect in paid.effects:
        rule = facts.program.rules_by_number[effect.rule]
        taken = _take_back(account, rule, effect, before, after)
        own = [
            bucket
            for lot in paid.moves
            if lot.amount > 0
            for bucket in (lot.bucket, confirmed_bucket(lot))
        ]
        account.debit(effect.currency, -taken.amount, first=own)
        effects.append(taken)
    return Entry(
        schema=SCHEMA,
        kind=Kind.REFUND,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=facts.program.version,  # whose rules take back
        fingerprint=command.fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        refunded=asked,
    )


def _take_back(
    account: Account, rule: EarnRule, effect: Effect, before: Returned, after: Returned
) -> Effect:
    weights = rule.weigh(after.order)
    if sum(weights) != effect.weight:
        raise Corrupt("an order record does not weigh what its entry says")
    already, now = before.weight(weights), after.weight(weights)
    if rule.rate.carry_remainder:
        remainder = account.remainders.get(rule.number, 0)
        points, left = rule.rate.points_carried(int(already) - int(now), remainder)
        account.remainders[rule.number] = left
    else:
        given, weighed = effect.amount, effect.weight
        points = given * already // weighed - given * now // weighed
    return Effect(effect.rule, effect.currency, points, int(now) - int(already))


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
    total = Returned(
        before.order,
        before.units + Counter(dict(asked.lines)),
        before.amount + asked.amount,
        rest=False,
    )
    if total.money > before.order.total:
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
