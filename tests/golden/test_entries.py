"""Entries as they were written once must be read for ever, and still be written so.

A new field of an entry is added at the end with a default; these bytes then stay readable. Where
one of them changes, everything that shops have stored has changed its meaning.
"""

import msgspec
import pytest

from chalicelib.domain.conditions.situation import Known
from chalicelib.domain.counting.tallies import Tallies, Tally
from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ledger.entries import (
    FIRST_PREV,
    NO_LOTS,
    Debt,
    Effect,
    Entry,
    Hold,
    Kind,
    LogKey,
    Lot,
    Lots,
    Refunded,
    Remainder,
    Snapshot,
    Standing,
    State,
    StoredEntry,
    decode,
    encode,
)
from chalicelib.domain.memberships.membership import Change, Membership, Status
from chalicelib.domain.tiers.tiers import Held

JOINED = 1_795_435_200_000
SNAPSHOT = Snapshot(JOINED, Lots([Lot(1, 0, 0, 0, 7)]), (Debt(2, 3),), (Remainder(4, 250),))
FIRST_SCHEMA = {
    "enrolled": (
        Entry(1, Kind.ENROLLED, JOINED, JOINED, 1, b"f" * 16, (), NO_LOTS, Snapshot(JOINED)),
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
            Lots([Lot(1, 0, 0, 0, 7)]),
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
            Lots([Lot(1, 0, 0, 0, -2)]),
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
            Lots([Lot(1, 0, 0, 0, -8)]),
            SNAPSHOT,
            reward=1,
            quantity=1,
        ),
        "9c0104cf000001a20846fe09cf000001a20846fe0902c410646464646464646464646464646464649195"
        "0001f80000919501000000f894cf000001a20846fe009195010000000791920203919204ccfac00101",
    ),
}


RESERVED = Entry(
    2,
    Kind.RESERVED,
    JOINED + 9,
    JOINED + 9,
    2,
    b"s" * 16,
    (Effect(0, 1, -9, 0, State.RESERVED),),
    Lots([Lot(1, 740_000, 0, 0, -9)]),
    Snapshot(
        JOINED,
        Lots([Lot(1, 740_001, 0, 0, 5), Lot(1, 740_031, 0, 0, 6), Lot(1, 740_031, 739_990, 0, 7)]),
        (Debt(2, 3),),
        (Remainder(4, 250),),
        (Hold(12, JOINED + 900_000, Lots([Lot(1, 740_000, 0, 0, 9)]), 3, 1, 1),),
        Lots([Lot(1, 739_000, 0, 0, 4)]),
        Standing.RESTRICTED,
        "",
        ("mem_2",),
    ),
    reward=3,
    quantity=1,
    stands=(Effect(3, 1, 7, 750),),
    spent=Lots([Lot(1, 740_000, 0, 0, 9)]),
    stock=1,
)
SECOND_SCHEMA = {
    "reserved": (
        RESERVED,
        "9f020ccf000001a20846fe09cf000001a20846fe0902c410737373737373737373737373737373739195"
        "0001f700039601000001f7ce000b4aa099cf000001a20846fe009e0100000205ce000b4aa1061e01ce00"
        "0b4a96000107ce000b4abf91920203919204ccfa91960ccf000001a20854b9a0960100000109ce000b4a"
        "a0030101960100000104ce000b46b801a091a56d656d5f32c003019195030107cd02ee00960100000109"
        "ce000b4aa001",
    ),
}


RULED = Entry(
    3,
    Kind.ORDER,
    JOINED + 9,
    JOINED + 9,
    2,
    b"t" * 16,
    (Effect(3, 1, 21, 7_500_000, State.AVAILABLE, (2, 5)),),
    Lots([Lot(1, 740_000, 0, 0, 21)]),
    Snapshot(
        JOINED,
        Lots([Lot(1, 740_000, 0, 0, 21)]),
        tallies=Tallies(
            [
                Tally(1, 739_600, 739_880, 750),
                Tally(2, 739_879, 739_879, 1),
                Tally(2, 739_880, 739_880, 4),
            ]
        ),
        held=Held(2, 740_300, 1, 741_000),
        converted_on=739_879,
    ),
    known=Known(1, 4, (1, 3), (2,), ()),
    budgets=((1, 21),),
    tier=(1, 2),
)
THIRD_SCHEMA = {
    "ruled": (
        RULED,
        "dc00120302cf000001a20846fe09cf000001a20846fe0902c41074747474747474747474747474747474"
        "9196030115ce007270e000920205960100000115ce000b4aa09ccf000001a20846fe00960100000115ce"
        "000b4aa09090909000a0909b0101ce000b4910cd0118cd02ee02fece000b4a270101049402ce000b4bcc"
        "01ce000b4e88ce000b4a27c00000c0900095010492010391029091920115920102",
    ),
}


