"""The demo shop and the preview of looks in a real browser, on the deployed package."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.wiring import LOOKS
from local.pages import Web
from local.previews import LookPreview
from local.run import mount_pages
from local.seed import Demo, seed
from tests.e2e.browser import Browser, running_browser
from tests.e2e.conftest import Deployment


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def demo(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    running = deployment.running
    demo = seed(running.base_url, running.deployed.invoke_operator, tmp_path_factory.mktemp("s"))
    mount_pages(running, demo)
    return demo


def test_the_passes_in_the_demo_shop_change_by_themselves(
    deployment: Deployment, demo: Demo, browser: Browser, tmp_path: Path
) -> None:
    browser.open(f"{demo.base_url}/shop")
    browser.see("#apple .headerFields", "6 / 8")
    browser.see("#google .values", "6 / 8")
    for count in (7, 8):
        browser.click("#buy")
        browser.see("#apple .headerFields", f"{count} / 8")
        browser.see("#google .values", f"{count} / 8")
        browser.see("#lock-screen", f"Stamps: {count} / 8")
    browser.screenshot(tmp_path / "shop.png")
    browser.click("#redeem")
    browser.see("#apple .headerFields", "0 / 8")
    browser.see("#google .values", "0 / 8")
    browser.click("#refund")
    browser.see("#apple .headerFields", "-1 / 8")
    assert browser.text("#trouble") == ""
    log = browser.text("#log")
    # Two workers at once may both push a change: the phone then hears that nothing is new.
    token = browser.run("return localStorage.getItem('token')")
    pushed = (deployment.apns_folder / "pushes.jsonl").read_text().splitlines()
    assert [json.loads(one)["token"] for one in pushed].count(token) >= 4
    assert log.count("GET passes/{pass} → 200") == 4
    assert "GET registrations?passesUpdatedSince → 200" in log


def test_what_is_taken_out_of_a_wallet_is_counted_and_hears_nothing_more(
    demo: Demo, browser: Browser
) -> None:
    browser.open(f"{demo.base_url}/shop")
    browser.see("#google-wallet", "Remove")
    browser.see("#apple-wallet", "Remove")
    browser.click("#apple-wallet")
    browser.see("#apple-wallet", "Add")
    browser.see("#log", "DELETE registrations/{pass} → 200")
    browser.click("#google-wallet")
    browser.see("#google-wallet", "Add")
    browser.click("#buy")
    browser.see("#log", "POST /v1/orders → 201")
    browser.click("#apple-wallet")
    browser.see("#apple .headerFields", "0 / 8")
    assert browser.text("#trouble") == ""
    assert "push from Apple's service" not in browser.text("#log")


def test_a_designer_sees_what_he_saves_and_what_is_wrong_with_it(
    deployment: Deployment, browser: Browser, tmp_path: Path
) -> None:
    folder = tmp_path / "passes"
    shutil.copytree(LOOKS, folder)
    front = deployment.running.front
    front.mount("/web", Web())
    front.mount("/looks", LookPreview(deployment.running.stand_ins, folder))
    browser.open(f"{front.url}/looks")
    browser.see("#apple .headerFields", "3 / 8")
    browser.see("#google .values", "3 / 8")
    loaded = "return document.querySelector('#google .hero')?.naturalWidth > 0"
    browser.until(lambda: bool(browser.run(loaded)), "Google's picture of the stamps is not there")
    browser.see("#picture", "Ada Lovelace")
    browser.run(
        "document.querySelector('[name=language]').value = 'de';"
        "document.querySelector('#sample').dispatchEvent(new Event('input'))"
    )
    browser.see("#apple .secondaryFields", "MITGLIED")
    template = folder / "classic" / "apple" / "pass.json"
    was = template.read_text()
    template.write_text(was.replace("rgb(31, 64, 55)", "rgb(120, 20, 20)"))
    browser.until(
        lambda: (
            "120, 20, 20"
            in str(
                browser.run(
                    "return getComputedStyle(document.querySelector('#apple')).backgroundColor"
                )
            )
        ),
        "the new colour was never shown",
    )
    template.write_text(was.replace("rgb(31, 64, 55)", "green"))
    browser.see("#problems", "backgroundColor is no colour like rgb(31, 64, 55)")
    template.write_text(was.replace("{first.shown}", "{first.shwon}"))
    browser.see("#problems", "{first.shwon} stands for nothing")
    template.write_text("{")
    browser.see("#problems", "is not JSON")
    template.write_text(was)
    browser.until(lambda: browser.text("#problems") == "", "it is still wrong")


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"Host": "evil.example"}),
        ("POST", {"Content-Type": "text/plain"}),
    ],
)
def test_no_other_site_uses_the_pages_of_this_machine(
    demo: Demo, method: str, headers: dict[str, str]
) -> None:
    from local.client import Client

    body = b'{"member": "mem_1"}' if method == "POST" else None
    reply = Client(demo.base_url).call(method, "/shop/buy", body, headers)
    assert reply.status == 403


def test_a_person_becomes_a_paying_member_and_the_pass_says_so(
    demo: Demo, browser: Browser, tmp_path: Path
) -> None:
    browser.open(f"{demo.base_url}/shop")
    browser.see("#club", "Join the Coffee Club")
    browser.see("#google-wallet", "Remove")
    browser.click("#club")
    browser.until(lambda: "/pay/" in str(browser.run("return location.pathname")), "no page to pay")
    browser.screenshot(tmp_path / "pay.png")
    browser.click("[value=pay]")
    browser.see("#club", "Leave the Coffee Club")
    browser.see("#apple .secondaryFields", "Coffee Club")
    browser.see("#plan", "active")
    before = int(browser.text("#balances").split()[0])
    browser.click("#buy")
    browser.see("#balances", f"{before + 2} stamps")  # double stamps
    browser.screenshot(tmp_path / "club.png")
    browser.click("#club")
    browser.see("#log", "9.00 EUR back: no benefit was used in this period")
    browser.see("#club", "Join the Coffee Club")
    browser.until(
        lambda: "Coffee Club" not in browser.text("#apple .secondaryFields"), "the pass has it"
    )
    assert browser.text("#trouble") == ""
