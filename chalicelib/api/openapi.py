"""The OpenAPI 3.1 document, made from the declarations of the routes and their types."""

import re
from typing import Any

import msgspec

from chalicelib import __version__
from chalicelib.api.endpoints import JSON, Route
from chalicelib.api.problems import MEDIA_TYPE, Problem
from chalicelib.domain.access.callers import Role
from chalicelib.domain.webhooks.events import CATALOGUE, TRIAL, TrialEvent, WebhookEvent

_REF = "#/components/schemas/{name}"
_TITLE = "Regulars"
_DESCRIPTION = """A loyalty API: members, orders, points and stamps, rewards, and passes in wallets.

Amounts of money are integers in minor units of their currency. Times are RFC 3339. Unknown fields
are refused. Errors are `application/problem+json` with a stable `code`. Every change is
idempotent: by its own id, or by the `Idempotency-Key` header; a repeated call is answered with
`Idempotent-Replayed: true`."""


def document(routes: list[Route]) -> dict[str, Any]:
    """The whole API. It does not depend on where it runs."""
    types = [*_types(routes), WebhookEvent, TrialEvent]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = {id(one): schema for one, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    hooks = {name: _webhook(name, schema_of) for name in CATALOGUE}
    plain: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(_described(routes, paths, components, hooks))  # tuples become lists
    )
    return plain


def _described(
    routes: list[Route],
    paths: dict[str, Any],
    components: dict[str, Any],
    hooks: dict[str, Any],
) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "webhooks": hooks,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
    }


_SECURITY = {
    "secret_key": {"type": "http", "scheme": "bearer", "description": "`rk_...`, for servers."},
    "publishable_key": {"type": "http", "scheme": "bearer", "description": "`pk_...`, for pages."},
    "member_token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Minted by us, or an ID token of the program's OIDC issuer.",
    },
}
_SCHEMES = {
    Role.SECRET_KEY: "secret_key",
    Role.PUBLISHABLE_KEY: "publishable_key",
    Role.MEMBER: "member_token",
}


def _types(routes: list[Route]) -> list[Any]:
    used = [Problem]
    for route in routes:
        used += [one for one in (_body_type(route), route.answer) if one is not None]
        used += route.other_answers.values()
    return used


def _body_type(route: Route) -> Any:
    return route.body if route.body_schema is None else route.body_schema


def _operation(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.tag}_{route.name}",
        "tags": [route.tag],
        "summary": route.summary.rstrip("."),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": _responses(route, schema_of),
        "security": [{_SCHEMES[role]: []} for role in Role if role in route.callers] or [{}],
    }
    if route.description:
        operation["description"] = route.description
    body = _body_type(route)
    if body is not None:
        types = route.body_types or (JSON,)
        content = {media_type: {"schema": schema_of[id(body)]} for media_type in types}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _webhook(name: str, schema_of: dict[int, Any]) -> dict[str, Any]:
    """What we send to endpoints that asked for events of this type (docs/webhooks.md)."""
    event = schema_of[id(TrialEvent if name == TRIAL else WebhookEvent)]
    schema = {"allOf": [event, {"properties": {"type": {"const": name}}}]}
    return {
        "post": {
            "operationId": f"webhook_{name.replace('.', '_')}",
            "summary": CATALOGUE[name].rstrip("."),
            "parameters": [
                {"name": header, "in": "header", "required": True, "schema": {"type": "string"}}
                for header in ("webhook-id", "webhook-timestamp", "webhook-signature")
            ],
            "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
            "responses": {"2XX": {"description": "Taken; anything else is sent again"}},
        }
    }


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    (_,), components = msgspec.json.schema_components([route.query], ref_template=_REF)
    properties = components[route.query.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _headers(route: Route) -> list[dict[str, Any]]:
    if not route.keyed:
        return []
    schema = {"type": "string", "minLength": 1, "maxLength": 128}
    return [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": route.key_required,
            "schema": schema,
        }
    ]


def _responses(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    problem = {MEDIA_TYPE: {"schema": schema_of[id(Problem)]}}
    success: dict[str, Any] = {"description": route.status.phrase}
    if route.answer is not None:
        success["content"] = {route.answer_type: {"schema": schema_of[id(route.answer)]}}
    elif route.answer_type != JSON:
        success["content"] = {route.answer_type: {}}
    others = {
        str(status.value): {
            "description": status.phrase,
            "content": {JSON: {"schema": schema_of[id(answer)]}},
        }
        for status, answer in route.other_answers.items()
    }
    return {
        str(route.status.value): success,
        **others,
        "default": {"description": "A problem", "content": problem},
    }
