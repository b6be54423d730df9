"""From an accepted order to the phone's second fetch, through the deployed local cloud.

Everything is there as on AWS but the network: API, stream, router, queue, worker, Apple's push
service (a stand-in), and a phone that asks what changed and fetches the pass. The engine is an
emulator on this machine, so these are figures of our own work and of its polling, not of AWS.
"""

import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra.package import ROOT
from infra.progress import Failed
from local.client import Client
from local.demo import Phone
from local.run import Ports, Running, running_all
from local.seed import PROGRAM, order

ORDERS = 60  # one at a time, and then all at once; as many as one address may open links a minute
AT_ONCE = 4  # tills, and as many phones


@dataclass(frozen=True)
class _Taken:
    """Seconds after the order was accepted."""

    pushed: float
    fetched: float


@dataclass(frozen=True)
class _Customer:
    """A member, and the phone in his hand."""

    member_id: str
    phone: Phone


def run() -> list[str]:
    """The lines to show."""
    if not (ROOT / ".venv-cloud" / "bin" / "ministack").exists():
        return ["from an order to the second fetch: not measured, .venv-cloud is not here"]
    with (
        tempfile.TemporaryDirectory() as folder,
        running_all(Path(folder), Ports.free()) as running,
    ):
        shop = _shop(running)
        pushes = running.stand_ins.apns_folder / "pushes.jsonl"
        customers = [_customer(shop, pushes) for _ in range(ORDERS)]
        with ThreadPoolExecutor(AT_ONCE) as tills:
            buy = partial(_buy, shop)
            list(tills.map(partial(_start, buy), customers[: 2 * AT_ONCE]))
            one_by_one = [buy(one) for one in customers]
            at_once = list(tills.map(buy, customers))
    return [_line("one at a time", one_by_one), _line(f"{AT_ONCE} at a time", at_once)]


def _shop(running: Running) -> Client:
    event = {"action": "create_program", "name": "Corner Coffee", "mode": "test"}
    made = running.deployed.invoke_operator(event)
    shop = Client(running.base_url, made["secret_key"])
    shop.do("POST", "/v1/programs", PROGRAM.read_bytes(), Content_Type="application/yaml")
    return shop


def _customer(shop: Client, pushes: Path) -> _Customer:
    name = secrets.token_hex(6)
    member_id = shop.do("POST", "/v1/members", {"external_id": name})["id"]
    phone = Phone(shop, pushes)
    phone.add(shop.do("GET", f"/v1/members/{member_id}/passes")["apple"])
    return _Customer(member_id, phone)


def _start(buy: Callable[[_Customer], _Taken], customer: _Customer) -> None:
    """As many processes of each function as will be needed: how long that takes is not ours."""
    with suppress(Failed):
        buy(customer)


def _buy(shop: Client, customer: _Customer) -> _Taken:
    """An order, the push that it causes, and the two calls of the phone."""
    phone = customer.phone
    already = len(phone.received())
    shop.do("POST", "/v1/orders", order(customer.member_id, secrets.token_hex(6), 1))
    accepted = time.time()
    phone.wait_for_push(already)
    phone.update()
    return _Taken(phone.received()[already]["at"] - accepted, time.time() - accepted)


def _line(title: str, taken: Sequence[_Taken]) -> str:
    fetched, pushed = ([getattr(one, name) for one in taken] for name in ("fetched", "pushed"))
    return (
        f"from an accepted order to the phone's second fetch, {title}: p50 {_ms(fetched, 50)} ms, "
        f"p99 {_ms(fetched, 99)} ms; of these to the push p50 {_ms(pushed, 50)} ms, "
        f"p99 {_ms(pushed, 99)} ms; {len(taken)} orders on the local cloud"
    )


def _ms(seconds: Sequence[float], percent: int) -> str:
    return f"{statistics.quantiles(seconds, n=100, method='inclusive')[percent - 1] * 1000:.0f}"
