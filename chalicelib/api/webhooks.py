"""Webhooks in: a store sends its orders, signed by Standard Webhooks.

Source: the Standard Webhooks specification (github.com/standard-webhooks/standard-webhooks): the
headers `webhook-id`, `webhook-timestamp` and `webhook-signature` over the raw body.
"""

from dataclasses import replace

import msgspec

from chalicelib.api.endpoints import JSON, PUBLIC, Answer, Call, Resource, decode_json
from chalicelib.api.limits import limited
from chalicelib.api.orders import (
    OrderView,
    ParkedView,
    RefundRequest,
    RefundView,
    SentOrder,
    take_cancellation,
    take_order,
    take_refund,
)
from chalicelib.api.shapes import Identifier, MomentText
from chalicelib.api.views import EffectView, EntryPointer
from chalicelib.domain.access.keys import ApiKey
from chalicelib.domain.errors import Refusal
from chalicelib.kernel.signatures import BadSignature, verify
from chalicelib.services import keys
from chalicelib.services.context import enter

resource = Resource(__name__, "webhooks")

_UNSIGNED = Refusal("unauthorized", "the message is not signed with a key of this source")


class OrderPaid(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="order.paid"
):
    """An order was paid, or (with the status `pending`) placed, or changed."""

    data: SentOrder
    timestamp: MomentText | None = None


class RefundData(RefundRequest, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A refund, and the order it is of."""

    order_id: Identifier


class OrderRefunded(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="order.refunded"
):
    """An order was given back, whole or in part."""

    data: RefundData
    timestamp: MomentText | None = None


class CancelledData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which order."""

    order_id: Identifier


class OrderCancelled(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="order.cancelled"
):
    """An order was cancelled, for ever."""

    data: CancelledData
    timestamp: MomentText | None = None


PlainEvent = OrderPaid | OrderRefunded | OrderCancelled


class OrderReceived(msgspec.Struct, frozen=True):
    """What became of a message: what the order or its refund moved.

    A refund that came before its order waits for it: the status is `parked`.
    """

    member_id: str | None
    effects: list[EffectView]
    entry: EntryPointer | None
    status: str = "done"


@resource.endpoint(
    "POST",
    "/v1/webhooks/orders/{source}",
    callers=PUBLIC,
    body=bytes,
    body_types=(JSON,),
    body_schema=PlainEvent,
    answer=OrderReceived,
)
def receive_order(call: Call, source: str) -> Answer | Refusal:
    """Receive an order, a refund or a cancellation from a store.

    Signed with the secret of a webhook key whose `source` is that of the path. A message may come
    any number of times: the order's and the refund's own ids make it once. An order that was sent
    before with another content is an edit: the difference is given or taken.
    """
    key = _signer(call, source)
    here = enter(call.context, key.program_id) if key else None
    if here is None:
        return limited(call, "webhooks") or _UNSIGNED
    event = decode_json(call.body, PlainEvent)
    call = replace(call, within=here)
    if isinstance(event, OrderPaid):
        outcome = take_order(call, source, event.data, editable=True)
    elif isinstance(event, OrderCancelled):
        outcome = take_cancellation(call, source, event.data.order_id)
    else:
        outcome = take_refund(call, source, event.data.order_id, event.data)
    if isinstance(outcome, Refusal):
        return outcome
    view: OrderView | RefundView | ParkedView = outcome.body
    if isinstance(view, ParkedView):
        return Answer(OrderReceived(None, [], None, view.status))
    return replace(outcome, body=OrderReceived(view.member_id, view.effects, view.entry))


def _signer(call: Call, source: str) -> ApiKey | None:
    """The key that signed this message, just now."""
    now = call.context.clock.now()
    for key in call.context.store.keys.of_source(source):
        try:
            verify(
                keys.webhook_secrets(call.context, key, now),
                call.header("webhook-id"),
                call.header("webhook-timestamp"),
                call.header("webhook-signature"),
                call.body,
                now,
            )
        except BadSignature:
            continue
        return key
    return None
