"""Runs all of Regulars on this machine: `make run`.

Everything lies under `.local/` and is found again by the next run. REGULARS_PORT (8000) is the port
of the API; the six ports above it are for the local cloud and the stand-ins.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from infra.package import LOCAL_STAGE, ROOT, Package, package
from infra.progress import Failed, say, step
from local.client import Client
from local.cloud import Cloud, running_cloud
from local.deploy import Deployed, deploy, stack_exists, warm
from local.front import Front, running_front
from local.pages import Web
from local.processes import free_port, refuse_taken
from local.stand_ins import StandIns, running_stand_ins
from local.stores import DemoStore, running_shops

if TYPE_CHECKING:
    from local.seed import Demo

FOLDER = ROOT / ".local"
API_PROCESSES = 3


@dataclass(frozen=True)
class Ports:
    """Where everything listens, on loopback only."""

    api: int
    cloud: int
    apns: int
    google: int
    stripe: int
    shopify: int
    woocommerce: int

    @classmethod
    def from_(cls, first: int) -> "Ports":
        """Ports in a row."""
        return cls(*range(first, first + len(fields(cls))))

    @classmethod
    def free(cls) -> "Ports":
        """Any that nobody uses."""
        return cls(*(free_port() for _ in fields(cls)))


@dataclass(frozen=True)
class Running:
    """All of Regulars, at an address."""

    front: Front
    deployed: Deployed
    stand_ins: StandIns
    shops: tuple[DemoStore, ...]
    found: bool  # the state of an earlier run

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return self.front.url


@contextmanager
def running_all(folder: Path, ports: Ports) -> Iterator[Running]:
    """The stand-ins, the cloud with the deployed package, and the front. Raises `Failed`."""
    made = package(LOCAL_STAGE)
    with ExitStack() as stack:
        with step("Starting the local cloud and the stand-ins"):
            stand_ins = stack.enter_context(
                running_stand_ins(folder, ports.apns, ports.google, ports.stripe)
            )
            shops = stack.enter_context(running_shops(ports.shopify, ports.woocommerce))
            cloud = stack.enter_context(running_cloud(folder / "cloud", ports.cloud))
        found = stack_exists(cloud)
        with step("Updating the stack" if found else "Creating the stack"):
            deployed = _deploy(cloud, made, stand_ins, ports)
        warm(deployed)
        front = stack.enter_context(running_front(deployed, ports.api))
        _warm_api(front.url)
        yield Running(front, deployed, stand_ins, shops, found)


def _warm_api(url: str) -> None:
    """Starts as many processes of the API as a page keeps busy: each takes seconds."""

    def ask() -> None:
        with suppress(OSError):  # we were ended meanwhile
            Client(url).call("GET", "/docs")

    for _ in range(API_PROCESSES):
        Thread(target=ask, daemon=True).start()


def _deploy(cloud: Cloud, made: Package, stand_ins: StandIns, ports: Ports) -> Deployed:
    parameters = {**stand_ins.parameters, "BaseUrl": f"http://localhost:{ports.api}"}
    return deploy(cloud, made, parameters, stand_ins.secrets)


def run(folder: Path, ports: Ports) -> None:
    """Starts everything, seeds it, says what to open, and waits to be ended."""
    for port in astuple(ports):
        refuse_taken(port, "needed by make run")
    with _marked(folder), running_all(folder, ports) as running:
        for line in _seeded(running, folder / "seed"):
            say(line)
        say(f"\nRegulars runs at {running.base_url}; Ctrl-C ends it.")
        try:
            while True:
                time.sleep(3600)
        finally:
            say("\nStopping; the state is kept for the next run ...")


def _seeded(running: Running, folder: Path) -> list[str]:
    from local.seed import lines_of, seed  # loads the application

    if folder.exists() and not running.found:
        say("The state of the last run was lost; the demo is made anew.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with step("Finding the demo again" if running.found else "Making the demo"):
        demo = seed(running.base_url, running.deployed.invoke_operator, folder)
    mount_pages(running, demo)
    return lines_of(demo)


def mount_pages(running: Running, demo: "Demo") -> None:
    """Puts the demo's pages beside the API; Stripe and the connected stores tell the demo."""
    from local.previews import LookPreview
    from local.shop import DemoShop
    from local.store_pages import StorePages

    webhooks = f"{demo.base_url}/v1/webhooks/stripe/{demo.program_id}"
    running.stand_ins.send_payments_to(webhooks)
    running.front.mount("/web", Web())
    running.front.mount("/shop", DemoShop(demo, running.stand_ins))
    running.front.mount("/store", StorePages(demo, running.shops))
    running.front.mount("/looks", LookPreview(running.stand_ins))


@contextmanager
def _marked(folder: Path) -> Iterator[None]:
    """Says where the last run was killed: the cloud writes its state only at a clean stop."""
    marker = folder / "running"
    if marker.exists():
        say("The last run was not ended cleanly: what it changed is lost.")
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    try:
        yield
    finally:
        marker.unlink()


def main() -> None:
    """The command line."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        run(FOLDER, Ports.from_(int(os.environ.get("REGULARS_PORT", "8000"))))
    except Failed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        say("Stopped.")


if __name__ == "__main__":
    main()
