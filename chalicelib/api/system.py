"""What is asked of the installation itself: is it well, and what can it do."""

from typing import Any

import msgspec

from chalicelib import __version__
from chalicelib.api.endpoints import PUBLIC, Answer, Call, Resource, Route

resource = Resource(__name__, "system")


class HealthView(msgspec.Struct, frozen=True):
    """The installation answers."""

    status: str
    version: str


@resource.endpoint("GET", "/v1/health", callers=PUBLIC, answer=HealthView)
def health(call: Call) -> HealthView:
    """Tell that the API answers and reaches its store."""
    call.context.store.programs.head("health")
    return HealthView("ok", __version__)


@resource.endpoint("GET", "/openapi.json", callers=PUBLIC)
def openapi(call: Call) -> Answer:  # noqa: ARG001
    """Read this API as an OpenAPI 3.1 document."""
    from chalicelib.api.openapi import document

    return Answer(msgspec.json.encode(document(_operations())).decode())


@resource.endpoint("GET", "/docs", callers=PUBLIC, answer_type="text/html; charset=utf-8")
def docs(call: Call) -> Answer:  # noqa: ARG001
    """Read this API as a page."""
    from chalicelib.api.openapi import document
    from chalicelib.api.reading_page import page

    return Answer(page(document(_operations())))


def _operations() -> list[Route]:
    """Every route of the application that this resource is part of."""
    app: Any = resource.current_app
    operations: list[Route] = app.operations
    return operations
