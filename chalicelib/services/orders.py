"""An order comes in: it is claimed for its member, then it earns."""

from dataclasses import dataclass

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger import orders as rules
from chalicelib.domain.ledger.account import Account
from chalicelib.domain.ledger.commands import RecordOrder
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.orders import Order, check_order
from chalicelib.domain.ports import OrderRecord
from chalicelib.domain.program.program import Program
from chalicelib.services.accounts import account
from chalicelib.services.appending import Appended, append
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM, NOT_FOUND


@dataclass(frozen=True)
class Quote:
    """What an order would earn, rule by rule."""

    program: Program
    earnings: list[rules.Earning]


def record_order(context: Context, here: Here, member_id: str, order: Order) -> Appended | Refusal:
    """Gives the member what the order earns, once for ever.

    The order record is put first and is the truth of whose order it is; a crash before the entry
    is mended by the same order sent again.
    """
    program = _program(context, here, order)
    if isinstance(program, Refusal):
        return program
    key = LogKey(here.program_id, member_id)
    command = RecordOrder(order, member_id)
    ledger = context.store.ledger
    head = ledger.head(key, strong=False) or ledger.head(key, strong=True)
    if head is None:
        return NOT_FOUND
    record = context.store.orders.claim(
        OrderRecord(here.program_id, member_id, order, command.fingerprint)
    )
    if record.member_id != member_id:
        return Refusal("order_claimed", "the order belongs to another member")
    if record.fingerprint != command.fingerprint:
        return Refusal("different_request", "the order was recorded with another content")
    return append(context, key, command, program, here.now, head=head)


def quote(context: Context, here: Here, member_id: str | None, order: Order) -> Quote | Refusal:
    """What the order would earn if it were paid now."""
    program = _program(context, here, order)
    if isinstance(program, Refusal):
        return program
    remainders: dict[int, int] = {}
    if member_id is not None:
        head = account(context, here, member_id)
        if isinstance(head, Refusal):
            return head
        remainders = Account.open(head.snapshot).remainders
    return Quote(program, rules.earn(program, order, remainders))


def _program(context: Context, here: Here, order: Order) -> Program | Refusal:
    """The program that decides a sound order."""
    errors = check_order(order)
    if errors:
        return Refusal("invalid_request", "the order contradicts itself", tuple(errors))
    program = context.catalog.in_force(here.program, order.placed_at)
    if program is None:
        return NO_PROGRAM
    return rules.refuse_order(order, program, here.now) or program


__all__ = ["FieldError", "Quote", "quote", "record_order"]
