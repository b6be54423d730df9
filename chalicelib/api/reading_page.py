"""The OpenAPI document as a page: plain HTML that needs no script and no internet."""

from html import escape
from typing import Any

import msgspec

_STYLE = """
body { margin: 0 auto; padding: 1rem 1.5rem; max-width: 60rem; font: 1rem/1.5 system-ui, sans-serif;
  color: #1c2b24 }
h2 { margin-top: 2.5rem; border-bottom: 2px solid #1f4d3a }
summary { cursor: pointer; padding: .3rem 0 } code, pre { font-size: .9rem }
pre { overflow-x: auto; padding: .8rem; background: #f3f1ea; border-radius: .4rem }
.method { display: inline-block; width: 4.5rem; font-weight: 700; color: #1f4d3a }
details > div { margin: 0 0 1rem 1.2rem }
"""


def page(document: dict[str, Any]) -> str:
    """The whole document, a section a resource."""
    info = document["info"]
    sections = "".join(_section(document, tag["name"]) for tag in document["tags"])
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<pre>{_json(schema)}</pre></details>"
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}'
        f"</title><style>{_STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])}</p>{sections}<h2>Types</h2>{schemas}</html>"
    )


def _section(document: dict[str, Any], tag: str) -> str:
    rows = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]
    return f"<h2>{escape(tag)}</h2>{''.join(rows)}"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    callers = ", ".join(name for row in operation["security"] for name in row) or "anyone"
    parts = [f"<p>{escape(operation.get('description', ''))}</p><p>Callers: {escape(callers)}</p>"]
    if operation["parameters"]:
        parts.append(f"<p>Parameters</p><pre>{_json(operation['parameters'])}</pre>")
    if "requestBody" in operation:
        parts.append(f"<p>Body</p><pre>{_json(operation['requestBody']['content'])}</pre>")
    parts.append(f"<p>Answers</p><pre>{_json(operation['responses'])}</pre>")
    return (
        f'<details><summary><span class="method">{method.upper()}</span><code>{escape(path)}</code>'
        f" {escape(operation['summary'])}</summary><div>{''.join(parts)}</div></details>"
    )


def _json(value: Any) -> str:
    return escape(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
