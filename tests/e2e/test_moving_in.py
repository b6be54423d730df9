"""A shop moves in and takes everything away again, on the deployed stack."""

import gzip
import json
import time
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from infra.package import ROOT
from local.client import Client
from tests.e2e.conftest import Deployment

WITHIN_SECONDS = 60
NUDGED_SECONDS = 15  # a worker that the emulator lost would come again after minutes
MEMBERS = b"""external_id,email,joined_at,balances.points
c-1,ada@example.com,2020-05-01T10:00:00Z,120
c-2,ben@example.com,2021-05-01T10:00:00Z,
c-3,nobody,2021-05-01T10:00:00Z,
"""


@pytest.fixture(scope="module")
def shop(deployment: Deployment) -> Client:
    made = deployment.invoke_operator(
        {"action": "create_program", "name": "Moved in", "mode": "test"}
    )
    shop = Client(deployment.base_url, made["secret_key"])
    document = (ROOT / "programs" / "points.yaml").read_bytes()
    shop.do("POST", "/v1/programs", document, Content_Type="application/yaml")
    return shop


def fetch(url: str, content: bytes | None = None) -> bytes:
    """A signed address, asked by whoever has it: without a key of ours."""
    method = "GET" if content is None else "PUT"
    with urllib.request.urlopen(urllib.request.Request(url, content, method=method)) as answer:
        found: bytes = answer.read()
    return found


def until(ask: Callable[[], Any], nudge: Callable[[], Any]) -> Any:
    """What is done at last; asked for once more where it takes long."""
    began = time.monotonic()
    nudged = 1
    while (found := ask())["status"] != "done":
        waited = time.monotonic() - began
        assert waited < WITHIN_SECONDS, found
        if waited > nudged * NUDGED_SECONDS:
            nudge()
            nudged += 1
        time.sleep(0.2)
    return found


def bring(shop: Client, content: bytes, **wish: Any) -> Any:
    made = shop.do("POST", "/v1/imports", wish)
    fetch(made["upload_url"], content)
    path = f"/v1/imports/{made['id']}"

    def start() -> None:
        shop.do("POST", f"{path}/start")

    start()
    return until(lambda: shop.do("GET", path), start)


def order(number: int, placed_at: str) -> dict[str, Any]:
    line = {"id": "1", "quantity": 1, "unit_price": 1000}
    return {
        "source": "old-shop",
        "id": f"o-{number}",
        "currency": "EUR",
        "placed_at": placed_at,
        "lines": [line],
        "member": {"external_id": "c-1"},
    }


def test_members_and_their_history_come_and_everything_goes_as_files(
    deployment: Deployment, shop: Client
) -> None:
    members = bring(shop, MEMBERS, kind="members", format="csv")
    assert (members["created"], members["refused"]) == (2, 1)
    rows = [order(number, f"2022-0{number}-01T00:00:00Z") for number in (3, 1, 2)]
    history = "\n".join(map(json.dumps, rows)).encode()
    orders = bring(shop, history, kind="orders", format="ndjson")
    assert orders["created"] == 3
    [ada] = shop.do("GET", "/v1/members?external_id=c-1")["data"]
    account = shop.do("GET", f"/v1/members/{ada['id']}/account")
    assert account["balances"]["points"]["available"] == 150

    def export() -> Any:
        return shop.do("POST", "/v1/exports", {}, Idempotency_Key="all")

    made = export()
    found = until(lambda: shop.do("GET", f"/v1/exports/{made['id']}"), export)
    manifest = json.loads(fetch(found["manifest_url"]))
    assert manifest["rows"] == {"members": 2, "entries": 6, "events": 6, "heads": 2}
    for one in found["files"]:
        content = fetch(one["url"])
        assert sha256(content).hexdigest() == one["sha256"]
        assert len(gzip.decompress(content).splitlines()) == one["rows"]

    logs = deployment.cloud.client("logs")
    said = logs.filter_log_events(logGroupName=deployment.names["OnJobsLogs"])["events"]
    assert said
    assert not [one for one in said if "one by one" in one["message"]], "the role may write batches"

    bucket = deployment.names["Files"]
    s3 = deployment.cloud.client("s3")
    left = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    assert left
    assert all(name.startswith("exports/") for name in left), "nobody needs the uploads again"
