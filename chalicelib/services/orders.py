"""An order comes in: it is claimed for its member, then it earns."""

from dataclasses import replace

from chalicelib.domain.errors import Contended, Corrupt, Refusal
from chalicelib.domain.ledger import orders as rules
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import ConfirmOrder, EditOrder, RecordOrder
from chalicelib.domain.ledger.entries import Kind, LogKey, Standing, decode
from chalicelib.domain.ledger.standing import IS_ERASED
from chalicelib.domain.ledger.story import fold
from chalicelib.domain.orders import Order, check_order, without_free_text
from chalicelib.domain.ports import Latest, OrderRecord
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant
from chalicelib.services.appending import NOT_FOUND, Appended, append, read_story, strong_head
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.order_facts import facts_of
from chalicelib.services.redemptions import check_redemptions
from chalicelib.services.refunds import NOT_FOUND as ORDER_NOT_FOUND
from chalicelib.services.refunds import OrderChange, apply_parked

TRIES = 10


def record_order(
    context: Context,
    here: Here,
    member_id: str,
    order: Order,
    *,
    paid: bool = True,
    editable: bool = False,
    credited: bool = False,
    head: Head | None = None,
) -> OrderChange | Refusal:
    """Gives the member what the order earns, once for ever.

    The order record is put first and is the truth of whose order it is; a crash before the entry
    is mended by whatever comes next for the order. The same order with another content is refused,
    or, where it is `editable`, is an edit: the difference is given or taken. Refunds that came
    before their order are applied after it. One that is `credited` earns though it was placed
    before its member joined. `head` saves the look at the account to a caller who has just written
    it.
    """
    program = program_for(context, here, order, here.now)
    if isinstance(program, Refusal):
        return program
    known = _look(context, here, member_id, order, head)
    if isinstance(known, Refusal):
        return known
    asked = OrderRecord(here.program_id, member_id, order, order.fingerprint, paid)
    record = context.store.orders.claim(asked)
    if record.member_id != member_id and not _same_member(context, record, member_id):
        return Refusal("order_claimed", "the order belongs to another member")
    command = RecordOrder(order, paid, credited)
    if record is asked or not editable:
        _keep(context, record, order)
        facts = facts_of(context, here, record)
        is_new = record is asked
        appended = append(context, here, known.key, command, program, facts, known, is_new=is_new)
    if editable and (record is not asked or _has_another_content(appended, order)):
        appended = _follow(context, here, known, record, command, program)
    if appended == IS_ERASED:  # between our look and the claim
        for one in {record.fingerprint: record, asked.fingerprint: asked}.values():
            context.store.orders.forget_customer(replace(one, member_id=record.member_id))
    if isinstance(appended, Refusal):
        return appended
    return apply_parked(context, here, record, OrderChange(record, (appended,)))


def _follow(
    context: Context,
    here: Here,
    head: Head,
    record: OrderRecord,
    command: RecordOrder,
    program: Program,
) -> Appended | Refusal:
    """Brings the ledger to what the store said of the order last.

    Messages of a store overtake each other. So the record says first which content is the latest,
    then the ledger is brought to that one, whatever this message says; and whoever wrote looks
    again: of two writers the second sees what both have said (docs/decisions/order_edits.md).
    """
    for attempt in range(TRIES):
        facts = facts_of(context, here, record)
        record, order = _latest(context, record, command.order)
        asked = replace(command, order=order)
        standing = _standing(context, here, head, record, asked)
        if standing is not None:
            return standing
        _keep(context, record, order)
        appended = append(context, here, head.key, asked, program, facts)
        if _has_another_content(appended, order):
            appended = append(context, here, head.key, EditOrder(order), program, facts)
        if isinstance(appended, Refusal):
            return appended
        again = context.store.orders.get(here.program_id, order.source, order.id)
        if again is None or again.latest == record.latest:
            return appended
        record = again
        context.pause.before(attempt)
    raise Contended("the order was changed again and again")


def _latest(context: Context, record: OrderRecord, asked: Order) -> tuple[OrderRecord, Order]:
    """What the store said last of an order, this too: the record that says so, and the content.

    A content is only kept anew where it says something else. What bears no time is the latest.
    """
    if asked.updated_at is None:
        return record, asked
    mine = Latest(asked.updated_at, asked.fingerprint)
    orders, program_id = context.store.orders, record.program_id
    for attempt in range(TRIES):
        last = record.latest or Latest(record.order.updated_at or 0, record.fingerprint)
        known = record.order
        if last.fingerprint != record.fingerprint:
            content = orders.content(program_id, asked.source, asked.id, last.fingerprint)
            if content is None:
                raise Corrupt("a content of an order is gone")
            known = content
        if mine <= last or known == asked:
            return record, replace(known, updated_at=last.at) if record.latest else known
        if not asked.says_as(known):
            _keep(context, record, asked)
        latest = mine if not asked.says_as(known) else Latest(mine.at, last.fingerprint)
        if orders.put_latest(record, latest):
            return replace(record, latest=latest), asked
        found = orders.get(program_id, asked.source, asked.id)
        if found is None:
            raise Corrupt("an order record is gone")
        record = found
        context.pause.before(attempt)
    raise Contended("the order was changed again and again")


def _standing(
    context: Context, here: Here, head: Head, record: OrderRecord, asked: RecordOrder
) -> Appended | None:
    """The entry that says of the order what is asked, where there is one."""
    story = read_story(context, head.key, head, asked)
    facts = facts_of(context, here, record)(story)
    standing = fold(story, facts)
    if standing is None or standing.last is None or not standing.order.says_as(asked.order):
        return None
    if asked.paid and not standing.paid:
        return None
    return Appended(standing.last, decode(standing.last.body), replayed=True)


def _keep(context: Context, record: OrderRecord, order: Order) -> None:
    """Keeps a content of the order beside that of its record."""
    if order.fingerprint != record.fingerprint:
        other = replace(record, order=order, fingerprint=order.fingerprint, parked=(), latest=None)
        context.store.orders.put_content(other)


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
