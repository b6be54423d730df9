"""The pages in a real browser: the till, the card, and the form to join."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from app import app
from chalicelib.adapters.memory.store import memory_store
from chalicelib.kernel.clock import SECOND, SystemClock
from local.certificates import Certificates
from tests.e2e.browser import Browser, running_browser
from tests.fakes.shop import ROOT, Shop, invoke

EXTRA = """
join: {ask: [given_name, email]}
till:
  buttons:
    - {id: coffee, label: Coffee, unit_price: 350, categories: [drinks]}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def shop(certificates: Certificates) -> Iterator[Shop]:
    """A shop whose application answers over HTTP, one call at a time."""
    shop = Shop(memory_store(), apple=json.dumps(certificates.apple))
    shop.clock.at = SystemClock().now()
    document = (ROOT / "programs" / "coffee_stamps.yaml").read_text() + EXTRA
    headers = {"content-type": "application/yaml"}
    assert shop.call("POST", "/v1/programs", document, headers=headers).status == 201

    class Handler(BaseHTTPRequestHandler):
        timeout = 2  # a browser also opens connections that it does not use

        def _answer(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            sent = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(url.query))
            if url.path == "/favicon.ico":
                self.send_error(404)
                return
            shop.clock.at = max(shop.clock.at, SystemClock().now())  # as the browser's
            reply = invoke(app, self.command, url.path, body, sent, query)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.raw)))
            self.end_headers()
            self.wfile.write(reply.raw)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        shop.runtime.base_url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield shop
        server.shutdown()
        thread.join()


def test_the_till_sells_redeems_and_undoes(shop: Shop, browser: Browser, tmp_path: Path) -> None:
    ada = shop.enrol(given_name="Ada")
    made = shop.call("POST", "/v1/keys", {"kind": "staff", "name": "Grace"})
    browser.open(f"{shop.runtime.base_url}/till")
    browser.type("#key", "tk_test_wrong")
    browser.click("#sign-in button")
    browser.see("#said", "key")
    browser.type("#key", made.json["secret"])
    browser.click("#sign-in button")
    browser.until(lambda: not browser.run("return document.querySelector('#work').hidden"), "no")
    browser.type("#code", ada)
    browser.click("#find button")
    browser.see("#name", "Ada")
    browser.run("const sell = document.querySelector('#sell button'); sell.click(); sell.click()")
    browser.see("#said", "+1")  # two quick taps are one coffee
    for count in range(2, 9):
        browser.click("#sell button")
        browser.see("#balances", f"{count} / 8")
        browser.see("#said", "+1")
    browser.see("#rewards", "A free drink")
    browser.click("#rewards button")
    browser.see("#balances", "0 / 8")
    browser.see("#said", "A free drink")
    browser.click("#undo")
    browser.see("#balances", "8 / 8")
    browser.type("#sum", "4,505")
    browser.click("#amount button")
    browser.see("#said", "no amount")
    browser.run("document.querySelector('#sum').value = '4,50'")
    browser.click("#amount button")
    browser.see("#said", "nothing earned")
    browser.click("#undo")
    browser.see("#said", "Undone")
    browser.screenshot(tmp_path / "till.png")
    rows = shop.call("GET", "/v1/audit_log").json["data"]
    assert sum(one["key_name"] == "Grace" for one in rows) == 12
    assert browser.run("return document.cookie") == ""


def test_the_till_writes_money_as_money_and_says_it_in_sight(shop: Shop, browser: Browser) -> None:
    assert shop.publish("cashback").status == 201
    ada = shop.enrol(given_name="Ada")
    adjusted = {"currency": "credit", "amount": 123456, "reason": "welcome"}
    headers = {"idempotency-key": "a"}
    path = f"/v1/members/{ada}/adjustments"
    assert shop.call("POST", path, adjusted, headers=headers).status == 201
    made = shop.call("POST", "/v1/keys", {"kind": "staff", "name": "Grace"})
    browser.open(f"{shop.runtime.base_url}/till")
    browser.run("sessionStorage.clear()")
    browser.open(f"{shop.runtime.base_url}/till")
    browser.type("#key", made.json["secret"])
    browser.click("#sign-in button")
    browser.until(lambda: not browser.run("return document.querySelector('#work').hidden"), "no")
    browser.type("#code", ada)
    browser.click("#find button")
    browser.see("#balances", "1,234.56")
    browser.type("#sum", "20")
    browser.click("#amount button")
    browser.see("#said", "+\u20ac1.00 Credit")
    browser.run("scrollTo(0, document.body.scrollHeight)")
    assert browser.run("return document.querySelector('#said').getBoundingClientRect().top") >= 0


def test_who_joins_sees_his_card(shop: Shop, browser: Browser, tmp_path: Path) -> None:
    browser.open(f"{shop.runtime.base_url}/join/{shop.program_id}")
    browser.type("[name=given_name]", "Mary")
    shop.clock.at += 3 * SECOND
    browser.click("button")
    browser.until(lambda: "/p/" in str(browser.run("return location.pathname")), "no card")
    assert "Mary" in browser.run("return document.querySelector('svg').textContent")
    assert browser.run("return document.querySelectorAll('svg[role=img]').length") == 2
    assert browser.run("return document.querySelector('a.wallet').href").endswith("/apple")
    browser.screenshot(tmp_path / "card.png")
    browser.open(f"{shop.runtime.base_url}/join/{shop.program_id}/poster")
    assert "Join Corner Coffee" in browser.text("h1")
