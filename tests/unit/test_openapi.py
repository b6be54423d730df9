"""The OpenAPI document: valid, complete, and the committed copy is not stale."""

import json
import re
from typing import Any

from openapi_spec_validator import validate

from app import app
from chalicelib.api.openapi import document
from infra import program_reference
from infra.openapi import FILE, text
from tests.fakes.shop import Shop


def test_the_document_is_valid_openapi_3_1() -> None:
    made = document(app.operations)
    validate(made)
    assert made["openapi"] == "3.1.0"


def test_every_route_is_in_it_and_nothing_else() -> None:
    made = document(app.operations)["paths"]
    told = {(method.upper(), path) for path, methods in made.items() for method in methods}
    routed = {(method, path) for path, methods in app.routes.items() for method in methods}
    assert told == routed


def test_every_reference_leads_somewhere_and_every_operation_is_told() -> None:
    made = document(app.operations)
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(made)))
    assert named <= set(made["components"]["schemas"])
    for methods in made["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
    operations = [one["operationId"] for methods in made["paths"].values() for one in
                  methods.values()]  # fmt: skip
    assert len(operations) == len(set(operations))


def test_the_reference_of_programs_is_what_the_code_says() -> None:
    assert program_reference.FILE.read_text() == program_reference.text(), "run `make openapi`"


def test_the_committed_copy_is_what_the_routes_say() -> None:
    assert FILE.read_text() == text(), "run `make openapi`"


def test_it_is_served_with_a_page_that_needs_no_internet(coffee: Shop) -> None:
    served: Any = coffee.call("GET", "/openapi.json", key=None)
    assert served.json == document(app.operations)
    page = coffee.call("GET", "/docs", key=None)
    assert page.headers["content-type"].startswith("text/html")
    text = page.raw.decode()
    assert "/v1/orders/{source}/{order_id}/refunds" in text
    assert not re.search(r"(src|href)=.?(https?:)?//", text)
    assert "<script" not in text
