"""Two shops of `make run`, on the stand-ins of Shopify and WooCommerce, and what people do there.

Their messages go to the API over HTTP, as a store's do, or are lost, as they are while an address
does not answer. The shops forget their orders when `make run` ends.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from infra.progress import Failed
from local.client import Client
from local.store_stand_ins import shopify, woocommerce

SKU = "beans"
PRICE = 1250  # of a bag
BAGS = 2  # of an order


@dataclass
class DemoStore:
    """One shop. Its kind is the source of its orders, too."""

    kind: str
    stand_in: shopify.ShopifyStandIn | woocommerce.WooCommerceStandIn
    item: Callable[..., Any]
    secret: str
    access: str
    steps_from: Mapping[str, tuple[str, ...]]  # what can happen to an order, by its status
    are_lost: bool = False  # its messages
    webhook_url: str = ""
    path: str = ""  # of its connection in the API
    order_id: int | None = None  # the last one
    _told: int = 0
    _telling: Lock = field(default_factory=Lock)

    def connect(self, api: Client) -> None:
        """Connects the shop to a program, or finds it there, maybe at another port."""
        asked = {
            "kind": self.kind,
            "source": self.kind,
            "address": self.stand_in.url,
            "secret": self.secret,
            "access": self.access,
        }
        known = {one["source"]: one for one in api.do("GET", "/v1/stores")["data"]}
        found = known.get(self.kind) or api.do("POST", "/v1/stores", asked)
        self.path, self.webhook_url = f"/v1/stores/{found['id']}", found["webhook_url"]
        if found["address"] != self.stand_in.url:
            api.do("PATCH", self.path, {"address": self.stand_in.url, "access": self.access})
        self._told = len(self.stand_in.messages)

    def buy(self, email: str, *, paid: bool, code: str = "") -> None:
        """Somebody orders some bags, and pays at once or later. Raises `Failed`."""
        with self.stand_in.lock:
            off = self.stand_in.takes_off(code) if code else 0
            if code and not off:
                raise Failed(f"The shop does not know the code {code}, or no more.")
            items = self.item(PRICE, BAGS, discount=off, sku=SKU)
            self.order_id = self.stand_in.order(items, paid=paid, email=email, code=code or None)

    def change(self, step: str) -> None:
        """What happens to the last order. Raises `Failed` where it cannot."""
        if step not in self.steps:
            raise Failed(f"The order cannot take that step: {step}.")
        order_id = self.order_id or 0
        with self.stand_in.lock:
            (line,) = self.stand_in.line_ids(order_id)
            works: dict[str, Callable[[], Any]] = {
                "pay": lambda: self.stand_in.pay(order_id),
                "edit": lambda: self.stand_in.edit(order_id, line, BAGS + 1),
                "refund": lambda: self.stand_in.refund(order_id, {line: 1}),
                "cancel": lambda: self.stand_in.cancel(order_id),
            }
            works[step]()

    @property
    def order(self) -> dict[str, Any] | None:
        """The last order, as the shop tells it."""
        return None if self.order_id is None else self.stand_in.payload(self.order_id)

    @property
    def status(self) -> str:
        """Where the last order stands, in the words of its system."""
        order = self.order or {}
        whole = order.get("financial_status") or order.get("status", "")
        return "cancelled" if order.get("cancelled_at") else str(whole)

    @property
    def steps(self) -> tuple[str, ...]:
        """What can happen to the last order now."""
        return self.steps_from.get(self.status, ())

    def tell(self) -> list[dict[str, Any]]:
        """Sends what is new, and says what each was answered; what is lost has no status."""
        with self._telling:
            messages = self.stand_in.messages[self._told :]
            self._told += len(messages)
            return [self._send(one.topic, one.body, one.headers) for one in messages]

    def _send(self, topic: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        if self.are_lost:
            return {"topic": topic, "status": None, "outcome": "lost"}
        reply = Client("").call("POST", self.webhook_url, body, headers)
        said = reply.json
        outcome = ", ".join(said.get("outcomes") or [said.get("code") or said["status"]])
        return {"topic": topic, "status": reply.status, "outcome": outcome}


@contextmanager
def running_shops(shopify_port: int, woocommerce_port: int) -> Iterator[tuple[DemoStore, ...]]:
    """Both shops. Their numbers begin with the time, so that none is given out by two runs."""
    now = int(time.time() * 100)
    with (
        shopify.ShopifyStandIn(port=shopify_port, first_id=now) as one,
        woocommerce.WooCommerceStandIn(port=woocommerce_port, first_id=now) as other,
    ):
        yield (
            DemoStore(
                "shopify",
                one,
                shopify.Item,
                shopify.SECRET,
                shopify.TOKEN,
                {
                    "pending": ("pay", "edit", "cancel"),
                    "paid": ("edit", "refund", "cancel"),
                    "partially_paid": ("pay", "cancel"),
                    "partially_refunded": ("refund", "cancel"),
                },
            ),
            DemoStore(
                "woocommerce",
                other,
                woocommerce.Item,
                woocommerce.SECRET,
                woocommerce.ACCESS,
                {"pending": ("pay", "edit", "cancel"), "processing": ("refund", "cancel")},
            ),
        )