DAY = 86_400_000
PAID = Entry(
    4,
    Kind.MEMBERSHIP,
    JOINED + 9,
    JOINED + 9,
    2,
    b"m" * 16,
    (Effect(0, 1, 500),),
    Lots([Lot(1, 740_000, 0, 0, 500)]),
    Snapshot(
        JOINED,
        Lots([Lot(1, 740_000, 0, 0, 500)]),
        membership=Membership(
            plan=1,
            price=2,
            status=Status.ACTIVE,
            subscription="sub_1",
            started_at=JOINED,
            period_start=JOINED,
            period_end=JOINED + 30 * DAY,
            paid_until=JOINED + 30 * DAY,
            benefits_until=JOINED + 35 * DAY,
            cancels_at=0,
            notice_at=JOINED + 27 * DAY,
            uses=2,
            used=599,
        ),
        welcomed=(1,),
    ),
    change=Change.STARTED,
)
FOURTH_SCHEMA = {
    "paid": (
        PAID,
        "dc0013041ecf000001a20846fe09cf000001a20846fe0902c4106d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d"
        "91960001cd01f40000909601000001cd01f4ce000b4aa09ecf000001a20846fe009601000001cd01f4ce"
        "000b4aa09090909000a090909400000000009d010202a57375625f31cf000001a20846fe00cf000001a2"
        "0846fe00cf000001a2a2c5c600cf000001a2a2c5c600cf000001a2bc85920000cf000001a29352b20002"
        "cd02579101c00000c09000c090c001",
    ),
}


@pytest.mark.parametrize("kind", FIRST_SCHEMA)
def test_fault_49_an_entry_of_the_first_schema_is_read_as_ever(kind: str) -> None:
    entry, stored = FIRST_SCHEMA[kind]
    assert decode(bytes.fromhex(stored)) == entry


@pytest.mark.parametrize("kind", SECOND_SCHEMA)
def test_an_entry_of_the_second_schema_is_read_as_ever(kind: str) -> None:
    entry, stored = SECOND_SCHEMA[kind]
    assert decode(bytes.fromhex(stored)) == entry


@pytest.mark.parametrize("kind", THIRD_SCHEMA)
def test_an_entry_of_the_third_schema_is_read_as_ever(kind: str) -> None:
    entry, stored = THIRD_SCHEMA[kind]
    assert decode(bytes.fromhex(stored)) == entry


@pytest.mark.parametrize("kind", FOURTH_SCHEMA)
def test_an_entry_is_read_and_written_as_ever(kind: str) -> None:
    entry, stored = FOURTH_SCHEMA[kind]
    assert encode(entry).hex() == stored
    assert decode(bytes.fromhex(stored)) == entry


def test_only_what_an_import_brought_says_so() -> None:
    """At the end, so that entries from before there were imports are as they were."""
    entry, stored = FOURTH_SCHEMA["paid"]
    imported = msgspec.structs.replace(entry, imported=True)
    with_flag = "dc0014" + stored.removeprefix("dc0013") + "c3"
    assert encode(imported).hex() == with_flag
    assert decode(bytes.fromhex(with_flag)) == imported


def test_the_hash_of_the_chain_is_as_ever() -> None:
    body = bytes.fromhex(FIRST_SCHEMA["enrolled"][1])
    stored = StoredEntry(LogKey("prg_1", "mem_1"), 1, "enrol:mem_1#enrolled", FIRST_PREV, body)
    assert stored.hash.hex() == "4e5d3ece85f8ca7a7a72a4af88877afe4057708fb109c7904ea5e8746dfd43c4"


def test_bytes_that_are_no_entry_are_told_as_such() -> None:
    with pytest.raises(Corrupt):
        decode(b"\x93\x01\x02\x03")
