"""The pages that people open: the card's, the one to join, the poster."""

import html
import json
import re
import shutil
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlencode

import pytest

from chalicelib.adapters.look_book import FolderOfLooks
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Unavailable
from chalicelib.kernel.clock import HOUR, SECOND
from chalicelib.wiring import LOOKS
from local.certificates import Certificates
from tests.fakes.shop import ROOT, Reply, Shop, drink

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X)"
ANDROID = "Mozilla/5.0 (Linux; Android 16; Pixel 10)"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64)"

JOIN = """
languages: [de]
terms: [{version: "1", since: "2026-01-01", url: "https://shop.example/terms"}]
privacy: [{version: "7", since: "2026-01-01", url: "https://shop.example/privacy"}]
join:
  ask: [given_name, email, birthday]
  consents:
    - {purpose: marketing.email, version: "3", text: {en: "Send <me> news.", de: "Post, bitte."}}
"""


@pytest.fixture
def shop(certificates: Certificates) -> Shop:
    shop = Shop(memory_store(), apple=json.dumps(certificates.apple))
    shop.runtime.google = object()  # type: ignore[assignment]
    document = (ROOT / "programs" / "coffee_stamps.yaml").read_text() + JOIN
    headers = {"content-type": "application/yaml"}
    reply = shop.call("POST", "/v1/programs", document, headers=headers)
    assert reply.status == 201, reply.raw
    return shop


def card_page(shop: Shop, member_id: str, device: str) -> str:
    link = shop.call("GET", f"/v1/members/{member_id}/passes").json["page"]
    path = link.removeprefix("https://shop.test")
    reply = shop.call("GET", path, key=None, headers={"user-agent": device})
    assert reply.status == 200, reply.raw
    return reply.raw.decode()


def test_each_device_is_offered_what_it_has(shop: Shop) -> None:
    ada = shop.enrol(given_name="Ada", locale="de")
    iphone, android, desktop = (card_page(shop, ada, one) for one in (IPHONE, ANDROID, DESKTOP))
    assert "Zu Apple Wallet hinzufügen" in iphone and "Google" not in iphone
    assert "Zu Google Wallet hinzufügen" in android and "Apple" not in android
    assert "Apple Wallet" in desktop and "Google Wallet" in desktop
    for text, scan in ((iphone, 0), (android, 0), (desktop, 1)):
        assert text.count("Mit dem Handy scannen") == 2 * scan  # on the page, and spoken
        assert '<html lang="de" dir="ltr">' in text and "<script" not in text
        assert "Ada" in text and "Ada" not in re.findall(r'href="([^"]*)"', text)


def test_the_official_button_takes_the_place_of_the_plain_one(shop: Shop, tmp_path: Path) -> None:
    ada = shop.enrol(given_name="Ada", locale="de")
    shutil.copytree(LOOKS, tmp_path / "passes")
    buttons = tmp_path / "passes" / "buttons"
    buttons.mkdir()
    for name in ("apple", "apple.de"):
        (buttons / f"{name}.svg").write_text(f"<svg>{name}</svg>")
    shop.runtime.looks = FolderOfLooks(tmp_path / "passes")  # type: ignore[misc]
    page = card_page(shop, ada, DESKTOP)
    drawn = b64encode(b"<svg>apple.de</svg>").decode()
    assert f'<img src="data:image/svg+xml;base64,{drawn}" alt="Zu Apple Wallet' in page
    assert '/google">Zu Google Wallet hinzuf' in page  # a plain one
    assert page.count('class="official"') == 1


def test_a_void_card_says_so(shop: Shop) -> None:
    ada, double = shop.enrol(), shop.enrol()
    link = shop.call("GET", f"/v1/members/{double}/passes").json["page"]
    shop.call("POST", f"/v1/members/{ada}/merge", {"member_id": double})
    text = shop.call("GET", link.removeprefix("https://shop.test"), key=None).raw.decode()
    assert "no longer valid" in text and "Add to" not in text


def form(shop: Shop, **headers: str) -> tuple[Reply, str]:
    reply = shop.call("GET", f"/join/{shop.program_id}", key=None, headers=headers)
    token = re.search(r'name="token" value="([^"]+)"', reply.raw.decode())
    assert token, reply.raw
    return reply, html.unescape(token[1])


def send(shop: Shop, token: str, **fields: str) -> Reply:
    shop.clock.at += 3 * SECOND
    body = urlencode({"token": token, "terms": "yes", **fields})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return shop.call("POST", f"/join/{shop.program_id}", body, key=None, headers=headers)


def member_of(shop: Shop, reply: Reply) -> dict[str, object]:
    assert reply.status == 303, reply.raw
    member_id = reply.headers["location"].split(".")[-2]
    return dict(shop.call("GET", f"/v1/members/{member_id}").json)


def test_the_form_speaks_the_visitors_language_and_leads_to_the_card(shop: Shop) -> None:
    reply, token = form(shop, **{"accept-language": "fr;q=0.5, de-AT, en;q=0.9"})
    text = reply.raw.decode()
    for part in ('lang="de"', "Meine Karte holen", "Post, bitte.", "https://shop.example/terms"):
        assert part in text, part
    assert "Send &lt;me&gt; news." in form(shop)[0].raw.decode()
    answer = send(shop, token, given_name=" Ada ", email="ada@x.example", consent_0="yes")
    member = member_of(shop, answer)
    assert (member["given_name"], member["email"]) == ("Ada", "ada@x.example")
    assert member["terms_version"] == "1" and member["privacy_version"] == "7"
    path = answer.headers["location"].removeprefix("https://shop.test")
    page = shop.call("GET", path, key=None, headers={"user-agent": IPHONE})
    assert page.status == 200 and "Ada" in page.raw.decode()
    again = send(shop, token, given_name=" Ada ", email="ada@x.example", consent_0="yes")
    assert again.headers["location"] == answer.headers["location"]


