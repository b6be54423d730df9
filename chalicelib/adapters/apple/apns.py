"""Apple's push service for passes: our own small client, on HTTP/2.

One connection carries as many pushes at a time as the service allows. A push for a pass says
nothing: its payload is an empty dictionary, and the phone then asks our web service what changed.

Sources: developer.apple.com, "Adding a Web Service to Update Passes" (certificate, topic, payload),
"Sending notification requests to APNs" (headers), "Handling notification responses from APNs"
(codes, reasons, the timestamp of 410); RFC 9113 for streams and GOAWAY.
"""

import json
import socket
import ssl
import tempfile
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError

from chalicelib.domain.errors import PushRefused, Unavailable
from chalicelib.domain.ports import PushOutcome, PushResult
from chalicelib.kernel.clock import (
    EARLIEST,
    HOUR,
    MINUTE,
    SECOND,
    Clock,
    Instant,
    SystemClock,
)

PAYLOAD = b"{}"
MOST_STREAMS = 1000  # what we ask at a time, where the service allows more
_CONNECTIONS = 2  # tried for one batch
_READ_BYTES = 65_536
_GONE_REASONS = {"BadDeviceToken", "DeviceTokenNotForTopic"}
_NEW_CONNECTION = {500, 503}
_COUNT_EVERY = 256  # streams
_BACKING_OFF = "backing off"
_TOO_OFTEN = "TooManyRequests"
STOPPED_FOR = 5 * MINUTE
AWAY_FOR = 20 * SECOND  # the rest of a worker's batch does not wait for it again
PING_SECONDS = 2  # what a service may take to say that it is there
FIRST_WAIT = 30 * SECOND
LONGEST_WAIT = HOUR
MOST_BUSY = 10_000  # devices that we remember


class ApnsClient:
    """Keeps the port `ApplePushService`. Not for several threads at once."""

    def __init__(
        self,
        host: str,
        port: int,
        certificate: bytes,
        key: bytes,
        topic: str,
        authority: bytes | None = None,
        timeout_seconds: float = 10,
        clock: Clock | None = None,
    ) -> None:
        """All PEM. `topic` is the pass type id; `authority` signed the service's certificate.

        The public authorities are trusted where none is named.
        """
        self._clock = clock or SystemClock()
        self._stopped_until = EARLIEST
        self._away_until = EARLIEST
        self._busy = _BackOff()
        self._address = (host, port)
        self._tls = _tls_context(certificate, key, authority)
        self._topic = topic
        self._timeout_seconds = timeout_seconds
        self._connection: _Connection | None = None

    def push(self, tokens: Sequence[str]) -> list[PushResult]:
        """Tells each device that a pass changed; one result for each token, in their order.

        Raises `Unavailable` where no connection can be had, and then for some seconds at once. What
        the service did not take is sent again, once; what it took and did not answer is to be tried
        again by the caller. A device
        that was told too often is left alone for a while. After a 403 nothing is sent for some
        minutes, and `PushRefused` is raised: every push would be refused.
        """
        now = self._clock.now()
        if now < self._stopped_until:
            raise PushRefused("stopped after Apple refused a push")
        if now < self._away_until:
            raise Unavailable("Apple's push service was away a moment ago")
        results = {
            index: PushResult(token, PushOutcome.RETRY, _BACKING_OFF)
            for index, token in enumerate(tokens)
            if self._busy.waits(token, now)
        }
        unsent = [(index, token) for index, token in enumerate(tokens) if index not in results]
        for _ in range(_CONNECTIONS):
            if not unsent:
                break
            connection = self._connected()
            answered, unsent = connection.exchange(unsent)
            results |= answered
            if connection.hung:
                self._away_until = self._clock.now() + AWAY_FOR
            if connection.closing:
                connection.close()
                self._connection = None
        for index, token in unsent:
            results[index] = PushResult(token, PushOutcome.RETRY, "not sent")
        answers = [results[index] for index in range(len(tokens))]
        self._learn(answers, now)
        return answers

    def _learn(self, answers: Sequence[PushResult], now: Instant) -> None:
        for answer in answers:
            self._busy.note(answer, now)
            if answer.outcome is PushOutcome.REFUSED:
                self._stopped_until = now + STOPPED_FOR

    def _connected(self) -> "_Connection":
        """The connection there is, where the service has not closed it meanwhile."""
        if self._connection is not None and self._connection.answers(self._timeout_seconds):
            return self._connection
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        try:
            self._connection = self._opened()
        except (OSError, ProtocolError) as error:
            self._away_until = self._clock.now() + AWAY_FOR
            raise Unavailable("Apple's push service cannot be reached") from error
        return self._connection

    def _opened(self) -> "_Connection":
        host = self._address[0]
        with ExitStack() as on_failure:
            plain = socket.create_connection(self._address, self._timeout_seconds)
            on_failure.callback(plain.close)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secure = self._tls.wrap_socket(plain, server_hostname=host)
            on_failure.callback(secure.close)
            connection = _Connection(secure, host, self._topic)
            on_failure.pop_all()
        return connection


