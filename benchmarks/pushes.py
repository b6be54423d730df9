"""Pushes a second over loopback TLS: our client, aioapns and httpx against the same server.

The server is node's, in a process of its own: a server in Python would be slower than the clients.
Each client has one connection with our client certificate, opened before the clock starts.
"""

import asyncio
import json
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aioapns
import httpx
from aioapns.connection import APNsProductionClientProtocol

from chalicelib.adapters.apple.apns import PAYLOAD, ApnsClient
from chalicelib.domain.ports import PushOutcome
from infra.package import ROOT
from local.apns import PushService
from local.certificates import PASS_TYPE_ID, Certificates, ensure

ROUNDS = 3
STREAMS = 500  # what the server allows at a time
FEW = 100  # in flight: with a server that answers at once, both other libraries are fastest so
PUSHES = 2000  # a round
DELAY_MS = 50
DELAYED_PUSHES = 5000  # a round: ten times the streams, so that the first wait is a tenth
BOUND = STREAMS * 1000 // DELAY_MS
ERRORS = 6000  # their texts are twice what a connection takes without an acknowledgement


@dataclass
class Server:
    """A push server that runs, and what it saw once it has ended."""

    port: int
    certificates: Certificates
    client_pem: Path
    at_a_time: int = STREAMS  # what the other libraries are asked for
    stats: dict[str, int] = field(default_factory=dict)


_Way = Callable[[Server, Sequence[str]], float]  # pushes a second


def run() -> list[str]:
    """The lines to show."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates = _written(folder)
        command = _node_server(folder)
        if command is None:
            return _without_node(folder, certificates)
        return [
            _speed(command, folder, certificates),
            _delayed([*command, "--delay-ms", str(DELAY_MS)], folder, certificates),
            _errors([*command, "--error"], folder, certificates),
        ]


def _without_node(folder: Path, certificates: Certificates) -> list[str]:
    """What the stand-in in Python can tell. It gives no `apns-id`, which aioapns waits for."""
    command = _python_server(folder)
    with _serving(command, folder, certificates) as server:
        server.at_a_time = FEW
        rates = _rounds(server, {"ours": _ours, "httpx": _httpx}, PUSHES)
    return [
        f"pushes a second: {_median(rates['ours']):.0f}, httpx {_median(rates['httpx']):.0f}, "
        f"aioapns not measured; no node here, so the Python stand-in answers and is the limit; "
        f"median of {ROUNDS} x {PUSHES}",
        _errors(command, folder, certificates),
    ]


def _speed(command: list[str], folder: Path, certificates: Certificates) -> str:
    with _serving(command, folder, certificates) as server:
        server.at_a_time = FEW
        rates = _rounds(server, {"ours": _ours, "aioapns": _aioapns, "httpx": _httpx}, PUSHES)
    return (
        f"pushes a second, over those of aioapns: {_ratio(rates, 'aioapns'):.1f}, "
        f"of httpx: {_ratio(rates, 'httpx'):.1f}; ours {_median(rates['ours']):.0f}, "
        f"aioapns {_median(rates['aioapns']):.0f}, httpx {_median(rates['httpx']):.0f}; "
        f"{STREAMS} streams, median of {ROUNDS} x {PUSHES}"
    )


def _delayed(command: list[str], folder: Path, certificates: Certificates) -> str:
    """httpx opens 100 streams at most, whatever the server allows."""
    with _serving(command, folder, certificates) as server:
        ways = {"ours": _ours, "aioapns": _aioapns, "httpx": _httpx}
        rates = _rounds(server, ways, DELAYED_PUSHES)
    ours = _median(rates["ours"])
    return (
        f"pushes a second, answers after {DELAY_MS} ms, over {STREAMS} streams / {DELAY_MS} ms: "
        f"{ours / BOUND:.2f}; {ours:.0f} of {BOUND}, aioapns {_median(rates['aioapns']):.0f}, "
        f"httpx {_median(rates['httpx']):.0f} (never above 100 streams); "
        f"median of {ROUNDS} x {DELAYED_PUSHES}"
    )


def _errors(command: list[str], folder: Path, certificates: Certificates) -> str:
    """The stand-in in Python knows by the token that an error is wanted, node's by its option."""
    with _serving(command, folder, certificates) as server:
        results = our_client(server).push([f"bad-{number}" for number in range(ERRORS)])
    answered = {PushOutcome.REFUSED, PushOutcome.GONE}
    assert all(one.outcome in answered for one in results)
    seen = server.stats
    assert seen["pushes"] - seen["doubled"] == ERRORS, seen
    return (
        f"{ERRORS} pushes that are answered with an error: {seen['connections']} connection(s) "
        f"(aim 1), {seen['doubled']} pushed twice (aim 0)"
    )


