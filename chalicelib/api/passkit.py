"""Apple's web service for updating passes, as phones call it.

Source: developer.apple.com, "Adding a Web Service to Update Passes", and its five pages: register
a pass, get the list of updatable passes, send an updated pass, unregister, log a message.
"""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import PUBLIC, Answer, Call, Resource
from chalicelib.api.limits import limited
from chalicelib.api.passes import pass_answer
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ports import ApplePassBuilder, PhoneLog
from chalicelib.kernel.clock import DAY, SECOND, from_http_date
from chalicelib.kernel.patterns import whole
from chalicelib.services import passes
from chalicelib.services.passes import PassKey

resource = Resource(__name__, "passkit")

_SCHEME = "ApplePass"
_LOG_KEPT = 30 * DAY
_LINES = 20  # of one message
_LINE_CHARACTERS = 1000
_STRANGER = Refusal("unauthorized", "the token is not that of this pass")
_REGISTRATION = "/passkit/v1/devices/{device_id}/registrations/{type_id}/{serial}"
_MAX_ID = 200  # characters of a device's own identifier


class RegisterRequest(msgspec.Struct, frozen=True):
    """Where the phone is told of changes."""

    pushToken: Annotated[str, Meta(min_length=1, max_length=200, pattern=whole(r"[0-9A-Za-z_-]+"))]  # noqa: N815 (Apple's name)


class LogRequest(msgspec.Struct, frozen=True):
    """What the phone has to say."""

    logs: Annotated[list[Annotated[str, Meta(max_length=10_000)]], Meta(max_length=100)]


class ChangedQuery(msgspec.Struct, frozen=True):
    """The tag of the last answer."""

    passesUpdatedSince: Annotated[str, Meta(max_length=100)] | None = None  # noqa: N815


class ChangedView(msgspec.Struct, frozen=True):
    """Passes that the phone should fetch, and the tag for the next question."""

    serialNumbers: list[str]  # noqa: N815
    lastUpdated: str  # noqa: N815


@resource.endpoint("POST", _REGISTRATION, callers=PUBLIC, body=RegisterRequest, body_types=())
def register(call: Call, device_id: str, type_id: str, serial: str) -> Answer | Refusal:
    """Register a phone for a pass: 201 where it is new, 200 where it was known."""
    if refusal := limited(call, "registrations", device_id):
        return refusal
    key = _holder(call, type_id, serial)
    if key is None or len(device_id) > _MAX_ID:
        return _STRANGER
    new = passes.register(call.context, key, device_id, type_id, call.body.pushToken)
    if isinstance(new, Refusal):
        return new
    return Answer("", HTTPStatus.CREATED if new else HTTPStatus.OK)


@resource.endpoint("DELETE", _REGISTRATION, callers=PUBLIC)
def unregister(call: Call, device_id: str, type_id: str, serial: str) -> Answer | Refusal:
    """Forget a phone: its owner removed the pass."""
    key = _holder(call, type_id, serial)
    if key is None:
        return _STRANGER
    call.context.store.passes.unregister(
        key.program_id, key.member_id, device_id, call.context.clock.now()
    )
    return Answer("")


@resource.endpoint(
    "GET",
    "/passkit/v1/devices/{device_id}/registrations/{type_id}",
    callers=PUBLIC,
    query=ChangedQuery,
    answer=ChangedView,
)
def list_changed(call: Call, device_id: str, type_id: str) -> Answer | ChangedView | Refusal:
    """List the passes of a phone that changed; 204 where none did.

    Phones send no token with it: the device's identifier is the secret. The limit is per device:
    after a push, thousands of phones ask through the few addresses of their carriers.
    """
    if refusal := limited(call, "changed passes", device_id):
        return refusal
    tag = call.query.passesUpdatedSince
    changed = passes.changed_passes(call.context, device_id, type_id, tag)
    if changed is None:
        return Answer("", HTTPStatus.NO_CONTENT)
    return ChangedView(list(changed.serials), changed.tag)


@resource.endpoint("GET", "/passkit/v1/passes/{type_id}/{serial}", callers=PUBLIC)
def send_pass(call: Call, type_id: str, serial: str) -> Answer | Refusal:
    """Send the latest pass; 304 where the phone has it already.

    Last-Modified is the time of the pass's own last change.
    """
    key = _holder(call, type_id, serial)
    builder = call.runtime.apple_passes(key.program_id) if key else None
    if key is None or builder is None:
        return _STRANGER
    if refusal := limited(call, "pass of a phone", serial):
        return refusal
    found = passes.issue(call.context, key)
    if isinstance(found, Refusal):
        return _of_nobody(call, builder, key, found)
    card, issued = found
    since = from_http_date(call.header("if-modified-since"))
    if since is not None and issued.modified_at // SECOND * SECOND <= since:
        return Answer("", HTTPStatus.NOT_MODIFIED)
    if card.voided:
        passes.leave_phones(call.context, key)
    return pass_answer(call, builder, key, card, issued.modified_at)


def _of_nobody(
    call: Call, builder: ApplePassBuilder, key: PassKey, refusal: Refusal
) -> Answer | Refusal:
    """The pass of an erased member: void, and without anything of him."""
    card = passes.empty_card(call.context, key)
    if card is None:
        return refusal
    return pass_answer(call, builder, key, card, call.context.clock.now())


@resource.endpoint("POST", "/passkit/v1/log", callers=PUBLIC, body=LogRequest, body_types=())
def log(call: Call) -> Answer | Refusal:
    """Keep what a phone complains about, for the operator to read (`GET /v1/wallets/log`)."""
    if refusal := limited(call, "passkit log"):
        return refusal
    context = call.context
    now = context.clock.now()
    for text in call.body.logs[:_LINES]:
        line = PhoneLog(now, context.ids.new("log"), text[:_LINE_CHARACTERS])
        context.store.passes.log(line, now + _LOG_KEPT)
    return Answer("")


def _holder(call: Call, type_id: str, serial: str) -> PassKey | None:
    """Whose pass the phone holds, proved by the pass's own token."""
    scheme, _, token = call.header("authorization").partition(" ")
    key = passes.of_phone(call.context, serial, token) if scheme == _SCHEME else None
    builder = call.runtime.apple_passes(key.program_id) if key else None
    return key if builder is not None and builder.pass_type_id == type_id else None
