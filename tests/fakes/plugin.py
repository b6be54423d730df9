"""Fixtures that many tests share."""

from pathlib import Path

import pytest

from chalicelib.adapters.memory.store import memory_store
from local.certificates import Certificates, ensure
from tests.fakes.shop import Shop


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Stand-ins of Apple's and Google's certificates and keys."""
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
