"""The kinds of earn rules there are: one line a kind, from its document to how it weighs."""

from collections.abc import Callable
from typing import Any

from chalicelib.domain.earning.documents import EarnRuleDocument
from chalicelib.domain.earning.on_occasion import OnDay, OnOccasionDocument
from chalicelib.domain.earning.per_activity import Doing, PerActivityDocument
from chalicelib.domain.earning.per_amount import Money, PerAmountDocument
from chalicelib.domain.earning.per_order import PerOrderDocument, PerVisitDocument, Whole
from chalicelib.domain.earning.per_unit import PerUnitDocument, Units
from chalicelib.domain.earning.rule import Rate
from chalicelib.domain.earning.weighing import Weighing
from chalicelib.kernel.rounding import Rounding

EarnDocument = (
    PerAmountDocument
    | PerUnitDocument
    | PerOrderDocument
    | PerVisitDocument
    | PerActivityDocument
    | OnOccasionDocument
)
_KINDS: dict[type, Callable[[Any], Weighing]] = {
    PerAmountDocument: Money.of,
    PerUnitDocument: Units.of,
    PerOrderDocument: Whole.of,
    PerVisitDocument: Whole.of,
    PerActivityDocument: Doing.of,
    OnOccasionDocument: OnDay.of,
}
FIXED = (
    PerOrderDocument,
    PerVisitDocument,
    OnOccasionDocument,
)  # kinds that give a number, not a share


def weighing_of(document: EarnRuleDocument) -> Weighing:
    """How the rule of a document weighs."""
    return _KINDS[type(document)](document)


def rate_of(document: EarnRuleDocument) -> Rate:
    """The rate of any kind of rule."""
    rounding = Rounding(document.rounding)
    fixed = isinstance(document, FIXED)
    return Rate(document.give, document.per, rounding, document.carry_remainder, fixed)
