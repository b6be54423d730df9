"""An order comes back: its own rules take back what they gave."""

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.commands import RefundFacts, RefundOrder
from chalicelib.domain.ledger.entries import LogKey, StoredEntry, decode
from chalicelib.services.appending import Appended, append
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM

NOT_FOUND = Refusal("order_not_found", "there is no such order")


def refund_order(
    context: Context, here: Here, command: RefundOrder, reason: str | None = None
) -> tuple[str, Appended] | Refusal:
    """Takes back what the order gave for what came back: the member's id, and the entry.

    The reason is kept beside the ledger; it is no part of what makes two refunds the same.
    """
    record = context.store.orders.get(here.program_id, command.source, command.order_id)
    if record is None:
        return NOT_FOUND
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM

    def facts_of(story: list[StoredEntry]) -> RefundFacts | None:
        paid_ref = refs.paid(command.source, command.order_id)
        paid = next((one for one in story if one.ref == paid_ref), None)
        if paid is None:
            return None
        version = decode(paid.body).program_version
        return RefundFacts(record.order, context.catalog.version(here.program_id, version))

    key = LogKey(here.program_id, record.member_id)
    outcome = append(context, key, command, program, here.now, facts_of)
    if isinstance(outcome, Refusal):
        return outcome
    if reason is not None:
        context.store.notes.put(key, command.ref, reason)
    return record.member_id, outcome
