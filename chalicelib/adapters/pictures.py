"""Pictures of stamps: so many of a card's places are filled. PNG by the standard library alone.

A look has two masks, greyscale PNG squares: a place that is filled and one that is not. White is
the colour of the card's text, black that of its ground. The picture has a palette from the one to
the other, so that the same masks serve every colour.

Source: "Portable Network Graphics (PNG) Specification (Third Edition)", w3.org/TR/png-3.
"""

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from chalicelib.domain.cards.card import Colors

_MAGIC = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_NO_FILTER = b"\x00"
_LEVELS = 256

STRIP = (375, 144)  # points, of a store card: developer.apple.com, "Human Interface Guidelines"
SAFE_HEIGHT = 123  # of the strip; some phones cut the rest away
HERO = (1032, 336)  # pixels: developers.google.com/wallet, "Image guidelines", hero image


class NotAPicture(ValueError):
    """The bytes are no PNG, or not of the kind that is needed."""


@dataclass(frozen=True)
class Head:
    """What the first chunk of a PNG says."""

    width: int
    height: int
    depth: int
    kind: int
    interlaced: bool


def head_of(data: bytes) -> Head:
    """Size and kind of a PNG. Raises `NotAPicture`."""
    if len(data) < 33 or data[:8] != _MAGIC or data[12:16] != b"IHDR":
        raise NotAPicture("is not a PNG")
    width, height, depth, kind, _, _, interlace = struct.unpack(">2L5B", data[16:29])
    return Head(width, height, depth, kind, interlace != 0)


@dataclass(frozen=True)
class Mask:
    """A square of grey: 0 the ground, 255 the text."""

    size: int
    rows: tuple[bytes, ...]

    @classmethod
    def read(cls, data: bytes) -> "Mask":
        """Of a greyscale PNG with 8 bits. Raises `NotAPicture`."""
        head = head_of(data)
        if head.width != head.height:
            raise NotAPicture("is not a square")
        if (head.kind, head.depth, head.interlaced) != (_GREY, 8, False):
            raise NotAPicture("is not greyscale with 8 bits and without interlace")
        try:
            raw = zlib.decompress(_image_data(data))
        except (zlib.error, struct.error) as error:
            raise NotAPicture("is broken") from error
        if len(raw) != head.height * (head.width + 1):
            raise NotAPicture("is broken")
        return cls(head.width, tuple(_unfiltered(raw, head.width)))

    @lru_cache(maxsize=64)  # noqa: B019 (masks live as long as the process)
    def scaled(self, size: int) -> "Mask":
        """In another size: each new point is the mean of those it covers."""
        across = _shares(self.size, size)
        narrow = [[_mean(row, share) for share in across] for row in self.rows]
        columns = list(zip(*narrow, strict=True))
        tall = [[_mean(column, share) for share in across] for column in columns]
        return Mask(size, tuple(bytes(row) for row in zip(*tall, strict=True)))


@dataclass(frozen=True)
class Stamps:
    """The two masks of a look."""

    full: Mask
    empty: Mask

    def picture(self, goal: int, count: int, size: tuple[int, int], colors: Colors) -> bytes:
        """A PNG of `size` pixels: `goal` places, the first `count` of them filled."""
        width, height = size
        rows, columns = _layout(goal, width, height * SAFE_HEIGHT // STRIP[1])
        side = min(width // columns, height * SAFE_HEIGHT // STRIP[1] // rows) * 9 // 10
        full, empty = self.full.scaled(side), self.empty.scaled(side)
        step = (width // columns, height * SAFE_HEIGHT // STRIP[1] // rows)
        lines = [bytes(width)] * ((height - step[1] * rows) // 2)
        for row in range(rows):
            places = range(row * columns, min(goal, (row + 1) * columns))
            lines += _row([full if place < count else empty for place in places], step, side, width)
        lines += [bytes(width)] * (height - len(lines))
        return _png(width, lines, _palette(colors))


def _row(masks: list[Mask], step: tuple[int, int], side: int, width: int) -> list[bytes]:
    """The lines of one row of places, in the middle of the width."""
    left = (step[0] - side) // 2
    gap = bytes(step[0] - side)
    start = bytes((width - step[0] * len(masks)) // 2 + left)
    over = (step[1] - side) // 2
    lines = [
        (start + gap.join(mask.rows[at] for mask in masks)).ljust(width, b"\x00")
        for at in range(side)
    ]
    return [bytes(width)] * over + lines + [bytes(width)] * (step[1] - side - over)


def _layout(goal: int, width: int, height: int) -> tuple[int, int]:
    """Rows and columns with the largest places; of equals, the fewest rows."""

    def side(rows: int) -> int:
        return min(width // -(-goal // rows), height // rows)

    best = max(range(1, goal + 1), key=lambda rows: (side(rows), -rows))
    return best, -(-goal // best)


def _palette(colors: Colors) -> bytes:
    ground, ink = _rgb(colors.background), _rgb(colors.text)
    top = _LEVELS - 1
    return bytes(
        (one * (top - level) + other * level) // top
        for level in range(_LEVELS)
        for one, other in zip(ground, ink, strict=True)
    )


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _png(width: int, lines: list[bytes], palette: bytes) -> bytes:
    header = struct.pack(">2L5B", width, len(lines), 8, _PALETTE, 0, 0, 0)
    data = zlib.compress(b"".join(_NO_FILTER + line for line in lines), 6)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", data), (b"IEND", b""))
    return _MAGIC + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def _image_data(data: bytes) -> bytes:
    found, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">L4s", data[at : at + 8])
        if kind == b"IDAT":
            found += data[at + 8 : at + 8 + length]
        at += length + 12
    return found


def _unfiltered(raw: bytes, width: int) -> list[bytes]:
    """The lines without the filters of section 9 of the specification; a point is one byte."""
    lines = []
    above = bytes(width)
    for start in range(0, len(raw), width + 1):
        kind, line = raw[start], bytearray(raw[start + 1 : start + 1 + width])
        for at in range(width):
            left = line[at - 1] if at else 0
            corner = above[at - 1] if at else 0
            line[at] = (line[at] + _predicted(kind, left, above[at], corner)) % 256
        above = bytes(line)
        lines.append(above)
    return lines


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind < 4:
        return (0, left, up, (left + up) // 2)[kind]
    if kind > 4:
        raise NotAPicture("is broken")
    distances = [(abs(left + up - corner - one), at) for at, one in enumerate((left, up, corner))]
    return (left, up, corner)[min(distances)[1]]


_Share = list[tuple[int, int]]


def _shares(old: int, new: int) -> list[_Share]:
    """For each new point the old ones it covers, each with its weight; they sum to `old`."""
    shares = []
    for at in range(new):
        start, end = at * old, (at + 1) * old  # in units of 1 / new of an old point
        cuts = [start, *(one * new for one in range(start // new + 1, -(-end // new))), end]
        shares.append([(one // new, other - one) for one, other in pairwise(cuts)])
    return shares


def _mean(points: bytes | tuple[int, ...], share: _Share) -> int:
    total = sum(weight for _, weight in share)
    return sum(points[at] * weight for at, weight in share) // total
