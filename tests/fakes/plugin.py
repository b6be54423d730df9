"""Fixtures that many tests share."""

import pytest

from chalicelib.adapters.memory.store import memory_store
from tests.fakes.shop import Shop


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
