"""The proof of a whole ledger, read from its table."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from chalicelib.adapters.aws import make_client
from chalicelib.services import accounts
from infra.verify import verify
from local.cloud import REGION
from tests.fakes.plugin import store_on
from tests.fakes.shop import Shop, goods


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        yield make_client("dynamodb", REGION)


@pytest.fixture
def members(client: Any) -> list[str]:
    """Two members of five entries each."""
    shop = Shop(store_on(client))
    shop.publish("points")
    names = []
    for _ in range(2):
        member_id = shop.enrol()
        for order in range(4):
            shop.order(member_id, f"{member_id}-{order}", goods(1000))
        names.append(f"{shop.program_id}#{member_id}")
    return names


def key(name: str, version: int) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"S": f"{version:012d}"}}


def test_a_sound_ledger_is_right(
    client: Any, members: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(client, "Ledger")
    assert capsys.readouterr().out.endswith("2 logs, 10 entries: all right\n")
    assert verify(client, "Ledger", members[0])
    assert capsys.readouterr().out.endswith("1 logs, 5 entries: all right\n")


@pytest.mark.parametrize("at_once", [1, 2, 1000])
@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("how", ["removed", "changed"])
def test_what_was_tampered_with_is_found(
    client: Any,
    members: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    at_once: int,
    how: str,
) -> None:
    monkeypatch.setattr(accounts, "PROVED_AT_ONCE", at_once)
    place = key(members[1], version)
    if how == "removed":
        client.delete_item(TableName="Ledger", Key=place)
    else:
        item = client.get_item(TableName="Ledger", Key=place)["Item"]
        client.put_item(TableName="Ledger", Item={**item, "body": {"B": item["body"]["B"] + b" "}})
    assert not verify(client, "Ledger")
    assert f"{members[1]}: entry {version + 1}: " in capsys.readouterr().out


def test_a_log_that_is_not_there_is_no_proof(client: Any, members: list[str]) -> None:
    assert not verify(client, "Ledger", "prg_x#mem_y")
