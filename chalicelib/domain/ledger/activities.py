"""A member did something that is no order: rules weigh it, counters count it."""

from collections.abc import Sequence

from chalicelib.domain.conditions.situation import Situation
from chalicelib.domain.counting.counter import Counter, Measure
from chalicelib.domain.earning.evaluation import Earning, spent_of_budgets
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import Facts, RecordActivity
from chalicelib.domain.ledger.crediting import credit, earn
from chalicelib.domain.ledger.entries import SCHEMA, Effect, Entry, Kind, State, StoredEntry
from chalicelib.domain.ledger.orders import earns, refuse_time, renew
from chalicelib.domain.ledger.progress import know, review
from chalicelib.domain.ledger.redemptions import NO_RULE
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant, local_date


def record_activity(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: Facts | None,
    command: RecordActivity,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Gives what the activity earns; one from before the member joined earns nothing."""
    activity = command.activity
    refusal = refuse_time(activity.occurred_at, recorded_at, "occurred_at") or _unknown(
        command, program
    )
    if refusal:
        return refusal
    facts = facts or Facts()
    account = Account.open(head.snapshot)
    effects: list[Effect] = []
    known, tier, budgets = None, None, {}
    at = activity.occurred_at
    if earns(program, at, account.was.joined_at):
        known = know(program, account, head.key.member_id, at, recorded_at, facts.person)
        earnings = earn(program, account, activity, known, facts.left)
        budgets = spent_of_budgets(earnings)
        effects = credit(account, program, earnings, at, known.tier)
        situation = Situation(activity, program.zone, account.was.joined_at, known)
        if program.referrals is not None and program.referrals.asks_for(situation):
            effects.append(Effect(NO_RULE, 0, 0, state=State.QUALIFIES))
        day = local_date(at, program.zone).toordinal()
        for counter in program.counters:
            account.count(counter, day, _counted(counter, command, earnings))
        tier = review(account, program, recorded_at)
        if activity.type not in program.not_renewing:
            renew(account, program, at)
    return Entry(
        schema=SCHEMA,
        kind=Kind.ACTIVITY,
        recorded_at=recorded_at,
        occurred_at=activity.occurred_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        known=known,
        budgets=tuple(sorted(budgets.items())),
        tier=tier,
    )


def _unknown(command: RecordActivity, program: Program) -> Refusal | None:
    """Why the program does not know such an activity."""
    activity = command.activity
    properties = program.activities.get(activity.type)
    if properties is None:
        reason = f"the program has no activity {activity.type}"
        return Refusal("unknown_activity", reason, (FieldError("type", reason),))
    for name, value in activity.properties.items():
        wanted = properties.get(name)
        if wanted is None or wanted.python is not type(value):
            reason = f"is not {wanted.value}" if wanted else f"{activity.type} has no such property"
            return Refusal("invalid_request", reason, (FieldError(f"properties.{name}", reason),))
    return None


def _counted(counter: Counter, command: RecordActivity, earnings: list[Earning]) -> int:
    """What an activity adds to a counter."""
    if not counter.looks_at(command.activity):
        return 0
    if counter.measure is Measure.WEIGHT:
        assert counter.weighing is not None  # noqa: S101 (it weighs)
        return sum(counter.weighing.weigh(command.activity))
    if counter.measure is Measure.EARNED:
        return sum(one.points for one in earnings if one.rule.currency == counter.of)
    points = sum(one.points for one in earnings if one.rule.number == counter.of)
    return points if counter.measure is Measure.RULE_POINTS else int(points > 0)
