"""How a route is declared, and what every call goes through.

A route names its method and path, who may call it, and the types of its query, body and answer.
Who is not named is refused; what the types do not know is refused. The same declaration is what
the OpenAPI document is made from.
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from chalice.app import Blueprint, CORSConfig, Request, Response

from chalicelib import wiring
from chalicelib.api.problems import Headers, of_fault, refuse
from chalicelib.domain.access.audit import BEGUN, DONE, AuditRow
from chalicelib.domain.access.callers import Caller, Role
from chalicelib.domain.access.keys import KeyKind
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.kernel.meter import measured
from chalicelib.kernel.validation import place_and_reason
from chalicelib.services.context import Context, Here, enter

JSON = "application/json"
HTML = "text/html; charset=utf-8"  # a page for people
MAX_BODY_BYTES = 256_000  # so that every order fits into one item of its table
MAX_KEY_CHARACTERS = 128
METER_HEADER = "regulars-meter"  # whoever sends it is told what the call cost the store

SHOP = frozenset({Role.SECRET_KEY})
SHOP_AND_MEMBER = SHOP | {Role.MEMBER}
ANY_KEY = SHOP | {Role.PUBLISHABLE_KEY}
EVERYBODY_KNOWN = frozenset(Role)
PUBLIC: frozenset[Role] = frozenset()  # the route proves its callers itself, or needs not to

_LOG = logging.getLogger("regulars")
_CORS = CORSConfig(allow_origin="*", allow_headers=["Authorization", "Idempotency-Key"])
_UNAUTHORIZED = Refusal("unauthorized", "a valid key or token is needed")
_FORBIDDEN = Refusal("forbidden", "this caller may not do that")
_NOT_FOUND = Refusal("not_found", "there is no such thing")

_SCOPES: set[str] = set()  # of every declared route that a secret key may call

T = TypeVar("T")


@dataclass(frozen=True)
class Route:
    """One operation of the API."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str
    callers: frozenset[Role]
    handler: Callable[..., Any]
    status: HTTPStatus = HTTPStatus.OK
    query: type[msgspec.Struct] | None = None
    body: Any = None
    body_types: tuple[str, ...] = (JSON,)
    body_schema: Any = None  # of a body that the handler decodes itself
    answer: Any = None
    other_answers: Mapping[HTTPStatus, Any] = field(default_factory=dict)
    answer_type: str = JSON
    keyed: bool = False  # whether an Idempotency-Key means something
    key_required: bool = False
    audited: bool = False  # whether the audit log tells of it
    max_body_bytes: int = MAX_BODY_BYTES

    @property
    def scope(self) -> str:
        """What a key with scopes must have for it."""
        return f"{self.tag}:{'read' if self.method == 'GET' else 'write'}"


@dataclass(frozen=True)
class Told:
    """What the audit log says of a change beside who made it; `member_id` is whom it tells of."""

    member_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True)
class Answer:
    """A handler's answer where it needs more than the declared status."""

    body: Any
    status: HTTPStatus | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False
    told: Told | None = None  # of an audited operation


@dataclass(frozen=True)
class Call:
    """One request, as a handler sees it."""

    request: Request
    runtime: "wiring.Runtime"
    caller: Caller | None
    within: Here | None
    idempotency_key: str | None
    query: Any
    body: Any

    @property
    def context(self) -> Context:
        """What the use cases work with."""
        return self.runtime.context

    @property
    def here(self) -> Here:
        """The program that is called."""
        if self.within is None:
            raise LookupError("a public route belongs to no program")
        return self.within

    def header(self, name: str) -> str:
        """A header's value, empty where it is absent."""
        return str(self.request.headers.get(name, ""))

    @property
    def base_url(self) -> str:
        """Where callers reach us: as configured, or as they just did."""
        if self.runtime.base_url:
            return self.runtime.base_url
        context = self.request.context
        return f"https://{context.get('domainName')}/{context.get('stage')}"

    @property
    def address(self) -> str:
        """The caller's network address."""
        return str(self.request.context.get("identity", {}).get("sourceIp") or "")


