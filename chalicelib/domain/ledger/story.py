"""What an order is after everything that happened to it: its entries, folded.

An order may be sent unpaid, change, be paid, come back in parts and be cancelled, and its messages
may come in any order. Whatever comes is decided on the fold of what came before, so that the end
is the same.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from chalicelib.domain.conditions.situation import Known
from chalicelib.domain.earning.evaluation import weights_of
from chalicelib.domain.earning.rule import UNTIL_CONFIRMED, EarnRule
from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Bucket
from chalicelib.domain.ledger.commands import OrderFacts
from chalicelib.domain.ledger.entries import (
    PASSING,
    UNCOUNTED,
    Effect,
    Kind,
    Refunded,
    State,
    StoredEntry,
    decode,
)
from chalicelib.domain.orders import Order
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant, local_date

CONTENTS = frozenset({Kind.ORDER, Kind.ORDER_PENDING, Kind.ORDER_EDITED})  # entries with a content


@dataclass(frozen=True)
class Returned:
    """How much of an order has come back after some of its refunds."""

    order: Order
    units: Counter[int] = field(default_factory=Counter)  # by the line's position
    amount: int = 0  # of money beside the lines
    rest: bool = False  # a refund gave back all that was left

    def and_then(self, refund: Refunded) -> "Returned":
        """After one more refund."""
        units = self.units + Counter(dict(refund.lines))
        return Returned(self.order, units, self.amount + refund.amount, self.rest or refund.rest)

    def of(self, content: Order) -> "Returned":
        """The same of another content, by the ids of the lines.

        What was returned of a line that an edit took out or made smaller is gone with it.
        """
        units = {self.order.lines[at].id: count for at, count in self.units.items()}
        lines = {
            at: min(units[line.id], line.quantity)
            for at, line in enumerate(content.lines)
            if units.get(line.id)
        }
        return Returned(content, Counter(lines), self.amount, self.rest)

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


@dataclass(frozen=True)
class OrderStory:
    """An order as it stands."""

    order: Order  # its content now
    program: Program  # whose rules decide it
    returned: Returned
    paid: bool
    known: Known | None  # what was known of the member; None: the order counts nothing
    confirmed: bool = False
    last: StoredEntry | None = None  # the entry that gave it its content
    given: tuple[Effect, ...] = ()  # by each rule, for the content, before any refund
    buckets: tuple[Bucket, ...] = ()  # into which it gave
    # What each rule has given, less what was taken back; and with what had expired before that.
    net: Counter[int] = field(default_factory=Counter)
    counted: Counter[int] = field(default_factory=Counter)
    budgets: Counter[int] = field(default_factory=Counter)  # what it takes of each campaign's

    def nominal(self, effect: Effect) -> int:
        """What a rule's gift is worth after the refunds so far, by the cumulative method."""
        rule = self.program.rules_by_number[effect.rule]
        weights = self.weigh(rule, effect)
        back = self.returned.weight(weights)
        return effect.amount - effect.amount * back // effect.weight if effect.weight else 0

    def weigh(self, rule: EarnRule, effect: Effect) -> tuple[int, ...]:
        """The weights that a rule's gift was made of.

        Raises `Corrupt` where they do not sum to it.
        """
        weights = weights_of(self.program, rule, self.order, effect.factors)
        if sum(weights) != effect.weight:
            raise Corrupt("an order record does not weigh what its entry says")
        return weights

    def bucket(self, rule: EarnRule, pending_until: int) -> Bucket:
        """Where the points of a rule go."""
        tier = self.known.tier if self.known else 0
        return bucket_of(self.program, rule, self.order.placed_at, pending_until, tier)

    def waits_until(self, rule: EarnRule) -> int:
        """The day from which a rule's points of this order can be spent, 0 for at once."""
        return waits_until(self.program, rule, self.order, self.paid, self.confirmed)


def waits_until(program: Program, rule: EarnRule, order: Order, paid: bool, confirmed: bool) -> int:
    """The day from which a rule's points of an order can be spent, 0 for at once."""
    if confirmed:
        return 0
    if not paid:
        return UNTIL_CONFIRMED
    day = local_date(order.placed_at, program.zone)
    return rule.pending.until(day) if rule.pending else 0


def bucket_of(
    program: Program, rule: EarnRule, placed_at: Instant, pending_until: int, tier: int
) -> Bucket:
    """Where the points of a rule go: the day they end, and the day they can be spent.

    Points that were earned in some tiers may never end.
    """
    expiry = program.currencies_by_number[rule.currency].expiry
    if expiry is None or tier in expiry.not_in_tiers:
        return (rule.currency, NEVER, pending_until, 0)
    day = local_date(placed_at, program.zone)
    return (rule.currency, expiry.day(day), pending_until, 0)


def fold(story: Sequence[StoredEntry], facts: OrderFacts | None) -> OrderStory | None:
    """The order after all of its entries; None where nothing of it was recorded yet."""
    if facts is None or facts.program is None:
        return None
    order: Order | None = None
    given: tuple[Effect, ...] = ()
    last: StoredEntry | None = None
    returned: Returned | None = None
    net: Counter[int] = Counter()
    counted: Counter[int] = Counter()
    budgets: Counter[int] = Counter()
    known: Known | None = None
    buckets: dict[Bucket, None] = {}
    seen = set()
    for stored in story:
        entry = decode(stored.body)
        seen.add(stored.ref.rpartition("#")[2])
        if entry.kind in CONTENTS:
            order, given, last = facts.contents[entry.fingerprint], entry.given, stored
            returned = returned.of(order) if returned else Returned(order)
            known = entry.known
        for campaign, amount in entry.budgets:
            budgets[campaign] += amount
        for effect in entry.effects:
            if effect.state not in UNCOUNTED:
                net[effect.rule] += effect.amount
            if effect.state not in PASSING:
                counted[effect.rule] += effect.amount
        buckets |= dict.fromkeys(lot.bucket for lot in entry.moves if lot.amount > 0)
        if entry.refunded is not None and returned is not None:
            returned = returned.and_then(entry.refunded)
    if order is None or last is None or returned is None:
        return None
    return OrderStory(
        order=order,
        program=facts.program,
        given=given,
        net=net,
        returned=returned,
        paid=refs.PAID in seen or refs.CONFIRMED in seen,
        confirmed=refs.CONFIRMED in seen,
        buckets=tuple(buckets),
        last=last,
        known=known,
        counted=counted,
        budgets=budgets,
    )


def ended_by(story: Sequence[StoredEntry], event: str) -> StoredEntry | None:
    """The entry of this event of the order, if it is in the story."""
    return next((one for one in story if one.ref.rpartition("#")[2] == event), None)


def is_pending(pending_until: int) -> State:
    """The state of points that wait until that day."""
    return State.PENDING if pending_until else State.AVAILABLE
