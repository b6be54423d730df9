"""Many orders at once: members side by side, one member's orders one after the other.

What an order costs alone is less here without a promise being weaker. A member's next order goes on
from the entry that was just written: should somebody else have written one since, the put meets it
and takes the usual way. No story is read of an order that nobody had told of before (`append`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.orders import Order
from chalicelib.services.context import Context, Here
from chalicelib.services.orders import record_order
from chalicelib.services.refunds import OrderChange
from chalicelib.services.side_by_side import side_by_side

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
    queues: dict[str, list[tuple[int, Recording]]] = {}
    for index, one in enumerate(recordings):
        if isinstance(one, Refusal):
            outcomes[index] = one
        else:
            queues.setdefault(one.member_id, []).append((index, one))
    for done in side_by_side(lambda queue: _in_turn(context, here, queue), queues.values()):
        outcomes |= done
    return [outcomes[index] for index in range(len(recordings))]


def _in_turn(
    context: Context, here: Here, queue: Sequence[tuple[int, Recording]]
) -> dict[int, Outcome]:
    head = None
    outcomes: dict[int, Outcome] = {}
    for index, one in queue:
        try:
            outcome: Outcome = record_order(
                context, here, one.member_id, one.order, paid=one.paid, head=head
            )
        except Exception as fault:
            outcome = fault
        head = _written(outcome)
        outcomes[index] = outcome
    return outcomes


def _written(outcome: Outcome) -> Head | None:
    """The head that an order has just made, if it was the only entry."""
    if not isinstance(outcome, OrderChange) or len(outcome.entries) > 1 or outcome.first.replayed:
        return None
    return Head.of(outcome.first.stored)
