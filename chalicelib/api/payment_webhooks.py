"""Messages of Stripe: signed over the raw body, they only say which subscription to look at.

Source: docs.stripe.com, "Receive Stripe events in your webhook endpoint".
"""

import logging

import msgspec

from chalicelib import wiring
from chalicelib.api.endpoints import JSON, PUBLIC, Call, Resource
from chalicelib.api.limits import limited
from chalicelib.domain.errors import Refusal
from chalicelib.kernel.signatures import BadSignature
from chalicelib.services.context import enter
from chalicelib.services.memberships import Desk
from chalicelib.services.reconciliation import FOREIGN, hear, must_look

resource = Resource(__name__, "payment_webhooks")

_UNSIGNED = Refusal("unauthorized", "the message is not signed by the payment service")
_LOG = logging.getLogger("regulars")


class HeardView(msgspec.Struct, frozen=True):
    """What became of it: `done`, or `ignored` where it is about nothing that matters here."""

    status: str


@resource.endpoint(
    "POST",
    "/v1/webhooks/stripe/{program_id}",
    callers=PUBLIC,
    body=bytes,
    body_types=(JSON,),
    answer=HeardView,
)
def receive(call: Call, program_id: str) -> HeardView | Refusal:
    """Receive a message of Stripe.

    It may come any number of times, in any order and late: what it is about is fetched as it is
    now. What nobody here knows is taken and counted, so that Stripe does not send it again.
    """
    here = enter(call.context, program_id)
    payments = call.runtime.payments(program_id, here.program.mode) if here else None
    if here is None or payments is None:
        return limited(call, "webhooks") or _UNSIGNED
    try:
        signature = call.header("stripe-signature")
        event = payments.event(call.body, signature, call.context.clock.now())
    except BadSignature:
        return limited(call, "webhooks") or _UNSIGNED
    found = hear(Desk(call.context, here, payments), event)
    if found is None:
        wiring.metrics().put("PaymentMessageIgnored", 1)
        return HeardView("ignored")
    for one in found:
        if must_look(one):
            _LOG.error("subscription %s: %s", one.subscription, one.outcome)
            wiring.metrics().put("MembershipUnknown", 1)
    if found and all(one.outcome == FOREIGN.code for one in found):
        wiring.metrics().put("PaymentMessageIgnored", 1)
        return HeardView("ignored")
    return HeardView("done")
