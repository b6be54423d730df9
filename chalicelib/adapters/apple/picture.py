"""The front of an Apple pass as SVG, drawn from the files of the pass itself.

What the wallet page, the preview of looks and the demo's phone show is therefore what the phone
was given, and not a second design.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import date, datetime
from html import escape
from typing import Any
from unicodedata import category, east_asian_width

from chalicelib.adapters.looks import STRINGS, color_of, strings_of
from chalicelib.adapters.pictures import STRIP, head_of
from chalicelib.adapters.qr import qr_path
from chalicelib.kernel.formats import format_day, format_number

WIDTH, HEIGHT = 375, 470  # points
_MARGIN = 16
_STRIP_TOP = 62
_CODE = 120  # points of the barcode's side
_ADVANCE = 0.58  # of a letter, in sizes of its font: about that of every sans serif
_SMALLEST = 0.6  # of its size a text may be drawn in before it is cut, as on a phone
_FONT = "-apple-system, system-ui, 'Segoe UI', Roboto, sans-serif"
_OLD_STYLES = ("storeCard", "generic", "coupon")


def draw(face: Mapping[str, Any], files: Mapping[str, bytes], language: str) -> str:
    """The picture. `face` is pass.json, `files` the rest of the bundle."""
    return _Drawing(face, files, language).svg()


class _Drawing:
    def __init__(self, face: Mapping[str, Any], files: Mapping[str, bytes], language: str) -> None:
        self._face = face
        self._files = files
        self._language = language
        styles = (face[style] for style in _OLD_STYLES if style in face)
        self._fields: Mapping[str, Any] = next(styles, {})
        self._ground = color_of(face.get("backgroundColor", "")) or "#ffffff"
        self._ink = color_of(face.get("foregroundColor", "")) or "#000000"
        self._label = color_of(face.get("labelColor", "")) or self._ink
        strings = files.get(f"{language}.lproj/{STRINGS}")
        self._strings = strings_of(strings) if strings else {}

    def svg(self) -> str:
        """All of it."""
        title = escape(str(self._face.get("logoText") or self._face.get("description", "")))
        parts = [self._head(), self._strip(), self._middle(), self._code()]
        voided = (
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="14" fill="#888" fill-opacity=".5"/>'
            if self._face.get("voided")
            else ""
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{title}: {escape(self._spoken())}" direction="ltr" font-family="{_FONT}">'
            f'<clipPath id="card"><rect width="{WIDTH}" height="{HEIGHT}" rx="14"/></clipPath>'
            f'<g clip-path="url(#card)"><rect width="{WIDTH}" height="{HEIGHT}" '
            f'fill="{self._ground}"/>{"".join(parts)}</g>{voided}</svg>'
        )

    def _spoken(self) -> str:
        places = ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields")
        fields = [one for place in places for one in self._fields.get(place, ())]
        return ", ".join(f"{self._said(one.get('label', ''))} {self._value(one)}" for one in fields)

    def _head(self) -> str:
        logo = self._image("logo")
        left = _MARGIN
        drawn = ""
        if logo:
            head = head_of(logo[1])
            width, height = head.width / logo[0], head.height / logo[0]
            drawn = _picture(logo[1], left, 6 + (50 - height) / 2, width, height)
            left += int(width) + 8
        fields = self._fields.get("headerFields", [])
        step = 80 if len(fields) > 1 else 120
        right = WIDTH - _MARGIN
        for field in reversed(fields):
            drawn += self._field(field, right, 24, 44, step - 8, "end")
            right -= step
        name = str(self._face.get("logoText", ""))
        return drawn + _text(left, 38, name, self._ink, 18, right - left, weight=600)

    def _strip(self) -> str:
        strip = self._image("strip")
        drawn = _picture(strip[1], 0, _STRIP_TOP, *STRIP) if strip else ""
        room = WIDTH - 2 * _MARGIN
        for field in self._fields.get("primaryFields", [])[:1]:
            top, label = _STRIP_TOP + 80, self._said(field.get("label", ""))
            drawn += _text(_MARGIN, top, self._value(field), self._ink, 52, room)
            drawn += _text(_MARGIN, top + 30, label, self._label, 14, room)
        return drawn

    def _middle(self) -> str:
        places = ("secondaryFields", "auxiliaryFields")
        fields = [one for place in places for one in self._fields.get(place, ())][:4]
        if not fields:
            return ""
        step = (WIDTH - 2 * _MARGIN) / len(fields)
        top = _STRIP_TOP + STRIP[1] + 24
        return "".join(
            self._field(one, round(_MARGIN + step * at), top, top + 22, step - 8)
            for at, one in enumerate(fields)
        )

    def _code(self) -> str:
        codes = self._face.get("barcodes") or []
        if not codes:
            return ""
        left, top = (WIDTH - _CODE) / 2, HEIGHT - _CODE - 48
        alternative = codes[0].get("altText", "")
        return (
            f'<rect x="{left - 14:g}" y="{top - 14:g}" width="{_CODE + 28}" '
            f'height="{_CODE + 44}" rx="6" fill="#fff"/>'
            + qr_path(codes[0]["message"], _CODE, left, top)
            + _text(WIDTH // 2, HEIGHT - 28, alternative, "#222222", 9, _CODE + 8, "middle")
        )

    def _field(
        self,
        field: Mapping[str, Any],
        x: int,
        label: int,
        value: int,
        room: float,
        anchor: str = "",
    ) -> str:
        said = self._said(field.get("label", ""))
        drawn = _text(x, label, said, self._label, 11, room, anchor)
        return drawn + _text(x, value, self._value(field), self._ink, 18, room, anchor)

    def _said(self, text: str) -> str:
        return self._strings.get(text, text)

    def _value(self, field: Mapping[str, Any]) -> str:
        value = field.get("value", "")
        if isinstance(value, int):
            return format_number(value, self._language)
        if "dateStyle" in field:
            return format_day(_day(str(value)), self._language)
        return self._said(str(value))

    def _image(self, name: str) -> tuple[int, bytes] | None:
        """The sharpest there is, and its pixels a point."""
        for scale in (3, 2, 1):
            suffix = "" if scale == 1 else f"@{scale}x"
            if f"{name}{suffix}.png" in self._files:
                return scale, self._files[f"{name}{suffix}.png"]
        return None


def _day(text: str) -> date:
    return datetime.fromisoformat(text).date()


def _text(
    x: float,
    y: float,
    text: str,
    color: str,
    size: int,
    room: float,
    anchor: str = "",
    weight: int = 400,
) -> str:
    """A line of text that is at most `room` points wide: smaller where it must be, then cut."""
    if not text:
        return ""
    fitting = room / max(_width(text), 1)
    drawn_size = round(min(size, max(fitting, size * _SMALLEST)), 1)
    placed = f' text-anchor="{anchor}"' if anchor else ""
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{color}" font-size="{drawn_size:g}" '
        f'font-weight="{weight}"{placed}>{escape(_cut(text, room / drawn_size))}</text>'
    )


def _width(text: str) -> float:
    """About how wide a text is, in sizes of its font."""
    return sum(map(_advance, text))


def _advance(letter: str) -> float:
    if category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 1 if east_asian_width(letter) in "WF" else _ADVANCE


def _cut(text: str, room: float) -> str:
    if _width(text) <= room + 0.1:
        return text
    end = len(text)
    while end and _width(text[:end]) + _ADVANCE > room:
        end -= 1
    return text[:end].rstrip() + "\u2026"


def _picture(data: bytes, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<image x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{b64encode(data).decode()}"/>'
    )
