"""How large an entry of a program may become: storage is paid by the kilobyte, for ever."""

import msgspec

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
from chalicelib.domain.program.compiling import expiry_of
from chalicelib.domain.program.document import CurrencyDocument, ProgramDocument
from chalicelib.domain.program.numbers import Numbers
from chalicelib.kernel.clock import LATEST

CEILING_BYTES = 4096
_LARGE = 10**15  # of a balance or a debt
_OFTEN = 10**9  # of one of many lots: more, and the others are small
_DAY = 3_000_000


def check_size(document: ProgramDocument, numbers: Numbers) -> list[FieldError]:
    """Refuses a program of which one entry may grow above the ceiling, saying what costs what."""
    size = worst_case(document, numbers)
    if size <= CEILING_BYTES:
        return []
    of_rules = size - worst_case(msgspec.structs.replace(document, earn=[]), numbers)
    without_lots = {
        name: msgspec.structs.replace(currency, expires=None)
        for name, currency in document.currencies.items()
    }
    of_lots = size - worst_case(msgspec.structs.replace(document, currencies=without_lots), numbers)
    reason = (
        f"an entry may take {size} bytes, more than {CEILING_BYTES}: {of_rules} for the effects "
        f"and the waiting points of {len(document.earn)} earn rules, {of_lots} for lots with a day "
        f"of expiry each (`end_of: month` has fewer), {size - of_rules - of_lots} for the rest"
    )
    return [FieldError("currencies" if of_lots > of_rules else "earn", reason)]


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
    )
    effects = tuple(Effect(len(document.earn), 1, _LARGE, _LARGE) for _ in document.earn)
    moves = Lots(Lot(of, _DAY, _DAY, 0, _LARGE) for of in numbers.currencies.values())
    entry = Entry(SCHEMA, Kind.ORDER, LATEST, LATEST, _LARGE, bytes(16), effects, moves, snapshot)
    return len(encode(entry))


def _days(currency: CurrencyDocument | None) -> int:
    """On how many days points of a currency may end."""
    return expiry_of(currency.expires).buckets if currency and currency.expires else 1


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
