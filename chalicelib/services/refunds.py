"""An order comes back: its own rules take back what they gave."""

from dataclasses import dataclass, replace

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import CancelOrder, RecordOrder, RefundOrder
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.ledger.refunds import NOT_RECORDED
from chalicelib.domain.ledger.story import fold
from chalicelib.domain.ports import OrderRecord, Parked
from chalicelib.domain.program.program import Program
from chalicelib.services.appending import DIFFERENT, Appended, append, read_story, strong_head
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.notes import keep_note
from chalicelib.services.order_facts import facts_of
from chalicelib.services.redemptions import give_back_all

NOT_FOUND = Refusal("order_not_found", "there is no such order")


@dataclass(frozen=True)
class OrderChange:
    """What one message about an order did: its entry first, then what followed from it."""

    record: OrderRecord
    entries: tuple[Appended, ...]

    @property
    def first(self) -> Appended:
        return self.entries[0]


def refund_order(
    context: Context, here: Here, command: RefundOrder, reason: str | None = None
) -> OrderChange | Parked | Refusal:
    """Takes back what the order gave for what came back.

    A refund that comes before its order is kept, and applied when the order comes. The reason is
    kept beside the ledger; it is no part of what makes two refunds the same.
    """
    return _return(context, here, command, Parked(command, reason))


def cancel_order(
    context: Context, here: Here, command: CancelOrder
) -> OrderChange | Parked | Refusal:
    """Takes back everything that is left of an order, for ever."""
    return _return(context, here, command, Parked(None))


def apply_parked(
    context: Context, here: Here, record: OrderRecord, change: OrderChange
) -> OrderChange | Refusal:
    """Applies the refunds that came before their order. A refund that cannot be is left out."""
    entries = list(change.entries)
    source, order_id = record.order.source, record.order.id
    for parked in record.parked:
        command = parked.refund or CancelOrder(source, order_id)
        done = _take_back(context, here, record, command, parked.reason)
        if isinstance(done, OrderChange):
            entries += done.entries
    return replace(change, entries=tuple(entries))


def _return(
    context: Context, here: Here, command: RefundOrder | CancelOrder, parked: Parked
) -> OrderChange | Parked | Refusal:
    orders = context.store.orders
    source, order_id = command.source, command.order_id
    record = orders.get(here.program_id, source, order_id)
    record = record or orders.park(here.program_id, source, order_id, parked)
    if record is None:
        return parked
    return _take_back(context, here, record, command, parked.reason)


def _take_back(
    context: Context,
    here: Here,
    record: OrderRecord,
    command: RefundOrder | CancelOrder,
    reason: str | None,
) -> OrderChange | Refusal:
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    key = LogKey(here.program_id, record.member_id)
    facts = facts_of(context, here, record)
    appended = append(context, here, key, command, program, facts)
    if appended == NOT_RECORDED:
        recorded = _complete(context, here, record, program)
        if isinstance(recorded, Refusal) and recorded != DIFFERENT:  # another content was faster
            return recorded
        appended = append(context, here, key, command, program, facts)
    if isinstance(appended, Refusal):
        return appended
    if reason is not None:
        keep_note(context, appended, reason)
    return _give_back(context, here, record, command, appended)


def _complete(
    context: Context, here: Here, record: OrderRecord, program: Program
) -> Appended | Refusal:
    """Makes the entry of an order that was claimed and then forgotten by a crash."""
    program = context.catalog.in_force(here.program, record.order.placed_at) or program
    key = LogKey(here.program_id, record.member_id)
    command = RecordOrder(record.order, record.paid, record.credited)
    return append(context, here, key, command, program, facts_of(context, here, record))


def _give_back(
    context: Context,
    here: Here,
    record: OrderRecord,
    command: RefundOrder | CancelOrder,
    appended: Appended,
) -> OrderChange | Refusal:
    """Once all of an order came back, so does what its member took for it."""
    change = OrderChange(record, (appended,))
    if not record.order.redemptions:
        return change
    key = LogKey(here.program_id, record.member_id)
    head = strong_head(context, key)
    story = read_story(context, head.key, head, command) if head else []
    standing = fold(story, facts_of(context, here, record)(story))
    if standing is None or not standing.returned.everything:
        return change
    returned = give_back_all(context, here, record.order.redemptions)
    if isinstance(returned, Refusal):
        return returned
    return replace(change, entries=(appended, *returned))
