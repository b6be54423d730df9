"""Many orders in one call: each is recorded, refused or repeated for itself."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import (
    MAX_BODY_BYTES,
    SHOP,
    Answer,
    Call,
    Resource,
    decode_json,
    outcome_of,
    too_large,
)
from chalicelib.api.orders import OrderRequest, OrderView, record, with_member
from chalicelib.api.problems import Problem, problem_of
from chalicelib.domain.errors import Refusal
from chalicelib.kernel.meter import Units, current, measured

MAX_ORDERS = 100
MAX_BATCH_BYTES = 4_000_000  # Lambda takes 6 MB, with what API Gateway puts around it
THREADS = 16  # below the connections that the store's client keeps

resource = Resource(__name__, "orders")

_WHAT = "an order of a batch"
A = TypeVar("A")
B = TypeVar("B")


class BatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 100 orders, as they come: one that is wrong is a problem of its own row."""

    orders: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MAX_ORDERS)]


class BatchSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 100 orders. One member's are recorded in the order in which they stand here."""

    orders: Annotated[list[OrderRequest], Meta(min_length=1, max_length=MAX_ORDERS)]


class BatchRow(msgspec.Struct, frozen=True):
    """What became of one order: the status, and the body, that it would have had alone."""

    index: int
    status: int
    replayed: bool
    order: OrderView | None
    problem: Problem | None


class BatchView(msgspec.Struct, frozen=True):
    """One row for each order, in their order."""

    data: list[BatchRow]


@resource.endpoint(
    "POST",
    "/v1/orders/batch",
    callers=SHOP,
    body=BatchRequest,
    body_schema=BatchSchema,
    max_body_bytes=MAX_BATCH_BYTES,
    answer=BatchView,
)
def record_orders(call: Call) -> BatchView:
    """Record up to 100 orders.

    Members go side by side, one member's orders one after the other. Each has a row with the
    status that it would have had alone; to send the whole batch again repeats nothing.
    """
    with ThreadPoolExecutor(THREADS) as threads:
        asked = _side_by_side(threads, lambda raw: _asked(call, raw), call.body.orders)
        queues: dict[str | int, list[int]] = {}
        for index, one in enumerate(asked):
            whose = one.member_id if isinstance(one, OrderRequest) else None
            queues.setdefault(whose or index, []).append(index)
        done = _side_by_side(
            threads,
            lambda queue: [_row(call, index, asked[index]) for index in queue],
            queues.values(),
        )
    rows = [row for queue in done for row in queue]
    return BatchView(sorted(rows, key=lambda row: row.index))


def _asked(call: Call, raw: msgspec.Raw) -> OrderRequest | Refusal:
    """The order of one row, and whose it is: `member_id` is known."""
    if len(memoryview(raw)) > MAX_BODY_BYTES:
        return too_large(MAX_BODY_BYTES)
    outcome: OrderRequest | Refusal = outcome_of(
        _WHAT, lambda: with_member(call, decode_json(bytes(raw), OrderRequest))
    )
    return outcome


def _row(call: Call, index: int, asked: OrderRequest | Refusal) -> BatchRow:
    outcome: Answer | Refusal = (
        asked if isinstance(asked, Refusal) else outcome_of(_WHAT, lambda: record(call, asked))
    )
    if isinstance(outcome, Refusal):
        problem = problem_of(outcome)
        return BatchRow(index, problem.status, replayed=False, order=None, problem=problem)
    status = outcome.status or HTTPStatus.CREATED
    return BatchRow(index, status, outcome.replayed, outcome.body, None)


def _side_by_side(
    threads: ThreadPoolExecutor, work: Callable[[A], B], items: Iterable[A]
) -> list[B]:
    """Works on all at once; what each cost is counted for the call."""

    def counted(item: A) -> tuple[B, Units]:
        with measured() as units:
            return work(item), units

    done = list(threads.map(counted, items))
    for _, units in done:
        current().add(units)
    return [result for result, _ in done]
