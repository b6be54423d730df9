"""What a Google API takes, by the discovery document that Google's own client carries."""

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TYPES: dict[str, Any] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_RANGES = {"int32": range(-(2**31), 2**31), "uint32": range(2**32)}
_DIGITS = {"int64": r"-?\d{1,19}", "uint64": r"\d{1,20}"}


@dataclass(frozen=True)
class Method:
    """One call that the API knows."""

    name: str  # loyaltyclass.patch
    query: frozenset[str]  # the parameters it takes
    request: str | None  # the schema of its body
    arguments: Mapping[str, str]  # the parameters found in its path


class Discovery:
    """One discovery document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._schemas = document["schemas"]

    @classmethod
    def installed(cls, name: str) -> "Discovery | None":
        """A document such as `walletobjects.v1`; None without google-api-python-client."""
        found = importlib.util.find_spec("googleapiclient")
        if found is None or found.origin is None:
            return None
        folder = Path(found.origin).parent / "discovery_cache" / "documents"
        return cls(json.loads((folder / f"{name}.json").read_bytes()))

    def method(self, verb: str, path: str) -> Method | None:
        """What a request is for; None where the API has no such call."""
        for name, one in self._methods(self.document["resources"], ""):
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", "/" + one["path"])
            found = re.fullmatch(pattern, path)
            if one["httpMethod"] == verb and found:
                parameters = one.get("parameters", {})
                query = {key for key, how in parameters.items() if how["location"] == "query"}
                request = one.get("request", {}).get("$ref")
                everywhere = self.document["parameters"]
                return Method(name, frozenset({*query, *everywhere}), request, found.groupdict())
        return None

    def problems(self, schema: str, value: Any, *, whole: bool) -> list[str]:
        """What is wrong with a body, in Google's words; nothing where it is right.

        A `whole` resource must have every member whose description begins with "Required."; a
        patch need not, and its nulls remove what is there.
        """
        return list(self._wrong({"$ref": schema}, value, "", whole))

    def _methods(self, resources: Any, prefix: str) -> Iterator[tuple[str, Any]]:
        for name, resource in resources.items():
            for verb, method in resource.get("methods", {}).items():
                yield f"{prefix}{name}.{verb}", method
            yield from self._methods(resource.get("resources", {}), f"{prefix}{name}.")

    def _wrong(self, schema: Any, value: Any, at: str, whole: bool) -> Iterator[str]:
        schema = self._schemas[schema["$ref"]] if "$ref" in schema else schema
        kind = schema["type"]
        if value is None:
            return
        if not isinstance(value, _TYPES[kind]) or (kind != "boolean" and isinstance(value, bool)):
            yield f"Invalid value at '{at}' ({kind}), {json.dumps(value)}"
        elif kind == "object":
            yield from self._wrong_object(schema["properties"], value, at, whole)
        elif kind == "array":
            for index, item in enumerate(value):
                yield from self._wrong(schema["items"], item, f"{at}[{index}]", whole)
        elif not _is_valid(schema, value):
            yield f"Invalid value at '{at}' ({schema.get('format', kind)}), {json.dumps(value)}"

    def _wrong_object(self, properties: Any, value: Any, at: str, whole: bool) -> Iterator[str]:
        for name, item in value.items():
            if name in properties:
                yield from self._wrong(properties[name], item, f"{at}.{name}".lstrip("."), whole)
            else:
                yield f"Unknown name \"{name}\" at '{at}': Cannot find field."
        for name, schema in properties.items():
            required = schema.get("description", "").startswith("Required.")
            if whole and required and value.get(name) is None:
                yield f"Missing required field '{f'{at}.{name}'.lstrip('.')}'"


def _is_valid(schema: Any, value: Any) -> bool:
    """Whether a plain value is among those of its enumeration and format."""
    form = schema.get("format")
    if "enum" in schema and value not in schema["enum"]:
        return False
    if form in _RANGES:
        return value in _RANGES[form]
    return form not in _DIGITS or re.fullmatch(_DIGITS[form], value) is not None
