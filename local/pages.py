"""Pages of this machine beside the API: the demo shop and the preview of looks.

They are no part of what is deployed. They lie at the API's own address, so that the phone that a
page plays reaches the PassKit routes as its own origin; nothing but this machine is answered.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from chalicelib.adapters.qr import qr_picture
from infra.package import ROOT

_TYPES = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
}
_LOOKS_EVERY_SECONDS = 0.1
_ALIVE_EVERY_SECONDS = 10


@dataclass(frozen=True)
class Request:
    """What a browser asks of a page."""

    method: str
    path: str  # below where the pages lie: `/buy`
    query: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    last_event: str = ""  # the last one that a browser saw before its stream broke

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass(frozen=True)
class Answer:
    """What it is answered: bytes, or a stream of server-sent events."""

    content: bytes | Iterator[bytes]
    content_type: str = "application/json"
    status: int = 200

    @classmethod
    def of(cls, value: Any, status: int = 200) -> "Answer":
        """A value as JSON."""
        return cls(json.dumps(value).encode(), status=status)


NOT_FOUND = Answer.of({"title": "Not Found"}, 404)


class Pages(Protocol):
    """Everything below one path."""

    def answer(self, request: Request) -> Answer: ...


class Web:
    """The files that all pages share, and QR codes."""

    def answer(self, request: Request) -> Answer:
        if request.path == "/code.svg":
            picture = qr_picture(request.query.get("text", ""), "QR code")
            return Answer(picture.encode(), "image/svg+xml")
        return file(request.path.removeprefix("/"))


def file(name: str) -> Answer:
    """A file of `local/web`, as it is at the moment."""
    path = ROOT / "local" / "web" / name
    if path.suffix not in _TYPES or path.name != name or not path.is_file():
        return NOT_FOUND
    return Answer(path.read_bytes(), _TYPES[path.suffix])


def event(name: str, data: Any, number: int = 0) -> bytes:
    """One server-sent event (html.spec.whatwg.org, "Server-sent events")."""
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()


def ticks() -> Iterator[bytes]:
    """The pauses of a stream: empty ones, and now and then a line that keeps it alive."""
    alive = time.monotonic()
    yield b": hello\n\n"
    while True:
        time.sleep(_LOOKS_EVERY_SECONDS)
        if time.monotonic() - alive > _ALIVE_EVERY_SECONDS:
            alive = time.monotonic()
            yield b": alive\n\n"
        yield b""


def newest_change(folder: Path) -> int:
    """When anything in a folder changed last, in nanoseconds; also where a file went away."""
    found = [one.stat().st_mtime_ns for one in (folder, *folder.rglob("*")) if one.exists()]
    return max(found, default=0)
