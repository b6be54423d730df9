"""Draws the images of the look `classic`: run by hand, `python passes/make_images.py`.

A cup on a dark ground, drawn by distances and written as PNG with the standard library alone.
"""

import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

LOOK = Path(__file__).parent / "classic"
FOLDER = LOOK / "apple"
MASK = 144  # pixels of a stamp's side
GREEN = (31, 64, 55)
CREAM = (246, 239, 226)
MINT = (207, 227, 214)

Color = tuple[int, int, int]
Paint = Callable[[float, float], tuple[Color, float]]  # at a point: the colour and how opaque


def png(width: int, height: int, scale: int, paint: Paint) -> bytes:
    """An RGBA image of `width` x `height` points at `scale` pixels a point."""
    rows = bytearray()
    for y in range(height * scale):
        rows.append(0)
        for x in range(width * scale):
            color, alpha = paint((x + 0.5) / scale, (y + 0.5) / scale)
            rows += bytes((*color, round(255 * max(0.0, min(1.0, alpha)))))
    return _file(width * scale, height * scale, 6, bytes(rows))


def mask(paint: Callable[[float, float], float]) -> bytes:
    """A square of grey, painted over 48 by 48 points."""
    rows = bytearray()
    for y in range(MASK):
        rows.append(0)
        for x in range(MASK):
            amount = paint((x + 0.5) / MASK * 48 - 24, (y + 0.5) / MASK * 48 - 24)
            rows.append(round(255 * max(0.0, min(1.0, amount))))
    return _file(MASK, MASK, 0, bytes(rows))


def _file(width: int, height: int, kind: int, rows: bytes) -> bytes:
    header = struct.pack(">2L5B", width, height, 8, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def cup(x: float, y: float, size: float) -> float:
    """How much of a cup of `size` covers a point around (0, 0): 0 to 1."""
    x, y = x / size, y / size
    half = 0.34 - 0.10 * max(0.0, min(1.0, (y + 0.22) / 0.5))
    body = max(abs(x) - half, abs(y - 0.03) - 0.25)
    lid = max(abs(x) - 0.38, abs(y + 0.27) - 0.045)
    rim = max(abs(x) - 0.28, abs(y + 0.345) - 0.035)
    sleeve = max(abs(x) - half - 0.012, abs(y - 0.02) - 0.09)
    shape = min(body, lid, rim)
    covered = 0.5 - shape * size
    cut = 0.5 - (abs(sleeve) - 0.012) * size
    return max(0.0, min(1.0, covered) - max(0.0, min(1.0, cut)))


def icon(x: float, y: float) -> tuple[Color, float]:
    """A cup in a rounded square."""
    amount = cup(x - 14.5, y - 14.5, 24)
    color = _mix(GREEN, CREAM, amount)
    corner = math.hypot(max(0.0, abs(x - 14.5) - 8.5), max(0.0, abs(y - 14.5) - 8.5)) - 6
    return color, 0.5 - corner


def logo(x: float, y: float) -> tuple[Color, float]:
    """A cup alone."""
    return CREAM, cup(x - 25, y - 25, 46)


def strip(x: float, y: float) -> tuple[Color, float]:
    """A faint cup on the right, on whatever colour the card has: the left is for the balance."""
    return MINT, 0.22 * cup(x - 305, y - 72, 120)


def full(x: float, y: float) -> float:
    """A disc with a cup cut out."""
    disc = max(0.0, min(1.0, (21 - math.hypot(x, y)) * 3 + 0.5))
    return disc - max(0.0, min(disc, cup(x, y, 28)))


def empty(x: float, y: float) -> float:
    """A ring."""
    return 0.55 * max(0.0, min(1.0, (1 - abs(math.hypot(x, y) - 20)) * 3 + 0.5))


def _mix(one: Color, other: Color, amount: float) -> Color:
    amount = max(0.0, min(1.0, amount))
    red, green, blue = (round(a + (b - a) * amount) for a, b in zip(one, other, strict=True))
    return red, green, blue


def main() -> None:
    """Writes every image at one, two and three pixels a point, and the masks of the stamps."""
    images = {
        "icon": (29, 29, icon),
        "logo": (50, 50, logo),
        "primaryLogo": (50, 50, logo),
        "strip": (375, 144, strip),
    }
    for name, (width, height, paint) in images.items():
        for scale in (1, 2, 3):
            suffix = "" if scale == 1 else f"@{scale}x"
            (FOLDER / f"{name}{suffix}.png").write_bytes(png(width, height, scale, paint))
    (LOOK / "stamps").mkdir(exist_ok=True)
    for name, stamp in (("full", full), ("empty", empty)):
        (LOOK / "stamps" / f"{name}.png").write_bytes(mask(stamp))


if __name__ == "__main__":
    main()
