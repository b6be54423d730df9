"""How large an entry of a program may become: storage is paid by the kilobyte, for ever."""

import msgspec

from chalicelib.domain.errors import FieldError
from chalicelib.domain.ledger.entries import (
    SCHEMA,
    Debt,
    Effect,
    Entry,
    Kind,
    Lot,
    Remainder,
    Snapshot,
    encode,
)
from chalicelib.domain.program.document import ProgramDocument
from chalicelib.domain.program.numbers import Numbers
from chalicelib.kernel.clock import LATEST

CEILING_BYTES = 4096
_LARGE = 10**15
_DAY = 3_652_059  # the last day there is


def check_size(document: ProgramDocument, numbers: Numbers) -> list[FieldError]:
    """Refuses a program of which one entry may grow above the ceiling, saying what costs what."""
    size = worst_case(document, numbers)
    if size <= CEILING_BYTES:
        return []
    of_rules = size - worst_case(msgspec.structs.replace(document, earn=[]), numbers)
    reason = (
        f"an entry may take {size} bytes, more than {CEILING_BYTES}: the effects of "
        f"{len(document.earn)} earn rules {of_rules}, balances and carried remainders "
        f"{size - of_rules}"
    )
    return [FieldError("earn", reason)]


def worst_case(document: ProgramDocument, numbers: Numbers) -> int:
    """The bytes of an entry in which every rule pays and every bucket is in use."""
    lots = tuple(Lot(of, _DAY, _DAY, of, _LARGE) for of in numbers.currencies.values())
    carrying = [number for name, number in numbers.rules.items() if " " in name]
    snapshot = Snapshot(
        LATEST,
        lots,
        tuple(Debt(of, _LARGE) for of in numbers.currencies.values()),
        tuple(Remainder(number, _LARGE) for number in carrying),
    )
    effects = tuple(Effect(len(document.earn), 1, _LARGE, _LARGE) for _ in document.earn)
    entry = Entry(SCHEMA, Kind.ORDER, LATEST, LATEST, _LARGE, bytes(16), effects, lots, snapshot)
    return len(encode(entry))
