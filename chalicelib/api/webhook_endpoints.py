"""Outgoing webhooks: where a program's events go to, and what became of each."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib import wiring
from chalicelib.api.endpoints import SHOP, Answer, Call, Resource, Told
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import Moment, MomentText, printable
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.webhooks.addresses import MAX_URL_CHARACTERS
from chalicelib.domain.webhooks.delivery import Attempt, Delivery
from chalicelib.domain.webhooks.endpoint import Endpoint
from chalicelib.kernel.clock import from_datetime, to_rfc3339
from chalicelib.services import webhook_deliveries, webhook_endpoints
from chalicelib.services.webhook_endpoints import Made, Wish

resource = Resource(__name__, "webhook_endpoints")

Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_URL_CHARACTERS,
        description="https, a public host name, port 443 or 8443.",
    ),
]
Description = Annotated[str, Meta(max_length=200)]
EventTypes = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=60)], ...],
    Meta(
        min_length=1,
        max_length=50,
        description="`*`, all of a kind (`order.*`), or one (`order.recorded`).",
    ),
]


class CreateEndpointRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where events shall go to, and which."""

    url: Url
    event_types: EventTypes = ("*",)
    description: Description = ""


class ChangeEndpointRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall be otherwise. `enabled` true begins anew after a disabling."""

    url: Url | UnsetType = UNSET
    event_types: EventTypes | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class RotateEndpointRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The generation of the secret that shall be replaced."""

    generation: Annotated[int, Meta(ge=1, le=10**9)]


class ReplayRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"start": "from", "end": "to"},
):
    """Of events from one moment to, and without, another; those that were given up, or all."""

    start: Moment
    end: Moment
    only_failed: bool = True


class EndpointView(msgspec.Struct, frozen=True):
    """A webhook endpoint. `secret` is shown once, in the answer to the call that made it.

    `disabled_reason` is `by_hand`, `gone` (it answered 410) or `failing` (for days nothing
    arrived).
    """

    id: str
    url: str
    description: str
    event_types: list[str]
    enabled: bool
    disabled_reason: str | None
    disabled_at: MomentText | None
    generation: int
    created_at: MomentText
    secret: str | None = None


class EndpointsView(msgspec.Struct, frozen=True):
    """All endpoints, by id."""

    data: list[EndpointView]


class AttemptView(msgspec.Struct, frozen=True):
    """One try: where to, what was answered, and why it did not arrive."""

    at: MomentText
    url: str
    took_ms: int
    status: int | None
    response_excerpt: str
    trouble: str | None


class DeliveryView(msgspec.Struct, frozen=True):
    """One event on its way. `status` is `waiting`, `delivered` or `failed` (given up).

    `request_body` is what is sent, byte for byte, at every try.
    """

    id: str
    event_id: str
    event_type: str
    event_at: MomentText
    status: str
    tries: int
    next_try_at: MomentText | None
    trouble: str | None
    last_attempt: AttemptView | None
    request_body: str


class DeliveriesView(msgspec.Struct, frozen=True):
    """Deliveries, newest event first."""

    data: list[DeliveryView]
    next_cursor: str | None


class AcceptedView(msgspec.Struct, frozen=True):
    """What was asked for is begun."""

    status: str


@resource.endpoint(
    "POST",
    "/v1/webhook_endpoints",
    callers=SHOP,
    body=CreateEndpointRequest,
    answer=EndpointView,
    status=HTTPStatus.CREATED,
    keyed=True,
    audited=True,
)
def create(call: Call) -> Answer | Refusal:
    """Create a webhook endpoint; its events are told of from now on.

    With an Idempotency-Key the same request again answers the same endpoint, without its secret. A
    program has 20 at most.
    """
    request: CreateEndpointRequest = call.body
    if refusal := _unprintable(request.description):
        return refusal
    wish = Wish(request.url, request.description, request.event_types)
    made = webhook_endpoints.create_endpoint(
        call.context, call.here, call.runtime.webhook_sender, wish, call.idempotency_key
    )
    return _made(made)