def test_a_known_address_is_neither_told_nor_opened(shop: Shop) -> None:
    ada = shop.enrol(email="ada@x.example", given_name="Ada")
    shop.order(ada, "1", drink(5))
    _, token = form(shop)
    answer = send(shop, token, given_name="Eve", email="ada@x.example")
    member = member_of(shop, answer)
    assert member["id"] != ada and member["email"] is None
    assert send(shop, token, given_name="Eve", email="ada@x.example").headers == answer.headers


@pytest.mark.parametrize(
    "fields",
    [
        {"website": "https://spam.example"},
        {"terms": ""},
        {"email": "not an address"},
        {"birthday": "tomorrow"},
        {"given_name": "x" * 200},
        {"token": "1.form_x.AAAA"},
        {"token": ""},
        {"token": "x.y.z"},
    ],
)
def test_a_wrong_form_comes_back(shop: Shop, fields: dict[str, str]) -> None:
    _, token = form(shop)
    reply = send(shop, fields.pop("token", token), **fields)
    assert reply.status == 422
    assert "check the form" in reply.raw.decode()


def test_a_wrong_form_keeps_what_was_filled_in(shop: Shop) -> None:
    _, token = form(shop)
    given = {"given_name": 'A"da<', "email": "not an address", "consent_0": "yes"}
    text = send(shop, token, **given).raw.decode()
    assert 'value="A&quot;da&lt;"' in text and 'value="not an address"' in text
    assert re.search(r'name="consent_0" value="yes" checked', text)
    assert re.search(r'name="terms" value="yes" required checked', text)
    assert "checked" not in form(shop)[0].raw.decode()


def test_a_language_that_is_read_from_the_right_is_laid_out_so(shop: Shop) -> None:
    document = shop.call("GET", "/v1/programs/1").json["document"]
    consents = document["join"]["consents"]
    consents[0]["text"]["ar"] = "\u0623\u062e\u0628\u0627\u0631"
    more = {**document, "languages": ["de", "ar"]}
    assert shop.call("POST", "/v1/programs", more).status == 201
    right = card_page(shop, shop.enrol(locale="ar"), IPHONE)
    assert 'lang="ar" dir="rtl"' in right
    assert 'direction="ltr"' in right  # the card itself stays as phones draw it
    assert 'dir="ltr"' in card_page(shop, shop.enrol(locale="de"), IPHONE)
    assert right.count("<h1") == 1


def test_a_form_that_was_filled_in_too_fast_or_too_late_is_no_persons(shop: Shop) -> None:
    _, token = form(shop)
    shop.clock.at -= 2 * SECOND
    assert send(shop, token).status == 422
    shop.clock.at += 7 * HOUR
    assert send(shop, token).status == 422


def test_a_program_without_the_part_has_no_page(certificates: Certificates) -> None:
    shop = Shop(memory_store())
    shop.publish("coffee_stamps")
    for path in (f"/join/{shop.program_id}", f"/join/{shop.program_id}/poster", "/join/prg_x"):
        assert shop.call("GET", path, key=None).status == 404


def test_robots_are_stopped_by_the_minute(shop: Shop) -> None:
    path = f"/join/{shop.program_id}"
    answers = [shop.call("GET", path, key=None).status for _ in range(61)]
    assert (answers[0], answers[-1]) == (200, 429)


def test_people_are_told_in_words_that_a_link_opens_nothing(shop: Shop) -> None:
    for path in ("/p/prg.mem.x", "/p/prg.mem.x/apple", "/p/prg.mem.x/google", "/join/prg_x"):
        reply = shop.call("GET", path, key=None, headers={"accept-language": "xx, de-AT, en"})
        assert (reply.status, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "öffnet nichts mehr" in reply.raw.decode() and 'lang="de"' in reply.raw.decode()
        assert reply.headers["x-robots-tag"] == "noindex"
    english = shop.call("GET", "/p/x", key=None, headers={"accept-language": "en, de"})
    assert "opens nothing" in english.raw.decode()


def test_who_cannot_save_now_is_asked_to_try_again(shop: Shop) -> None:
    class Down:
        def put(self, card: object, **_: object) -> None:  # noqa: ARG002
            raise Unavailable("no network")

    shop.runtime.google = Down()  # type: ignore[assignment]
    link = shop.call("GET", f"/v1/members/{shop.enrol()}/passes").json["google"]
    reply = shop.call("GET", link.removeprefix("https://shop.test"), key=None)
    assert reply.status == 503 and "try again" in reply.raw.decode()


def test_the_poster_has_the_code_of_the_form(shop: Shop) -> None:
    reply = shop.call("GET", f"/join/{shop.program_id}/poster", key=None)
    text = reply.raw.decode()
    assert "Join Corner Coffee" in text and "<path" in text
    assert reply.headers["x-robots-tag"] == "noindex"
