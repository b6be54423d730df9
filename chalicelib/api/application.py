"""Chalice as we need it.

Three things Chalice leaves open are done here: path parameters arrive percent-encoded, errors of
its own are not problem+json, and a `.pkpass` is answered as bytes only where the request's Accept
header names its type (which phones do not: developer.apple.com, "Wallet Passes", says nothing
of the header, and `*/*` must be enough).
"""

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import msgspec
from chalice.app import Chalice

from chalicelib.api.endpoints import HTML, Resource, Route
from chalicelib.api.problems import MEDIA_TYPE, refuse
from chalicelib.domain.errors import Refusal

PKPASS = "application/vnd.apple.pkpass"
PNG = "image/png"
_CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.FORBIDDEN: "not_found",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
}


class RegularsApp(Chalice):
    """The application: mounts resources and answers API Gateway."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        super().__init__(app_name="regulars")
        self.log.setLevel(logging.INFO)  # Chalice would keep warnings to itself
        self.api.binary_types = [PKPASS, PNG]
        self.operations: list[Route] = []
        for resource in resources:
            self.register_blueprint(resource)
            self.operations += resource.routes

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        parameters = event.get("pathParameters") or {}
        event["pathParameters"] = {name: unquote(value) for name, value in parameters.items()}
        _accept_everything(event)
        response: dict[str, Any] = super().__call__(event, context)
        return _as_problem(response)


def _accept_everything(event: dict[str, Any]) -> None:
    """Adds our binary type to what the request accepts."""
    given = event.get("headers") or {}
    kept = {name: value for name, value in given.items() if name.lower() != "accept"}
    event["headers"] = {**kept, "accept": PKPASS}


def _as_problem(response: dict[str, Any]) -> dict[str, Any]:
    """Chalice's own errors in our form."""
    status = HTTPStatus(response["statusCode"])
    headers = {name.lower(): value for name, value in response.get("headers", {}).items()}
    ours = (MEDIA_TYPE, HTML)
    if status < HTTPStatus.BAD_REQUEST or headers.get("content-type") in ours:
        return response
    message = "the request could not be processed"
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        message = msgspec.json.decode(response["body"]).get("Message", message)
    problem = refuse(Refusal(_CODES.get(status, "internal_error"), message))
    kept = {
        name: value
        for name, value in response.get("headers", {}).items()
        if name.lower() in ("allow", "access-control-allow-origin")
    }
    return {**problem.to_dict([]), "headers": {**problem.headers, **kept}}
