"""Reads what the library sends: forms with nested names, `items[0][price]=...`."""

import re
from collections.abc import Collection
from typing import Any, Self
from urllib.parse import parse_qsl

from local.stripe_stand_in.errors import invalid, required, unknown

Nested = dict[str, Any]
MOST_METADATA = 50  # keys; a key has at most 40 characters, a value 500 ("Metadata")


def decode(form: str) -> Nested:
    """The tree of a form. Lists stay dictionaries here, whose names are their positions."""
    tree: Nested = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        path = re.findall(r"[^\[\]]+|\[\]", name)
        place = tree
        for step in path[:-1]:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise invalid(f"Invalid form: {name}", name)
        last = str(len(place)) if path[-1] == "[]" else path[-1]
        place[last] = value
    return tree


class Params:
    """The parameters of one request, read by type."""

    def __init__(self, tree: Nested, prefix: str = "") -> None:
        self.tree = tree
        self._prefix = prefix

    def __contains__(self, name: str) -> bool:
        return name in self.tree

    def refuse_unknown(self, known: Collection[str]) -> None:
        """400 for a parameter that is not one of `known`."""
        for name in self.tree:
            if name not in known:
                raise unknown(self._named(name))

    def text(self, name: str) -> str | None:
        """A text; None where it is absent or empty, which unsets it."""
        value = self.tree.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid(f"Invalid string: {name}", self._named(name))
        return value or None

    def need(self, name: str) -> str:
        """A text that must be there."""
        value = self.text(name)
        if value is None:
            raise required(self._named(name))
        return value

    def choice(self, name: str, *values: str) -> str:
        """One of `values`, the first by default."""
        value = self.text(name) or values[0]
        if value not in values:
            raise invalid(f"Invalid {name}: must be one of {', '.join(values)}", self._named(name))
        return value

    def whole(self, name: str, least: int | None = None) -> int | None:
        """An integer."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,15}", value):
            raise invalid(
                f"Invalid integer: {value}", self._named(name), "parameter_invalid_integer"
            )
        if least is not None and int(value) < least:
            raise invalid(f"This value must be at least {least}.", self._named(name))
        return int(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """`true` or `false`."""
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise invalid(f"Invalid boolean: {value}", self._named(name))
        return default if value is None else value == "true"

    def child(self, name: str) -> Self:
        """The parameters below `name`: none where it is absent or unset."""
        value = self.tree.get(name) or {}
        if not isinstance(value, dict):
            raise invalid(f"Invalid object: {name}", self._named(name))
        return type(self)(value, self._named(name))

    def rows(self, name: str) -> list[Self]:
        """The parameters of each row of a list."""
        below = self.child(name)
        return [below.child(place) for place in below.tree]

    def texts(self, name: str) -> list[str]:
        """The rows of a list of texts."""
        below = self.child(name)
        return [below.need(place) for place in below.tree]

    def metadata(self, was: dict[str, str] | None = None) -> dict[str, str]:
        """What `was` becomes: named keys are set, empty ones are removed ("Metadata")."""
        if self.tree.get("metadata") == "":
            return {}
        below = self.child("metadata")
        merged = dict(was or {})
        for key in below.tree:
            value = below.text(key)
            if len(key) > 40 or len(value or "") > 500:
                raise invalid("Metadata keys have 40 and values 500 characters.", "metadata")
            merged[key] = value or ""
        kept = {key: value for key, value in merged.items() if value}
        if len(kept) > MOST_METADATA:
            raise invalid(f"Metadata has at most {MOST_METADATA} keys.", "metadata")
        return kept

    def _named(self, name: str) -> str:
        return f"{self._prefix}[{name}]" if self._prefix else name
