"""Requests of outgoing webhooks over real sockets: TLS by name to a pinned address, and bounds."""

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.adapters import public_http
from chalicelib.adapters.webhooks import EXCERPT_CHARACTERS, Webhooks
from chalicelib.domain.webhooks import addresses

Answering = Callable[[socket.socket], None]
NAME = "shop.example"
HEADERS = {"Content-Type": "application/json", "webhook-id": "mem_1.1"}


@contextmanager
def serving(answer: Answering, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on this machine for one connection after the other; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            try:
                connection.settimeout(5)
                if context:
                    connection = context.wrap_socket(connection, server_side=True)
                answer(connection)
            except OSError:
                pass  # the other side had enough
            finally:
                connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        thread.join(timeout=10)
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    """The whole of a request with a small body."""
    got = b""
    while b"\r\n\r\n" not in got or not got.endswith(b"}"):
        more = connection.recv(65_536)
        if not more:
            break
        got += more
    return got


def saying(raw: bytes, seen: list[bytes] | None = None) -> Answering:
    def answer(connection: socket.socket) -> None:
        request = read_request(connection)
        if seen is not None:
            seen.append(request)
        connection.sendall(raw)

    return answer


def local(seconds: float = 5) -> Webhooks:
    return Webhooks(allow_local=True, seconds=seconds)


def test_a_request_is_one_post_with_our_headers_and_body() -> None:
    seen: list[bytes] = []
    raw = b"HTTP/1.1 204 No Content\r\n\r\n"
    with serving(saying(raw, seen)) as port:
        sent = local().send(f"http://localhost:{port}/hooks?a=b", HEADERS, b'{"a":1}')
    assert (sent.status, sent.excerpt, sent.trouble) == (204, "", None)
    [request] = seen
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hooks?a=b HTTP/1.1"
    assert f"Host: localhost:{port}" in lines
    assert "webhook-id: mem_1.1" in lines
    assert body == b'{"a":1}'


def test_a_redirect_is_told_and_not_followed() -> None:
    seen: list[bytes] = []
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen)) as inside:
        raw = f"HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:{inside}/\r\n\r\n".encode()
        with serving(saying(raw)) as port:
            sent = local().send(f"http://localhost:{port}/", HEADERS, b"{}")
    assert sent.status == 307
    assert seen == []


def test_of_a_huge_answer_only_the_beginning_is_read() -> None:
    sending = []

    def answer(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)
            sending.append(65_536)

    with serving(answer) as port:
        sent = local().send(f"http://localhost:{port}/", HEADERS, b"{}")
    assert (sent.status, sent.excerpt) == (200, "x" * EXCERPT_CHARACTERS)
    assert sum(sending) < 50_000_000  # what the sockets' buffers took


def test_an_answer_that_is_not_text_is_kept_as_far_as_it_is() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\x00"
    with serving(saying(raw)) as port:
        assert local().send(f"http://localhost:{port}/", HEADERS, b"{}").status == 200


def drip_head(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.1)


def drip_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.1)


def say_nothing(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)


@pytest.mark.parametrize("answer", [drip_head, drip_body, say_nothing])
def test_an_answer_has_to_come_in_time_however_it_is_drawn_out(answer: Answering) -> None:
    with serving(answer) as port:
        began = time.monotonic()
        sent = local(0.5).send(f"http://localhost:{port}/", HEADERS, b"{}")
        took = time.monotonic() - began
    assert took < 2
    assert (sent.status, sent.trouble) == (None, "no answer in time")
    assert 400 < sent.took < 2_000


@pytest.mark.parametrize(
    "raw",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200],
)
def test_what_is_no_answer_is_a_failure_and_no_fault(raw: bytes) -> None:
    with serving(saying(raw)) as port:
        sent = local().send(f"http://localhost:{port}/", HEADERS, b"{}")
    assert sent.status is None
    assert sent.trouble and sent.trouble.startswith("no answer")


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    """A server's TLS for a name, and the file of who signed it (itself)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, str(pem)


@pytest.mark.parametrize(("named", "arrives"), [(NAME, True), ("other.example", False)])
def test_the_certificate_is_that_of_the_name_at_the_address_that_was_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, arrives: bool
) -> None:
    context, authority = certificate(tmp_path, named)
    seen: list[bytes] = []
    asked: list[str] = []
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with serving(saying(raw, seen), context) as port:
        # The one server that there is here plays one on the internet.
        monkeypatch.setattr(addresses, "PORTS", {port})
        monkeypatch.setattr(public_http, "is_public", lambda address: asked.append(address) or True)
        sender = Webhooks(
            resolve=lambda host, port: ["127.0.0.1"],  # noqa: ARG005
            authority=authority,
            seconds=5,
        )
        sent = sender.send(f"https://{NAME}:{port}/h", HEADERS, b"{}")
    assert asked == ["127.0.0.1"]
    assert (sent.status == 200) is arrives
    assert any(seen) is arrives
    if arrives:
        assert f"Host: {NAME}:{port}".encode() in seen[0]


def test_a_certificate_of_nobody_we_know_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, _ = certificate(tmp_path, NAME)
    seen: list[bytes] = []
    with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n", seen), context) as port:
        monkeypatch.setattr(addresses, "PORTS", {port})
        monkeypatch.setattr(public_http, "is_public", bool)
        sender = Webhooks(resolve=lambda host, port: ["127.0.0.1"], seconds=5)  # noqa: ARG005
        sent = sender.send(f"https://{NAME}:{port}/h", HEADERS, b"{}")
    assert sent.status is None
    assert not any(seen)
