"""A seller's account at Square, from the sale to the ledger: its messages, its API, the pull."""

import random
from collections.abc import Iterator

import pytest

from chalicelib.adapters.http import Http
from chalicelib.adapters.memory.store import memory_store
from chalicelib.adapters.stores.square import Square
from chalicelib.domain.stores.connection import StoreKind
from chalicelib.events.stores import on_stores
from chalicelib.kernel.clock import HOUR, SECOND
from local.store_stand_ins.square import ACCESS, SIGNATURE_KEY, Line, SquareShop
from tests.fakes.shop import Reply, Shop

COFFEE = Line("coffee", 1000, "3")


class Seller:
    """A program of points whose sales are made at Square."""

    def __init__(self) -> None:
        self.shop = shop = Shop(memory_store())
        assert shop.publish("points").status == 201
        shop.runtime._systems[StoreKind.SQUARE] = Square(Http(), allow_local=True)
        self.square = SquareShop(shop.clock)
        self.square.start()
        self.ada = shop.enrol(email="ada@example.com")
        shop.clock.at += HOUR
        body = {
            "kind": "square",
            "source": "square",
            "address": self.square.url,
            "secret": SIGNATURE_KEY,
            "access": ACCESS,
        }
        made = shop.call("POST", "/v1/stores", body)
        assert made.status == 201, made.raw
        self.path: str = f"/v1/stores/{made.json['id']}"
        self.square.notification_url = made.json["webhook_url"]
        self.customer = self.square.customer("ada@example.com")

    def deliver(self, at: int) -> Reply:
        """One message of Square, and what it makes us fetch."""
        sent = self.square.messages[at]
        path = self.square.notification_url.removeprefix("https://shop.test")
        reply = self.shop.call("POST", path, sent.body, key=None, headers=sent.headers)
        self.work()
        return reply

    def deliver_all(self) -> None:
        for at in range(len(self.square.messages)):
            assert self.deliver(at).status == 200

    def work(self) -> None:
        queue = self.shop.queues.stores
        while queue.messages:
            batch = [{"messageId": str(at), "body": one} for at, one in enumerate(queue.messages)]
            queue.messages.clear()
            assert on_stores({"Records": batch}) == {"batchItemFailures": []}

    @property
    def points(self) -> int:
        return self.shop.balance(self.ada, "points")

    @property
    def troubles(self) -> list[str]:
        rows = self.shop.call("GET", f"{self.path}/troubles").json["data"]
        return [one["code"] for one in rows]


@pytest.fixture
def seller() -> Iterator[Seller]:
    seller = Seller()
    yield seller
    seller.square.stop()


def test_a_sale_earns_and_what_comes_back_takes_its_share(seller: Seller) -> None:
    order_id = seller.square.order(COFFEE, customer_id=seller.customer, charge=500)
    seller.deliver_all()
    assert seller.points == 0  # it waits for the money
    seller.square.pay(order_id, tip=200)
    seller.deliver_all()
    assert seller.points == 30
    seller.square.refund(order_id, {"coffee": "1"})
    seller.deliver_all()
    assert seller.points == 20
    seller.square.refund(order_id, amount=1000)
    seller.deliver_all()
    assert seller.points == 12  # 30.00 of the 37.00 were goods: 8.10 of the 10.00
    assert seller.troubles == []


@pytest.mark.parametrize("seed", range(5))
def test_the_messages_may_come_in_any_order_and_again(seller: Seller, seed: int) -> None:
    order_id = seller.square.order(Line("cake", 500), COFFEE, customer_id=seller.customer)
    seller.square.edit(order_id, COFFEE)
    seller.square.pay(order_id)
    seller.square.refund(order_id, {"coffee": "2"})
    given_up = seller.square.order(COFFEE, customer_id=seller.customer)
    seller.square.cancel(given_up)
    chosen = [*range(len(seller.square.messages))] * 2
    random.Random(seed).shuffle(chosen)
    for at in chosen:
        assert seller.deliver(at).status == 200
    assert seller.points == 10
    assert seller.troubles == []


def test_money_that_never_went_back_takes_nothing(seller: Seller) -> None:
    order_id = seller.square.order(COFFEE, customer_id=seller.customer)
    seller.square.pay(order_id)
    refund = seller.square.refund(order_id, status="PENDING")
    seller.deliver_all()
    seller.square.settle(refund, "FAILED")
    seller.deliver_all()
    assert seller.points == 30


def test_what_no_message_told_is_pulled(seller: Seller) -> None:
    seller.shop.clock.at += SECOND
    order_id = seller.square.order(COFFEE, customer_id=seller.customer)
    seller.square.pay(order_id)
    seller.square.refund(order_id, {"coffee": "1"})
    seller.shop.clock.at += HOUR  # so long that no message is on its way
    for _ in range(2):
        assert seller.shop.call("POST", f"{seller.path}/pull").status == 202
        seller.work()
        assert seller.points == 20
    assert seller.troubles == ["missed_message"]


def test_a_guest_and_a_draft_earn_nobody_anything(seller: Seller) -> None:
    for customer_id, state in ((None, "OPEN"), (seller.customer, "DRAFT")):
        order_id = seller.square.order(COFFEE, customer_id=customer_id, state=state)
        if state == "OPEN":
            seller.square.pay(order_id)
    seller.deliver_all()
    assert seller.points == 0
    assert seller.troubles == []


def test_a_forged_message_is_refused(seller: Seller) -> None:
    seller.square.order(COFFEE, customer_id=seller.customer)
    sent = seller.square.messages[-1]
    path = seller.square.notification_url.removeprefix("https://shop.test")
    forged = seller.shop.call("POST", path, sent.body + b" ", key=None, headers=sent.headers)
    assert (forged.status, forged.code) == (401, "unauthorized")
