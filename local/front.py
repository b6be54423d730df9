"""A plain address for the API: what a custom domain is on AWS.

Forwards every request to the API's stage on the local cloud and adds nothing, so that links,
PassKit's web service and webhooks look as they will in production. Pages of this machine can be put
beside the API (`Front.mount`); they answer whoever asks this machine by its own name alone.
"""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local.deploy import Deployed
from local.pages import Answer, Pages, Request
from local.processes import LOOPBACK, refuse_taken

BODY_LIMIT_BYTES = 10 * 1024 * 1024  # docs.aws.amazon.com/apigateway, "Quotas": payload size
_ANSWERS_WITHIN_SECONDS = 35  # a little more than API Gateway waits for a function
_OF_ONE_CONNECTION = {  # RFC 9110 section 7.6.1
    "connection",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


@dataclass(frozen=True)
class Front:
    """A running front."""

    url: str
    _pages: dict[str, Pages]

    def mount(self, path: str, pages: Pages) -> None:
        """Puts pages beside the API: everything at and below a path of one part."""
        self._pages[path] = pages


@contextmanager
def running_front(deployed: Deployed, port: int) -> Iterator[Front]:
    """The front at a port."""
    refuse_taken(port, "the API")
    with _Server((LOOPBACK, port), deployed) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield Front(f"http://localhost:{port}", server.pages)
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that keeps its connection does not keep us
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], deployed: Deployed) -> None:
        super().__init__(address, _Handler)
        self.cloud = urlsplit(deployed.cloud.endpoint).netloc
        self.api_path = deployed.api_path
        self.pages: dict[str, Pages] = {}


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # a head and its body leave in one packet
    timeout = 75

    def setup(self) -> None:
        super().setup()
        self._upstream = http.client.HTTPConnection(
            self.server.cloud, timeout=_ANSWERS_WITHIN_SECONDS
        )

    def finish(self) -> None:
        self._upstream.close()
        with suppress(OSError):  # whoever asked may have gone away
            super().finish()

    def _forward(self) -> None:
        if "Transfer-Encoding" in self.headers:
            self._refuse(411, "Length Required", "length_required")
            return
        length = int(self.headers.get("Content-Length", "0"))
        if length > BODY_LIMIT_BYTES:
            self._drain(length)
            self._refuse(413, "Content Too Large", "body_too_large")
            return
        body = self.rfile.read(length)
        url = urlsplit(self.path)
        first = "/" + url.path[1:].partition("/")[0]
        if first in self.server.pages:
            query = dict(parse_qsl(url.query))
            below = url.path.removeprefix(first).rstrip("/")
            last_event = self.headers.get("Last-Event-ID", "")
            request = Request(self.command, below, query, body, last_event)
            self._show(self.server.pages[first], request)
            return
        try:
            self._answer(*self._ask(body))
        except (OSError, http.client.HTTPException):
            self._upstream.close()
            self._refuse(504, "Gateway Timeout", "unavailable")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _forward  # noqa: N815

    def _show(self, pages: Pages, request: Request) -> None:
        """A page of this machine, which no other site's page may use or read."""
        sent = self.headers.get("Content-Type", "")
        if self.headers.get("Host", "").partition(":")[0] not in ("localhost", LOOPBACK) or (
            request.method != "GET" and sent != "application/json"
        ):
            self._refuse(403, "Forbidden", "forbidden")
            return
        self._send(pages.answer(request))

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Cache-Control", "no-store")
        if isinstance(answer.content, bytes):
            self.send_header("Content-Length", str(len(answer.content)))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        with suppress(OSError):  # whoever asked may have gone away
            self.end_headers()
            for part in [answer.content] if isinstance(answer.content, bytes) else answer.content:
                self.wfile.write(part)
                self.wfile.flush()

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        upstream = self._upstream
        upstream.putrequest(self.command, self._path(), skip_host=True, skip_accept_encoding=True)
        for name, value in self._headers_to_send():
            upstream.putheader(name, value)
        upstream.endheaders(body or None)
        answer = upstream.getresponse()
        return answer, answer.read()

    def _path(self) -> str:
        """API Gateway hands path parameters on as they came; the emulator decodes them once."""
        path, mark, query = self.path.partition("?")
        return f"{self.server.api_path}{path.replace('%', '%25')}{mark}{query}"

    def _headers_to_send(self) -> Iterator[tuple[str, str]]:
        for name, value in self.headers.items():
            if name.lower() not in _OF_ONE_CONNECTION:
                yield name, value
        if "Accept" not in self.headers:
            # RFC 9110 section 12.5.1: that is what its absence means; the emulator would send
            # bytes as base64 text.
            yield "Accept", "*/*"

    def _answer(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _OF_ONE_CONNECTION:
                self.send_header(name, value)
        if "Content-Length" not in answer.headers and answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drain(self, length: int) -> None:
        """Reads a body that is not wanted: most clients look at the answer only after sending."""
        while length > 0 and (read := self.rfile.read(min(length, 1 << 20))):
            length -= len(read)

    def _refuse(self, status: int, title: str, code: str) -> None:
        problem = {
            "type": f"urn:regulars:problem:{code}",
            "title": title,
            "status": status,
            "code": code,
        }
        body = json.dumps(problem).encode()
        self.send_response_only(status, title)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # not all of the request may have been read
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """The cloud logs every request."""
