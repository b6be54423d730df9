"""Many orders in one call: each is recorded, refused or repeated for itself."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

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
from chalicelib.api.orders import (
    MemberReference,
    OrderRequest,
    OrderView,
    order_answer,
    order_of,
    profile_of,
    remember_buyer,
    reserved,
)
from chalicelib.api.problems import Problem, problem_of
from chalicelib.domain.errors import Refusal
from chalicelib.services import bulk, members
from chalicelib.services.bulk import Outcome, Recording
from chalicelib.services.side_by_side import side_by_side

MAX_ORDERS = 100
MAX_BATCH_BYTES = 4_000_000  # Lambda takes 6 MB, with what API Gateway puts around it

resource = Resource(__name__, "orders")

_WHAT = "an order of a batch"


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
    requests = [_request(raw) for raw in call.body.orders]
    found = _found(call, requests)
    asked = side_by_side(
        lambda one: outcome_of(_WHAT, lambda: _recording(call, one, found)), requests
    )
    outcomes = bulk.record_orders(call.context, call.here, asked)
    rows = zip(requests, outcomes, strict=True)
    return BatchView([_row(call, index, *row) for index, row in enumerate(rows)])


def _request(raw: msgspec.Raw) -> OrderRequest | Refusal:
    if len(memoryview(raw)) > MAX_BODY_BYTES:
        return too_large(MAX_BODY_BYTES)
    outcome: OrderRequest | Refusal = outcome_of(
        _WHAT, lambda: decode_json(bytes(raw), OrderRequest)
    )
    return outcome


def _found(
    call: Call, requests: Sequence[OrderRequest | Refusal]
) -> dict[MemberReference, str | Refusal | None]:
    """The ids of those who are named otherwise, all looked for at once."""
    named = (one.member for one in requests if isinstance(one, OrderRequest))
    wanted = list(dict.fromkeys(one for one in named if one is not None))
    profiles = [profile_of(one) for one in wanted]
    ids = outcome_of(_WHAT, lambda: members.claimants(call.context, call.here, profiles))
    return (
        dict.fromkeys(wanted, ids)
        if isinstance(ids, Refusal)
        else dict(zip(wanted, ids, strict=True))
    )


def _recording(
    call: Call,
    request: OrderRequest | Refusal,
    found: Mapping[MemberReference, str | Refusal | None],
) -> Recording | Refusal:
    """What shall be recorded for whom."""
    if isinstance(request, Refusal):
        return request
    order = reserved(request.source) or order_of(request, request.source)
    if isinstance(order, Refusal):
        return order
    member_id = request.member_id or (found[request.member] if request.member else None)
    if member_id is None or isinstance(member_id, Refusal):
        return member_id or members.NOT_FOUND
    remember_buyer(call.context, call.here, member_id, request)
    return Recording(member_id, order, request.status == "paid")


def _row(call: Call, index: int, request: OrderRequest | Refusal, outcome: Outcome) -> BatchRow:
    answer: Answer | Refusal = outcome_of(_WHAT, lambda: _answer(call, request, outcome))
    if isinstance(answer, Refusal):
        problem = problem_of(answer)
        return BatchRow(index, problem.status, replayed=False, order=None, problem=problem)
    return BatchRow(index, HTTPStatus.CREATED, answer.replayed, answer.body, None)


def _answer(call: Call, request: OrderRequest | Refusal, outcome: Outcome) -> Answer | Refusal:
    """Raises what was raised for the order."""
    if isinstance(outcome, Exception):
        raise outcome
    if isinstance(outcome, Refusal):
        return outcome
    assert isinstance(request, OrderRequest)  # noqa: S101 (a refusal stays one)
    return order_answer(call, outcome, request.status)
