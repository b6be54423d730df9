"""What is asked of the installation itself: is it well, and what can it do."""

import msgspec

from chalicelib.api.endpoints import PUBLIC, Answer, Call, Resource

resource = Resource(__name__, "system")


class HealthView(msgspec.Struct, frozen=True):
    """The installation answers."""

    status: str
    version: str


@resource.endpoint("GET", "/v1/health", callers=PUBLIC, answer=HealthView)
def health(call: Call) -> HealthView:
    """Tell that the API answers and reaches its store."""
    call.context.store.programs.head("health")
    return HealthView("ok", VERSION)


@resource.endpoint("GET", "/openapi.json", callers=PUBLIC)
def openapi(call: Call) -> Answer:  # noqa: ARG001
    """Read this API as an OpenAPI 3.1 document."""
    from chalicelib.api.openapi import document

    return Answer(msgspec.json.encode(document()).decode())


@resource.endpoint("GET", "/docs", callers=PUBLIC, answer_type="text/html; charset=utf-8")
def docs(call: Call) -> Answer:  # noqa: ARG001
    """Read this API as a page."""
    from chalicelib.api.openapi import document
    from chalicelib.api.reading_page import page

    return Answer(page(document()))


VERSION = "0.1.0"
