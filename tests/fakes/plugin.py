"""Fixtures that many tests share, and the guard that keeps them off the network."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import moto.core.models  # noqa: F401 (before any client is made)
import pytest
from xdist.scheduler import LoadScopeScheduling

from chalicelib.adapters.aws import make_client
from chalicelib.adapters.dynamo.store import dynamo_store
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.ports import Store
from infra.package import package
from infra.tables import create_tables
from local.certificates import Certificates, ensure
from local.cloud import ACCOUNT, REGION, running_cloud
from tests.fakes.shop import Shop

HTTPS = 443
LOOPBACK = ("127.", "::1", "localhost")

# No test finds anybody's real account, whatever lies in the environment or the home folder.
os.environ |= {
    "AWS_ACCESS_KEY_ID": ACCOUNT,
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
for _name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
    os.environ.pop(_name, None)
# The session remembers these credentials before moto sets its own.
make_client("dynamodb", REGION)


class _ByService(LoadScopeScheduling):
    """Gives the tests of a folder that starts a service of its own to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.split("/")[1]
        return folder if folder in ("e2e", "races") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """What `make test` deals its tests out with."""
    return _ByService(config, log)


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """Packaged without the dependencies, which do not show in it."""
    read: dict[str, Any] = json.loads(package("prod", with_dependencies=False).template.read_text())
    return read


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Fails whatever connects to anything but this machine.

    Whoever gives the tests a key of Stripe's test mode wants them to reach Stripe.
    """
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if os.environ.get("STRIPE_TEST_KEY") and address[1] == HTTPS:
            return connect(self, address)
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(LOOPBACK):
            raise AssertionError(f"a test wants to reach {address}")
        return connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Stand-ins of Apple's certificates and keys."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    return ensure(folder)


@pytest.fixture
def shop() -> Shop:
    """A shop on the in-memory twin, without a program."""
    return Shop(memory_store())


@pytest.fixture
def coffee(shop: Shop) -> Shop:
    """A shop with the stamp card."""
    assert shop.publish("coffee_stamps").status == 201
    return shop


@pytest.fixture
def points(shop: Shop) -> Shop:
    """A shop with points for money."""
    assert shop.publish("points").status == 201
    return shop


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine that is right under concurrency: ministack, or DYNAMODB_ENDPOINT."""
    named = os.environ.get("DYNAMODB_ENDPOINT")
    if named:
        yield named
        return
    with running_cloud(tmp_path_factory.mktemp("emulator")) as cloud:
        yield cloud.endpoint


@pytest.fixture
def emulated(emulator: str, request: pytest.FixtureRequest) -> Store:
    """An empty store on the emulator, over HTTP."""
    client = make_client("dynamodb", REGION, emulator)
    return store_on(client, prefix=f"t{abs(hash(request.node.nodeid))}-")


def store_on(client: Any, prefix: str = "") -> Store:
    """An empty store on new tables of any DynamoDB."""
    names = create_tables(client, prefix)
    return dynamo_store(client, names["Ledger"], names["Orders"], names["Records"])
