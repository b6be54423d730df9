"""The people of three stores: they order, pay, change their minds, bring things back."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from chalicelib.kernel.clock import MINUTE
from local.store_stand_ins import shopify, square, woocommerce
from tests.fakes.shop import SetClock

PRICES = (99, 350, 999, 1250, 4999)
Step = Callable[[random.Random, Any], None]


class Life(Protocol):
    """One store, as whoever keeps the shop works in it."""

    kind: str
    secret: str
    access: str

    @property
    def url(self) -> str: ...

    @property
    def messages(self) -> list[tuple[dict[str, str], bytes]]: ...

    @property
    def steps(self) -> dict[str, Step]:
        """What can happen to an order."""

    def order(self, draw: random.Random, email: str, *, paid: bool) -> Any:
        """Somebody orders; the order's id."""


class ShopifyLife:
    """Shopify: units that were edited out or refunded are gone."""

    kind, secret, access = "shopify", shopify.SECRET, shopify.TOKEN

    def __init__(self, store: shopify.ShopifyStandIn) -> None:
        self._store = store

    @property
    def url(self) -> str:
        return self._store.url

    @property
    def messages(self) -> list[tuple[dict[str, str], bytes]]:
        return [(one.headers, one.body) for one in self._store.messages]

    @property
    def steps(self) -> dict[str, Step]:
        return {
            "pay": lambda _, order: self._store.pay(order),
            "edit": self._edit,
            "add": self._add,
            "refund": self._refund,
            "tag": lambda draw, order: self._store.change(order, tags=str(draw.random())),
            "cancel": lambda _, order: self._store.cancel(order),
        }

    def order(self, draw: random.Random, email: str, *, paid: bool) -> int:
        items = [_shopify_item(draw) for _ in range(draw.randint(1, 3))]
        return self._store.order(*items, paid=paid, email=email, shipping=draw.choice((0, 490)))

    def _line(self, draw: random.Random, order: int) -> tuple[int, int]:
        """A line and how many units of it are left."""
        line = draw.choice(self._store._orders[order].lines)
        return line.id, line.quantity - line.gone

    def _edit(self, draw: random.Random, order: int) -> None:
        line, left = self._line(draw, order)
        self._store.edit(order, line, draw.randint(1, left + 2))

    def _add(self, draw: random.Random, order: int) -> None:
        self._store.add(order, _shopify_item(draw))

    def _refund(self, draw: random.Random, order: int) -> None:
        line, left = self._line(draw, order)
        if left > 0:
            self._store.refund(order, {line: draw.randint(1, left)})


class WooCommerceLife:
    """WooCommerce: prices without tax, refunds by amount, failed payments that come through."""

    kind, secret, access = "woocommerce", woocommerce.SECRET, woocommerce.ACCESS

    def __init__(self, store: woocommerce.WooCommerceStandIn) -> None:
        self._store = store

    @property
    def url(self) -> str:
        return self._store.url

    @property
    def messages(self) -> list[tuple[dict[str, str], bytes]]:
        return [(one.headers, one.body) for one in self._store.messages]

    @property
    def steps(self) -> dict[str, Step]:
        return {
            "pay": lambda _, order: self._store.pay(order),
            "fail": lambda _, order: self._store.fail(order),
            "edit": self._edit,
            "add": self._add,
            "refund": self._refund,
            "cancel": lambda _, order: self._store.cancel(order),
        }

    def order(self, draw: random.Random, email: str, *, paid: bool) -> int:
        items = [_woocommerce_item(draw) for _ in range(draw.randint(1, 3))]
        return self._store.order(*items, paid=paid, email=email, shipping=draw.choice((0, 490)))

    def _edit(self, draw: random.Random, order: int) -> None:
        self._store.edit(order, draw.choice(self._store.line_ids(order)), draw.randint(1, 5))

    def _add(self, draw: random.Random, order: int) -> None:
        self._store.add(order, _woocommerce_item(draw))

    def _refund(self, draw: random.Random, order: int) -> None:
        self._store.refund(order, {draw.choice(self._store.line_ids(order)): 1})


