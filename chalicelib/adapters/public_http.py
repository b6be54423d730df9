"""Requests to addresses that others name: to public hosts alone, bounded in time and in size.

A name is resolved once for each request, every address it has is judged, and the connection goes
to one of just these addresses: what the name resolves to a moment later changes nothing. The
certificate is still that of the name. No redirect is followed and no proxy is asked.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from queue import Empty, SimpleQueue
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

from chalicelib.adapters.http import Response
from chalicelib.domain.webhooks.addresses import Target, is_public, read_url

SECONDS = 10.0  # for all of it: connecting, sending, and reading the answer
RESOLVE_SECONDS = 3.0  # of these

Resolve = Callable[[str, int], list[str]]


class Unsafe(Exception):
    """Nothing may be sent there; the text says what is wrong with the address."""


class NoAnswer(Exception):
    """No answer came; the text says why."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, IPv4 first: most Lambdas have no way to others.

    Raises `OSError` where it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found.sort(key=lambda row: row[0] != socket.AF_INET)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


class PublicHttp:
    """A client that makes a connection for each request."""

    def __init__(
        self,
        *,
        allow_local: bool = False,
        resolve: Resolve = resolve,
        seconds: float = SECONDS,
        authority: str | None = None,
    ) -> None:
        """`allow_local` is for development, `authority` a file of certificates for tests."""
        self._allow_local = allow_local
        self._resolve = resolve
        self._seconds = seconds
        self._authority = authority

    def problem(self, url: str) -> str | None:
        """What is wrong with an address; None where requests may go there."""
        try:
            self._judged(url)
        except Unsafe as unsafe:
            return str(unsafe)
        return None

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limit: int
    ) -> Response:
        """One request, whatever status it was answered with, and the first `limit` bytes of it.

        Raises `Unsafe` and `NoAnswer`.
        """
        began = time.monotonic()
        try:
            target, address = self._judged(url)
            return self._send(method, target, address, headers, body, limit, began)
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            late = time.monotonic() - began >= self._seconds
            trouble = "no answer in time" if late else f"no answer: {type(error).__name__}"
            raise NoAnswer(trouble) from error

    def _judged(self, url: str) -> tuple[Target, str]:
        """Where a request goes, and the address that is connected to."""
        target = read_url(url, allow_local=self._allow_local)
        if isinstance(target, str):
            raise Unsafe(target)
        if target.is_local:
            return target, "127.0.0.1"
        try:
            addresses = self._resolved(target)
        except (OSError, UnicodeError) as error:
            raise Unsafe("cannot be resolved") from error
        if not addresses or not all(map(is_public, addresses)):
            raise Unsafe("is not on the public internet")
        return target, addresses[0]

    def _resolved(self, target: Target) -> list[str]:
        """The addresses of a name. A slow name server would keep this thread for longer than we
        have, so it has one of its own."""
        found: SimpleQueue[list[str] | Exception] = SimpleQueue()

        def run() -> None:
            try:
                found.put(self._resolve(target.host, target.port))
            except (OSError, UnicodeError) as error:
                found.put(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            answer = found.get(timeout=min(RESOLVE_SECONDS, self._seconds))
        except Empty as error:
            raise TimeoutError from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _send(
        self,
        method: str,
        target: Target,
        address: str,
        headers: Mapping[str, str],
        body: bytes,
        limit: int,
        began: float,
    ) -> Response:
        connection = self._connection(target, address)
        left = self._seconds - (time.monotonic() - began)
        try:
            with _cut_off(connection, left) as hold:
                connection.connect()
                hold()
                connection.request(
                    method,
                    target.path,
                    body=body,
                    headers={"Host": target.authority, **headers},
                    preload_content=False,
                    decode_content=False,
                )
                answer = connection.getresponse()
                content = answer.read(limit)
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status, found, content)
        finally:
            connection.close()

    def _connection(self, target: Target, address: str) -> HTTPConnection:
        if target.is_local:
            return HTTPConnection(address, target.port, timeout=self._seconds)
        context = create_urllib3_context()
        context.load_default_certs()
        return HTTPSConnection(
            address,
            target.port,
            timeout=self._seconds,
            server_hostname=target.host,
            assert_hostname=target.host,
            cert_reqs="CERT_REQUIRED",
            ssl_context=context,
            ca_certs=self._authority,
        )


@contextmanager
def _cut_off(connection: Any, seconds: float) -> Iterator[Callable[[], None]]:
    """Ends a connection after some time, whatever it does: who sends a byte now and then, too.

    A time-out of the socket alone would start anew with every byte. The caller holds the socket
    once it is there, since the connection lets go of it before the answer is read. Raises
    `TimeoutError` at the end: half an answer would look like a whole one.
    """
    held: list[socket.socket] = []
    late = threading.Event()

    def hold() -> None:
        held[:] = [connection.sock]

    def cut() -> None:
        late.set()
        for one in held or ([connection.sock] if connection.sock else []):
            with suppress(OSError):  # it is over already
                # A TLS socket's own way waits for the other side.
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    timer = threading.Timer(max(seconds, 0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield hold
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError
