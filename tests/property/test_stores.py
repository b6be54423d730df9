"""The whole life of fifty orders of a store, told in any way, ends in the same balances.

Each store's own stand-in makes the messages that its system would send. They are told as they come;
shuffled and repeated; with a third of them lost, and then all of them, until a pull finds what they
had said; and not at all, where the pull finds everything.
"""

import random
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.events.stores import on_stores
from chalicelib.kernel.clock import HOUR
from local.store_stand_ins import square
from tests.fakes.shop import SetClock, Shop
from tests.fakes.store_lives import Life, life_of, live

ORDERS = 50
EMAILS = [f"m{number}@example.com" for number in range(6)]


class Told:
    """A program of its own that is told of a store."""

    def __init__(self, life: Life, clock: SetClock, began_at: int) -> None:
        now = clock.at
        self.shop = Shop(memory_store(), clock=clock, local_webhooks=True)
        self._life = life
        clock.at = began_at - HOUR
        assert self.shop.publish("points").status == 201
        self.members = [self.shop.enrol(email=email) for email in EMAILS]
        clock.at = began_at
        body = {"kind": life.kind, "source": "web", "address": life.url, "secret": life.secret}
        made = self.shop.call("POST", "/v1/stores", {**body, "access": life.access})
        assert made.status == 201, made.raw
        self._store = f"/v1/stores/{made.json['id']}"
        self._webhook_url: str = made.json["webhook_url"]
        clock.at = now

    def hear(self, headers: dict[str, str], body: bytes) -> None:
        if self._life.kind == "square":  # it signs the address, too
            headers = square.signed(self._webhook_url, body)
        path = self._webhook_url[self._webhook_url.index("/v1/") :]
        reply = self.shop.call("POST", path, body, key=None, headers=headers)
        assert reply.status == 200, reply.raw

    def work(self) -> None:
        queue = self.shop.queues.stores
        while queue.messages:
            body = queue.messages.pop(0)
            done = on_stores({"Records": [{"messageId": "1", "body": body}]})
            assert done["batchItemFailures"] == [], body

    def pull(self) -> int:
        """How many orders said what no message had told."""
        assert self.shop.call("POST", f"{self._store}/pull").status == 202
        self.work()
        seen = self.shop.call("GET", self._store).json["pull"]
        assert not seen["running"]
        return int(seen["missed"])

    @property
    def balances(self) -> list[int]:
        return [self.shop.balance(one, "points") for one in self.members]

    @property
    def troubles(self) -> list[Any]:
        """What somebody would have to look at."""
        rows = self.shop.call("GET", f"{self._store}/troubles", query={"limit": "100"}).json["data"]
        return [one for one in rows if one["code"] != "missed_message"]


@pytest.mark.parametrize("kind", ["shopify", "woocommerce", "square"])
@pytest.mark.parametrize("seed", [1, 2])
def test_fault_48_fifty_lives_end_the_same_however_they_are_told(kind: str, seed: int) -> None:
    draw = random.Random(seed)
    clock = SetClock()
    began_at = clock.at
    with life_of(kind, clock) as life:
        live(life, clock, draw, ORDERS, EMAILS)
        clock.at += HOUR
        messages = list(life.messages)
        in_order = Told(life, clock, began_at)
        for message in messages:
            in_order.hear(*message)
            in_order.work()
        expected = in_order.balances
        assert any(expected)
        assert in_order.troubles == []
        in_order.pull()
        assert in_order.balances == expected

        shuffled = Told(life, clock, began_at)
        told = [message for message in messages for _ in range(draw.choice((1, 1, 2)))]
        draw.shuffle(told)
        for message in told:
            shuffled.hear(*message)
        shuffled.work()
        assert (shuffled.balances, shuffled.troubles) == (expected, [])

        lossy = Told(life, clock, began_at)
        heard = messages[: len(messages) // 2]
        for message in draw.sample(heard, len(heard) * 2 // 3):
            lossy.hear(*message)
        lossy.work()
        # A message of Square only names an order, which is fetched: one of many tells all of it.
        assert lossy.pull() > 0 or kind == "square"
        assert (lossy.balances, lossy.troubles) == (expected, [])
        assert lossy.pull() == 0

        silent = Told(life, clock, began_at)
        assert silent.pull() > ORDERS // 2
        assert (silent.balances, silent.troubles) == (expected, [])
