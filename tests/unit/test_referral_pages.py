"""What members see of their code: on the page of the card, in both wallets, and on the form."""

import io
import json
import re
import zipfile
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.kernel.clock import SECOND
from local.certificates import Certificates
from tests.fakes.referrals import advocate, program
from tests.fakes.rules import publish
from tests.fakes.shop import Shop


@pytest.fixture
def shop(certificates: Certificates) -> Shop:
    shop = Shop(memory_store(), apple=json.dumps(certificates.apple))
    publish(shop, program())
    return shop


def page(shop: Shop, member: str) -> str:
    link = shop.call("GET", f"/v1/members/{member}/passes").json["page"]
    return link.removeprefix("https://shop.test")  # type: ignore[no-any-return]


def back_fields(shop: Shop, member: str) -> dict[str, Any]:
    reply = shop.call("GET", f"{page(shop, member)}/apple", key=None)
    assert reply.status == 200, reply.raw
    with zipfile.ZipFile(io.BytesIO(reply.raw)) as archive:
        shown = json.loads(archive.read("pass.json"))
    return {one["key"]: one["value"] for one in shown["storeCard"]["backFields"]}


def test_the_card_page_has_a_link_for_friends(shop: Shop) -> None:
    ada = shop.enrol(given_name="Ada", locale="en")
    found = advocate(shop, ada)
    html = shop.call("GET", page(shop, ada), key=None).raw.decode()
    assert f'<a href="{found["link"]}">Invite friends with your code {found["code"]}</a>' in html


def test_the_apple_pass_has_code_and_link_on_its_back(shop: Shop) -> None:
    ada = shop.enrol()
    found = advocate(shop, ada)
    fields = back_fields(shop, ada)
    assert (fields["referral"], fields["referral_link"]) == (found["code"], found["link"])


def test_a_program_without_referrals_shows_neither(shop: Shop) -> None:
    without = program()
    del without["referrals"]
    publish(shop, without)
    ada = shop.enrol()
    assert "referral" not in back_fields(shop, ada)
    assert "/r/" not in shop.call("GET", page(shop, ada), key=None).raw.decode()


def test_the_code_is_kept_when_the_form_must_be_sent_again(shop: Shop) -> None:
    path = f"/join/{shop.program_id}"
    form = shop.call("GET", path, key=None, query={"code": "ABCD2345"}).raw.decode()
    hidden = dict(re.findall(r'type="hidden" name="([a-z_]+)" value="([^"]*)"', form))
    assert hidden["referral_code"] == "ABCD2345"
    shop.clock.at += 3 * SECOND
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({**hidden, "email": "x"})
    again = shop.call("POST", path, body, key=None, headers=headers)
    assert again.status == 422
    assert 'name="referral_code" value="ABCD2345"' in again.raw.decode()
