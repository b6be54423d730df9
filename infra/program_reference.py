"""`make openapi` writes `docs/program_reference.md`: every part of a program document."""

from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from chalicelib.domain.conditions.expression import NAMES
from chalicelib.domain.program.document import ProgramDocument

FILE = Path(__file__).resolve().parent.parent / "docs" / "program_reference.md"
_HEAD = """# Every part of a program

Generated from the code by `make openapi`; [programs.md](programs.md) teaches it by example. A part
in **bold** must be there. Amounts of money are integers in minor units of the program's money; days
are those of its time zone.
"""


def text() -> str:
    """The whole page."""
    _, components = msgspec.json.schema_components((ProgramDocument,), ref_template="#{name}")
    order = ["ProgramDocument", *sorted(set(components) - {"ProgramDocument"})]
    parts = [_HEAD, *(_section(name, components[name]) for name in order)]
    return "\n".join([*parts, _expressions()])


def _section(name: str, schema: dict[str, Any]) -> str:
    lines = [f"## {_title(name)}", "", cleandoc(schema.get("description", "")), ""]
    lines += ["| part | what it is | unless said |", "| --- | --- | --- |"]
    required = schema.get("required", [])
    for field, one in schema["properties"].items():
        shown = f"**{field}**" if field in required else field
        default = "" if field in required else _default(one.get("default"))
        lines.append(f"| {shown} | {_type(one)} | {default} |")
    return "\n".join([*lines, ""])


def _title(name: str) -> str:
    return name.removesuffix("Document")


def _default(value: Any) -> str:
    return "" if value in (None, [], {}) else f"`{msgspec.json.encode(value).decode()}`"


def _type(one: dict[str, Any]) -> str:
    if "$ref" in one:
        name = one["$ref"].removeprefix("#")
        return f"[{_title(name)}](#{_title(name).lower()})"
    if "enum" in one:
        return " \\| ".join(f"`{value}`" for value in one["enum"])
    if "anyOf" in one:
        return " or ".join(_type(some) for some in one["anyOf"] if some.get("type") != "null")
    kind = one.get("type")
    if kind == "array":
        return f"list of {_type(one.get('items', {}))}"
    if kind == "object":
        return f"mapping to {_type(one.get('additionalProperties', {}))}"
    if kind == "integer":
        return f"whole number{_bounds(one)}"
    if kind == "boolean":
        return "true or false"
    pattern = one.get("pattern")
    return f"text like `{_plain(pattern)}`" if pattern else "text"


def _plain(pattern: str) -> str:
    """The pattern without what makes it match the whole."""
    return pattern.removeprefix("^(?:").rpartition(")(?!")[0].replace("|", "\\|")


def _bounds(one: dict[str, Any]) -> str:
    least, most = one.get("minimum"), one.get("maximum")
    return "" if least is None and most is None else f" from {least} to {most}"


def _expressions() -> str:
    lines = ["## The names of `when`", "", "| name | is | what |", "| --- | --- | --- |"]
    lines += [f"| {name} | {one.value} | {what} |" for name, (one, _, what) in NAMES.items()]
    lines += ["", "Beside them the properties of the program's activities, by their names.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    FILE.write_text(text())