@resource.endpoint("GET", "/v1/webhook_endpoints", callers=SHOP, answer=EndpointsView)
def list_endpoints(call: Call) -> EndpointsView:
    """List the program's webhook endpoints."""
    found = call.context.store.webhooks.of_program(call.here.program_id)
    return EndpointsView([_view(one) for one in found])


@resource.endpoint("GET", "/v1/webhook_endpoints/{endpoint_id}", callers=SHOP, answer=EndpointView)
def read(call: Call, endpoint_id: str) -> EndpointView | Refusal:
    """Read a webhook endpoint."""
    found = webhook_endpoints.find_endpoint(call.context, call.here, endpoint_id)
    return found if isinstance(found, Refusal) else _view(found)


@resource.endpoint(
    "PATCH",
    "/v1/webhook_endpoints/{endpoint_id}",
    callers=SHOP,
    body=ChangeEndpointRequest,
    answer=EndpointView,
    audited=True,
)
def change(call: Call, endpoint_id: str) -> Answer | Refusal:
    """Change, disable or enable a webhook endpoint.

    What happens while it is disabled is not sent later; what was on its way is given up, and can be
    replayed.
    """
    request: ChangeEndpointRequest = call.body
    given = {
        name: value for name, value in msgspec.structs.asdict(request).items() if value is not UNSET
    }
    if refusal := _unprintable(given.get("description", "")):
        return refusal
    found = webhook_endpoints.change_endpoint(
        call.context, call.here, call.runtime.webhook_sender, endpoint_id, Wish(**given)
    )
    if isinstance(found, Refusal):
        return found
    was, now = (_view(one) for one in found)
    return Answer(now, told=Told(None, *map(msgspec.to_builtins, (was, now))))


@resource.endpoint(
    "DELETE",
    "/v1/webhook_endpoints/{endpoint_id}",
    callers=SHOP,
    answer=EndpointView,
    audited=True,
)
def remove(call: Call, endpoint_id: str) -> Answer | Refusal:
    """Delete a webhook endpoint, for ever; what was on its way to it is dropped."""
    found = webhook_endpoints.remove_endpoint(call.context, call.here, endpoint_id)
    if isinstance(found, Refusal):
        return found
    return Answer(_view(found), told=Told(None, msgspec.to_builtins(_view(found)), None))


@resource.endpoint(
    "POST",
    "/v1/webhook_endpoints/{endpoint_id}/rotate",
    callers=SHOP,
    body=RotateEndpointRequest,
    answer=EndpointView,
    audited=True,
)
def rotate(call: Call, endpoint_id: str) -> Answer | Refusal:
    """Rotate the secret: for a day messages are signed with the new and the old one."""
    generation = call.body.generation
    return _made(webhook_endpoints.rotate_secret(call.context, call.here, endpoint_id, generation))


@resource.endpoint(
    "POST",
    "/v1/webhook_endpoints/{endpoint_id}/test",
    callers=SHOP,
    answer=DeliveryView,
    status=HTTPStatus.ACCEPTED,
    audited=True,
)
def send_test(call: Call, endpoint_id: str) -> DeliveryView | Refusal:
    """Send a `webhook.test` event. Its delivery tells what came of it."""
    queue = wiring.queues().webhooks
    found = webhook_deliveries.send_trial(call.context, call.here, queue, endpoint_id)
    return found if isinstance(found, Refusal) else _delivery(found)


