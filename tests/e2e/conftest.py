"""The package, deployed on the local cloud with the stand-ins beside it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.run import Ports, Running, running_all


@dataclass(frozen=True)
class Deployment:
    """What a story needs of a deployed stack."""

    base_url: str
    invoke_operator: Callable[[dict[str, Any]], Any]
    cloud: Cloud
    names: Mapping[str, str]  # physical names by the names of infra/resources.yaml
    apns_folder: Path
    google_folder: Path
    running: Running


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack of its own, on ports that nobody uses, without any program."""
    with running_all(tmp_path_factory.mktemp("local"), Ports.free()) as running:
        yield Deployment(
            base_url=running.base_url,
            invoke_operator=running.deployed.invoke_operator,
            cloud=running.deployed.cloud,
            names=running.deployed.names,
            apns_folder=running.stand_ins.apns_folder,
            google_folder=running.stand_ins.google_folder,
            running=running,
        )
