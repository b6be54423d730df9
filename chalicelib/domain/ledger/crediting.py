"""What rules give, and how it goes into the account and into the effects that entries keep."""

from collections.abc import Callable, Iterable, Mapping

from chalicelib.domain.conditions.situation import Known, Situation
from chalicelib.domain.earning.evaluation import Earning, Room, evaluate
from chalicelib.domain.earning.rule import EarnRule
from chalicelib.domain.earning.weighing import Cause
from chalicelib.domain.ledger.account import Account
from chalicelib.domain.ledger.entries import Effect, State
from chalicelib.domain.ledger.story import bucket_of, is_pending
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant, local_date


def earn(
    program: Program, account: Account, cause: Cause, known: Known, left: Mapping[int, int]
) -> list[Earning]:
    """What every rule gives an account for a cause of which nothing is recorded yet; `left` is of
    the campaigns' budgets, by number."""
    situation = Situation(cause, program.zone, account.was.joined_at, known)
    day = local_date(cause.placed_at, program.zone).toordinal()
    counters = program.counters_by_number
    room = Room(lambda number: counters[number].value(account.tallies, day), left)
    return evaluate(program, situation, account.remainders, room)


def credit(
    account: Account,
    program: Program,
    earnings: Iterable[Earning],
    earned_at: Instant,
    tier: int,
    waits_until: Callable[[EarnRule], int] | None = None,
) -> list[Effect]:
    """Credits every gift to the lot of its day. `waits_until` is the day from which the points of a
    rule can be spent, 0 for at once; by itself it is what the rule says."""
    day = local_date(earned_at, program.zone)
    effects = []
    for one in earnings:
        rule = one.rule
        if not one.points and one.remainder is None:
            continue
        until = rule.pending.until(day) if rule.pending else 0
        if waits_until is not None:
            until = waits_until(rule)
        account.credit(bucket_of(program, rule, earned_at, until, tier), one.points)
        if one.remainder is not None:
            account.remainders[rule.number] = one.remainder
        effects.append(effect_of(one, is_pending(until)))
    return effects


def effect_of(one: Earning, state: State = State.AVAILABLE) -> Effect:
    """What a rule gave, as entries keep it."""
    rule = one.rule
    return Effect(rule.number, rule.currency, one.points, one.weight, state, one.factors)
