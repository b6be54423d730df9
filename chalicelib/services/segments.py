"""Which segments a member is in."""

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Account
from chalicelib.domain.ledger.progress import know
from chalicelib.services.accounts import account
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.order_facts import person_of


def segments_of(context: Context, here: Here, member_id: str) -> list[str] | Refusal:
    """The names of the segments that hold now, by the version in force."""
    head = account(context, here, member_id)
    if isinstance(head, Refusal):
        return head
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    person = person_of(context, here, member_id, program)
    opened = Account.open(head.snapshot)
    known = know(program, opened, head.key.member_id, here.now, here.now, person)
    return [program.segment_names[number] for number in known.segments]
