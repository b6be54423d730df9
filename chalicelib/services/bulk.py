"""Many orders at once: members side by side, one member's orders one after the other.

What an order costs alone is less here without a promise being weaker. Each member's head is read
once; then all orders are claimed in few requests; then each member's entries are decided, one on
the other, and put, the first of all members in few requests, then the second, and so on.

No story is read of an order that nobody had told of before. That is right as long as every entry
since the head is ours: nothing was written of the order below the head, which was read before the
claim, and whatever was written since (of this order or another, by another till, a merge, an
erasure) holds the place of one of ours, whose put then fails. From there on the member's orders go
the usual way, as does what is not simply one put: an order that is known, refused, waits for a
budget, has a refund waiting, or comes after something that time has done.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import itemgetter

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import RecordOrder
from chalicelib.domain.ledger.entries import LogKey, Standing
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import OrderRecord
from chalicelib.domain.program.program import Program
from chalicelib.services.appending import Appended, foresee
from chalicelib.services.context import Context, Here
from chalicelib.services.order_facts import facts_of
from chalicelib.services.orders import program_for, record_order
from chalicelib.services.refunds import OrderChange
from chalicelib.services.side_by_side import side_by_side

_LOG = logging.getLogger("regulars")

Outcome = OrderChange | Refusal | Exception  # a fault of one order is not that of the others


@dataclass(frozen=True)
class Recording:
    """An order that shall be recorded, and of whom."""

    member_id: str
    order: Order
    paid: bool = True


def record_orders(
    context: Context, here: Here, recordings: Sequence[Recording | Refusal]
) -> list[Outcome]:
    """What became of each, in their order; what is a refusal already stays one."""
    outcomes: dict[int, Outcome] = {}
    queues: dict[str, list[_Waiting]] = {}
    for index, one in enumerate(recordings):
        if isinstance(one, Refusal):
            outcomes[index] = one
        else:
            queues.setdefault(one.member_id, []).append(_Waiting(index, one))
    try:
        _record_plain(context, here, list(queues.values()), outcomes)
    except Exception:  # of one order or of all: one by one it shows
        _LOG.exception("what was not recorded together is recorded one by one")
    left = [[one for one in queue if one.index not in outcomes] for queue in queues.values()]
    for done in side_by_side(lambda queue: _in_turn(context, here, queue), filter(None, left)):
        outcomes |= done
    return [outcomes[index] for index in range(len(recordings))]


@dataclass(frozen=True)
class _Waiting:
    """A recording, and its place among all."""

    index: int
    recording: Recording


@dataclass(frozen=True)
class _Claimed:
    """An order that we were the first to claim, and the program that decides it."""

    index: int
    record: OrderRecord
    program: Program


@dataclass(frozen=True)
class _Next:
    """The entry that follows on a head of ours."""

    claimed: _Claimed
    appended: Appended


def _record_plain(
    context: Context,
    here: Here,
    queues: Sequence[Sequence[_Waiting]],
    outcomes: dict[int, Outcome],
) -> None:
    """Records what is simply one put after the other, and leaves the rest."""
    heads = side_by_side(lambda queue: _head(context, here, queue[0].recording), queues)
    named: set[tuple[str, str]] = set()
    asked = [
        _plain(context, here, queue, named) if head is not None else []
        for queue, head in zip(queues, heads, strict=True)
    ]
    flat = [one.record for lane in asked for one in lane]
    claims = iter(context.store.orders.claim_each(flat))
    lanes: list[list[_Next]] = []
    for head, claimed in zip(heads, asked, strict=True):
        are_ours = [next(claims) is one.record for one in claimed]
        new = [one for one, _ in takewhile(itemgetter(1), zip(claimed, are_ours, strict=True))]
        if head is not None:
            lanes.append(_chain(context, here, head, new))
    while lanes := [lane for lane in lanes if lane]:
        firsts = [lane.pop(0) for lane in lanes]
        winners = context.store.ledger.append_each([one.appended.stored for one in firsts])
        for lane, one, winner in zip(lanes, firsts, winners, strict=True):
            if winner is None or winner == one.appended.stored:
                change = OrderChange(one.claimed.record, (one.appended,))
                outcomes[one.claimed.index] = change
            else:
                lane.clear()


def _head(context: Context, here: Here, one: Recording) -> Head | None:
    """Of an account that can have orders; it may be a moment old, since every put is held against
    it."""
    head = context.store.ledger.head(LogKey(here.program_id, one.member_id), strong=False)
    return head if head is not None and head.snapshot.standing == Standing.OPEN else None


def _plain(
    context: Context, here: Here, queue: Sequence[_Waiting], named: set[tuple[str, str]]
) -> list[_Claimed]:
    """The first orders of a member up to one that has something special, not claimed yet.

    `named` are the orders that somebody's queue has had before: one that is there twice.
    """
    found = []
    for one in queue:
        order = one.recording.order
        program = program_for(context, here, order, here.now)
        if isinstance(program, Refusal) or order.redemptions or (order.source, order.id) in named:
            break
        named.add((order.source, order.id))
        record = OrderRecord(
            here.program_id, one.recording.member_id, order, order.fingerprint, one.recording.paid
        )
        found.append(_Claimed(one.index, record, program))
    return found


def _chain(context: Context, here: Here, head: Head, claimed: Sequence[_Claimed]) -> list[_Next]:
    """The entries that follow a head, one on the other, up to one that is not simply one put."""
    chain = []
    for one in claimed:
        facts = facts_of(context, here, one.record)([])
        command = RecordOrder(one.record.order, one.record.paid)
        appended = foresee(context, here, head, facts, command, one.program)
        if appended is None:
            break
        chain.append(_Next(one, appended))
        head = Head.of(appended.stored)
    return chain


def _in_turn(context: Context, here: Here, queue: Sequence[_Waiting]) -> dict[int, Outcome]:
    """The usual way."""
    head = None
    outcomes: dict[int, Outcome] = {}
    for one in queue:
        asked = one.recording
        try:
            outcome: Outcome = record_order(
                context, here, asked.member_id, asked.order, paid=asked.paid, head=head
            )
        except Exception as fault:
            outcome = fault
        head = _written(outcome)
        outcomes[one.index] = outcome
    return outcomes


def _written(outcome: Outcome) -> Head | None:
    """The head that an order has just made, if it was the only entry."""
    if not isinstance(outcome, OrderChange) or len(outcome.entries) > 1 or outcome.first.replayed:
        return None
    return Head.of(outcome.first.stored)
