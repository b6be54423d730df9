"""A stand-in of Apple's push service that speaks its protocol: HTTP/2 over TLS, client certificate.

    python -m local.apns --port 8002 --folder .local/apns

Every push is a line in `pushes.jsonl`. A device token may ask for trouble by how it starts: `gone-`
is answered 410, `bad-` 400, `busy-` 429, `down-` 503, `forbidden-` 403, `reset-` resets the stream,
`drop-` the connection, `hang-` makes it silent for ever, and `away-` says GOAWAY before it is
looked at. `narrow-` and `shut-` leave new streams a window of one byte: until we agreed to that, or
for as long as the connection lives.
"""

import argparse
import contextlib
import json
import signal
import socket
import ssl
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, SettingsAcknowledged, StreamEnded
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from local.certificates import Certificates, ensure

_FRAME = 16_384  # bytes, the most that every client takes at once
GONE_SINCE = 1_795_000_000_000
_ANSWERS: dict[str, tuple[int | str, Any]] = {
    "gone": (410, {"reason": "Unregistered", "timestamp": GONE_SINCE}),
    "bad": (400, {"reason": "BadDeviceToken"}),
    "busy": (429, {"reason": "TooManyRequests"}),
    "down": (503, {"reason": "ServiceUnavailable"}),
    "forbidden": (403, {"reason": "BadCertificate"}),
    "odd": ("odd", {}),  # no status at all
    "deep": (503, b"[" * 60_000),  # no JSON that anybody reads
}


@dataclass
class Stats:
    """What the service saw."""

    connections: int = 0
    most_streams: int = 0
    pushes: list[dict[str, Any]] = field(default_factory=list)


class PushService:
    """The service on a port of this machine (0: any), in threads."""

    def __init__(
        self, certificates: Certificates, folder: Path, port: int = 0, streams: int = 100
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.stats = Stats()
        self._file = folder / "pushes.jsonl"
        self._streams = streams
        self._tls = _tls_context(certificates)
        self._lock = threading.Lock()
        self._open: set[ssl.SSLSocket] = set()
        self.silent: set[ssl.SSLSocket] = set()  # connections on which nothing is answered any more
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Ends the service and all its connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self.drop_connections()

    def drop_connections(self) -> None:
        """Closes every connection without a word."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Answers nothing any more on the connections that there are."""
        with self._lock:
            self.silent |= self._open

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ProtocolError), plain:
            secure = self._tls.wrap_socket(plain, server_side=True)
            with self._lock:
                self.stats.connections += 1
                self._open.add(secure)
            try:
                _Conversation(self, secure, self._streams).run()
            finally:
                with self._lock:
                    self._open.discard(secure)
                secure.close()

    def note(self, push: dict[str, Any], streams: int) -> None:
        """Writes one push down."""
        with self._lock:
            self.stats.pushes.append(push)
            self.stats.most_streams = max(self.stats.most_streams, streams)
            with self._file.open("a") as file:
                file.write(json.dumps(push) + "\n")


class _Conversation:
    """One connection."""

    def __init__(self, service: PushService, connected: ssl.SSLSocket, streams: int) -> None:
        self._service = service
        self._socket = connected
        self._requests: dict[int, tuple[dict[str, str], bytearray]] = {}
        self._is_narrow = False
        self._http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        limits = {SettingCodes.MAX_CONCURRENT_STREAMS: streams}
        self._http2.local_settings = Settings(client=False, initial_values=limits)
        self._http2.initiate_connection()

    def run(self) -> None:
        """Answers until the other side closes."""
        self._socket.sendall(self._http2.data_to_send())
        while data := self._socket.recv(65_536):
            if self._socket in self._service.silent:
                continue
            ended = []
            for event in self._http2.receive_data(data):
                if isinstance(event, RequestReceived):
                    self._requests[event.stream_id] = (dict(event.headers), bytearray())
                elif isinstance(event, DataReceived):
                    self._requests[event.stream_id][1].extend(event.data)
                    length = event.flow_controlled_length
                    self._http2.acknowledge_received_data(length, event.stream_id)
                elif isinstance(event, StreamEnded):
                    ended.append(event.stream_id)
                elif isinstance(event, SettingsAcknowledged) and self._is_narrow:
                    self._is_narrow = False
                    self._http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 65_535})
            for stream in ended:
                self._answer(stream)
            self._socket.sendall(self._http2.data_to_send())

    def _answer(self, stream: int) -> None:
        streams = len(self._requests)
        headers, body = self._requests.pop(stream)
        token = headers[":path"].rpartition("/")[2]
        trouble = token.partition("-")[0]
        if trouble == "drop":
            raise ConnectionAbortedError
        if trouble == "away" and self._service.stats.connections == 1:
            self._http2.close_connection(last_stream_id=max(0, stream - 2))
            self._socket.sendall(self._http2.data_to_send())
            raise ConnectionAbortedError
        self._note(token, headers, bytes(body), streams)
        if trouble == "hang":
            self._service.silent.add(self._socket)
            return
        if trouble == "reset":
            self._http2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
            return
        if trouble in ("narrow", "shut"):
            self._is_narrow = trouble == "narrow"
            self._http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1})
        status, answer = _ANSWERS.get(trouble, (200, {}))
        self._http2.send_headers(stream, [(":status", str(status))], end_stream=not answer)
        if answer:
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            for start in range(0, len(body), _FRAME):
                self._http2.send_data(stream, body[start : start + _FRAME])
            self._http2.end_stream(stream)

    def _note(self, token: str, headers: dict[str, str], body: bytes, streams: int) -> None:
        push = {
            "at": time.time(),
            "token": token,
            "topic": headers.get("apns-topic"),
            "push_type": headers.get("apns-push-type"),
            "priority": headers.get("apns-priority"),
            "payload": body.decode(),
        }
        self._service.note(push, streams)


def _tls_context(certificates: Certificates) -> ssl.SSLContext:
    """Asks for a certificate of our pass authority, as Apple's service asks for one of its own."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_verify_locations(cadata=certificates.authority + certificates.wwdr)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(certificates.apns_certificate + certificates.apns_key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A stand-in of Apple's push service.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    service = PushService(ensure(given.folder.parent / "certificates"), given.folder, given.port)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    service.stop()


if __name__ == "__main__":
    main()
