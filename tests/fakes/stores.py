"""A system of stores that says just what a test tells it to, signed; and its API."""

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.orders import Order, OrderLine
from chalicelib.domain.stores.connection import Connection, StoreKind
from chalicelib.domain.stores.facts import (
    Customer,
    Fact,
    Heard,
    OrderSaid,
    OrdersChanged,
    OrderState,
    StoreDiscount,
    StoreMessage,
    StoreRefund,
    Unreadable,
)
from chalicelib.events.stores import on_stores
from chalicelib.kernel.signatures import BadSignature
from tests.fakes.shop import Reply, Shop

SECRET = "a secret of the store"
ADDRESS = "https://store.example"
TOKEN = "token"


@dataclass
class ToldApi:
    """Answers from what lies in it, `page` orders at a time."""

    orders: list[OrderSaid] = field(default_factory=list)
    discounts: dict[str, StoreDiscount] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    page: int = 2
    trouble: Exception | None = None
    asked: list[tuple[int, str | None]] = field(default_factory=list)

    def changed(self, since: int, cursor: str | None) -> OrdersChanged:
        self.asked.append((since, cursor))
        self._fail()
        rows = sorted(self.orders, key=lambda one: (one.order.updated_at or 0, one.order.id))
        rows = [one for one in rows if (one.order.updated_at or 0) >= since]
        start = int(cursor or 0)
        following = start + self.page
        more = str(following) if len(rows) > following else None
        return OrdersChanged(tuple(rows[start:following]), more)

    def order(self, order_id: str) -> OrderSaid | None:
        self._fail()
        return next((one for one in self.orders if one.order.id == order_id), None)

    def put_discount(self, discount: StoreDiscount) -> None:
        self._fail()
        self.discounts.setdefault(discount.code, discount)

    def end_discount(self, code: str) -> None:
        self._fail()
        self.ended.append(code)

    def _fail(self) -> None:
        if self.trouble is not None:
            raise self.trouble


@dataclass
class ToldSystem:
    """Hands out the facts that a message names."""

    facts: dict[str, tuple[Fact, ...]] = field(default_factory=dict)
    its_api: ToldApi = field(default_factory=ToldApi)

    def hear(self, message: StoreMessage, secrets: Sequence[str], *_: Any) -> Heard:
        given = message.headers.get("x-signature", "")
        if not any(hmac.compare_digest(given, sign(one, message.body)) for one in secrets):
            raise BadSignature
        try:
            said = json.loads(message.body)
        except ValueError as error:
            raise Unreadable("no JSON") from error
        facts = self.facts[said["facts"]]
        return Heard(said["id"], said["topic"], facts, known=said["topic"] != "carts/update")

    def api(self, _: Connection, access: str, __: str) -> ToldApi:
        assert access == TOKEN
        return self.its_api

    def address_problem(self, address: str) -> str | None:
        return None if address.startswith("https://store") else "is not the address of a store"

    def access_problem(self, access: str) -> str | None:
        return None if access == TOKEN else "is no token"


def sign(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


class Storefront:
    """A shop with one store connected to it."""

    def __init__(self, shop: Shop, source: str = "shopify", **wish: Any) -> None:
        self.shop = shop
        self.system = ToldSystem()
        self.api = self.system.its_api
        self.source = source
        shop.runtime._systems[StoreKind.SHOPIFY] = self.system
        body = {
            "kind": "shopify",
            "source": source,
            "address": ADDRESS,
            "secret": SECRET,
            "access": TOKEN,
            **wish,
        }
        self.body = {name: value for name, value in body.items() if value is not None}
        made = shop.call("POST", "/v1/stores", self.body)
        assert made.status == 201, made.raw
        self.id: str = made.json["id"]
        self.made: dict[str, Any] = made.json
        self._messages = 0

    def tell(
        self,
        *facts: Fact,
        topic: str = "orders/updated",
        secret: str = SECRET,
        message_id: str = "",
    ) -> Reply:
        """One message, signed."""
        self._messages += 1
        name = f"m{self._messages}"
        self.system.facts[name] = facts
        said = {"id": message_id or name, "topic": topic, "facts": name}
        return self.send(json.dumps(said).encode(), secret)

    def send(self, body: bytes, secret: str = SECRET, store_id: str = "") -> Reply:
        headers = {"x-signature": sign(secret, body)}
        path = f"/v1/webhooks/stores/{store_id or self.id}"
        return self.shop.call("POST", path, body, key=None, headers=headers)

    def takes(self, *facts: Fact, **more: Any) -> list[str]:
        """What became of the facts of a message."""
        reply = self.tell(*facts, **more)
        assert reply.status == 200, reply.raw
        outcomes: list[str] = reply.json["outcomes"]
        return outcomes

    def order(self, order_id: str = "1", price: int = 1000, **more: Any) -> OrderSaid:
        """An order as it is now."""
        at = more.pop("at", self.shop.clock.at)
        said = {
            name: more.pop(name)
            for name in ("state", "customer", "refunds", "discount_codes", "is_test", "seen")
            if name in more
        }
        content = Order(
            self.source,
            order_id,
            "EUR",
            more.pop("placed_at", self.shop.clock.at),
            (OrderLine("1", more.pop("quantity", 1), price),),
            updated_at=at,
        )
        return OrderSaid(replace(content, **more), **{"state": OrderState.PAID, **said})

    def work(self) -> list[str]:
        """Works the queue until it is empty; what failed."""
        failed = []
        queue = self.shop.queues.stores
        while queue.messages:
            batch = [{"messageId": str(at), "body": body} for at, body in enumerate(queue.messages)]
            queue.messages.clear()
            answer = on_stores({"Records": batch})
            names = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
            failed += [one["body"] for one in batch if one["messageId"] in names]
        return failed

    def pull(self) -> dict[str, Any]:
        """Pulls everything; what the store's page says of it."""
        reply = self.shop.call("POST", f"/v1/stores/{self.id}/pull")
        assert reply.status == 202, reply.raw
        self.work()
        return self.read()["pull"]  # type: ignore[no-any-return]

    def read(self) -> dict[str, Any]:
        reply = self.shop.call("GET", f"/v1/stores/{self.id}")
        assert reply.status == 200, reply.raw
        return reply.json  # type: ignore[no-any-return]

    def troubles(self) -> list[str]:
        """The codes, newest first."""
        reply = self.shop.call("GET", f"/v1/stores/{self.id}/troubles")
        assert reply.status == 200, reply.raw
        return [one["code"] for one in reply.json["data"]]


ADA = Customer("5", "ada@example.com", given_name="Ada")
GUEST = Customer(email="ada@example.com")
VERIFIED = replace(ADA, email_verified=True)


def refund(refund_id: str = "9", amount: int | None = 500) -> StoreRefund:
    return StoreRefund(refund_id, amount=amount)
