"""The file of an import, put in the order in which its rows are worked.

Orders are worked in the order in which they were placed, whatever the order of the file: all of it
is read at once, and its rows are written anew, sorted. A row is a line: its number in the shop's
file, a tab, and JSON. The name of what is written is its digest, so that two workers who read
different files, since one was put again meanwhile, never mix them.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from chalicelib.domain.jobs.imports import Format, Import, Kind
from chalicelib.domain.ports import Files
from chalicelib.kernel.clock import Instant, from_datetime

AT_ONCE = 8_000_000  # bytes of a file that one request reads
MAX_ROW_BYTES = 256_000
UNREADABLE: Instant = -1  # comes first, and is refused
Row = tuple[Instant, int, bytes]


class BadFile(Exception):
    """The file as a whole cannot be read; the text says why."""


class _Placed(msgspec.Struct):
    """All that is needed of an order to put it in its place."""

    placed_at: datetime


def put_in_order(one: Import, files: Files, limit: int) -> tuple[str, int]:
    """Writes the rows in their order; the name of the file, and how many rows there are.

    Raises `BadFile`.
    """
    content = _read_all(files, one.upload, limit)
    rows: Iterable[Row] = _csv_rows(content) if one.format is Format.CSV else _lines(content)
    if one.kind is Kind.ORDERS:
        rows = sorted((_placed_at(raw), number, raw) for _, number, raw in rows)
    ordered = io.BytesIO()  # nothing but the bytes is kept: a hundred megabytes are many rows
    count = 0
    for _, number, raw in rows:
        ordered.write(b"%d\t%b\n" % (number, raw))
        count += 1
    name = f"rows/{one.program_id}/{one.id}/{sha256(ordered.getbuffer()).hexdigest()[:32]}"
    files.write(name, ordered.getvalue())
    return name, count


def read_rows(
    files: Files, name: str, offset: int, most: int
) -> tuple[list[tuple[int, bytes]], int]:
    """The rows from an offset on, and the offset behind them."""
    content = files.read(name, offset, 4 * MAX_ROW_BYTES)
    whole = content[: content.rfind(b"\n") + 1].split(b"\n")[:-1][:most]
    rows = []
    for line in whole:
        number, _, raw = line.partition(b"\t")
        rows.append((int(number), raw))
    return rows, offset + sum(len(line) + 1 for line in whole)


def _read_all(files: Files, name: str, limit: int) -> bytes:
    """Raises `BadFile` where a larger file was put since somebody looked at its size."""
    size = files.size(name)
    if size is None or size > limit:
        raise BadFile("the file is gone" if size is None else f"the file is above {limit} bytes")
    parts = [files.read(name, start, AT_ONCE) for start in range(0, size, AT_ONCE)]
    return b"".join(parts).removeprefix(b"\xef\xbb\xbf")  # what some spreadsheets begin with


def _lines(content: bytes) -> Iterator[Row]:
    for number, line in enumerate(io.BytesIO(content), 1):
        if line.strip():
            yield 0, number, _short(line.strip())


def _short(raw: bytes) -> bytes:
    """What is too long is cut, is no JSON any more, and is refused as such with its number."""
    return raw[:MAX_ROW_BYTES]


def _csv_rows(content: bytes) -> Iterator[Row]:
    """Each row as the JSON object that its header makes of it."""
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    reader = csv.reader(text, strict=True)  # else an open quote hides the rows after it
    try:
        header = next(reader, [])
        groups = {name.partition(".")[0] for name in header if "." in name}
        if len(set(header)) < len(header) or groups & set(header):
            raise BadFile("the header names a column twice")
        for number, cells in enumerate(reader, 2):
            if any(cells):
                yield 0, number, _short(msgspec.json.encode(_object(header, cells)))
    except UnicodeDecodeError as error:
        raise BadFile("the file is not UTF-8") from error
    except csv.Error as error:
        raise BadFile(f"the file is not CSV: {error}") from error


def _object(header: list[str], cells: list[str]) -> dict[str, object]:
    """`attributes.size` and `balances.points` are inside of others; empty cells are not there."""
    made: dict[str, object] = {}
    if len(cells) > len(header):
        made["(more cells than columns)"] = True
    for name, cell in zip(header, cells, strict=False):
        group, dot, inner = name.partition(".")
        if cell == "":
            continue
        if not dot:
            made[name] = cell
            continue
        inside: Any = made.setdefault(group, {})
        inside[inner] = [{"amount": _number(cell)}] if group == "balances" else cell
    return made


def _number(cell: str) -> int | str:
    """As a number where it is one, of no more digits than any amount has; what is none is refused
    with its row."""
    return int(cell) if re.fullmatch(r"-?[0-9]{1,15}", cell, re.ASCII) else cell


def _placed_at(raw: bytes) -> Instant:
    try:
        return from_datetime(msgspec.json.decode(raw, type=_Placed).placed_at)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return UNREADABLE
