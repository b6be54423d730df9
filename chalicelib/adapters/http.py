"""Calls to services outside: one pool of connections, bounded in time and in size."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from chalicelib.domain.errors import Fault, Unavailable

CONNECT_SECONDS = 3
READ_SECONDS = 10  # between two packets
MAX_RESPONSE_BYTES = 1 << 20
LOOPBACK = ("127.0.0.1", "[::1]", "localhost")  # where the stand-ins are


@dataclass(frozen=True)
class Response:
    """What a service answered. The names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)  # it may hold a token

    @property
    def json(self) -> Any:
        """The body as JSON. Raises `ValueError`."""
        return json.loads(self.body)


class Http:
    """A client that keeps its connections. It follows no redirect and repeats nothing."""

    def __init__(self, max_response_bytes: int = MAX_RESPONSE_BYTES) -> None:
        self._max_bytes = max_response_bytes
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=False,
        )

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """One request, and whatever status it was answered with.

        Raises `Unavailable` where no whole answer came, `Fault` for an answer that is too large and
        for an address that is neither https nor our own machine.
        """
        address = urllib3.util.parse_url(url)
        if address.scheme != "https" and address.host not in LOOPBACK:
            raise Fault(f"{address.host} can only be called over https")
        try:
            answer = self._pool.request(
                method, url, body=body, headers=headers, preload_content=False
            )
            content = answer.read(self._max_bytes + 1)
        except HTTPError as error:
            raise Unavailable(f"{address.host} cannot be reached") from error
        if len(content) > self._max_bytes:
            answer.close()
            raise Fault(f"{address.host} answered with more than {self._max_bytes} bytes")
        return Response(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, content
        )
