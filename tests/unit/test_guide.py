"""The guide of programs is kept in step: all that it writes makes one program that is published."""

import re
from typing import Any

import yaml

from chalicelib.adapters.memory.store import memory_store
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
