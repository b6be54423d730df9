"""Looks: templates of passes, and how the values of a card are put in.

A look is a folder in `passes/`; each wallet has a folder of its own in it. In a template a text
that is just `{name}` becomes the value as it is, a number staying a number; inside other text a
placeholder becomes text; a doubled brace is a brace. What asks for a value that the card does not
have is left out: a member of an object by itself, an element of a list with everything in it.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.domain.errors import Fault

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([a-z0-9_.]+)\}")


class _Absent(Exception):
    """The template asks for something that is not there."""


@cache
def load_look(folder: Path, look: str, file: str) -> Any:
    """A template of a look, read once. Raises `Fault` where there is none."""
    path = folder / look / file
    if not path.is_file():
        raise Fault(f"the look {look} has no {file}")
    return json.loads(path.read_text("utf-8"))


def fill(template: Any, values: Mapping[str, str | int]) -> Any:
    """The template with its values; None where the whole of it asks for an absent one."""
    try:
        return _filled(template, values)
    except _Absent:
        return None


def _filled(template: Any, values: Mapping[str, str | int]) -> Any:
    if isinstance(template, str):
        return _text(template, values)
    if isinstance(template, list):
        return [one for element in template if (one := _element(element, values)) is not None]
    if isinstance(template, dict):
        return _members(template, values)
    return template


def _element(element: Any, values: Mapping[str, str | int]) -> Any:
    """An element of a list is whole, or not there."""
    try:
        if isinstance(element, dict):
            return {name: _filled(value, values) for name, value in element.items()}
        return _filled(element, values)
    except _Absent:
        return None


def _members(template: dict[str, Any], values: Mapping[str, str | int]) -> dict[str, Any]:
    filled = {}
    for name, value in template.items():
        try:
            filled[name] = _filled(value, values)
        except _Absent:
            continue
    return filled


def _text(template: str, values: Mapping[str, str | int]) -> str | int:
    whole = _PLACEHOLDER.fullmatch(template)
    if whole and whole.group(1):
        return _value(whole.group(1), values)
    return _PLACEHOLDER.sub(
        lambda found: str(_value(found[1], values)) if found[1] else found[0][0], template
    )


def _value(name: str, values: Mapping[str, str | int]) -> str | int:
    if name not in values:
        raise _Absent
    return values[name]
