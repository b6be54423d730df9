"""A stand-in for a shop on WooCommerce, on this machine alone: its REST API, and its webhooks.

Who drives it places, pays, edits, refunds and cancels orders; each change makes the message that
WooCommerce would send, signed, in `messages`: nobody but the driver delivers them, in which order
and how often he likes. The shapes are those of developer.woocommerce.com/docs/apis/rest-api/v3/
("Orders", "Order refunds", "Coupons", "Webhooks"), with the fields that somebody could read. Prices
are without tax. What it does not do: taxes of several rates, tax on shipping, fees, permissions.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field

from chalicelib.kernel.clock import SECOND, Clock, Instant, from_rfc3339, to_rfc3339
from chalicelib.kernel.money import minor_units
from local.store_stand_ins.common import Answer, Asked, Found, Message, StandIn, mark_of

SECRET = "8JcpzSf0v5NUS2kqXW1LrT7e"
ACCESS = f"ck_{'1f' * 20}:cs_{'2e' * 20}"
BASE = "/wp-json/wc/v3"
MOST_A_PAGE = 100
USUAL_PAGE = 10


@dataclass(frozen=True)
class Item:
    """One thing to buy, in minor units without tax; `discount` is of all units of it."""

    price: int
    quantity: int = 1
    discount: int = 0
    sku: str = ""


@dataclass
class _Line:
    id: int
    item: Item
    quantity: int
    discount: int

    @property
    def subtotal(self) -> int:
        return self.item.price * self.quantity

    @property
    def total(self) -> int:
        return max(self.subtotal - self.discount, 0)


@dataclass
class _Order:
    id: int
    lines: list[_Line]
    facts: Found  # what is told as it is
    shipping: int
    status: str = "pending"
    paid_at: Instant | None = None
    updated_at: Instant = 0
    before_trash: str = ""  # the status that it had
    refunds: dict[int, int] = field(default_factory=dict)  # what came back, oldest first


class WooCommerceStandIn(StandIn):
    """The shop."""

    def __init__(
        self,
        *,
        currency: str = "EUR",
        tax_percent: int = 0,
        clock: Clock | None = None,
        port: int = 0,
        first_id: int = 700,
    ) -> None:
        super().__init__(currency, clock, port, first_id)
        self.coupons: dict[int, Found] = {}
        self._orders: dict[int, _Order] = {}
        self._tax_percent = tax_percent

    # What people do in the shop.

    def order(
        self,
        *items: Item,
        paid: bool = True,
        customer_id: int = 0,
        email: str = "ada@example.com",
        shipping: int = 0,
        code: str | None = None,
        status: str = "pending",
    ) -> int:
        """Somebody places an order, and pays it at once or later."""
        at = self._tick()
        facts = {
            "created_via": "checkout",
            "currency": self.currency,
            "date_created_gmt": _time(at),
            "prices_include_tax": False,
            "customer_id": customer_id,
            "customer_ip_address": "203.0.113.9",
            "billing": {"first_name": "Ada", "last_name": "Lovelace", "email": email},
            "payment_method": "stripe",
            "coupon_lines": [{"id": self._id(), "code": code.lower()}] if code else [],
            "fee_lines": [],
        }
        order = _Order(self._id(), [self._line(item) for item in items], facts, shipping, status)
        self._orders[order.id] = order
        if paid:
            self._paid(order)
        order.updated_at = at
        self._say("order.created", self.payload(order.id))
        return order.id

    def pay(self, order_id: int) -> None:
        """The money came, for a failed or a cancelled order, too."""
        self._paid(self._orders[order_id])
        self._changed(order_id)

    def edit(self, order_id: int, line_id: int, quantity: int) -> None:
        """Makes a line hold so many units; none takes it out."""
        order = self._orders[order_id]
        line = next(one for one in order.lines if one.id == line_id)
        line.quantity = quantity
        order.lines = [one for one in order.lines if one.quantity]
        self._changed(order_id)

    def add(self, order_id: int, item: Item) -> int:
        """Puts one more line into an order."""
        line = self._line(item)
        self._orders[order_id].lines.append(line)
        self._changed(order_id)
        return line.id

    def refund(self, order_id: int, lines: dict[int, int] | None = None, *, amount: int = 0) -> int:
        """Gives back units of lines (by id) and money beside them, no more than is left."""
        order = self._orders[order_id]
        for line in order.lines:
            paid = line.total + self._tax(line)
            amount += paid * (lines or {}).get(line.id, 0) // line.quantity
        left = self._total(order) - sum(order.refunds.values())
        refund_id = self._id()
        order.refunds[refund_id] = min(amount, left)
        if amount >= left:
            order.status = "refunded"
        self._changed(order_id)
        return refund_id

    def delete_refund(self, order_id: int, refund_id: int) -> None:
        """Somebody takes a refund out of the order; its status stays."""
        del self._orders[order_id].refunds[refund_id]
        self._changed(order_id)

    def cancel(self, order_id: int) -> None:
        self._become(order_id, "cancelled")

    def fail(self, order_id: int) -> None:
        """A payment was declined."""
        self._become(order_id, "failed")

    def delete(self, order_id: int) -> None:
        """Puts an order into the trash."""
        order = self._orders[order_id]
        order.before_trash, order.status = order.status, "trash"
        order.updated_at = self._tick()
        self._say("order.deleted", {"id": order_id})

    def restore(self, order_id: int) -> None:
        """Takes an order out of the trash."""
        order = self._orders[order_id]
        order.status, order.updated_at = order.before_trash, self._tick()
        self._say("order.restored", self.payload(order_id))

    def ping(self) -> None:
        """A webhook was saved."""
        self.messages.append(Message("ping", {}, b"webhook_id=5"))

    def tell(self, topic: str, body: Found) -> None:
        """Sends a message that no order is about."""
        self._say(topic, body)

    def line_ids(self, order_id: int) -> list[int]:
        return [line.id for line in self._orders[order_id].lines]

    def payload(self, order_id: int) -> Found:
        """The order as it is now."""
        order = self._orders[order_id]
        paid_at = order.paid_at and _time(order.paid_at)
        shipping = {"id": order.id, "total": self._text(order.shipping), "total_tax": "0"}
        return {
            "id": order.id,
            **order.facts,
            "status": order.status,
            "date_modified_gmt": _time(order.updated_at),
            "date_paid_gmt": paid_at,
            "total": self._text(self._total(order)),
            "line_items": [self._line_payload(line) for line in order.lines],
            "shipping_lines": [shipping] if order.shipping else [],
            "refunds": [
                {"id": refund_id, "reason": "", "total": f"-{self._text(amount)}"}
                for refund_id, amount in reversed(order.refunds.items())
            ],
        }

    def takes_off(self, code: str) -> int:
        """What a code of an amount takes off an order, in minor units; 0 where it is not good."""
        found = (one for one in self.coupons.values() if one["code"] == code.lower())
        return sum(minor_units(one["amount"], self.currency) for one in found)

    # What the shop works out.

    def _line(self, item: Item) -> _Line:
        return _Line(self._id(), item, item.quantity, item.discount)

    def _paid(self, order: _Order) -> None:
        order.status, order.paid_at = "processing", order.paid_at or self._now

    def _become(self, order_id: int, status: str) -> None:
        self._orders[order_id].status = status
        self._changed(order_id)

    def _tax(self, line: _Line) -> int:
        return (line.total * self._tax_percent + 50) // 100

    def _total(self, order: _Order) -> int:
        return sum(line.total + self._tax(line) for line in order.lines) + order.shipping

    def _line_payload(self, line: _Line) -> Found:
        return {
            "id": line.id,
            "name": "Coffee",
            "product_id": 93,
            "variation_id": 0,
            "quantity": line.quantity,
            "subtotal": self._text(line.subtotal),
            "total": self._text(line.total),
            "total_tax": self._text(self._tax(line)),
            "sku": line.item.sku,
            "price": line.total / line.quantity,
        }

    def _changed(self, order_id: int) -> None:
        self._orders[order_id].updated_at = self._tick()
        self._say("order.updated", self.payload(order_id))

    def _say(self, topic: str, body: Found) -> None:
        content = json.dumps(body).encode()
        resource, _, event = topic.partition(".")
        delivery = hashlib.md5(f"5{self._now // SECOND}".encode()).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-wc-webhook-source": f"{self.url}/",
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-resource": resource,
            "x-wc-webhook-event": event,
            "x-wc-webhook-signature": mark_of(SECRET, content),
            "x-wc-webhook-id": "5",
            "x-wc-webhook-delivery-id": delivery,
        }
        self.messages.append(Message(topic, headers, content))

    # What its API answers.

    def _failed(self, status: int) -> Answer:
        location = (("Location", f"{self.url}/elsewhere"),)
        return Answer(status, {}, location if status // 100 == 3 else ())

    def _serve(self, asked: Asked) -> Answer:
        known = f"Basic {base64.b64encode(ACCESS.encode()).decode()}"
        if asked.headers.get("authorization") != known:
            return _refusal(401, "woocommerce_rest_cannot_view")
        name, _, number = asked.path.removeprefix(f"{BASE}/").partition("/")
        if (asked.method, name) == ("GET", "orders"):
            return self._order(number) if number else self._list(asked.query)
        if name == "coupons":
            return self._coupon(asked, number)
        return _refusal(404, "rest_no_route")

    def _order(self, number: str) -> Answer:
        if not number.isdigit() or int(number) not in self._orders:
            return _refusal(404, "woocommerce_rest_shop_order_invalid_id")
        return Answer(200, self.payload(int(number)))

    def _list(self, query: dict[str, str]) -> Answer:
        """Times are compared strictly, and no order of the trash is among them."""
        size, page = int(query.get("per_page", USUAL_PAGE)), int(query.get("page", 1))
        asked = (query.get("orderby"), query.get("order"), query.get("dates_are_gmt"))
        if size > MOST_A_PAGE or asked != ("modified", "asc", "true"):
            return _refusal(400, "rest_invalid_param")
        after, before = (query.get(f"modified_{name}") for name in ("after", "before"))
        found = sorted(
            (one.updated_at, one.id)
            for one in self._orders.values()
            if one.status != "trash"
            and (after is None or one.updated_at > from_rfc3339(f"{after}Z"))
            and (before is None or one.updated_at < from_rfc3339(f"{before}Z"))
        )
        rows = [self.payload(order_id) for _, order_id in found[(page - 1) * size : page * size]]
        return _counted(rows, len(found), size)

    def _coupon(self, asked: Asked, number: str) -> Answer:
        if asked.method == "GET":
            code = asked.query.get("code", "").lower()
            found = [one for one in self.coupons.values() if one["code"] == code]
            return _counted(found, len(found), USUAL_PAGE)
        if asked.method == "DELETE":
            if asked.query.get("force") != "true" or int(number) not in self.coupons:
                return _refusal(404, "woocommerce_rest_shop_coupon_invalid_id")
            return Answer(200, self.coupons.pop(int(number)))
        given = json.loads(asked.body)
        code = given["code"].lower()
        if any(one["code"] == code for one in self.coupons.values()):
            return _refusal(400, "woocommerce_rest_coupon_code_already_exists")
        coupon = {**given, "id": self._id(), "code": code}
        self.coupons[coupon["id"]] = coupon
        return Answer(201, coupon)


def _time(at: Instant) -> str:
    """In UTC, as WooCommerce writes it: without a zone."""
    return to_rfc3339(at).removesuffix("Z")


def _refusal(status: int, code: str) -> Answer:
    return Answer(status, {"code": code, "message": "refused", "data": {"status": status}})


def _counted(rows: list[Found], total: int, size: int) -> Answer:
    pages = -(-total // size)
    headers = (("X-WP-Total", str(total)), ("X-WP-TotalPages", str(pages)))
    return Answer(200, rows, headers)
