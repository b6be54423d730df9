"""What the parts of a program document share: names, counts, selections, and every earn rule.

Amounts of money are integers in minor units of the program's currency.
"""

from typing import Annotated, Literal

import msgspec

from chalicelib.domain.conditions.documents import ConditionDocument, Day, Identifier, Names
from chalicelib.kernel.money import MAX_AMOUNT

Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT)]
Period = Literal["lifetime", "day", "week", "month", "quarter", "year"]
Priority = Annotated[int, msgspec.Meta(ge=-1000, le=1000)]


class SelectionDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines that carry any of these."""

    skus: Names | None = None
    categories: Names | None = None
    labels: Names | None = None


class PendingDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points that cannot be spent yet: for some days; without days, until they are confirmed."""

    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None


class CapDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that one member gets of a rule: points, or times, in a period."""

    per: Period | Literal["order"]
    points: Count | None = None
    times: Count | None = None


class EarnRuleDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every kind of earn rule says.

    Rules stand beside each other unless they say otherwise. An `exclusive` rule is alone in its
    currency: it pays only if no rule of a higher priority did, and then no other pays. Of the rules
    of one `group` only one pays, as the group says. At one priority the earlier rule comes first.
    """

    id: Identifier
    currency: Identifier
    give: Count = 1
    per: Count = 1
    rounding: Literal["floor", "half_up", "ceiling"] = "floor"
    carry_remainder: bool = False
    pending: PendingDocument | None = None
    include: SelectionDocument | None = None
    exclude: SelectionDocument | None = None
    condition: ConditionDocument | None = msgspec.field(name="if", default=None)
    caps: Annotated[tuple[CapDocument, ...], msgspec.Meta(max_length=5)] = ()
    campaign: Identifier | None = None
    priority: Priority = 0
    stacking: Literal["stack", "exclusive"] = "stack"
    group: Identifier | None = None
    bonus: bool | None = None


class GroupDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules of which one pays: that which gives most, or the first that gives anything."""

    pays: Literal["best", "first"] = "best"


class MultiplierDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What rules give is multiplied: of all lines, or of some.

    `percent` is 200 for twice as much, 150 for half as much again. Without `rules` it is about
    every rule of its currency that is no bonus. Of the multipliers of one `group` only the largest
    counts.
    """

    id: Identifier
    currency: Identifier
    percent: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    rules: Annotated[tuple[Identifier, ...], msgspec.Meta(min_length=1, max_length=500)] | None = (
        None
    )
    include: SelectionDocument | None = None
    exclude: SelectionDocument | None = None
    condition: ConditionDocument | None = msgspec.field(name="if", default=None)
    campaign: Identifier | None = None
    group: Identifier | None = None


class EvaluationDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which order rules are evaluated.

    `order`: whether bonuses come after the multipliers, or before them and are multiplied too.
    `multipliers`: several on one line are multiplied with each other, or their surplus is added
    (x2 and x3 are x4), or the best one counts. `multiply`: the exact share of the order, which is
    then rounded once, or the whole points that a rule gave, which are rounded again as `rounding`
    says.
    """

    order: Literal["multiply_then_bonus", "bonus_then_multiply"] = "multiply_then_bonus"
    multipliers: Literal["multiply", "add", "best"] = "multiply"
    multiply: Literal["exact", "points"] = "exact"
    rounding: Literal["floor", "half_up", "ceiling"] = "floor"


class BudgetDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that a campaign gives to all members together: points, or times.

    At its edge an order gets what is left (`partial`), or nothing (`none`).
    """

    points: Count | None = None
    times: Count | None = None
    at_edge: Literal["partial", "none"] = "partial"


class CampaignDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules and multipliers that belong together for a while.

    `starts` and `ends` are days of the program's time zone, both included. Each member is in it for
    `trial_days` after he joined, if it says so; `holdout_percent` of the members are never in it,
    always the same, so that its effect can be measured.
    """

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=80)] | None = None
    starts: Day | None = None
    ends: Day | None = None
    condition: ConditionDocument | None = msgspec.field(name="if", default=None)
    trial_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None
    holdout_percent: Annotated[int, msgspec.Meta(ge=1, le=99)] | None = None
    budget: BudgetDocument | None = None
