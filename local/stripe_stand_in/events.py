"""The list of events and the endpoints that they are sent to ("Events", "Webhook Endpoints")."""

import secrets

from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.lists import page
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object
from local.stripe_stand_in.world import World

_KEPT_SECONDS = 30 * 86_400  # "List all events" goes back 30 days
_ENDPOINT = "url enabled_events description metadata "


def matches(wanted: list[str], name: str) -> bool:
    """Whether an event is one of the wanted: by its name, `*`, or `invoice.*`."""
    return any(
        one in ("*", name) or (one.endswith(".*") and name.startswith(one[:-1])) for one in wanted
    )


@route("GET", "/v1/events", PAGED + "type types delivery_success")
def list_events(world: World, params: Params) -> Object:
    """By "List all events": of the last 30 days."""
    wanted = params.texts("types") or [params.text("type") or "*"]
    since = world.now() - _KEPT_SECONDS
    rows = [
        event
        for event in world.all("event")
        if matches(wanted, event["type"]) and event["created"] >= since
    ]
    return page(params, "/v1/events", rows)


@route("GET", "/v1/events/{}")
def retrieve_event(world: World, _: Params, event_id: str) -> Object:
    """By "Retrieve an event"."""
    return world.get("event", event_id)


@route("POST", "/v1/webhook_endpoints", _ENDPOINT + "api_version connect")
def create_endpoint(world: World, params: Params) -> Object:
    """By "Create a webhook endpoint": only this answer has the secret."""
    url, wanted = params.need("url"), params.texts("enabled_events")
    if not wanted:
        raise invalid("Missing required param: enabled_events.", "enabled_events")
    endpoint = make_endpoint(world, url, f"whsec_{secrets.token_hex(16)}", wanted)
    endpoint["description"] = params.text("description")
    endpoint["metadata"] = params.metadata()
    return endpoint | {"secret": endpoint["_secret"]}


def make_endpoint(world: World, url: str, secret: str, wanted: list[str]) -> Object:
    """An endpoint that gets the events of those names."""
    return world.make(
        "webhook_endpoint",
        created=world.now(),
        enabled_events=wanted,
        status="enabled",
        url=url,
        _secret=secret,
    )


@route("GET", "/v1/webhook_endpoints", PAGED)
def list_endpoints(world: World, params: Params) -> Object:
    """By "List all webhook endpoints"."""
    return page(params, "/v1/webhook_endpoints", world.all("webhook_endpoint"))


@route("GET", "/v1/webhook_endpoints/{}")
def retrieve_endpoint(world: World, _: Params, endpoint_id: str) -> Object:
    """By "Retrieve a webhook endpoint"."""
    return world.get("webhook_endpoint", endpoint_id)


@route("POST", "/v1/webhook_endpoints/{}", _ENDPOINT + "disabled")
def update_endpoint(world: World, params: Params, endpoint_id: str) -> Object:
    """By "Update a webhook endpoint"."""
    endpoint = world.get("webhook_endpoint", endpoint_id)
    endpoint["url"] = params.text("url") or endpoint["url"]
    endpoint["enabled_events"] = params.texts("enabled_events") or endpoint["enabled_events"]
    endpoint["metadata"] = params.metadata(endpoint["metadata"])
    if "disabled" in params:
        endpoint["status"] = "disabled" if params.flag("disabled") else "enabled"
    return endpoint


@route("DELETE", "/v1/webhook_endpoints/{}")
def delete_endpoint(world: World, _: Params, endpoint_id: str) -> Object:
    """By "Delete a webhook endpoint"."""
    return world.drop("webhook_endpoint", endpoint_id)