class _BackOff:
    """Devices that were told too often: each waits twice as long as before, and then some."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[Instant, int]] = {}

    def waits(self, token: str, now: Instant) -> bool:
        """Whether it is too early for this device."""
        return token in self._until and now < self._until[token][0]

    def note(self, answer: PushResult, now: Instant) -> None:
        """Takes an answer in: 429 waits longer, anything but our own waiting ends it."""
        if answer.reason == _TOO_OFTEN:
            times = self._until.get(answer.token, (now, 0))[1]
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2**times)
            self._until[answer.token] = (now + wait, times + 1)
        elif answer.reason != _BACKING_OFF:
            self._until.pop(answer.token, None)
        if len(self._until) > MOST_BUSY:
            self._until = {one: row for one, row in self._until.items() if now < row[0]}


class _Http2(H2Connection):
    """h2 goes through all streams each time one is opened; we know how many are open."""

    def __init__(self, config: H2Configuration) -> None:
        super().__init__(config)
        self.open_streams = 0
        self._asked = 0

    @property
    def open_outbound_streams(self) -> int:
        """How many there are. Now and then h2 counts itself, and drops those that are closed."""
        self._asked += 1
        if self._asked % _COUNT_EVERY == 0:
            return super().open_outbound_streams
        return self.open_streams


@dataclass
class _Push:
    """One push whose answer is not complete yet."""

    index: int
    token: str
    status: int = 0
    body: bytearray = field(default_factory=bytearray)

    def result(self) -> PushResult:
        if self.status == 200:
            return PushResult(self.token, PushOutcome.SENT)
        answer = _json(bytes(self.body))
        reason = str(answer.get("reason", self.status))
        if self.status == 410 or reason in _GONE_REASONS:
            since = answer.get("timestamp")
            known = since if isinstance(since, int) else None
            return PushResult(self.token, PushOutcome.GONE, reason, known)
        if self.status == 429:
            return PushResult(self.token, PushOutcome.RETRY, _TOO_OFTEN)
        if self.status >= 500:
            return PushResult(self.token, PushOutcome.RETRY, reason)
        return PushResult(self.token, PushOutcome.REFUSED, reason)


class _Connection:
    """One HTTP/2 connection, from its settings to its end."""

    def __init__(self, connected: ssl.SSLSocket, host: str, topic: str) -> None:
        """Waits for the settings of the service: before them nobody knows how many streams."""
        self.closing = False
        self.hung = False  # nothing came for too long
        self._socket = connected
        self._host = host
        self._topic = topic
        self._open: dict[int, _Push] = {}
        self._unsent: list[tuple[int, str]] = []
        self._settled = False
        self._answered_ping = False
        # Our headers are always the same six: nobody needs to look at them.
        own = H2Configuration(
            client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self._http2 = _Http2(own)
        self._http2.initiate_connection()
        while not self._settled and not self.closing:
            self._turn({})

    def exchange(
        self, pushes: Sequence[tuple[int, str]]
    ) -> tuple[dict[int, PushResult], list[tuple[int, str]]]:
        """Sends pushes; the results, and those that the service did not take."""
        waiting = deque(pushes)
        results: dict[int, PushResult] = {}
        self._unsent = []
        try:
            while (waiting and not self.closing) or self._open:
                while waiting and not self.closing and self._has_room():
                    self._start(*waiting[0])
                    waiting.popleft()  # only now: what could not be started is still unsent
                self._turn(results)
        except (OSError, ProtocolError) as error:
            self.closing = True
            self.hung = isinstance(error, TimeoutError)
        for push in self._open.values():
            results[push.index] = PushResult(push.token, PushOutcome.RETRY, "connection lost")
        self._open.clear()
        return results, [*self._unsent, *waiting]

    def answers(self, timeout_seconds: float) -> bool:
        """Whether the other side is still there (RFC 9113, section 6.7).

        A function that stands still between two batches hears nothing of a connection that died.
        """
        self._answered_ping = False
        try:
            self._socket.settimeout(min(PING_SECONDS, timeout_seconds))
            self._http2.ping(b"regulars")
            while not self._answered_ping and not self.closing:
                self._turn({})
            self._socket.settimeout(timeout_seconds)
        except (OSError, ProtocolError):
            return False
        return not self.closing

    def close(self) -> None:
        """Says goodbye where anybody listens."""
        try:
            self._http2.close_connection()
            self._socket.sendall(self._http2.data_to_send())
        except (OSError, ProtocolError):
            pass  # it is gone already
        finally:
            self._socket.close()

    def _has_room(self) -> bool:
        """Whether the service lets us open a stream now, and write a whole push to it.

        It may shrink both limits at any time; then we wait until it widens them.
        """
        settings = self._http2.remote_settings
        window = min(settings.initial_window_size, self._http2.outbound_flow_control_window)
        most_streams = min(MOST_STREAMS, settings.max_concurrent_streams)
        return len(self._open) < most_streams and window >= len(PAYLOAD)

    def _start(self, index: int, token: str) -> None:
        stream = self._http2.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", self._host),
            (":path", f"/3/device/{token}"),
            ("apns-topic", self._topic),
            ("apns-push-type", "background"),
            ("apns-priority", "5"),
            ("content-length", str(len(PAYLOAD))),
        ]
        self._http2.open_streams = len(self._open)
        self._http2.send_headers(stream, headers)
        self._http2.send_data(stream, PAYLOAD, end_stream=True)
        self._open[stream] = _Push(index, token)

    def _turn(self, results: dict[int, PushResult]) -> None:
        """Sends what there is to send, and takes in what comes."""
        self._socket.sendall(self._http2.data_to_send())
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the service closed the connection")
        for event in self._http2.receive_data(data):
            self._take(event, results)
        self._socket.sendall(self._http2.data_to_send())

    def _take(self, event: Event, results: dict[int, PushResult]) -> None:
        if isinstance(event, RemoteSettingsChanged):
            self._settled = True
        elif isinstance(event, PingAckReceived):
            self._answered_ping = True
        elif isinstance(event, ConnectionTerminated):
            self._go_away(event)
        elif isinstance(event, DataReceived):
            # What is never acknowledged stops the connection after 64 KB of error texts.
            self._http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = getattr(event, "stream_id", None)
        push = self._open.get(stream) if stream else None
        if push is not None:
            self._answer(event, stream or 0, push, results)

    def _answer(
        self, event: Event, stream: int, push: _Push, results: dict[int, PushResult]
    ) -> None:
        if isinstance(event, ResponseReceived):
            status = dict(event.headers)[b":status"]
            push.status = int(status) if status.isdigit() else HTTPStatus.INTERNAL_SERVER_ERROR
            self.closing = self.closing or push.status in _NEW_CONNECTION
        elif isinstance(event, DataReceived):
            push.body += event.data
        elif isinstance(event, StreamEnded):
            results[push.index] = push.result()
            del self._open[stream]
        elif isinstance(event, StreamReset):
            del self._open[stream]
            if event.error_code == ErrorCodes.REFUSED_STREAM:
                self._unsent.append((push.index, push.token))
            else:
                results[push.index] = PushResult(push.token, PushOutcome.RETRY, "stream reset")

    def _go_away(self, event: ConnectionTerminated) -> None:
        """Streams above the last that the service names were never looked at."""
        self.closing = True
        last = event.last_stream_id or 0
        for stream in [stream for stream in self._open if stream > last]:
            push = self._open.pop(stream)
            self._unsent.append((push.index, push.token))


def _tls_context(certificate: bytes, key: bytes, authority: bytes | None) -> ssl.SSLContext:
    trusted = authority.decode() if authority else None
    context = ssl.create_default_context(cadata=trusted)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    # The ssl module reads certificates from files only; this one is ours alone and gone at once.
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _json(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
