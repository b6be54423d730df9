"""What the rules must know beside the account and the story of a cause."""

from dataclasses import replace
from datetime import date

from chalicelib.domain.errors import Corrupt, Refusal
from chalicelib.domain.ledger.commands import Facts, OrderFacts
from chalicelib.domain.ledger.entries import StoredEntry, decode
from chalicelib.domain.ledger.story import CONTENTS
from chalicelib.domain.members.member import Member
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import OrderRecord
from chalicelib.domain.program.program import Program
from chalicelib.domain.segments import Person
from chalicelib.services.appending import FactsOf
from chalicelib.services.context import Context, Here
from chalicelib.services.members import read


def facts_of(context: Context, here: Here, record: OrderRecord) -> FactsOf:
    """The facts of an order, once its story was read."""

    def read_facts(story: list[StoredEntry]) -> OrderFacts:
        entries = [decode(stored.body) for stored in story]
        contents = [entry for entry in entries if entry.kind in CONTENTS]
        if not contents:
            program = context.catalog.in_force(here.program, record.order.placed_at)
            return OrderFacts(person=person_of(context, here, record.member_id, program))
        program = context.catalog.version(record.program_id, contents[0].program_version)
        facts = OrderFacts(
            contents={
                entry.fingerprint: _content(context, record, entry.fingerprint)
                for entry in contents
            },
            program=program,
        )
        if all(entry.known is None for entry in contents):
            person = person_of(context, here, record.member_id, program)
            return replace(facts, person=person)
        return facts

    return read_facts


def member_facts(context: Context, here: Here, member_id: str, program: Program) -> FactsOf:
    """The facts of anything else that a member does."""
    return lambda _: Facts(person_of(context, here, member_id, program))


def person_of(context: Context, here: Here, member_id: str, program: Program | None) -> Person:
    """What the member says of himself; read only where a segment of the program asks for it."""
    if program is None or not program.asks_of_person:
        return Person()
    member = read(context, here, member_id)
    if isinstance(member, Refusal):
        return Person()
    profile = member.profile
    return Person(_birthday(member), profile.country, profile.attributes)


def birthday_of(context: Context, here: Here, member_id: str) -> date | None:
    """What the profile says of it."""
    member = read(context, here, member_id)
    return None if isinstance(member, Refusal) else _birthday(member)


def _birthday(member: Member) -> date | None:
    return date.fromisoformat(member.profile.birthday) if member.profile.birthday else None


def _content(context: Context, record: OrderRecord, fingerprint: bytes) -> Order:
    if fingerprint == record.fingerprint:
        return record.order
    source, order_id = record.order.source, record.order.id
    found = context.store.orders.content(record.program_id, source, order_id, fingerprint)
    if found is None:
        raise Corrupt("a content of an order is gone")
    return found
