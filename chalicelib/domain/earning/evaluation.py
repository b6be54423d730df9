"""What the rules of a program give for an order or an activity, and why each gives that.

The order is: what each rule gives by itself; its multipliers; its caps; then, from the highest
priority on, which rules may stand beside each other; and last what is left of the campaigns'
budgets. The program document says how multipliers meet bonuses and each other.
"""

from collections import Counter as Sums
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from chalicelib.domain.conditions.situation import Situation
from chalicelib.domain.earning.campaigns import USED_UP, Campaign, why_not
from chalicelib.domain.earning.multiplying import (
    Combine,
    Multiplier,
    largest_of_groups,
    multiplied,
)
from chalicelib.domain.earning.rule import SCALE, EarnRule, Pays
from chalicelib.domain.earning.weighing import Cause
from chalicelib.kernel.rounding import Rounding

NOTHING_COUNTS = "nothing in the order counts for this rule"


@dataclass(frozen=True)
class Evaluation:
    """How a program evaluates its rules."""

    bonuses_multiplied: bool = False
    combine: Combine = Combine.MULTIPLY
    multiply_points: bool = False  # the whole points that a rule gave, not the exact share
    rounding: Rounding = Rounding.FLOOR


class Rules(Protocol):
    """What is evaluated of a program."""

    @property
    def evaluation(self) -> Evaluation: ...
    @property
    def groups(self) -> Mapping[str, Pays]: ...
    @property
    def money(self) -> str: ...
    def rules_about(self, cause: Cause) -> Sequence[EarnRule]: ...
    def multipliers_of(self, rule: EarnRule) -> Sequence[Multiplier]: ...
    @property
    def multipliers_by_number(self) -> Mapping[int, Multiplier]: ...


@dataclass(frozen=True)
class Room:
    """What caps and budgets still allow. By default everything."""

    used: Callable[[int], int] = lambda _: 0  # by the number of a cap's counter
    left: Mapping[int, int] | None = None  # of campaigns' budgets, by number


@dataclass(frozen=True)
class Earning:
    """What one rule makes of one order."""

    rule: EarnRule
    weight: int  # with its factors, where it has any
    points: int
    why_not: str | None = None  # why it gives nothing, or less
    factors: tuple[int, ...] = ()  # the multipliers that counted, by number
    remainder: int | None = None  # what the rule now has left over; None where it carries nothing

    def nothing(self, reason: str) -> "Earning":
        """The rule does not pay after all."""
        return replace(self, weight=0, points=0, why_not=reason, factors=(), remainder=None)


def evaluate(
    program: Rules,
    situation: Situation,
    remainders: Mapping[int, int] | None = None,
    room: Room = Room(),
) -> list[Earning]:
    """What every rule gives. Without `remainders` carrying rules are rounded down."""
    applying: dict[int, bool] = {}
    earnings = [
        _capped(_one(program, rule, situation, remainders, applying), room)
        for rule in program.rules_about(situation.cause)
    ]
    return _budgeted(_stacked(earnings, program.groups), room)


def explain_multipliers(
    program: Rules, situation: Situation, earnings: Sequence[Earning]
) -> list[tuple[Multiplier, str | None]]:
    """Every multiplier, and why it multiplies nothing; None where it does."""
    counted = {number for one in earnings for number in one.factors}
    found: list[tuple[Multiplier, str | None]] = []
    for one in program.multipliers_by_number.values():
        reason = why_not(one.campaign, one.condition, situation)
        if one.number in counted:
            found.append((one, None))
        else:
            found.append((one, reason or "no rule that it multiplies gives anything"))
    return found


