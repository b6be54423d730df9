"""Segments: named groups of members, by what was counted of them and by what they say of
themselves.

A segment is evaluated when it is asked for, from facts alone: the same facts give the same answer.
Entries keep the numbers of the segments that counted, never the facts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

import msgspec

from chalicelib.domain.conditions.documents import Identifier, Identifiers, Names, Number
from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.counting.tallies import Tally

Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]


class RangeDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `at_least` to `at_most`, both included; either may be left out."""

    at_least: Number | None = None
    at_most: Number | None = None


class AverageDocument(RangeDocument, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One counter divided by another: what an order costs on the average."""

    of: Identifier
    per: Identifier


class LastDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long ago something was counted last; `over_days` holds too where it never was."""

    counter: Identifier
    within_days: Days | None = None
    over_days: Days | None = None


class BirthdayDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From so many days before the birthday to so many after it. 29 February is 28 elsewhere."""

    before_days: Annotated[int, msgspec.Meta(ge=0, le=180)] = 0
    after_days: Annotated[int, msgspec.Meta(ge=0, le=180)] = 0


class SegmentDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that is named must hold."""

    counters: Annotated[dict[Identifier, RangeDocument], msgspec.Meta(min_length=1)] | None = None
    average: AverageDocument | None = None
    last: LastDocument | None = None
    tiers: Identifiers | None = None
    segments: Identifiers | None = None
    joined_days: RangeDocument | None = None
    age: RangeDocument | None = None
    countries: Names | None = None
    attributes: (
        Annotated[
            dict[str, tuple[str | int | bool, ...]], msgspec.Meta(min_length=1, max_length=10)
        ]
        | None
    ) = None
    birthday: BirthdayDocument | None = None
    all_: Annotated[tuple["SegmentDocument", ...], msgspec.Meta(max_length=20)] | None = (
        msgspec.field(name="all", default=None)
    )
    any_: Annotated[tuple["SegmentDocument", ...], msgspec.Meta(max_length=20)] | None = (
        msgspec.field(name="any", default=None)
    )
    not_: "SegmentDocument | None" = msgspec.field(name="not", default=None)


@dataclass(frozen=True)
class Person:
    """What a member says of himself, as far as segments may ask. It is never stored with them."""

    birthday: date | None = None
    country: str | None = None
    attributes: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Regular:
    """A member, as segments see him on a day."""

    tallies: Sequence[Tally]
    tier: int
    joined_on: date
    today: date
    person: Person = Person()


Holds = Callable[[Regular], bool]


@dataclass(frozen=True)
class Segment:
    """One segment of a compiled program."""

    id: str
    number: int
    holds: Holds


@dataclass(frozen=True)
class Lexicon:
    """What the names in a segment's document are."""

    counters: Mapping[str, Counter]
    tiers: Mapping[str, int]
    segments: Mapping[str, SegmentDocument]


def compile_segment(document: SegmentDocument, names: Lexicon) -> Holds:
    """The test that a document describes."""
    tests: list[Holds] = []
    for name, wanted in (document.counters or {}).items():
        tests.append(_counted(names.counters[name], wanted))
    if document.average is not None:
        average = document.average
        tests.append(_average(names.counters[average.of], names.counters[average.per], average))
    if document.last is not None:
        tests.append(_last(names.counters[document.last.counter], document.last))
    if document.tiers is not None:
        numbers = {names.tiers[name] for name in document.tiers}
        tests.append(lambda one: one.tier in numbers)
    if document.segments is not None:
        others = [compile_segment(names.segments[name], names) for name in document.segments]
        tests.append(lambda one: any(test(one) for test in others))
    tests += _personal(document)
    for inner in document.all_ or ():
        tests.append(compile_segment(inner, names))
    if document.any_ is not None:
        some = [compile_segment(inner, names) for inner in document.any_]
        tests.append(lambda one: any(test(one) for test in some))
    if document.not_ is not None:
        without = compile_segment(document.not_, names)
        tests.append(lambda one: not without(one))
    return lambda one: all(test(one) for test in tests)


def asks_of_person(document: SegmentDocument) -> bool:
    """Whether a segment needs the member's profile."""
    inner = [*(document.all_ or ()), *(document.any_ or ())]
    inner += [document.not_] if document.not_ is not None else []
    own = (document.age, document.countries, document.attributes, document.birthday)
    return any(one is not None for one in own) or any(asks_of_person(one) for one in inner)


def _in(value: int, wanted: RangeDocument) -> bool:
    return (wanted.at_least is None or value >= wanted.at_least) and (
        wanted.at_most is None or value <= wanted.at_most
    )


def _counted(counter: Counter, wanted: RangeDocument) -> Holds:
    return lambda one: _in(counter.value(one.tallies, one.today.toordinal()), wanted)


def _average(of: Counter, per: Counter, wanted: AverageDocument) -> Holds:
    def holds(one: Regular) -> bool:
        day = one.today.toordinal()
        whole, count = of.value(one.tallies, day), per.value(one.tallies, day)
        if not count:
            return False
        least, most = wanted.at_least, wanted.at_most
        return (least is None or whole >= least * count) and (most is None or whole <= most * count)

    return holds


def _last(counter: Counter, wanted: LastDocument) -> Holds:
    def holds(one: Regular) -> bool:
        days = [tally.last for tally in counter.mine(one.tallies) if tally.amount]
        if not days:
            return wanted.within_days is None
        ago = one.today.toordinal() - max(days)
        return (wanted.within_days is None or ago <= wanted.within_days) and (
            wanted.over_days is None or ago > wanted.over_days
        )

    return holds


def _personal(document: SegmentDocument) -> list[Holds]:
    tests: list[Holds] = []
    if document.joined_days is not None:
        since = document.joined_days
        tests.append(lambda one: _in((one.today - one.joined_on).days, since))
    if document.age is not None:
        ages = document.age
        tests.append(
            lambda one: (
                one.person.birthday is not None
                and _in(age_on(one.person.birthday, one.today), ages)
            )
        )
    if document.countries is not None:
        countries = frozenset(document.countries)
        tests.append(lambda one: one.person.country in countries)
    for name, values in (document.attributes or {}).items():
        tests.append(_attribute(name, values))
    if document.birthday is not None:
        tests.append(_birthday(document.birthday))
    return tests


def _attribute(name: str, values: tuple[str | int | bool, ...]) -> Holds:
    kinds = {(type(value), value) for value in values}  # True is no 1

    def holds(one: Regular) -> bool:
        value = one.person.attributes.get(name)
        return (type(value), value) in kinds

    return holds


def _birthday(window: BirthdayDocument) -> Holds:
    def holds(one: Regular) -> bool:
        born = one.person.birthday
        if born is None:
            return False
        return any(
            -window.before_days <= (one.today - birthday_in(born, year)).days <= window.after_days
            for year in (one.today.year - 1, one.today.year, one.today.year + 1)
            if 1 <= year <= date.max.year
        )

    return holds


def birthday_in(born: date, year: int) -> date:
    """The birthday of a year."""
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def age_on(born: date, day: date) -> int:
    """Whole years."""
    return day.year - born.year - (day < birthday_in(born, day.year))
