"""What the calendar brings by itself: conversions on their days, anniversaries, long absences.

These are facts of time like the others (`time.py`): everything that is due on one day is one entry,
recorded at its midnight, by the version of the program in force then. A birthday is not among
them, for it is nothing that a ledger knows: a sweep asks the profile, and the ref makes it once a
year (`celebrate`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from chalicelib.domain.earning.on_occasion import OnDay
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import Celebrate, Facts
from chalicelib.domain.ledger.crediting import credit, earn
from chalicelib.domain.ledger.entries import (
    SCHEMA,
    Effect,
    Entry,
    Kind,
    Snapshot,
    Standing,
    StoredEntry,
)
from chalicelib.domain.ledger.exchanges import convert
from chalicelib.domain.ledger.progress import know
from chalicelib.domain.ledger.redemptions import NO_RULE
from chalicelib.domain.occasions import Day, Occasion
from chalicelib.domain.program.program import Conversion, Program, Versions
from chalicelib.domain.segments import Person, birthday_in
from chalicelib.kernel.clock import Instant, local_date, start_of_day

BIRTHDAY_REFUSED = Refusal("nothing_to_celebrate", "no rule gives anything for it")
_YEARS_AHEAD = 2


@dataclass(frozen=True)
class Brought:
    """What a day brings an account."""

    at: Instant
    day: int
    entry_kind: Kind
    account: Account
    effects: tuple[Effect, ...]


def next_brought(head: Head, versions: Versions) -> Brought | None:
    """The next thing that the calendar brings an account that nobody touches."""
    newest = versions.newest()
    if not newest.has_calendar or head.snapshot.standing != Standing.OPEN:
        return None
    zone = newest.zone
    first = local_date(head.recorded_at, zone).toordinal()
    if start_of_day(date.fromordinal(first), zone) < head.recorded_at:
        first += 1
    first = max(first, head.snapshot.converted_on + 1)
    for day in sorted(set(_days(head.snapshot, newest, first))):
        brought = _on(head, day, zone, versions)
        if brought is not None:
            return brought
    return None


def celebrate(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: Facts | None,
    command: Celebrate,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Gives what a birthday brings."""
    account = Account.open(head.snapshot)
    person = facts.person if facts else Person()
    occasion = Occasion(Day.BIRTHDAY, command.at, command.year)
    effects = _earn(head, account, occasion, program, recorded_at, person)
    if not effects:
        return BIRTHDAY_REFUSED
    return Entry(
        schema=SCHEMA,
        kind=Kind.CELEBRATED,
        recorded_at=recorded_at,
        occurred_at=command.at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
    )


def _days(snapshot: Snapshot, program: Program, first: int) -> Iterator[int]:
    """The days, from the first on, on which something might be due."""
    start = date.fromordinal(first)
    years = range(start.year, min(start.year + _YEARS_AHEAD + 1, date.max.year))
    for conversion in program.conversions:
        for month, day in conversion.days:
            yield from (on for year in years if (on := date(year, month, day).toordinal()) >= first)
    for _, day_of_member in _anchors(snapshot, program):
        found = (birthday_in(day_of_member, year).toordinal() for year in years)
        yield from (on for on in found if on >= first)
    for pause in program.pauses:
        on = _last_seen(snapshot, program).toordinal() + pause
        if on >= first:
            yield on


def _anchors(snapshot: Snapshot, program: Program) -> list[tuple[Day, date]]:
    """The days whose anniversaries are celebrated."""
    days = {one.weighing.day for one in program.rules_on_days if isinstance(one.weighing, OnDay)}
    found = []
    if Day.JOINING in days:
        found.append((Day.JOINING, local_date(snapshot.joined_at, program.zone)))
    mine = program.purchases.mine(snapshot.tallies) if program.purchases else []
    if Day.FIRST_PURCHASE in days and mine:
        found.append((Day.FIRST_PURCHASE, date.fromordinal(mine[0].start)))
    return found


def _last_seen(snapshot: Snapshot, program: Program) -> date:
    mine = program.purchases.mine(snapshot.tallies) if program.purchases else []
    if mine:
        return date.fromordinal(mine[0].last)
    return local_date(snapshot.joined_at, program.zone)


def _on(head: Head, day: int, zone: ZoneInfo, versions: Versions) -> Brought | None:
    """What a day brings, None where it brings nothing."""
    at = start_of_day(date.fromordinal(day), zone)
    program = versions.at(at)
    account = Account.open(head.snapshot)
    effects: list[Effect] = []
    for occasion in _occasions(head.snapshot, program, date.fromordinal(day), at):
        effects += _earn(head, account, occasion, program, at, Person())
    kind = Kind.CELEBRATED if effects else Kind.CONVERTED
    for conversion in program.conversions:
        effects += _convert(account, conversion, program, date.fromordinal(day), at)
    if not effects:
        return None
    return Brought(at, day, kind, account, tuple(effects))


def _occasions(
    snapshot: Snapshot, program: Program, today: date, at: Instant
) -> Iterator[Occasion]:
    for what, first in _anchors(snapshot, program):
        years = today.year - first.year
        if years > 0 and birthday_in(first, today.year) == today:
            yield Occasion(what, at, years)
    absent = (today - _last_seen(snapshot, program)).days
    if absent in program.pauses:
        yield Occasion(Day.INACTIVITY, at, absent)


def _convert(
    account: Account, conversion: Conversion, program: Program, today: date, at: Instant
) -> list[Effect]:
    """Exchanges all whole steps that there are."""
    if (today.month, today.day) not in conversion.days:
        return []
    rate = conversion.rate
    steps = account.available(rate.source) // rate.take
    if not steps:
        return []
    convert(account, rate, steps, program, at)
    return [
        Effect(NO_RULE, rate.source, -steps * rate.take),
        Effect(NO_RULE, rate.target, steps * rate.give),
    ]


def _earn(
    head: Head,
    account: Account,
    occasion: Occasion,
    program: Program,
    recorded_at: Instant,
    person: Person,
) -> list[Effect]:
    """What a day earns. No campaign with a budget is about days: publishing refuses it."""
    at = occasion.placed_at
    if not program.earns_on(at):
        return []
    known = know(program, account, head.key.member_id, at, recorded_at, person)
    return credit(account, program, earn(program, account, occasion, known, {}), at, known.tier)
