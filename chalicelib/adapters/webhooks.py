"""Requests to webhook endpoints: to judged addresses alone, bounded in time and in size.

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

from chalicelib.domain.ports import Sent
from chalicelib.domain.webhooks.addresses import Target, is_public, read_url

SECONDS = 10.0  # for all of it: connecting, sending, and reading the answer
RESOLVE_SECONDS = 3.0  # of these
EXCERPT_BYTES = 1024
EXCERPT_CHARACTERS = 500

Resolve = Callable[[str, int], list[str]]


class Unsafe(Exception):
    """Nothing may be sent there."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, IPv4 first: most Lambdas have no way to others.

    Raises `OSError` where it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found.sort(key=lambda row: row[0] != socket.AF_INET)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


class Webhooks:
    """Keeps the port `WebhookSender`."""

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
        target = read_url(url, allow_local=self._allow_local)
        if isinstance(target, str):
            return target
        try:
            self._address(target)
        except Unsafe as unsafe:
            return str(unsafe)
        return None

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        began = time.monotonic()
        try:
            target = read_url(url, allow_local=self._allow_local)
            if isinstance(target, str):
                raise Unsafe(target)
            return self._send(target, self._address(target), headers, body, began)
        except Unsafe as unsafe:
            trouble = f"the address {unsafe}"
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            late = time.monotonic() - began >= self._seconds
            trouble = "no answer in time" if late else f"no answer: {type(error).__name__}"
        return Sent(None, "", _since(began), trouble)

    def _address(self, target: Target) -> str:
        if target.is_local:
            return "127.0.0.1"
        try:
            addresses = self._resolved(target)
        except (OSError, UnicodeError) as error:
            raise Unsafe("cannot be resolved") from error
        if not addresses or not all(map(is_public, addresses)):
            raise Unsafe("is not on the public internet")
        return addresses[0]

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
        self, target: Target, address: str, headers: Mapping[str, str], body: bytes, began: float
    ) -> Sent:
        connection = self._connection(target, address)
        left = self._seconds - (time.monotonic() - began)
        try:
            with _cut_off(connection, left) as hold:
                connection.connect()
                hold()
                connection.request(
                    "POST",
                    target.path,
                    body=body,
                    headers={"Host": target.authority, **headers},
                    preload_content=False,
                    decode_content=False,
                )
                answer = connection.getresponse()
                excerpt = answer.read(EXCERPT_BYTES).decode("utf-8", "replace")
            return Sent(
                answer.status,
                excerpt[:EXCERPT_CHARACTERS],
                _since(began),
                retry_after=answer.headers.get("Retry-After"),
            )
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


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
