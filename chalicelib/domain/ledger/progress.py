"""What an entry adds to the member's counters, and what becomes of his tier by it.

What an order adds is the difference between the order as it stood before the entry and as it
stands after it, so that whatever came (paid, edited, refunded, cancelled, in whatever order) the
counters say what they would say had it come at once.
"""

from collections.abc import Iterable, Mapping

from chalicelib.domain.conditions.situation import Known
from chalicelib.domain.counting.counter import Counter, Measure
from chalicelib.domain.ledger.account import Account
from chalicelib.domain.ledger.entries import PASSING, Effect, Snapshot
from chalicelib.domain.ledger.story import OrderStory
from chalicelib.domain.memberships.membership import Membership, holds_plan
from chalicelib.domain.program.program import Program
from chalicelib.domain.segments import Person, Regular
from chalicelib.kernel.clock import Instant, local_date

NOBODY = Person()


def know(
    program: Program,
    account: Account,
    member_id: str,
    occurred_at: Instant,
    recorded_at: Instant,
    person: Person = NOBODY,
) -> Known:
    """What the rules may know of a member when something of his is decided.

    The tier is the one he has now; segments are those of the day on which it happened.
    """
    day = local_date(occurred_at, program.zone)
    regular = Regular(
        account.tallies,
        tier_of(program, account, recorded_at),
        local_date(account.was.joined_at, program.zone),
        day,
        person,
    )
    purchases = program.purchases
    return Known(
        regular.tier,
        1 + purchases.value(account.tallies, day.toordinal()) if purchases else 1,
        tuple(one.number for one in program.segments if one.holds(regular)),
        tuple(one.number for one in program.campaigns if one.holds_out(member_id)),
        plan=_plan_of(program, account.was.membership, occurred_at),
    )


def _plan_of(program: Program, membership: Membership | None, at: Instant) -> int:
    """The number of the paid plan that the rules take the member to have, 0 for none."""
    plan = program.plans_by_number.get(membership.plan) if membership else None
    if membership is None or plan is None or not holds_plan(membership, plan, at):
        return 0
    return plan.number


def count_order(
    account: Account, before: OrderStory | None, after: OrderStory, effects: Iterable[Effect]
) -> None:
    """Counts what an entry of an order adds or takes away. `effects` are the entry's."""
    program = after.program
    if not program.counters:
        return
    net_before = dict(before.counted) if before else {}
    net_after = _plus(net_before, effects)
    for counter in program.counters:
        was = _of_order(counter, before, net_before)
        now = _of_order(counter, after, net_after)
        old_day = _day(before or after)
        if was and old_day != _day(after):
            account.count(counter, old_day, -was)
            was = 0
        if now != was:
            account.count(counter, _day(after), now - was)


def review(
    account: Account, program: Program, recorded_at: Instant, *, taken_back: bool = False
) -> tuple[int, int] | None:
    """Lets what is counted no longer leave, and the tier follow; the change of the tier, if any."""
    today = local_date(recorded_at, program.zone).toordinal()
    by_number = program.counters_by_number
    account.tallies = [
        one
        for one in account.tallies
        if one.counter not in by_number or by_number[one.counter].window.kept(one, today)
    ]
    tiers = program.tiers
    if tiers is None:
        return None
    was = tier_of(program, account, recorded_at)
    if taken_back:
        account.held = tiers.fall(account.held, list(account.was.tallies), account.tallies, today)
    account.held = tiers.rise(account.held, account.tallies, today)
    return tier_change(was, tier_of(program, account, recorded_at))


def take_progress(
    account: Account, program: Program, other: Snapshot, recorded_at: Instant
) -> None:
    """Adds what was counted of a member who is merged into this one; the better tier is kept."""
    both = [*account.tallies, *other.tallies]
    known = program.counters_by_number
    account.tallies = [one for one in both if one.counter not in known]
    for counter in program.counters:
        account.tallies += counter.window.together(counter.mine(both))
    tiers = program.tiers
    if tiers is not None:
        account.held = tiers.better(account.held, other.held)
    review(account, program, recorded_at)


def tier_of(program: Program, account: Account, recorded_at: Instant) -> int:
    """The number of the tier that the member has, 0 for none."""
    day = local_date(recorded_at, program.zone).toordinal()
    tier = program.tiers and program.tiers.tier(account.held, day)
    return tier.number if tier else 0


def tier_change(was: int, now: int) -> tuple[int, int] | None:
    """What an entry says of the tier, by the program's numbers."""
    return None if was == now else (was, now)


def _day(standing: OrderStory) -> int:
    return local_date(standing.order.placed_at, standing.program.zone).toordinal()


def _plus(net: Mapping[int, int], effects: Iterable[Effect]) -> dict[int, int]:
    after = dict(net)
    for effect in effects:
        if effect.state not in PASSING:
            after[effect.rule] = after.get(effect.rule, 0) + effect.amount
    return after


def _of_order(counter: Counter, standing: OrderStory | None, net: Mapping[int, int]) -> int:
    """What an order, as it stands, adds to a counter."""
    if standing is None or standing.known is None or not counter.looks_at(standing.order):
        return 0
    if not standing.paid and not counter.of_caps:
        return 0
    if counter.measure is Measure.WEIGHT:
        assert counter.weighing is not None  # noqa: S101 (it weighs)
        weights = counter.weighing.weigh(standing.order)
        return sum(weights) - int(standing.returned.weight(weights))
    if counter.measure is Measure.ORDERS:
        return 0 if standing.returned.everything else 1
    if counter.measure is Measure.EARNED:
        rules = standing.program.rules_by_number
        return sum(
            amount
            for rule, amount in net.items()
            if rule in rules and rules[rule].currency == counter.of
        )
    points = net.get(counter.of, 0)
    return points if counter.measure is Measure.RULE_POINTS else int(points > 0)