class SquareLife:
    """Square: an order is changed until it is paid, and brought back after."""

    kind, secret, access = "square", square.SIGNATURE_KEY, square.ACCESS

    def __init__(self, store: square.SquareShop) -> None:
        self._store = store
        self._customers: dict[str, str] = {}
        self._brought_back: set[str] = set()

    @property
    def url(self) -> str:
        return self._store.url

    @property
    def messages(self) -> list[tuple[dict[str, str], bytes]]:
        return [(one.headers, one.body) for one in self._store.messages]

    @property
    def steps(self) -> dict[str, Step]:
        return {
            "pay": self._pay,
            "edit": self._edit,
            "refund": self._refund,
            "cancel": self._cancel,
        }

    def order(self, draw: random.Random, email: str, *, paid: bool) -> str:
        if email not in self._customers:
            self._customers[email] = self._store.customer(email)
        order = self._store.order(*_square_lines(draw), customer_id=self._customers[email])
        if paid:
            self._store.pay(order)
        return order

    def _is_open(self, order: str) -> bool:
        return bool(self._store._things["orders"][order]["state"] == "OPEN")

    def _pay(self, _: random.Random, order: str) -> None:
        if self._is_open(order):
            self._store.pay(order)

    def _edit(self, draw: random.Random, order: str) -> None:
        if self._is_open(order):
            self._store.edit(order, *_square_lines(draw))

    def _refund(self, draw: random.Random, order: str) -> None:
        found = self._store._things["orders"][order]
        if found["state"] == "COMPLETED" and order not in self._brought_back:
            self._brought_back.add(order)
            row = draw.choice(found["line_items"])
            units = str(draw.randint(1, int(row["quantity"])))
            self._store.refund(order, {row["uid"]: units})

    def _cancel(self, _: random.Random, order: str) -> None:
        if self._is_open(order):
            self._store.cancel(order)


@contextmanager
def life_of(kind: str, clock: SetClock) -> Iterator[Life]:
    """A store of this kind, whose API answers."""
    if kind == "shopify":
        with shopify.ShopifyStandIn(clock=clock) as store:
            yield ShopifyLife(store)
    elif kind == "woocommerce":
        with woocommerce.WooCommerceStandIn(clock=clock, tax_percent=19) as shop:
            yield WooCommerceLife(shop)
    else:
        with square.SquareShop(clock) as account:
            yield SquareLife(account)


def live(
    life: Life, clock: SetClock, draw: random.Random, orders: int, emails: list[str]
) -> list[Any]:
    """So many orders, each with a life of its own of up to five steps, at the same time; at the end
    what was not cancelled is paid.

    While an order waits for the rest of its money, what was said of it before still shows: whoever
    heard that it was paid lets its points be spent, whoever did not lets them wait.
    """
    placed: list[Any] = []
    chances = [step for step in life.steps for _ in range(1 if step == "cancel" else 4)]
    for _ in range(orders):
        placed.append(life.order(draw, draw.choice(emails), paid=draw.random() < 0.7))
        clock.at += MINUTE
    alive = list(placed)
    for _ in range(5):
        for order in draw.sample(alive, len(alive) // 2):
            step = draw.choice(chances)
            life.steps[step](draw, order)
            clock.at += draw.choice((0, MINUTE))
            if step == "cancel":
                alive.remove(order)
    for order in alive:
        life.steps["pay"](draw, order)
    return placed


def _shopify_item(draw: random.Random) -> shopify.Item:
    return shopify.Item(draw.choice(PRICES), draw.randint(1, 4), draw.choice((0, 0, 50)))


def _woocommerce_item(draw: random.Random) -> woocommerce.Item:
    return woocommerce.Item(draw.choice(PRICES), draw.randint(1, 4), draw.choice((0, 0, 50)))


def _square_lines(draw: random.Random) -> list[square.Line]:
    return [
        square.Line(f"line-{at}", draw.choice(PRICES), str(draw.randint(1, 4)))
        for at in range(draw.randint(1, 3))
    ]
