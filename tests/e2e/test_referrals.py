"""A friend joins by a member's link in a real browser, buys, and both have what was promised."""

import time
from collections.abc import Iterator

import pytest

from local.client import Client
from local.seed import Demo, order, seed
from tests.e2e.browser import Browser, running_browser
from tests.e2e.conftest import Deployment

WITHIN_SECONDS = 60


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def demo(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("referrals")
    return seed(deployment.base_url, deployment.invoke_operator, folder)


def test_a_friend_joins_by_the_link_and_both_are_rewarded(demo: Demo, browser: Browser) -> None:
    shop = Client(demo.base_url, demo.secret_key)
    ada = f"/v1/members/{demo.member_id}"

    def stamps(path: str) -> int:
        return int(shop.do("GET", f"{path}/account")["balances"]["stamps"]["available"])

    before = stamps(ada)
    link = shop.do("GET", f"{ada}/referrals")["link"]
    browser.open(link)
    browser.until(lambda: "/join/" in str(browser.run("return location.pathname")), "no form")
    browser.type("[name=given_name]", "Frieda")
    time.sleep(3)  # nobody types a form in less
    browser.click("button")
    browser.until(lambda: "/p/" in str(browser.run("return location.pathname")), "no card")
    friend = str(browser.run("return location.pathname")).split("/p/")[1].split(".")[1]
    bought = order(friend, "frieda-1", 1)
    assert shop.call("POST", "/v1/orders", bought).status == 201
    ends = time.monotonic() + WITHIN_SECONDS
    while (stamps(ada), stamps(f"/v1/members/{friend}")) != (before + 2, 2):
        assert time.monotonic() < ends, "the reward did not come"
        time.sleep(0.2)
    told = shop.do("GET", f"{ada}/referrals")
    assert told["friends"]["rewarded"] == 1
    assert told["earned"] == {"stamps": 2}
