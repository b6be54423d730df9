"""What a program may do and its owner may regret: told when it is published, never refused."""

from collections.abc import Iterator
from fractions import Fraction

from chalicelib.domain.earning.per_amount import PerAmountDocument
from chalicelib.domain.errors import FieldError
from chalicelib.domain.pricing.discount import BASIS_POINTS, basis_points
from chalicelib.domain.pricing.kinds import AnyDiscount
from chalicelib.domain.pricing.ladder import LadderDocument
from chalicelib.domain.pricing.percent import PercentDocument
from chalicelib.domain.program.document import ProgramDocument
from chalicelib.domain.rewards.cash import CashDocument

_PERCENT = 100


def warnings_of(document: ProgramDocument) -> list[FieldError]:
    """Each with the path where it stands and why."""
    found = list(_of_discounts(document))
    return found + list(_of_cost(document))


def _of_discounts(document: ProgramDocument) -> Iterator[FieldError]:
    limits = document.warnings
    for index, one in enumerate(document.discounts):
        at = f"discounts[{index}]"
        for percent in _percents(one):
            if percent >= limits.discount_percent_from * _PERCENT:
                yield FieldError(at, f"takes {_shown(percent)} % off")
            if percent < limits.discount_percent_below * _PERCENT:
                yield FieldError(at, f"takes only {_shown(percent)} % off: members will not see it")
        if _always(one):
            yield FieldError(at, "is always on: it has no condition, campaign or code")


def _percents(one: AnyDiscount) -> list[int]:
    """Hundredths of a percent."""
    if isinstance(one, PercentDocument):
        return [basis_points(one.percent)]
    if isinstance(one, LadderDocument):
        steps = [basis_points(step.percent) for step in one.steps]
        return steps + ([basis_points(one.grows.at_most)] if one.grows else [])
    return []


def _always(one: AnyDiscount) -> bool:
    ladder_of_counter = isinstance(one, LadderDocument) and one.counter is not None
    return not (one.condition or one.campaign or one.by_code or ladder_of_counter)


def _of_cost(document: ProgramDocument) -> Iterator[FieldError]:
    """What an order costs the shop without any condition: points at what they pay, discounts."""
    margin = document.warnings.margin_percent
    if margin is None:
        return
    cost = Fraction(0)
    for rule in document.earn:
        if isinstance(rule, PerAmountDocument) and rule.condition is None and not rule.campaign:
            cost += Fraction(rule.give, rule.per) * _worth(document, rule.currency)
    for one in document.discounts:
        if isinstance(one, PercentDocument) and _always(one):
            cost += Fraction(basis_points(one.percent), BASIS_POINTS)
    if cost * _PERCENT > margin:
        shown = _shown(int(cost * BASIS_POINTS))
        reason = (
            f"every order costs about {shown} % of its price, more than the margin of {margin} %"
        )
        yield FieldError("warnings.margin_percent", reason)


def _worth(document: ProgramDocument, currency: str) -> Fraction:
    """The most that a point pays, in minor units; an exchange may make it worth more."""
    worth = _paid(document, currency)
    for one in document.exchanges:
        if one.source == currency:
            worth = max(worth, Fraction(one.give, one.take) * _paid(document, one.target))
    return worth


def _paid(document: ProgramDocument, currency: str) -> Fraction:
    rates = [
        Fraction(one.worth, one.cost.amount)
        for one in document.rewards
        if isinstance(one, CashDocument) and one.cost and one.cost.currency == currency
    ]
    return max(rates, default=Fraction(0))


def _shown(basis: int) -> str:
    return f"{basis / _PERCENT:g}"
