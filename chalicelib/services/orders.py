"""An order comes in: it is claimed for its member, then it earns."""

from dataclasses import replace

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger import orders as rules
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import ConfirmOrder, EditOrder, RecordOrder
from chalicelib.domain.ledger.entries import Kind, LogKey, Standing
from chalicelib.domain.ledger.standing import IS_ERASED
from chalicelib.domain.orders import Order, check_order, without_free_text
from chalicelib.domain.ports import OrderRecord
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant
from chalicelib.services.appending import NOT_FOUND, Appended, append, strong_head
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.order_facts import facts_of
from chalicelib.services.redemptions import check_redemptions
from chalicelib.services.refunds import NOT_FOUND as ORDER_NOT_FOUND
from chalicelib.services.refunds import OrderChange, apply_parked


def record_order(
    context: Context,
    here: Here,
    member_id: str,
    order: Order,
    *,
    paid: bool = True,
    editable: bool = False,
    head: Head | None = None,
) -> OrderChange | Refusal:
    """Gives the member what the order earns, once for ever.

    The order record is put first and is the truth of whose order it is; a crash before the entry
    is mended by whatever comes next for the order. The same order with another content is refused,
    or, where it is `editable`, is an edit: the difference is given or taken. Refunds that came
    before their order are applied after it. `head` saves the look at the account to a caller who
    has just written it.
    """
    program = program_for(context, here, order, here.now)
    if isinstance(program, Refusal):
        return program
    known = _look(context, here, member_id, order, head)
    if isinstance(known, Refusal):
        return known
    key = known.key
    asked = OrderRecord(here.program_id, member_id, order, order.fingerprint, paid)
    record = context.store.orders.claim(asked)
    if record.member_id != member_id and not _same_member(context, record, member_id):
        return Refusal("order_claimed", "the order belongs to another member")
    if record.fingerprint != asked.fingerprint:
        context.store.orders.put_content(replace(asked, member_id=record.member_id))
    facts = facts_of(context, here, record)
    command = RecordOrder(order, paid)
    is_new = record is asked
    appended = append(context, here, key, command, program, facts, known, is_new=is_new)
    if editable and _has_another_content(appended, order):
        appended = append(context, here, key, EditOrder(order), program, facts)
    if appended == IS_ERASED:  # between our look and the claim
        for one in {record.fingerprint: record, asked.fingerprint: asked}.values():
            context.store.orders.forget_customer(replace(one, member_id=record.member_id))
    if isinstance(appended, Refusal):
        return appended
    return apply_parked(context, here, record, OrderChange(record, (appended,)))


def confirm_order(
    context: Context, here: Here, source: str, order_id: str
) -> OrderChange | Refusal:
    """Lets what the order gave be spent at once."""
    record = context.store.orders.get(here.program_id, source, order_id)
    if record is None:
        return ORDER_NOT_FOUND
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    key = LogKey(here.program_id, record.member_id)
    command = ConfirmOrder(source, order_id)
    appended = append(context, here, key, command, program, facts_of(context, here, record))
    return appended if isinstance(appended, Refusal) else OrderChange(record, (appended,))


def _look(
    context: Context, here: Here, member_id: str, order: Order, head: Head | None
) -> Head | Refusal:
    """The account that the order is for, or why it cannot have it."""
    key = LogKey(here.program_id, member_id)
    ledger = context.store.ledger
    head = head or ledger.head(key, strong=False) or ledger.head(key, strong=True)
    if head is not None and head.snapshot.standing == Standing.CLOSED:
        head = strong_head(context, key)
    if head is None:
        return NOT_FOUND
    if head.snapshot.standing == Standing.ERASED:
        _refuse_for_ever(context, here, member_id, order)
        return IS_ERASED
    return check_redemptions(context, here, member_id, order.redemptions) or head


def _refuse_for_ever(context: Context, here: Here, member_id: str, order: Order) -> None:
    """An order of an erased member is kept without what people wrote, as are its refunds.

    Were it not kept at all, refunds that come for it would be parked with what people wrote.
    """
    orders = context.store.orders
    plain = without_free_text(order)
    record = orders.claim(OrderRecord(here.program_id, member_id, plain, order.fingerprint))
    if record.member_id == member_id:
        orders.forget_customer(record)


def program_for(context: Context, here: Here, order: Order, now: Instant) -> Program | Refusal:
    """The program that decides a sound order."""
    errors = check_order(order)
    if errors:
        return Refusal("invalid_request", "the order contradicts itself", tuple(errors))
    program = context.catalog.in_force(here.program, order.placed_at)
    if program is None:
        return NO_PROGRAM
    return rules.refuse_order(order, program, now) or program


def _same_member(context: Context, record: OrderRecord, member_id: str) -> bool:
    """Whether both were merged into one."""
    claimed = strong_head(context, LogKey(record.program_id, record.member_id))
    asked = strong_head(context, LogKey(record.program_id, member_id))
    return claimed is not None and asked is not None and claimed.key == asked.key


def _has_another_content(appended: Appended | Refusal, order: Order) -> bool:
    """Whether the order was recorded, and with something else than a store says of it now."""
    if isinstance(appended, Refusal):
        return appended.code == "different_request"
    return (
        appended.entry.kind in (Kind.ORDER, Kind.ORDER_PENDING)
        and appended.entry.fingerprint != order.fingerprint
    )
