"""Programs that run beside this one and end with it."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from infra.progress import Failed, say

LOOPBACK = "127.0.0.1"
STOPS_WITHIN_SECONDS = 20.0
STARTS_WITHIN_SECONDS = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def running(
    title: str,
    command: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    work_folder: Path | None = None,
) -> Iterator[None]:
    """Runs a program in a process group of its own, from the moment that `ready` says so.

    At the end it is asked to stop, and killed only where it does not. INT, TERM and HUP all end the
    block as Ctrl-C does. Raises `Failed` where it does not come up.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with _interrupted_by_signals(), log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=work_folder,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise Failed(f"{command[0]} is missing; run `make setup`") from error
        try:
            _wait_until_ready(title, process, ready, log)
            yield
        finally:
            with _signals_ignored():
                _stop(title, process)


def listening(port: int) -> bool:
    """Whether anything answers at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def refuse_taken(port: int, title: str) -> None:
    """Raises `Failed` where a port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise Failed(
                f"Port {port} ({title}) is taken; stop what uses it, or set REGULARS_PORT"
            ) from error


def _wait_until_ready(
    title: str, process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path
) -> None:
    ends_at = time.monotonic() + STARTS_WITHIN_SECONDS
    while not ready():
        if process.poll() is not None:
            raise Failed(f"{title} ended while it started; {log} says why")
        if time.monotonic() > ends_at:
            raise Failed(f"{title} did not start within {STARTS_WITHIN_SECONDS:.0f} s; see {log}")
        time.sleep(0.05)


def _stop(title: str, process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOPS_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        say(f"{title} did not stop within {STOPS_WITHIN_SECONDS:.0f} s and is killed")
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left behind, such as Lambda workers
    process.wait()


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    with _handled(signal.default_int_handler):
        yield


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """So that a second Ctrl-C does not leave a program behind."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def _handled(handler: Callable[..., object] | signal.Handlers) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
