"""Entries as they were written once must be read for ever, and still be written so.

A new field of an entry is added at the end with a default; these bytes then stay readable. Where
one of them changes, everything that shops have stored has changed its meaning.
"""

import pytest

from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ledger.entries import (
    FIRST_PREV,
    Debt,
    Effect,
    Entry,
    Kind,
    LogKey,
    Lot,
    Refunded,
    Remainder,
    Snapshot,
    StoredEntry,
    decode,
    encode,
)

JOINED = 1_795_435_200_000
SNAPSHOT = Snapshot(JOINED, (Lot(1, 0, 0, 0, 7),), (Debt(2, 3),), (Remainder(4, 250),))
GOLDEN = {
    "enrolled": (
        Entry(1, Kind.ENROLLED, JOINED, JOINED, 1, b"f" * 16, (), (), Snapshot(JOINED)),
        "9c0101cf000001a20846fe00cf000001a20846fe0001c410666666666666666666666666666666669090"
        "94cf000001a20846fe00909090c00000",
    ),
    "order": (
        Entry(
            1,
            Kind.ORDER,
            JOINED + 5,
            JOINED + 1,
            2,
            b"o" * 16,
            (Effect(3, 1, 7, 750),),
            (Lot(1, 0, 0, 0, 7),),
            SNAPSHOT,
        ),
        "9c0102cf000001a20846fe05cf000001a20846fe0102c4106f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f9195"
        "030107cd02ee009195010000000794cf000001a20846fe009195010000000791920203919204ccfac000"
        "00",
    ),
    "refund": (
        Entry(
            1,
            Kind.REFUND,
            JOINED + 9,
            JOINED + 9,
            2,
            b"r" * 16,
            (Effect(3, 1, -2, 200),),
            (Lot(1, 0, 0, 0, -2),),
            SNAPSHOT,
            Refunded(((0, 2), (3, 1)), 150, True),
        ),
        "9c0103cf000001a20846fe09cf000001a20846fe0902c410727272727272727272727272727272729195"
        "0301feccc800919501000000fe94cf000001a20846fe009195010000000791920203919204ccfa939292"
        "0002920301cc96c30000",
    ),
    "redemption": (
        Entry(
            1,
            Kind.REDEMPTION,
            JOINED + 9,
            JOINED + 9,
            2,
            b"d" * 16,
            (Effect(0, 1, -8),),
            (Lot(1, 0, 0, 0, -8),),
            SNAPSHOT,
            reward=1,
            quantity=1,
        ),
        "9c0104cf000001a20846fe09cf000001a20846fe0902c410646464646464646464646464646464649195"
        "0001f80000919501000000f894cf000001a20846fe009195010000000791920203919204ccfac00101",
    ),
}


@pytest.mark.parametrize("kind", GOLDEN)
def test_an_entry_is_read_and_written_as_ever(kind: str) -> None:
    entry, stored = GOLDEN[kind]
    assert encode(entry).hex() == stored
    assert decode(bytes.fromhex(stored)) == entry


def test_the_hash_of_the_chain_is_as_ever() -> None:
    body = bytes.fromhex(GOLDEN["enrolled"][1])
    stored = StoredEntry(LogKey("prg_1", "mem_1"), 1, "enrol:mem_1#enrolled", FIRST_PREV, body)
    assert stored.hash.hex() == "4e5d3ece85f8ca7a7a72a4af88877afe4057708fb109c7904ea5e8746dfd43c4"


def test_bytes_that_are_no_entry_are_told_as_such() -> None:
    with pytest.raises(Corrupt):
        decode(b"\x93\x01\x02\x03")