def weights_of(
    program: Rules, rule: EarnRule, cause: Cause, factors: Sequence[int]
) -> tuple[int, ...]:
    """The weights that a rule's gift was made of: with the factors of these multipliers, times
    `SCALE`; of a rule that carries its remainder, in whole units."""
    weights = rule.weigh(cause)
    if not factors:
        return weights
    multipliers = [program.multipliers_by_number[number] for number in factors]
    scaled = multiplied(weights, cause, multipliers, program.evaluation.combine)
    if rule.rate.carry_remainder:
        return tuple(weight // SCALE for weight in scaled)
    return scaled


def _one(
    program: Rules,
    rule: EarnRule,
    situation: Situation,
    remainders: Mapping[int, int] | None,
    applying: dict[int, bool],
) -> Earning:
    reason = why_not(rule.campaign, rule.condition, situation)
    if reason:
        return Earning(rule, 0, 0, reason)
    weights = rule.weigh(situation.cause)
    weight = sum(weights)
    if not weight:
        return Earning(rule, 0, 0, NOTHING_COUNTS)
    multipliers = _applying(program, rule, situation, weights, applying)
    factors = tuple(one.number for one in multipliers)
    if rule.rate.carry_remainder:
        weight = sum(weights_of(program, rule, situation.cause, factors))
        if remainders is None:
            return Earning(rule, weight, rule.rate.points(weight), factors=factors)
        points, left = rule.rate.points_carried(weight, remainders.get(rule.number, 0))
        return Earning(rule, weight, points, factors=factors, remainder=left)
    if not multipliers:
        return Earning(rule, weight, rule.rate.points(weight))
    evaluation = program.evaluation
    scaled = sum(multiplied(weights, situation.cause, multipliers, evaluation.combine))
    if evaluation.multiply_points:
        base = rule.rate.points(weight)
        points = evaluation.rounding.divide(base * scaled, weight * SCALE)
    else:
        points = rule.rate.points(weight, scaled)
    return Earning(rule, scaled, points, factors=factors)


def _applying(
    program: Rules,
    rule: EarnRule,
    situation: Situation,
    weights: Sequence[int],
    applying: dict[int, bool],
) -> list[Multiplier]:
    """The multipliers that count for a rule here and now."""
    found = []
    for one in program.multipliers_of(rule):
        if one.number not in applying:
            applying[one.number] = why_not(one.campaign, one.condition, situation) is None
        if applying[one.number] and _touches(one, situation, weights):
            found.append(one)
    return largest_of_groups(found) if len(found) > 1 else found


def _touches(one: Multiplier, situation: Situation, weights: Sequence[int]) -> bool:
    """Whether any line that has weight is one of the multiplier's."""
    if one.of_all_lines:
        return True
    if situation.order is None:
        return False
    lines = zip(situation.order.lines, weights, strict=False)
    return any(weight and one.lines.hold(line) for line, weight in lines)


def _capped(earning: Earning, room: Room) -> Earning:
    for cap in earning.rule.caps if earning.points else ():
        allowed = cap.clip(earning.points, room.used(cap.counter) if cap.counter else 0)
        if allowed < earning.points:
            earning = (
                replace(earning, points=allowed, why_not=cap.reason)
                if allowed
                else earning.nothing(cap.reason)
            )
        if not allowed:
            break
    return earning


def _stacked(earnings: list[Earning], groups: Mapping[str, Pays]) -> list[Earning]:
    """From the highest priority on, who may pay; the answer is in the order of the document."""
    order = sorted(range(len(earnings)), key=lambda at: -earnings[at].rule.priority)
    winners = _winners([earnings[at] for at in order], groups)
    alone: dict[int, str] = {}  # the exclusive rule of a currency
    first: dict[int, str] = {}  # the first rule that paid in a currency
    stacked = list(earnings)
    for at in order:
        one = earnings[at]
        rule = one.rule
        if not one.points and one.remainder is None:
            continue
        winner = winners.get(rule.group, rule.id) if rule.group else rule.id
        if winner != rule.id:
            stacked[at] = one.nothing(f"{winner} pays for the group {rule.group}")
        elif rule.currency in alone:
            stacked[at] = one.nothing(f"{alone[rule.currency]} pays alone")
        elif rule.exclusive and rule.currency in first:
            stacked[at] = one.nothing(f"pays alone or not at all, and {first[rule.currency]} pays")
        elif one.points:
            first.setdefault(rule.currency, rule.id)
            if rule.exclusive:
                alone[rule.currency] = rule.id
    return stacked


def _winners(earnings: Sequence[Earning], groups: Mapping[str, Pays]) -> dict[str, str]:
    """The rule of each group that pays."""
    winners: dict[str, Earning] = {}
    for one in earnings:
        group = one.rule.group
        if group is None or not one.points:
            continue
        known = winners.get(group)
        if known is None or (groups[group] is Pays.BEST and one.points > known.points):
            winners[group] = one
    return {group: one.rule.id for group, one in winners.items()}


def _budgeted(earnings: list[Earning], room: Room) -> list[Earning]:
    """Clips what campaigns give at the edge of their budgets."""
    if room.left is None:
        return earnings
    left = dict(room.left)
    clipped = []
    for one in earnings:
        campaign = one.rule.campaign
        if campaign is not None and campaign.budget is not None and campaign.number in left:
            one = _clipped(one, campaign, left[campaign.number])  # noqa: PLW2901
            left[campaign.number] -= spends(campaign, one.points)
        clipped.append(one)
    return clipped


def _clipped(one: Earning, campaign: Campaign, left: int) -> Earning:
    budget = campaign.budget
    assert budget is not None  # noqa: S101 (asked before)
    needed = spends(campaign, one.points)
    if needed <= left:
        return one
    if budget.counts_points and budget.partial and left > 0:
        return replace(one, points=left, why_not=USED_UP)
    return one.nothing(USED_UP)


def spends(campaign: Campaign, points: int) -> int:
    """What so many points take of a campaign's budget."""
    if campaign.budget is None or not points:
        return 0
    return points if campaign.budget.counts_points else 1


def spent_of_budgets(earnings: Sequence[Earning]) -> dict[int, int]:
    """What these take of each budget, by the campaign's number."""
    spent: Sums[int] = Sums()
    for one in earnings:
        campaign = one.rule.campaign
        if campaign is not None and campaign.budget is not None:
            spent[campaign.number] += spends(campaign, one.points)
    return {number: amount for number, amount in spent.items() if amount}
