"""The application in many processes, on the emulator's tables, for all tests of this folder."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from chalicelib import wiring
from chalicelib.adapters.aws import make_client
from chalicelib.events.operator import on_operator
from infra.tables import create_tables
from local.client import Client
from local.cloud import REGION
from local.processes import LOOPBACK, free_port, listening, running
from tests.races.corner import Corner, program
from tests.races.service import install

LOST = 0.1  # of the answers on the way from DynamoDB, and again on the way to the caller


@pytest.fixture(scope="session")
def prefix(emulator: str) -> str:
    """What the names of all tables begin with."""
    made = f"races{uuid4().hex[:8]}-"
    create_tables(make_client("dynamodb", REGION, emulator), made)
    return made


@pytest.fixture(scope="session")
def service(emulator: str, prefix: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the application."""
    with _serving(tmp_path_factory.mktemp("service"), emulator, prefix, 0) as address:
        yield address


@pytest.fixture(scope="session")
def shaky_service(
    emulator: str, prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of the application where answers are lost."""
    with _serving(tmp_path_factory.mktemp("shaky"), emulator, prefix, LOST) as address:
        yield address


@pytest.fixture
def corner(service: str, emulator: str, prefix: str) -> Corner:
    """A new program with five mugs."""
    return _opened(service, emulator, prefix)


@pytest.fixture
def shaky_corner(shaky_service: str, emulator: str, prefix: str) -> Corner:
    """The same where answers are lost."""
    return _opened(shaky_service, emulator, prefix)


@contextmanager
def _serving(folder: Path, emulator: str, prefix: str, lost: float) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.races.service", str(port), emulator, prefix, str(lost)]
    with running("The application", command, folder / "service.log", lambda: listening(port)):
        yield f"http://{LOOPBACK}:{port}"


def _opened(address: str, emulator: str, prefix: str) -> Corner:
    install(emulator, prefix)
    made = on_operator({"action": "create_program", "name": "Corner Shop", "mode": "test"})
    client = Client(address, made["secret_key"])
    opened = Corner(client, wiring.runtime().context.store, made["program_id"])
    reply = opened.insist("POST", "/v1/programs", program())
    assert reply.status == 201, reply.raw
    return opened
