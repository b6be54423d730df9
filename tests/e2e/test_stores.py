"""Shops on Shopify and WooCommerce, connected to the deployed package: their messages come by HTTP,
what takes its time is done by the queue's worker, and every function has its own role alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.client import Client
from local.run import mount_pages
from local.seed import Demo, seed
from local.stores import DemoStore
from tests.e2e.browser import Browser, running_browser
from tests.e2e.conftest import Deployment
from tests.e2e.test_story import HOUR_HAS_COME, until


@pytest.fixture(scope="module")
def demo(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("stores")
    demo = seed(deployment.base_url, deployment.invoke_operator, folder)
    mount_pages(deployment.running, demo)
    return demo


@pytest.fixture(scope="module")
def api(demo: Demo) -> Client:
    return Client(demo.base_url, demo.secret_key)


@pytest.fixture(params=["shopify", "woocommerce"])
def shop(request: pytest.FixtureRequest, deployment: Deployment, demo: Demo) -> DemoStore:
    return shop_of(deployment, request.param)


def shop_of(deployment: Deployment, kind: str) -> DemoStore:
    return next(one for one in deployment.running.shops if one.kind == kind)


class Buyer:
    """A member who has shopped nowhere yet."""

    def __init__(self, api: Client, name: str) -> None:
        self._api = api
        self.email = f"{name}@example.com"
        self.id = api.do("POST", "/v1/members", {"email": self.email})["id"]
        self.path = f"/v1/members/{self.id}"

    def stamps(self, state: str = "available") -> int:
        balances = self._api.do("GET", f"{self.path}/account")["balances"]
        return int(balances["stamps"][state])


def tell(shop: DemoStore) -> set[str]:
    """What became of the new messages."""
    told = shop.tell()
    assert {one["status"] for one in told} == {200}
    return {one["outcome"] for one in told}


def test_an_order_counts_once_and_follows_what_becomes_of_it(shop: DemoStore, api: Client) -> None:
    buyer = Buyer(api, f"life-{shop.kind}")
    shop.buy(buyer.email, paid=False)
    tell(shop)
    assert (buyer.stamps(), buyer.stamps("pending")) == (0, 2)
    for step, stamps in (("edit", 0), ("pay", 3), ("refund", 2), ("cancel", 0)):
        shop.change(step)
        tell(shop)
        until(lambda wanted=stamps: buyer.stamps() == wanted, f"{stamps} after {step}")
    for message in shop.stand_in.messages[-5:]:
        reply = Client("").call("POST", shop.webhook_url, message.body, message.headers)
        assert (reply.status, reply.json["status"]) == (200, "repeated")
    assert (buyer.stamps(), buyer.stamps("pending")) == (0, 0)
    assert api.do("GET", f"{buyer.path}/verify")["valid"]


def test_a_message_that_the_store_did_not_sign_is_refused(shop: DemoStore, api: Client) -> None:
    buyer = Buyer(api, f"forged-{shop.kind}")
    shop.are_lost = True
    shop.buy(buyer.email, paid=True)
    assert {one["outcome"] for one in shop.tell()} == {"lost"}
    shop.are_lost = False
    message = shop.stand_in.messages[-1]
    reply = Client("").call("POST", shop.webhook_url, message.body + b" ", message.headers)
    assert reply.status == 401
    assert buyer.stamps("pending") == buyer.stamps() == 0


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "by the hour"])
def test_what_no_message_told_a_pull_finds(
    deployment: Deployment, shop: DemoStore, api: Client, *, asked: bool
) -> None:
    buyer = Buyer(api, f"lost-{shop.kind}-{asked}")
    shop.are_lost = True
    shop.buy(buyer.email, paid=True)
    shop.tell()
    shop.are_lost = False
    if asked:
        assert api.do("POST", f"{shop.path}/pull") == {"status": "queued"}
    else:
        deployment.cloud.client("lambda").invoke(
            FunctionName=deployment.names["OnHour"], Payload=json.dumps(HOUR_HAS_COME)
        )
    until(lambda: buyer.stamps() == 2, "the pull")
    until(lambda: not api.do("GET", shop.path)["pull"]["running"], "its end")
    assert tell_again(shop) == {"unchanged"}
    assert buyer.stamps() == 2


def tell_again(shop: DemoStore) -> set[str]:
    """The lost messages of the last order come late."""
    messages = [one for one in shop.stand_in.messages if str(shop.order_id).encode() in one.body]
    replies = [Client("").call("POST", shop.webhook_url, one.body, one.headers) for one in messages]
    return {outcome for one in replies for outcome in one.json["outcomes"]}


def test_a_reward_is_a_code_of_the_store_until_it_is_given_back(
    shop: DemoStore, api: Client
) -> None:
    buyer = Buyer(api, f"code-{shop.kind}")
    for _ in range(2):
        shop.buy(buyer.email, paid=True)
        tell(shop)
    reward = {"reward": f"off_{shop.kind}"}
    path = f"{buyer.path}/redemptions"
    made = api.do("POST", path, reward, Idempotency_Key="first")
    code = made["voucher"]["code"]
    until(lambda: shop.stand_in.takes_off(code) == 500, "the code in the shop")
    api.do("POST", f"{path}/{made['id']}/cancel")
    until(lambda: shop.stand_in.takes_off(code) == 0, "the end of the code")
    assert buyer.stamps() == 4

    made = api.do("POST", path, reward, Idempotency_Key="second")
    code = made["voucher"]["code"]
    until(lambda: shop.stand_in.takes_off(code) == 500, "the other code in the shop")
    shop.buy(buyer.email, paid=True, code=code)
    tell(shop)
    assert api.do("GET", f"/v1/vouchers/{code}")["status"] == "used"
    until(lambda: shop.stand_in.takes_off(code) == 0, "the end of the code that was used")


def test_a_message_of_privacy_erases_a_member_by_the_worker(
    deployment: Deployment, demo: Demo, api: Client
) -> None:
    shop = shop_of(deployment, "shopify")
    buyer = Buyer(api, "forgotten")
    customer = {"id": 77, "email": buyer.email}
    shop.stand_in.tell("customers/data_request", {"customer": customer})
    assert tell(shop) == {"data_request"}
    troubles = api.do("GET", f"{shop.path}/troubles")["data"]
    assert any(one["about"] == f"member {buyer.id}" for one in troubles)
    shop.stand_in.tell("customers/redact", {"customer": customer, "orders_to_redact": []})
    assert tell(shop) == {"to_erase"}
    until(lambda: api.call("GET", buyer.path).status == 404, "the erasure")
    assert api.do("GET", f"/v1/members?email={buyer.email}")["data"] == []
    topics = api.do("GET", shop.path)["topics"]
    assert topics["customers/redact"] == 1


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


def press(browser: Browser, selector: str) -> None:
    """Clicks on something as soon as the page is not waiting for an answer."""
    found = f"return document.querySelector({selector!r})?.disabled === false"
    browser.until(lambda: bool(browser.run(found)), f"{selector} was never there to press")
    browser.click(selector)


def test_a_person_buys_in_the_shops_and_sees_what_the_program_hears(
    demo: Demo, browser: Browser, tmp_path: Path
) -> None:
    browser.open(f"{demo.base_url}/store")
    browser.see("#balances", "6 stamps")
    stamps = 6
    for kind in ("shopify", "woocommerce"):
        press(browser, f"#{kind} [data-does=buy]")
        stamps += 2
        browser.see("#balances", f"{stamps} stamps")
        browser.see("#log", f"{kind}: order")
        press(browser, f"#{kind} .lost")
        press(browser, f"#{kind} [data-step=refund]")
        browser.until(lambda: browser.text("#log .push") != "", "no message was lost")
        press(browser, f"#{kind} [data-does=pull]")
        stamps -= 1
        browser.see("#balances", f"{stamps} stamps")
        browser.see(f"#{kind} .pull", "orders,")
        press(browser, f"#{kind} .lost")
    press(browser, "#shopify [data-does=redeem]")
    browser.see("#balances", f"{stamps - 3} stamps")
    browser.see("#shopify .code", "is good in the shop")
    press(browser, "#shopify .use")
    press(browser, "#shopify [data-does=buy]")
    browser.see("#shopify .order", "20.00")
    browser.see("#shopify .code", "no more")
    press(browser, "#shopify [data-does=ask]")
    browser.see("#shopify .troubles", "data_request")
    browser.screenshot(tmp_path / "stores.png")
    assert browser.text("#trouble") == ""
