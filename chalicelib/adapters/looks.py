"""Looks: the designs of passes, one folder each in `passes/`, and how values are put in.

    passes/<look>/apple/pass.json, *.png, <language>.lproj/pass.strings
    passes/<look>/google/class.json, object.json
    passes/<look>/stamps/full.png, empty.png        (where stamps shall be drawn)

In a template a text that is just `{name}` becomes the value as it is, a number staying a number;
inside other text a placeholder becomes text; a doubled brace is a brace. What asks for a value that
the card does not have is left out: a member of an object by itself, an element of a list with
everything in it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chalicelib.adapters.pictures import Mask, Stamps
from chalicelib.domain.cards.card import Colors
from chalicelib.domain.errors import Fault

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([a-z0-9_.]+)\}")
_RGB = re.compile(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"\s*=\s*"((?:[^"\\]|\\.)*)"\s*;')
STRINGS = "pass.strings"

Values = Mapping[str, str | int]
_Filler = Callable[[Values], Any]
_ABSENT = object()  # in place of what asks for something that is not there


class Template:
    """What a look says of a pass; its placeholders are found once."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._filled = _read(document)

    def fill(self, values: Values) -> Any:
        """The document with its values; None where the whole of it asks for an absent one."""
        found = self._filled(values)
        return None if found is _ABSENT else found


@dataclass(frozen=True)
class Look:
    """One design. Its files are read once."""

    folder: Path

    @cached_property
    def apple(self) -> Template:
        """The template of pass.json. Raises `Fault` where there is none."""
        return self._template("apple/pass.json")

    @cached_property
    def google_class(self) -> Template:
        """The template of the loyalty class. Raises `Fault` where there is none."""
        return self._template("google/class.json")

    @cached_property
    def google_object(self) -> Template:
        """The template of the loyalty object. Raises `Fault` where there is none."""
        return self._template("google/object.json")

    @cached_property
    def apple_files(self) -> dict[str, bytes]:
        """Images and translations as they stand in the bundle."""
        folder = self.folder / "apple"
        found = [*folder.glob("*.png"), *folder.glob(f"*.lproj/{STRINGS}")]
        found += folder.glob("*.lproj/*.png")
        return {one.relative_to(folder).as_posix(): one.read_bytes() for one in sorted(found)}

    @cached_property
    def stamps(self) -> Stamps | None:
        """The masks of its stamps. Raises `NotAPicture` where they are none."""
        full, empty = (self.folder / "stamps" / f"{name}.png" for name in ("full", "empty"))
        if not full.is_file() or not empty.is_file():
            return None
        return Stamps(Mask.read(full.read_bytes()), Mask.read(empty.read_bytes()))

    @cached_property
    def colors(self) -> Colors:
        """Those of pass.json; black on white where it has none."""
        found = {
            name: color_of(self.apple.document.get(f"{key}Color", ""))
            for name, key in (
                ("background", "background"),
                ("text", "foreground"),
                ("label", "label"),
            )
        }
        text = found["text"] or "#000000"
        return Colors(found["background"] or "#ffffff", text, found["label"] or text)

    def _template(self, file: str) -> Template:
        path = self.folder / file
        if not path.is_file():
            raise Fault(f"the look {self.folder.name} has no {file}")
        return Template(json.loads(path.read_text("utf-8")))


class Looks:
    """The looks of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looks: dict[str, Look] = {}

    def get(self, name: str) -> Look:
        """A look, which may have nothing in it."""
        if name not in self._looks:
            self._looks[name] = Look(self._folder / name)
        return self._looks[name]


def placeholders(template: Any) -> Iterator[str]:
    """Every name that a template asks for."""
    if isinstance(template, dict):
        template = list(template.values())
    if isinstance(template, list):
        for one in template:
            yield from placeholders(one)
    elif isinstance(template, str):
        yield from (found[1] for found in _PLACEHOLDER.finditer(template) if found[1])


def color_of(text: str) -> str | None:
    """`rgb(31, 64, 55)` as `#1f4037`; None where it is no colour."""
    found = _RGB.fullmatch(text)
    if found is None or any(int(part) > 255 for part in found.groups()):
        return None
    return "#" + "".join(f"{int(part):02x}" for part in found.groups())


def rgb_of(color: str) -> str:
    """`#1f4037` as `rgb(31, 64, 55)`, which Apple reads."""
    return f"rgb({', '.join(str(int(color[at : at + 2], 16)) for at in (1, 3, 5))})"


def strings_of(data: bytes) -> dict[str, str]:
    """The texts of a `pass.strings` in UTF-8. Raises `ValueError` where it is none."""
    text = data.decode("utf-8-sig")
    found = {_plain(one): _plain(other) for one, other in _STRING.findall(text)}
    rest = re.sub(r"/\*.*?\*/|//[^\n]*", "", _STRING.sub("", text), flags=re.DOTALL)
    if rest.strip():
        raise ValueError(f"cannot be read: {rest.strip()[:40]}")
    return found


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)


def _read(template: Any) -> _Filler:
    if isinstance(template, str):
        return _read_text(template)
    if isinstance(template, list):
        return _read_list(template)
    if isinstance(template, dict):
        return _read_object(template, is_whole=False)
    return lambda _: template


def _read_list(template: list[Any]) -> _Filler:
    """An element is whole, or not there."""
    elements = [
        _read_object(one, is_whole=True) if isinstance(one, dict) else _read(one)
        for one in template
    ]

    def fill(values: Values) -> list[Any]:
        filled = [element(values) for element in elements]
        return [one for one in filled if one is not _ABSENT and one is not None]

    return fill


def _read_object(template: dict[str, Any], *, is_whole: bool) -> _Filler:
    """Its constants are copied, in their places; what else it has is filled or left out."""
    changing = [(name, _read(one)) for name, one in template.items() if not _is_constant(one)]

    def fill(values: Values) -> Any:
        filled = template.copy()
        for name, value in changing:
            found = value(values)
            if found is not _ABSENT:
                filled[name] = found
            elif is_whole:
                return _ABSENT
            else:
                del filled[name]
        return filled

    return fill


def _is_constant(template: Any) -> bool:
    if isinstance(template, str):
        return not _PLACEHOLDER.search(template)
    return not isinstance(template, list | dict)


def _read_text(template: str) -> _Filler:
    whole = _PLACEHOLDER.fullmatch(template)
    if whole and whole[1]:
        name = whole[1]
        return lambda values: values.get(name, _ABSENT)
    names = set(placeholders(template))

    def fill(values: Values) -> Any:
        if not names <= values.keys():
            return _ABSENT
        return _PLACEHOLDER.sub(
            lambda found: str(values[found[1]]) if found[1] else found[0][0], template
        )

    return fill
