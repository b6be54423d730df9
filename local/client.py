"""A shop's own program, as small as it can be: calls the API over HTTP and prints nothing."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from infra.progress import Failed

_ANSWERS_WITHIN_SECONDS = 40


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass(frozen=True)
class Client:
    """Calls one installation."""

    base_url: str
    key: str = ""

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """One request; a path may be a whole address. Errors are replies like any other."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if self.key:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        url = path if path.startswith("http") else self.base_url + path
        request = urllib.request.Request(url, raw, sent, method=method)
        opener = urllib.request.build_opener(_KeepRedirects)
        try:
            with opener.open(request, timeout=_ANSWERS_WITHIN_SECONDS) as answer:
                return _reply(answer)
        except urllib.error.HTTPError as answer:
            with answer:
                return _reply(answer)

    def do(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request that must succeed: its JSON. Raises `Failed`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = self.call(method, path, body, named)
        if reply.status >= 400:
            raise Failed(f"{method} {path} was answered {reply.status}: {reply.raw.decode()}")
        return reply.json if reply.raw else None


class _KeepRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Shows a redirect instead of following it."""


def _reply(answer: Any) -> Reply:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(answer.status, headers, answer.read())