class Resource(Blueprint):
    """The blueprint of one resource of the API, and the routes that it declares."""

    def __init__(self, import_name: str, tag: str) -> None:
        super().__init__(import_name)
        self.tag = tag
        self.routes: list[Route] = []

    def endpoint(
        self, method: str, path: str, *, callers: frozenset[Role], **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares an operation. Its name and texts are those of the function."""

        def declare(handler: Callable[..., Any]) -> Callable[..., Any]:
            summary, _, description = (handler.__doc__ or "").partition("\n\n")
            route = Route(
                method,
                path,
                handler.__name__,
                self.tag,
                " ".join(summary.split()),
                " ".join(description.split()),
                callers,
                handler,
                **options,
            )
            self.routes.append(route)
            if callers & SHOP:
                _SCOPES.add(route.scope)

            def view(**path_parameters: str) -> Response:
                return serve(route, self.current_request, path_parameters)

            self.route(
                path,
                methods=[method],
                name=f"{self.tag}_{handler.__name__}",
                content_types=list(route.body_types) if route.body is not None else [],
                cors=_CORS if callers - SHOP else None,
            )(view)
            return handler

        return declare


def known_scopes() -> frozenset[str]:
    """The scopes that a secret key can be bound to."""
    return frozenset(_SCOPES)


def serve(route: Route, request: Request, path_parameters: dict[str, str]) -> Response:
    """Answers one request: whatever happens, the answer is JSON or a problem."""
    with measured() as units:
        response = _answer(route, request, path_parameters)
    _LOG.info(
        "%s %s %d, %g read units, %d write units",
        route.method,
        route.path,
        response.status_code,
        units.reads,
        units.writes,
    )
    if request.headers.get(METER_HEADER):
        response.headers["Regulars-Read-Units"] = f"{units.reads:g}"
        response.headers["Regulars-Write-Units"] = str(units.writes)
    return response


def _answer(route: Route, request: Request, path_parameters: dict[str, str]) -> Response:
    answer: Response | Refusal = outcome_of(
        f"{route.method} {route.path}",
        lambda: _respond(route, _handle(route, request, path_parameters)),
    )
    return refuse(answer) if isinstance(answer, Refusal) else answer


def outcome_of(what: str, handle: Callable[[], Any]) -> Any:
    """What comes of it; a fault is logged, and told as a refusal that shows nothing of it."""
    try:
        return handle()
    except Invalid as invalid:
        return invalid.refusal
    except Exception as fault:
        _LOG.exception("%s failed", what)
        return of_fault(fault)


def _handle(route: Route, request: Request, path_parameters: dict[str, str]) -> Any:
    if len(request.raw_body) > route.max_body_bytes:
        return too_large(route.max_body_bytes)
    runtime = wiring.runtime()
    caller = None
    here = None
    if route.callers:
        found = _caller(request, runtime)
        if isinstance(found, Refusal):
            return found
        caller = found
        if caller.role not in route.callers or _foreign_origin(caller, request):
            return _FORBIDDEN
        if caller.key is not None and not caller.key.may(route.scope):
            return Refusal("forbidden", f"the key has not the scope {route.scope}")
        if caller.role is Role.MEMBER and path_parameters.get("member_id") not in (
            None,
            caller.member_id,
        ):
            return _NOT_FOUND
        here = enter(runtime.context, caller.program_id)
        if here is None:
            return _UNAUTHORIZED
    key = _idempotency_key(route, request)
    query = _query(route, request)
    body = _body(route, request)
    call = Call(request, runtime, caller, here, key, query, body)
    if route.audited or _is_staffs(route, caller):
        return _audited(route, call, path_parameters)
    return route.handler(call, **path_parameters)


def _is_staffs(route: Route, caller: Caller | None) -> bool:
    """Whatever somebody at the till changes is told under his name."""
    key = caller.key if caller else None
    return key is not None and key.kind is KeyKind.STAFF and route.method != "GET"


def too_large(limit: int) -> Refusal:
    """Of a body above its limit, in bytes."""
    return Refusal("body_too_large", f"a body may have {limit} bytes")


def _audited(route: Route, call: Call, path_parameters: dict[str, str]) -> Any:
    """Writes down that something is begun before it is done, so that a crash hides nothing."""
    key = call.caller.key if call.caller else None
    if key is None:
        return route.handler(call, **path_parameters)
    row = AuditRow(
        program_id=call.here.program_id,
        id=call.context.ids.new("aud"),
        at=call.context.clock.now(),  # the world's: a test clock may stand still
        key_id=key.id,
        key_name=key.name,
        action=f"{route.tag}.{route.name}",
        target=route.path.format(**path_parameters),
        outcome=BEGUN,
    )
    call.context.store.audit.put(row)
    outcome = route.handler(call, **path_parameters)
    told = outcome.told if isinstance(outcome, Answer) else None
    done = replace(row, outcome=outcome.code if isinstance(outcome, Refusal) else DONE)
    if told is not None:
        done = replace(done, member_id=told.member_id, before=told.before, after=told.after)
    call.context.store.audit.put(done)
    return outcome


def _caller(request: Request, runtime: "wiring.Runtime") -> Caller | Refusal:
    scheme, _, credential = str(request.headers.get("authorization", "")).partition(" ")
    if scheme.lower() != "bearer" or not credential.isascii():
        return _UNAUTHORIZED
    return runtime.doorkeeper.caller(credential.strip()) or _UNAUTHORIZED


def _foreign_origin(caller: Caller, request: Request) -> bool:
    """A publishable key bound to web pages is good on those pages only."""
    if caller.key is None or not caller.key.origins:
        return False
    return request.headers.get("origin") not in caller.key.origins


class Invalid(Exception):
    """The input is not what the route takes; `refusal` says where and why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def _idempotency_key(route: Route, request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None and route.key_required:
        raise Invalid(_invalid("Idempotency-Key", "this header is needed"))
    if key is None or not route.keyed:
        return None
    if not re.fullmatch(rf"[\x21-\x7e]{{1,{MAX_KEY_CHARACTERS}}}", key):
        reason = f"is not 1 to {MAX_KEY_CHARACTERS} printable ASCII characters"
        raise Invalid(_invalid("Idempotency-Key", reason))
    return str(key)


def _query(route: Route, request: Request) -> Any:
    given = dict(request.query_params or {})
    if route.answer_type == HTML:  # social networks and mails add parameters to links
        known = route.query.__struct_fields__ if route.query else ()
        given = {name: value for name, value in given.items() if name in known}
    if route.query is None:
        if given:
            raise Invalid(_invalid(next(iter(given)), "is not a parameter of this call"))
        return None
    return _converted(lambda: msgspec.convert(given, route.query, strict=False))


def _body(route: Route, request: Request) -> Any:
    if route.body is None or route.body is bytes:
        return request.raw_body
    return decode_json(request.raw_body, route.body)


def decode_json(raw: bytes | str, wanted: Any) -> Any:
    """A body as its type. Raises `Invalid`."""
    try:
        return _converted(lambda: msgspec.json.decode(raw, type=wanted))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(Refusal("invalid_json", f"the body is not JSON: {error}")) from error


def _converted(convert: Callable[[], T]) -> T:
    try:
        return convert()
    except msgspec.ValidationError as error:
        raise Invalid(_invalid(*place_and_reason(error))) from error


def _invalid(field_name: str, reason: str) -> Refusal:
    error = FieldError(field_name, reason)
    return Refusal("invalid_request", f"{field_name}: {reason}", (error,))


def _respond(route: Route, outcome: Any) -> Response:
    if isinstance(outcome, Refusal):
        return refuse(outcome)
    if isinstance(outcome, Response):
        return outcome
    answer = outcome if isinstance(outcome, Answer) else Answer(outcome)
    headers: Headers = {
        "Content-Type": route.answer_type,
        "Cache-Control": "no-store",
        **answer.headers,
    }
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    status = answer.status or route.status
    if isinstance(answer.body, (bytes, str)):
        return Response(answer.body, headers, status)
    return Response(msgspec.json.encode(answer.body).decode(), headers, status)