@resource.endpoint(
    "GET",
    "/v1/webhook_endpoints/{endpoint_id}/deliveries",
    callers=SHOP,
    query=PageQuery,
    answer=DeliveriesView,
)
def list_deliveries(call: Call, endpoint_id: str) -> DeliveriesView | Refusal:
    """List the deliveries of the last 30 days, newest event first."""
    purpose = f"deliveries {endpoint_id}"
    place = place_of(call, purpose, call.query.cursor)
    if isinstance(place, Refusal):
        return place
    endpoint = webhook_endpoints.find_endpoint(call.context, call.here, endpoint_id)
    if isinstance(endpoint, Refusal):
        return endpoint
    rows = call.context.store.webhooks.newest(
        call.here.program_id, endpoint_id, place, call.query.limit
    )
    following = rows[-1].id if len(rows) == call.query.limit else None
    return DeliveriesView([_delivery(one) for one in rows], cursor_to(call, purpose, following))


@resource.endpoint(
    "POST",
    "/v1/webhook_endpoints/{endpoint_id}/deliveries/{delivery_id}/replay",
    callers=SHOP,
    answer=DeliveryView,
    status=HTTPStatus.ACCEPTED,
    audited=True,
)
def replay_delivery(call: Call, endpoint_id: str, delivery_id: str) -> DeliveryView | Refusal:
    """Send one delivery once more: the same id, the same body."""
    queue = wiring.queues().webhooks
    found = webhook_deliveries.replay_one(call.context, call.here, queue, endpoint_id, delivery_id)
    return found if isinstance(found, Refusal) else _delivery(found)


@resource.endpoint(
    "POST",
    "/v1/webhook_endpoints/{endpoint_id}/replay",
    callers=SHOP,
    body=ReplayRequest,
    answer=AcceptedView,
    status=HTTPStatus.ACCEPTED,
    audited=True,
)
def replay_period(call: Call, endpoint_id: str) -> AcceptedView | Refusal:
    """Send the deliveries of a period once more: those that were given up, or all.

    It is worked in the background. Events that were never meant for this endpoint are not sent.
    """
    period = (from_datetime(call.body.start), from_datetime(call.body.end))
    if not 0 <= period[0] < period[1]:
        error = FieldError("to", "is not after from")
        return Refusal("invalid_request", "the period is empty", (error,))
    queue = wiring.queues().webhooks
    found = webhook_deliveries.replay_range(
        call.context, call.here, queue, endpoint_id, period, only_failed=call.body.only_failed
    )
    return found if isinstance(found, Refusal) else AcceptedView("accepted")


def _unprintable(description: str) -> Refusal | None:
    if printable(description):
        return None
    error = FieldError("description", "has control characters")
    return Refusal("invalid_request", "there can be no such endpoint", (error,))


def _made(made: Made | Refusal) -> Answer | Refusal:
    if isinstance(made, Refusal):
        return made
    view = _view(made.endpoint)
    told = Told(None, None, msgspec.to_builtins(view))
    shown = msgspec.structs.replace(view, secret=made.secret)
    return Answer(shown, replayed=made.secret is None, told=told)


def _view(endpoint: Endpoint) -> EndpointView:
    return EndpointView(
        id=endpoint.id,
        url=endpoint.url,
        description=endpoint.description,
        event_types=list(endpoint.event_types),
        enabled=endpoint.disabled is None,
        disabled_reason=endpoint.disabled.value if endpoint.disabled else None,
        disabled_at=to_rfc3339(endpoint.disabled_at) if endpoint.disabled_at else None,
        generation=endpoint.generation,
        created_at=to_rfc3339(endpoint.created_at),
    )


def _delivery(one: Delivery) -> DeliveryView:
    return DeliveryView(
        id=one.id,
        event_id=one.event_id,
        event_type=one.event_type,
        event_at=to_rfc3339(one.at),
        status=one.status.value,
        tries=one.tries,
        next_try_at=to_rfc3339(one.next_at) if one.next_at is not None else None,
        trouble=one.trouble,
        last_attempt=_attempt(one.last) if one.last else None,
        request_body=one.body.decode(),
    )


def _attempt(one: Attempt) -> AttemptView:
    return AttemptView(to_rfc3339(one.at), one.url, one.took, one.status, one.excerpt, one.trouble)
