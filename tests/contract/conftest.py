"""The store, on each engine that must keep its promises."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from chalicelib.adapters.aws import make_client
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.ports import Store
from local.cloud import REGION
from tests.fakes.plugin import store_on


@pytest.fixture(params=["twin", "moto", "emulator"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store: in memory, on moto in this process, on the emulator over HTTP."""
    if request.param == "twin":
        yield memory_store()
    elif request.param == "emulator":
        yield request.getfixturevalue("emulated")
    else:
        with mock_aws():
            yield store_on(make_client("dynamodb", REGION))
