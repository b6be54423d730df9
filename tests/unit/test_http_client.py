"""The client for calls to services outside."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import (
    CertificateBuilder,
    IPAddress,
    Name,
    NameAttribute,
    SubjectAlternativeName,
    random_serial_number,
)
from cryptography.x509.oid import NameOID

from chalicelib.adapters import http
from chalicelib.adapters.http import Http, Response
from chalicelib.domain.errors import Fault, Unavailable


class Service(ThreadingHTTPServer):
    """A service of many moods."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.connections = 0
        self.requests: list[tuple[str, str, str, bytes]] = []
        self.ended = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        kind = self.headers.get("content-type", "")
        self.server.requests.append((self.command, self.path, kind, body))
        if self.path == "/slow":
            self.server.ended.wait(5)
        status = int(self.path[1:]) if self.path[1:].isdigit() else 200
        size = http.MAX_RESPONSE_BYTES + (self.path == "/too-much")
        content = b"x" * size if "much" in self.path else b'{"a": "secret"}'
        self.send_response(status)
        self.send_header("X-Mood", "good")
        self.send_header("location", f"{self.server.url}/elsewhere")
        self.send_header("content-length", str(len(content) + (self.path == "/cut")))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = self.path == "/cut"

    do_GET = do_POST = do_PATCH = answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def serving() -> Iterator[Service]:
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield service
        finally:
            service.ended.set()
            service.shutdown()
            thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as service:
        yield service


def send(service: Service, path: str, scheme: str = "http") -> Response:
    return Http().send("GET", service.url.replace("http", scheme) + path, b"", {})


def test_a_request_arrives_as_it_was_given_and_so_does_its_answer(service: Service) -> None:
    headers = {"content-type": "application/json"}
    response = Http().send("PATCH", f"{service.url}/a%20b?c=d", b"[1]", headers)
    assert service.requests == [("PATCH", "/a%20b?c=d", "application/json", b"[1]")]
    assert (response.status, response.json) == (200, {"a": "secret"})
    assert response.headers["x-mood"] == "good"


@pytest.mark.parametrize("status", [201, 302, 404, 429, 503])
def test_every_status_is_an_answer_and_nothing_is_asked_twice(
    service: Service, status: int
) -> None:
    assert send(service, f"/{status}").status == status
    assert len(service.requests) == 1


def test_connections_are_kept(service: Service) -> None:
    client = Http()
    for _ in range(3):
        client.send("POST", service.url, b"", {})
    assert (len(service.requests), service.connections) == (3, 1)


def test_an_answer_is_bounded(service: Service) -> None:
    assert len(send(service, "/much").body) == http.MAX_RESPONSE_BYTES
    with pytest.raises(Fault, match="more than"):
        send(service, "/too-much")


def test_no_answer_is_unavailable(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.1)
    for path in ("/slow", "/cut"):
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1 cannot be reached"):
            send(service, path)


def test_no_connection_is_unavailable() -> None:
    with Service() as closed:
        url = closed.url
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 cannot be reached"):
        Http().send("GET", url, b"", {})


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/", "http://127.0.0.1@192.0.2.1/", "ftp://192.0.2.1/", "//192.0.2.1"]
)
def test_what_leaves_the_machine_is_encrypted(url: str) -> None:
    with pytest.raises(Fault, match="only be called over https"):
        Http().send("GET", url, b"", {})


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    key = generate_private_key(SECP256R1())
    name = Name([NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        CertificateBuilder(name, name, key.public_key(), random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(SubjectAlternativeName([IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    pem = tmp_path / "both.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with serving() as service:
        service.socket = context.wrap_socket(service.socket, server_side=True)
        with pytest.raises(Unavailable) as refused:
            send(service, "/", "https")
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value.__cause__)
    assert service.requests == []


def test_an_answer_does_not_print_what_may_be_secret(service: Service) -> None:
    response = send(service, "/")
    assert b"secret" in response.body
    assert "secret" not in repr(response)
