"""What an order would cost and earn, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.conditions.situation import Situation
from chalicelib.domain.earning.evaluation import Earning, Room, evaluate, explain_multipliers
from chalicelib.domain.earning.multiplying import Multiplier
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger import orders as rules
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.progress import know
from chalicelib.domain.ledger.time import settled
from chalicelib.domain.orders import Order, OrderLine
from chalicelib.domain.pricing.access import Entrance, entrances
from chalicelib.domain.pricing.pricing import Priced, price
from chalicelib.domain.program.program import Program
from chalicelib.domain.rewards.coupon import Coupon
from chalicelib.domain.rewards.gift import Gift
from chalicelib.domain.rewards.voucher import UNUSABLE
from chalicelib.domain.segments import Person
from chalicelib.kernel.clock import Instant, local_date
from chalicelib.services import vouchers
from chalicelib.services.accounts import account
from chalicelib.services.appending import budget_name
from chalicelib.services.context import Context, Here
from chalicelib.services.order_facts import person_of
from chalicelib.services.orders import program_for


@dataclass(frozen=True)
class Offered:
    """What a voucher would do for the order: why it does nothing, or what it is good for."""

    code: str
    why_not: str | None = None
    discount: str | None = None
    gift: Gift | None = None
    pays: int | None = None  # in minor units: what is left of one that pays money


@dataclass(frozen=True)
class Quote:
    """What an order would cost and earn, rule by rule."""

    program: Program
    sent: Order  # with the lines that vouchers give
    priced: Priced
    earnings: list[Earning]
    multipliers: list[tuple[Multiplier, str | None]]  # and why one multiplies nothing
    entrances: list[Entrance]
    offered: list[Offered]


def quote(
    context: Context, here: Here, member_id: str | None, order: Order, codes: Sequence[str]
) -> Quote | Refusal:
    """What the order would cost and earn if it were paid then, with the member as he would be."""
    now = max(here.now, order.placed_at)
    program = program_for(context, here, order, now)
    if isinstance(program, Refusal):
        return program
    head = None
    person = Person()
    if member_id is not None:
        found = account(context, here, member_id)
        if isinstance(found, Refusal):
            return found
        snapshot = settled(found, context.catalog.versions(here.program), now)
        head = replace(found, snapshot=snapshot)
        person = person_of(context, here, member_id, program)
    offered = [_offered(context, here, program, code, head, now) for code in codes]
    left = _budgets_left(context, here, program)
    return _quote(program, _with_gifts(order, offered), head, now, person, offered, left)


def _quote(
    program: Program,
    order: Order,
    head: Head | None,
    now: Instant,
    person: Person,
    offered: list[Offered],
    left: dict[int, int],
) -> Quote:
    """Prices first, then what is earned by the price that is paid."""
    joined_at = head.snapshot.joined_at if head else order.placed_at
    tallies = list(head.snapshot.tallies) if head else []
    day = local_date(order.placed_at, program.zone).toordinal()
    known = program.known_of_nobody
    if head is not None:
        opened = Account.open(head.snapshot)
        known = know(program, opened, head.key.member_id, order.placed_at, now, person)
    situation = Situation(order, program.zone, joined_at, known, head is not None)
    priced = price(
        program.discounts,
        situation,
        order,
        lambda counter: counter.value(tallies, day),
        {one.discount for one in offered if one.discount},
    )
    paid = replace(situation, cause=priced.order)
    if head is None:
        earnings = evaluate(program, paid, {}, Room(left=left))
    else:
        earnings = rules.foresee(head, priced.order, program, known, left)
    multipliers = explain_multipliers(program, paid, earnings)
    entered = entrances(program.access, situation, order, is_member=head is not None)
    return Quote(program, order, priced, earnings, multipliers, entered, offered)


def _budgets_left(context: Context, here: Here, program: Program) -> dict[int, int]:
    """What is left of every budget now, by the campaign's number."""
    left = {}
    for one in program.campaigns:
        if one.budget is not None:
            used = context.store.ledger.used(here.program_id, budget_name(one.number))
            left[one.number] = max(0, one.budget.limit - used)
    return left


def _offered(
    context: Context, here: Here, program: Program, code: str, head: Head | None, now: Instant
) -> Offered:
    """What a code is good for, for this customer at this moment."""
    voucher = vouchers.read(context, here, code)
    if isinstance(voucher, Refusal):
        return Offered(code, voucher.detail)
    mine = head is not None and voucher.member_id in (head.key.member_id, *head.snapshot.merged)
    if voucher.member_id is not None and not mine:
        return Offered(code, "the voucher belongs to a member")
    status = voucher.status(now)
    if status in UNUSABLE:
        return Offered(code, UNUSABLE[status].detail)
    if voucher.event_id is None:
        public = program.codes.get(voucher.code)
        return (
            Offered(code, discount=public.discount)
            if public
            else Offered(code, "it is a code no longer")
        )
    reward = program.rewards_by_id.get(voucher.reward)
    terms = reward.terms if reward else None
    if isinstance(terms, Coupon):
        return Offered(code, discount=terms.discount)
    return Offered(code, gift=terms if isinstance(terms, Gift) else None, pays=voucher.value_left)


def _with_gifts(order: Order, offered: Sequence[Offered]) -> Order:
    """The order with a line for each gift."""
    gifts = [one for one in offered if one.gift]
    lines = [
        OrderLine(id=f"gift-{one.code}", quantity=one.gift.quantity, unit_price=0, sku=one.gift.sku)
        for one in gifts
        if one.gift
    ]
    return replace(order, lines=(*order.lines, *lines)) if lines else order
