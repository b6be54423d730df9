"""The guides are kept in step: their examples are published, and run."""

import base64
import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from chalicelib.adapters.memory.store import memory_store
from chalicelib.kernel.clock import SECOND, SystemClock
from chalicelib.kernel.signatures import sign
from tests.fakes.shop import ROOT, Shop

GUIDES = ("programs", "memberships", "referrals")


def _merged(blocks: list[Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for block in blocks:
        for part, value in block.items():
            if part == "if":
                whole["earn"].append(
                    {"id": "odd", "kind": "per_order", "currency": "points", "if": value}
                )
            elif isinstance(value, list) and part in whole:
                whole[part] += [one for one in value if one not in whole[part]]
            elif isinstance(value, dict) and part in whole:
                whole[part] |= value
            else:
                whole[part] = value
    return whole


def test_the_examples_of_the_guide_make_a_program() -> None:
    text = "".join((ROOT / "docs" / f"{name}.md").read_text() for name in GUIDES)
    blocks = [yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert len(blocks) >= 10
    shop = Shop(memory_store())
    reply = shop.call("POST", "/v1/programs", _merged(blocks))
    assert reply.status == 201, reply.json
    for name in re.findall(r"`(programs/[a-z_/.]+)`", text):
        assert (ROOT / name).exists(), name


@pytest.fixture
def signed() -> tuple[str, dict[str, str], bytes]:
    """A secret, and a message that it has just signed, with the mark of another beside it."""
    secret, other = ("whsec_" + base64.b64encode(one * 32).decode() for one in (b"a", b"b"))
    now, body = SystemClock().now(), '{"type":"order.recorded","é":1}'.encode()
    marks = [sign(one, "mem_1.2", now, body) for one in (other, secret)]
    headers = {
        "webhook-id": "mem_1.2",
        "webhook-timestamp": str(now // SECOND),
        "webhook-signature": " ".join(marks),
    }
    return secret, headers, body


def _changed(headers: dict[str, str]) -> list[dict[str, str]]:
    return [
        {**headers, "webhook-id": "mem_1.3"},
        {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)},
        {**headers, "webhook-signature": headers["webhook-signature"].split(" ")[0]},
        {**headers, "webhook-signature": ""},
    ]


def _example(language: str) -> str:
    text = (ROOT / "docs" / "webhooks.md").read_text()
    [code] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(code)


def test_the_python_example_verifies_what_we_send(
    signed: tuple[str, dict[str, str], bytes],
) -> None:
    secret, headers, body = signed
    names: dict[str, Any] = {}
    exec(_example("python"), names)
    assert names["verify"](secret, headers, body) is True
    assert names["verify"](secret, headers, body + b" ") is False
    for one in _changed(headers):
        assert names["verify"](secret, one, body) is False


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")
def test_the_node_example_verifies_what_we_send(
    signed: tuple[str, dict[str, str], bytes],
) -> None:
    secret, headers, body = signed
    cases = [(headers, body), (headers, body + b" "), *((one, body) for one in _changed(headers))]
    given = [[one, base64.b64encode(raw).decode()] for one, raw in cases]
    asks = f"""
    const given = {json.dumps(given)};
    const said = given.map(([headers, raw]) =>
      verify({json.dumps(secret)}, headers, Buffer.from(raw, "base64")));
    console.log(JSON.stringify(said));
    """
    done = subprocess.run(
        ["node", "-e", _example("javascript") + asks], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [True] + [False] * 5
