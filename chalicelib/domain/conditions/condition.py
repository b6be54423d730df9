"""Conditions, compiled: each says why it does not hold, in a sentence for the shop, or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from chalicelib.domain.conditions.documents import ConditionDocument
from chalicelib.domain.conditions.expression import Expression, Type, compile_expression
from chalicelib.domain.conditions.situation import Situation
from chalicelib.kernel.money import format_amount

WhyNot = Callable[[Situation], str | None]
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Vocabulary:
    """The names of a program that conditions may use, and its money."""

    money: str
    tiers: Mapping[str, int] = field(default_factory=dict)
    segments: Mapping[str, int] = field(default_factory=dict)
    plans: Mapping[str, int] = field(default_factory=dict)
    properties: Mapping[str, Type] = field(default_factory=dict)  # of activities, for expressions


def compile_condition(document: ConditionDocument | None, words: Vocabulary) -> WhyNot | None:
    """The test that a document describes; None where it asks for nothing."""
    if document is None:
        return None
    tests = list(_tests(document, words))
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else all_of(tests)


def _tests(document: ConditionDocument, words: Vocabulary) -> list[WhyNot]:
    tests = [*_of_basket(document, words), *_of_names(document, words), *_of_time(document)]
    if document.purchase is not None:
        tests.append(_nth(document.purchase.exactly, document.purchase.every))
    if document.joined_within_days is not None:
        tests.append(_joined(document.joined_within_days))
    if document.when is not None:
        tests.append(_when(document.when, words))
    return tests + _combined(document, words)


def _of_basket(document: ConditionDocument, words: Vocabulary) -> list[WhyNot]:
    tests: list[WhyNot] = []
    if document.min_total is not None or document.max_total is not None:
        tests.append(_total(document.min_total, document.max_total, words.money))
    if document.min_units is not None:
        tests.append(_units(document.min_units))
    for what in ("skus", "categories", "labels"):
        names = getattr(document, what)
        if names is not None:
            tests.append(_any_line(frozenset(names), what))
    return tests


def _of_names(document: ConditionDocument, words: Vocabulary) -> list[WhyNot]:
    tests: list[WhyNot] = []
    if document.channels is not None:
        tests.append(_one_of(frozenset(document.channels), "channel"))
    if document.stores is not None:
        tests.append(_one_of(frozenset(document.stores), "store"))
    if document.paid_with is not None:
        tests.append(_paid_with(frozenset(document.paid_with)))
    if document.members is not None:
        tests.append(_members(document.members))
    if document.tiers is not None:
        tests.append(_tier({words.tiers[name]: name for name in document.tiers}))
    if document.segments is not None:
        tests.append(_segment({words.segments[name]: name for name in document.segments}))
    if document.plans is not None:
        tests.append(_plan({words.plans[name]: name for name in document.plans}))
    return tests


def _combined(document: ConditionDocument, words: Vocabulary) -> list[WhyNot]:
    tests: list[WhyNot] = []
    for one in document.all_ or ():
        tests += _tests(one, words)
    if document.any_ is not None:
        tests.append(_any([all_of(_tests(one, words)) for one in document.any_]))
    if document.not_ is not None:
        tests.append(_not(all_of(_tests(document.not_, words))))
    return tests


def all_of(tests: list[WhyNot]) -> WhyNot:
    """All must hold."""

    def why_not(situation: Situation) -> str | None:
        for test in tests:
            reason = test(situation)
            if reason is not None:
                return reason
        return None

    return why_not


def _any(tests: list[WhyNot]) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        reasons = []
        for test in tests:
            reason = test(situation)
            if reason is None:
                return None
            reasons.append(reason)
        return "none of these: " + "; ".join(reasons)

    return why_not


def _not(test: WhyNot) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        return "what must not be is so" if test(situation) is None else None

    return why_not


def _total(least: int | None, most: int | None, money: str) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        total = situation.total
        if least is not None and total < least:
            return f"the goods cost {_amount(total, money)}, less than {_amount(least, money)}"
        if most is not None and total > most:
            return f"the goods cost {_amount(total, money)}, more than {_amount(most, money)}"
        return None

    return why_not


def _amount(amount: int, money: str) -> str:
    return f"{format_amount(amount, money)} {money}"


def _units(least: int) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        if situation.units >= least:
            return None
        return f"{situation.units} units, fewer than {least}"

    return why_not


def _any_line(names: frozenset[str], what: str) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        if names.isdisjoint(getattr(situation, what)):
            return f"no line is of these {what}: {_list(names)}"
        return None

    return why_not


def _one_of(names: frozenset[str], what: str) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        if getattr(situation, what) in names:
            return None
        return f"only with {what} {_list(names)}"

    return why_not


def _paid_with(names: frozenset[str]) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        if names.isdisjoint(situation.payments):
            return f"only when paid with {_list(names)}"
        return None

    return why_not


def _members(wanted: bool) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        if situation.is_member is wanted:
            return None
        return "only for members" if wanted else "only for guests"

    return why_not


def _tier(names: dict[int, str]) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        if situation.known.tier in names:
            return None
        return f"only for tier {_list(names.values())}"

    return why_not


def _plan(names: dict[int, str]) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        if situation.known.plan in names:
            return None
        return f"only with plan {_list(names.values())}"

    return why_not


def _segment(names: dict[int, str]) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        if names.keys() & set(situation.known.segments):
            return None
        return f"only for segment {_list(names.values())}"

    return why_not


def _of_time(document: ConditionDocument) -> list[WhyNot]:
    tests: list[WhyNot] = []
    if document.weekdays is not None:
        tests.append(_weekdays(document.weekdays))
    if document.hours is not None:
        tests.append(_hours(document.hours.from_, document.hours.to))
    if document.dates is not None:
        tests.append(dates(document.dates.from_, document.dates.to))
    return tests


def _weekdays(names: tuple[str, ...]) -> WhyNot:
    numbers = {_WEEKDAYS.index(name) for name in names}

    def why_not(situation: Situation) -> str | None:
        return None if situation.local.weekday() in numbers else f"only on {_list(names)}"

    return why_not


def _hours(start: str, end: str) -> WhyNot:
    first, last = _minutes(start), _minutes(end)

    def why_not(situation: Situation) -> str | None:
        now = situation.local.hour * 60 + situation.local.minute
        inside = first <= now < last if first < last else now >= first or now < last
        return None if inside else f"only from {start} to {end}"

    return why_not


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def dates(first: str | None, last: str | None) -> WhyNot:
    """Only on the days from the first to the last, both included."""
    start = date.fromisoformat(first) if first else date.min
    end = date.fromisoformat(last) if last else date.max

    def why_not(situation: Situation) -> str | None:
        if situation.day < start:
            return f"begins on {start}"
        return f"ended on {end}" if situation.day > end else None

    return why_not


def _nth(exactly: int | None, every: int | None) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        nth = situation.known.nth
        if situation.order is None:
            return "is about orders"
        if exactly is not None and nth != exactly:
            return f"only for order {exactly} of a member, this is {nth}"
        if every is not None and nth % every:
            return f"only for every order {every} of a member, this is {nth}"
        return None

    return why_not


def _joined(days: int) -> WhyNot:
    def why_not(situation: Situation) -> str | None:
        if (situation.day - situation.joined_on).days < days:
            return None
        return f"only for {days} days after joining"

    return why_not


def _when(text: str, words: Vocabulary) -> WhyNot:
    expression: Expression = compile_expression(text, words.properties)

    def why_not(situation: Situation) -> str | None:
        return None if expression(situation) else f"does not hold: {text}"

    return why_not


def _list(names: object) -> str:
    return ", ".join(sorted(names))  # type: ignore[call-overload]