def _rounds(server: Server, ways: Mapping[str, _Way], pushes: int) -> dict[str, list[float]]:
    """The rates of every way, one after the other in each round."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name, way in ways.items():
            tokens = [f"{number:032x}{one:032x}" for one in range(pushes)]
            rates[name].append(way(server, tokens))
    return rates


def _median(rates: list[float]) -> float:
    return statistics.median(rates)


def _ratio(rates: dict[str, list[float]], other: str) -> float:
    pairs = zip(rates["ours"], rates[other], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


# --- the clients ------------------------------------------------------------------------------


def our_client(server: Server) -> ApnsClient:
    """Of the server, with the certificate of our passes."""
    return ApnsClient(
        "localhost",
        server.port,
        server.certificates.pass_certificate.encode(),
        server.certificates.pass_key.encode(),
        PASS_TYPE_ID,
        server.certificates.apns_authority.encode(),
    )


def _ours(server: Server, tokens: Sequence[str]) -> float:
    client = our_client(server)
    client.push(["first"])  # opens the connection
    began = time.perf_counter()
    results = client.push(tokens)
    taken = time.perf_counter() - began
    assert all(one.outcome is PushOutcome.SENT for one in results)
    return len(tokens) / taken


def _aioapns(server: Server, tokens: Sequence[str]) -> float:
    """aioapns as it is, but for two things that it needs to reach a server that is not Apple's.

    Its own TLS context trusts the public authorities and offers no ALPN; this one trusts the
    authority of the server and offers h2. The host and port are constants of its protocol class,
    so a subclass names others. Both are settled when it connects, before the clock starts.
    """

    class Local(APNsProductionClientProtocol):
        APNS_SERVER = "localhost"
        APNS_PORT = server.port

    async def push() -> float:
        client = aioapns.APNs(
            client_cert=str(server.client_pem),
            topic=PASS_TYPE_ID,
            max_connections=1,
            ssl_context=_trusting(server),
        )
        client.pool.protocol_class = Local

        async def send(token: str) -> bool:
            request = aioapns.NotificationRequest(
                token, {}, priority=5, push_type=aioapns.PushType.BACKGROUND
            )
            return (await client.send_notification(request)).is_successful

        rate = await _gathered(send, tokens, server.at_a_time)
        client.pool.close()
        return rate

    return asyncio.run(push())


def _httpx(server: Server, tokens: Sequence[str]) -> float:
    context = _trusting(server)
    context.load_cert_chain(server.client_pem)
    limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
    headers = {"apns-topic": PASS_TYPE_ID, "apns-push-type": "background", "apns-priority": "5"}

    async def push() -> float:
        async with httpx.AsyncClient(
            http1=False, http2=True, verify=context, limits=limits, timeout=None, trust_env=False
        ) as client:

            async def send(token: str) -> bool:
                url = f"https://localhost:{server.port}/3/device/{token}"
                answer = await client.post(url, content=PAYLOAD, headers=headers)
                return answer.status_code == httpx.codes.OK

            return await _gathered(send, tokens, server.at_a_time)

    return asyncio.run(push())


async def _gathered(
    send: Callable[[str], Awaitable[bool]], tokens: Sequence[str], at_a_time: int
) -> float:
    """Pushes a second. Asked for all at once, aioapns would poll, and httpx search a long queue."""
    room = asyncio.Semaphore(at_a_time)

    async def one(token: str) -> bool:
        async with room:
            return await send(token)

    assert await send("first")  # opens the connection
    began = time.perf_counter()
    answers = await asyncio.gather(*map(one, tokens))
    taken = time.perf_counter() - began
    assert all(answers)
    return len(tokens) / taken


def _trusting(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=server.certificates.apns_authority)
    context.set_alpn_protocols(["h2"])
    return context


# --- the server -------------------------------------------------------------------------------


@contextmanager
def push_server(folder: Path) -> Iterator[Server]:
    """A server in a process of its own: node's, or the stand-in in Python where there is none."""
    certificates = _written(folder)
    command = _node_server(folder) or _python_server(folder)
    with _serving(command, folder, certificates) as server:
        yield server


def _node_server(folder: Path) -> list[str] | None:
    node = shutil.which("node")
    if node is None:
        return None
    script = str(ROOT / "benchmarks" / "apns_server.mjs")
    return [node, script, "--folder", str(folder), "--streams", str(STREAMS)]


def _python_server(folder: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.pushes", str(folder)]


def _written(folder: Path) -> Certificates:
    """The certificates, as files for those who read files only."""
    made = ensure(folder)
    (folder / "server.pem").write_text(made.apns_certificate + made.apns_key)
    (folder / "authorities.pem").write_text(made.authority + made.wwdr)
    (folder / "client.pem").write_text(made.pass_certificate + made.pass_key)
    return made


@contextmanager
def _serving(command: list[str], folder: Path, certificates: Certificates) -> Iterator[Server]:
    """Runs a server that ends with its stdin, also where we end without a word."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = json.loads(process.stdout.readline())["port"]
            server = Server(port, certificates, folder / "client.pem")
            yield server
            process.stdin.close()
            server.stats = json.loads(process.stdout.readline())
        finally:
            process.kill()


def main() -> None:
    """The stand-in in Python, in a process of its own as node's would be: FOLDER."""
    folder = Path(sys.argv[1])
    service = PushService(ensure(folder), folder, streams=STREAMS)
    print(json.dumps({"port": service.port}), flush=True)
    sys.stdin.read()
    service.stop()
    tokens = [push["token"] for push in service.stats.pushes]
    connections, doubled = service.stats.connections, len(tokens) - len(set(tokens))
    stats = {"connections": connections, "pushes": len(tokens), "doubled": doubled}
    print(json.dumps(stats), flush=True)


if __name__ == "__main__":
    main()
