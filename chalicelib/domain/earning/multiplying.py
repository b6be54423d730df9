"""Multipliers: what a rule gives is multiplied, of all lines of an order or of some."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import prod

from chalicelib.domain.conditions.condition import WhyNot
from chalicelib.domain.earning.campaigns import Campaign
from chalicelib.domain.earning.rule import SCALE, EarnRule
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.earning.weighing import Cause
from chalicelib.domain.orders import Order

PERCENT = 100


class Combine(Enum):
    """What several multipliers of one line make together."""

    MULTIPLY = "multiply"
    ADD = "add"
    BEST = "best"

    def scaled(self, percents: Sequence[int]) -> int:
        """Their factor, times `SCALE`, rounded down."""
        if not percents:
            return SCALE
        if self is Combine.MULTIPLY:
            whole: int = prod(percents) * SCALE
            return whole // int(PERCENT ** len(percents))
        if self is Combine.ADD:
            return max(0, PERCENT + sum(one - PERCENT for one in percents)) * SCALE // PERCENT
        return max(percents) * SCALE // PERCENT


@dataclass(frozen=True)
class Multiplier:
    """One multiplier of a compiled program."""

    id: str
    number: int
    currency: int
    percent: int  # 150: one and a half times
    rules: frozenset[int] | None  # None: every rule of the currency that is multiplied
    lines: Lines
    condition: WhyNot | None
    campaign: Campaign | None
    group: str | None

    def is_about(self, rule: EarnRule, bonuses: bool) -> bool:
        """Whether it multiplies what a rule gives."""
        if rule.currency != self.currency:
            return False
        if self.rules is not None:
            return rule.number in self.rules
        return bonuses or not rule.bonus

    @property
    def of_all_lines(self) -> bool:
        return self.lines.all

    def describe(self) -> str:
        """For the shop."""
        return f"x {self.percent / PERCENT:g} ({self.id})"


def multiplied(
    weights: Sequence[int], cause: Cause, multipliers: Sequence[Multiplier], combine: Combine
) -> tuple[int, ...]:
    """The weights times their factors, times `SCALE`."""
    everywhere = [one.percent for one in multipliers if one.of_all_lines]
    if len(everywhere) == len(multipliers) or not isinstance(cause, Order):
        factor = combine.scaled(everywhere)
        return tuple(weight * factor for weight in weights)
    scaled = []
    for line, weight in zip(cause.lines, weights, strict=False):
        percents = [one.percent for one in multipliers if one.lines.hold(line)] if weight else []
        scaled.append(weight * combine.scaled(percents))
    return (*scaled, *(weight * combine.scaled(everywhere) for weight in weights[len(scaled) :]))


def largest_of_groups(multipliers: Sequence[Multiplier]) -> list[Multiplier]:
    """Of each group only the largest; of equal ones the first."""
    best: dict[str, Multiplier] = {}
    for one in multipliers:
        known = best.get(one.group) if one.group else None
        if one.group and (known is None or one.percent > known.percent):
            best[one.group] = one
    return [one for one in multipliers if one.group is None or best[one.group] is one]
