"""How large an entry of a program may become: storage is paid by the kilobyte, for ever."""

import msgspec

from chalicelib.domain.conditions.situation import Known
from chalicelib.domain.counting.kinds import window_of
from chalicelib.domain.counting.tallies import Tallies, Tally
from chalicelib.domain.counting.windows import Calendar
from chalicelib.domain.errors import FieldError
from chalicelib.domain.ledger.account import EXPIRED_KEPT
from chalicelib.domain.ledger.entries import (
    SCHEMA,
    Debt,
    Effect,
    Entry,
    Hold,
    Kind,
    Lot,
    Lots,
    Remainder,
    Snapshot,
    encode,
)
from chalicelib.domain.ledger.reservations import MAX_OPEN
from chalicelib.domain.memberships.membership import Membership
from chalicelib.domain.program.compiling import expiry_of
from chalicelib.domain.program.document import CurrencyDocument, ProgramDocument
from chalicelib.domain.program.numbers import Numbers, counter_names
from chalicelib.domain.tiers.tiers import Held
from chalicelib.kernel.clock import LATEST

CEILING_BYTES = 4096
_LARGE = 10**15  # of a balance or a debt
_OFTEN = 10**9  # of one of many lots: more, and the others are small
_LARGEST_MEMBERSHIP = Membership(
    1, 1, 1, "sub_" + 60 * "x", LATEST, LATEST, LATEST, LATEST, LATEST, LATEST, LATEST, 1000, 10**9
)
_LARGE_EFFECTS = 8  # rules of one order that give as much as a balance may be
_DAY = 3_000_000


def check_size(document: ProgramDocument, numbers: Numbers) -> list[FieldError]:
    """Refuses a program of which one entry may grow above the ceiling, saying what costs what."""
    size = worst_case(document, numbers)
    if size <= CEILING_BYTES:
        return []
    of_counters = size - worst_case(msgspec.structs.replace(document, counters={}), numbers)
    of_rules = size - worst_case(msgspec.structs.replace(document, earn=[]), numbers)
    without_lots = {
        name: msgspec.structs.replace(currency, expires=None)
        for name, currency in document.currencies.items()
    }
    of_lots = size - worst_case(msgspec.structs.replace(document, currencies=without_lots), numbers)
    reason = (
        f"an entry may take {size} bytes, more than {CEILING_BYTES}: {of_rules} for the effects "
        f"and the waiting points of {len(document.earn)} earn rules, {of_lots} for lots with a day "
        f"of expiry each (`end_of: month` has fewer), {of_counters} for what is counted (a rolling "
        f"window has a number a day), {size - of_rules - of_lots - of_counters} for the rest"
    )
    costs = {"currencies": of_lots, "earn": of_rules, "counters": of_counters}
    return [FieldError(max(costs, key=lambda name: costs[name]), reason)]


def worst_case(document: ProgramDocument, numbers: Numbers) -> int:
    """The bytes of an entry in which every rule pays and every bucket is in use."""
    lots: list[Lot] = []
    for name, number in numbers.currencies.items():
        currency = document.currencies.get(name)
        lots += _lots(document, name, number, currency)
    held = Lots(Lot(1, _DAY + day, 0, 0, _OFTEN) for day in range(2))
    carrying = [number for name, number in numbers.rules.items() if " " in name]
    snapshot = Snapshot(
        LATEST,
        Lots(lots),
        tuple(Debt(of, _LARGE) for of in numbers.currencies.values()),
        tuple(Remainder(number, _LARGE) for number in carrying),
        tuple(Hold(_LARGE, LATEST, held, 1, 1, 1) for _ in range(MAX_OPEN)),
        Lots(Lot(1, _DAY + day, 0, 0, _OFTEN) for day in range(EXPIRED_KEPT)),
        tallies=Tallies(_tallies(document, numbers)),
        held=Held(1, _DAY, 1, _DAY),
        converted_on=_DAY,
        membership=_LARGEST_MEMBERSHIP if document.plans else None,
        welcomed=tuple(numbers.plans.values()),
    )
    campaigns = tuple(range(1, len(document.campaigns) + 1))
    segments = tuple(range(1, len(document.segments) + 1))
    factors = tuple(range(1, len(document.multipliers) + 1))
    alone = [rule.group for rule in document.earn if rule.group is None]
    paying = len(alone) + len({rule.group for rule in document.earn if rule.group is not None})
    amounts = [_LARGE if at < _LARGE_EFFECTS else _OFTEN for at in range(paying)]
    effects = tuple(Effect(len(document.earn), 1, one, one, 0, factors) for one in amounts)
    moves = Lots(Lot(of, _DAY, _DAY, 0, _LARGE) for of in numbers.currencies.values())
    entry = Entry(
        SCHEMA,
        Kind.ORDER,
        LATEST,
        LATEST,
        _LARGE,
        bytes(16),
        effects,
        moves,
        snapshot,
        known=Known(1, _OFTEN, segments, campaigns),
        budgets=tuple((number, _OFTEN) for number in campaigns),
        tier=(1, 1),
        change=1,
    )
    return len(encode(entry))


def _tallies(document: ProgramDocument, numbers: Numbers) -> list[Tally]:
    """One for each bucket of each counter: those of the document, and those that rules need."""
    windows = [window_of(one.window) for one in document.counters.values()]
    of_rules = len(counter_names(document)) - len(windows)
    buckets = [window.buckets for window in windows] + [Calendar("day").buckets] * of_rules
    return [
        Tally(len(numbers.counters), _DAY + bucket, _DAY + bucket, _OFTEN)
        for count in buckets
        for bucket in range(count)
    ]


def _days(currency: CurrencyDocument | None) -> int:
    """On how many days points of a currency may end."""
    if currency is None or currency.expires is None:
        return 1
    plain = msgspec.structs.replace(currency.expires, not_in_tiers=None)
    return expiry_of(plain).buckets + (currency.expires.not_in_tiers is not None)


def _lots(
    document: ProgramDocument, name: str, number: int, currency: CurrencyDocument | None
) -> list[Lot]:
    """One for each day on which points may end, and for each day for which they may wait."""
    days = _days(currency)
    for one in document.exchanges:
        if one.target == name:  # what is given may keep the days of what was taken
            days += _days(document.currencies.get(one.source))
    waits = [rule.pending for rule in document.earn if rule.currency == name and rule.pending]
    pending = max((one.days + 1 if one.days else days for one in waits), default=0)
    lots = [Lot(number, _DAY + day, 0, 0, _OFTEN) for day in range(days)]
    return lots + [Lot(number, _DAY + day, _DAY + day, 0, _OFTEN) for day in range(pending)]
