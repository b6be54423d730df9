"""Writes the committed copy of the OpenAPI document: `make openapi`."""

import json

from app import app
from chalicelib.api.openapi import document
from infra.package import ROOT

FILE = ROOT / "docs" / "openapi.json"


def text() -> str:
    """The document, as it is committed."""
    return json.dumps(document(app.operations), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
