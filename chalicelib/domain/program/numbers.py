"""The program's small numbers: what entries store instead of names.

A name keeps its number in every later version, so that an old entry can be read for ever. A rule
that carries remainders is numbered together with its rate: what an order left over under one rate
is not mixed with what another rate leaves.
"""

from collections.abc import Iterable

import msgspec

from chalicelib.domain.earning.documents import CapDocument, EarnRuleDocument, Period
from chalicelib.domain.earning.per_order import PerVisitDocument
from chalicelib.domain.program.document import ProgramDocument
from chalicelib.domain.referrals.documents import counters_of
from chalicelib.domain.rewards.reward import LimitDocument, RewardDocument


class Numbers(msgspec.Struct, frozen=True):
    """Names of one program to their numbers, from 1 on."""

    currencies: dict[str, int] = {}
    rules: dict[str, int] = {}
    rewards: dict[str, int] = {}
    counters: dict[str, int] = {}
    tiers: dict[str, int] = {}
    segments: dict[str, int] = {}
    campaigns: dict[str, int] = {}
    multipliers: dict[str, int] = {}
    plans: dict[str, int] = {}
    prices: dict[str, int] = {}

    def extended_by(self, document: ProgramDocument) -> "Numbers":
        """The same numbers, and new ones for what the document names anew."""
        return Numbers(
            _extend(self.currencies, document.currencies),
            _extend(self.rules, [rule_name(rule) for rule in document.earn]),
            _extend(self.rewards, [reward.id for reward in document.rewards]),
            _extend(self.counters, counter_names(document)),
            _extend(
                self.tiers, [one.id for one in document.tiers.levels] if document.tiers else ()
            ),
            _extend(self.segments, document.segments),
            _extend(self.campaigns, document.campaigns),
            _extend(self.multipliers, [one.id for one in document.multipliers]),
            _extend(self.plans, document.plans),
            _extend(
                self.prices,
                [
                    price_name(plan, price.id)
                    for plan, one in document.plans.items()
                    for price in one.prices
                ],
            ),
        )


def price_name(plan: str, price: str) -> str:
    """What a plan's price is numbered by."""
    return f"{plan} {price}"


def rule_name(rule: EarnRuleDocument) -> str:
    """What a rule is numbered by."""
    return f"{rule.id} {rule.give}/{rule.per}" if rule.carry_remainder else rule.id


def counter_names(document: ProgramDocument) -> list[str]:
    """Of the counters that the document declares, and of those that its rules need: no declared
    one has a space in its name."""
    names = [*document.counters, PURCHASES]
    for rule in document.earn:
        names += [cap_name(rule, period, what) for period, what, _ in caps_of(rule)]
    if document.referrals:
        names += counters_of(document.referrals)
    limits = [(one, one.per_member) for one in document.rewards]
    return names + [limit_name(one, limit) for one, limit in limits if limit is not None]


PURCHASES = "all purchases"


def caps_of(rule: EarnRuleDocument) -> list[tuple[Period, str, int]]:
    """The caps of a rule that need a counter: for which period, what they count, and the limit."""
    of_rule = [*rule.caps]
    if isinstance(rule, PerVisitDocument):
        of_rule.append(ONCE_A_DAY)
    found: list[tuple[Period, str, int]] = []
    for cap in of_rule:
        if cap.per != "order" and cap.points is not None:
            found.append((cap.per, "points", cap.points))
        if cap.per != "order" and cap.times is not None:
            found.append((cap.per, "times", cap.times))
    return found


def cap_name(rule: EarnRuleDocument, period: Period, what: str) -> str:
    """What the counter of a cap is called."""
    return f"{rule.id} {what} {period}"


def limit_name(reward: RewardDocument, limit: LimitDocument) -> str:
    """What the counter of a reward's limit is called."""
    return f"reward {reward.id} {limit.per}"


ONCE_A_DAY = CapDocument(per="day", times=1)  # what makes an order a visit


def _extend(numbers: dict[str, int], names: Iterable[str]) -> dict[str, int]:
    extended = dict(numbers)
    for name in names:
        extended.setdefault(name, len(extended) + 1)
    return extended
