"""Things to store."""

from dataclasses import replace
from typing import Any

from chalicelib.domain.access.keys import ApiKey, KeyKind, Secret
from chalicelib.domain.cards.card import IssuedPass
from chalicelib.domain.cards.message import PassMessage
from chalicelib.domain.ledger.entries import (
    FIRST_PREV,
    SCHEMA,
    Entry,
    Kind,
    LogKey,
    Snapshot,
    StoredEntry,
    encode,
)
from chalicelib.domain.members.member import Claim, Consent, Member, Profile
from chalicelib.domain.orders import Order, OrderLine, Payment
from chalicelib.domain.ports import OrderRecord, Registration
from chalicelib.domain.program.numbers import Numbers
from chalicelib.domain.program.program import Mode, ProgramHead, PublishedVersion

NOW = 1_795_435_200_000
LOG = LogKey("prg_1", "mem_1")
EMAIL = Claim("email", "mark-of-ada")
PHONE = Claim("phone", "mark-of-her-phone")


def entry(version: int, ref: str, key: LogKey = LOG, body: bytes | None = None) -> StoredEntry:
    made = Entry(SCHEMA, Kind.ORDER, NOW + version, NOW, 1, b"f" * 16, (), (), Snapshot(NOW))
    return StoredEntry(key, version, ref, FIRST_PREV, encode(made) if body is None else body)


def member(member_id: str = "mem_1", *claims: Claim) -> Member:
    profile = Profile(
        email="Ada@example.com",
        attributes={"size": "L", "visits": 3, "vegan": True},
        consents=(Consent("mail", True, "2026-01", NOW),),
    )
    return Member("prg_1", member_id, profile, claims or (EMAIL,), NOW)


def first(of: Member) -> StoredEntry:
    return entry(1, f"enrol:{of.id}#enrolled", LogKey(of.program_id, of.id))


def order(order_id: str = "1", member_id: str = "mem_1", **changes: Any) -> OrderRecord:
    made = Order(
        "shop",
        order_id,
        "EUR",
        NOW,
        (OrderLine("1", 2, 350, sku="A", name="Größe", categories=("drinks",), tax=5),),
        paid_with=(Payment("card", 700),),
    )
    return OrderRecord("prg_1", member_id, replace(made, **changes), b"f" * 16)


def program(revision: int = 1, *in_force: tuple[int, int]) -> ProgramHead:
    return ProgramHead("prg_1", Mode.TEST, "Coffee", in_force, None, revision)


def version(number: int = 1) -> PublishedVersion:
    numbers = Numbers({"points": 1}, {"all": 1}, {})
    return PublishedVersion("prg_1", number, b'{"name":"Coffee"}', numbers, b"m" * 16, NOW)


def key(key_id: str = "key_1", secret: str = "a" * 64, **changes: Any) -> ApiKey:
    made = ApiKey("prg_1", key_id, KeyKind.SECRET, "till", (Secret(1, secret),), NOW)
    return replace(made, **changes)


def issued(revision: int = 1, **changes: Any) -> IssuedPass:
    return replace(IssuedPass("prg_1", "mem_1", revision, b"d" * 16, NOW), **changes)


def pass_message(**changes: Any) -> PassMessage:
    made = PassMessage("prg_1", "mem_1", "m1", "Hi", "Cake", True, NOW, "alert", "silent")
    return replace(made, **changes)


def registration(device_id: str = "phone", **changes: Any) -> Registration:
    made = Registration(device_id, "pass.x", "prg_1", "mem_1", "token-1", NOW)
    return replace(made, **changes)
