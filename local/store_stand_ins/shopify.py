"""A stand-in for a store of Shopify, on this machine alone: its Admin API, and its webhooks.

Who drives it places, pays, edits, refunds and cancels orders; each change makes the messages that
Shopify would send, signed, in `messages`: nobody but the driver delivers them, in which order and
how often he likes. The shapes are those of shopify.dev, "Order", "Refund", "Customer", "REST Admin
API rate limits", "Make paginated requests to the REST Admin API" and "discountCodeBasicCreate",
with the fields that somebody could read. What it does not do: two currencies, duties, returns.
"""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from chalicelib.kernel.clock import SECOND, Clock, Instant, from_rfc3339, to_rfc3339
from chalicelib.kernel.money import minor_units
from local.store_stand_ins.common import Answer, Asked, Found, Message, StandIn, mark_of

VERSIONS = ("2026-10", "2026-07")
SECRET = "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"
TOKEN = "shpat_0123456789abcdef0123456789abcdef"
CLIENT = "0fedcba9876543210fedcba987654321"
MOST_A_PAGE = 250
USUAL_PAGE = 50


@dataclass(frozen=True)
class Item:
    """One thing to buy, in minor units; `discount` is of all units of it."""

    price: int
    quantity: int = 1
    discount: int = 0
    sku: str | None = None
    vendor: str | None = "Acme"
    gift_card: bool = False


@dataclass
class _Line:
    id: int
    item: Item
    quantity: int  # all that ever were on it
    discount: int
    gone: int = 0  # units, edited out or refunded

    def worth(self, units: int) -> int:
        """What so many of its units cost, after their share of the discount."""
        return self.item.price * units - self.discount * units // self.quantity


@dataclass
class _Order:
    id: int
    lines: list[_Line]
    facts: Found  # what is told as it is
    paid: int = 0
    back: int = 0  # of what was paid
    adjusted: int = 0  # beyond the lines
    shipping: int = 0
    shipping_back: bool = False
    tip: int = 0
    cancelled_at: str | None = None
    refunds: list[Found] = field(default_factory=list)
    updated_at: Instant = 0


class ShopifyStandIn(StandIn):
    """The store."""

    def __init__(
        self,
        *,
        currency: str = "EUR",
        taxes_included: bool = True,
        tax_percent: int = 0,
        clock: Clock | None = None,
        port: int = 0,
        first_id: int = 450_789_468,
    ) -> None:
        super().__init__(currency, clock, port, first_id)
        self.retry_after = "2.0"  # of a 429
        self.throttled = False  # by the cost of GraphQL
        self.discounts: dict[str, Found] = {}  # by their codes in upper case
        self._orders: dict[int, _Order] = {}
        self._taxes_included = taxes_included
        self._tax_percent = tax_percent

    # What people do in the store.

    def order(
        self,
        *items: Item,
        paid: bool = True,
        customer: Found | None = None,
        email: str | None = "ada@example.com",
        shipping: int = 0,
        tip: int = 0,
        test: bool = False,
        source_name: str = "web",
        gateways: Sequence[str] = ("shopify_payments",),
        code: str | None = None,
    ) -> int:
        """Somebody places an order, and pays it at once or later."""
        at = self._tick()
        facts = {
            "currency": self.currency,
            "presentment_currency": self.currency,
            "taxes_included": self._taxes_included,
            "test": test,
            "email": email,
            "customer": customer,
            "source_name": source_name,
            "browser_ip": "203.0.113.9",
            "tags": "",
            "payment_gateway_names": list(gateways),
            "discount_codes": [{"code": code, "type": "fixed_amount"}] if code else [],
            "created_at": to_rfc3339(at),
            "processed_at": to_rfc3339(at),
        }
        lines = [self._line(item) for item in items]
        order = _Order(self._id(), lines, facts, shipping=shipping, tip=tip)
        self._orders[order.id] = order
        if paid:
            order.paid = self._due(order)
        self._changed(order, "orders/create", *(["orders/paid"] if paid else []))
        return order.id

    def pay(self, order_id: int) -> None:
        """All that is not paid yet is paid."""
        order = self._orders[order_id]
        order.paid = order.back + self._due(order)
        self._changed(order, "orders/paid", "orders/updated")

    def edit(self, order_id: int, line_id: int, quantity: int) -> None:
        """Makes a line hold so many units, fewer or more than it does. No money moves."""
        order = self._orders[order_id]
        line = _line_of(order, line_id)
        held = line.quantity - line.gone
        if quantity < held:
            refund = self._refund(order, {line_id: held - quantity}, status=None)
            order.refunds.append(refund)
        else:
            line.quantity += quantity - held
        self._edited(order, line_id, quantity - held)

    def add(self, order_id: int, item: Item) -> int:
        """Puts one more line into an order; what it costs is paid by `pay`."""
        order = self._orders[order_id]
        line = self._line(item)
        order.lines.append(line)
        self._edited(order, line.id, item.quantity)
        return line.id

    def refund(
        self,
        order_id: int,
        lines: dict[int, int] | None = None,
        *,
        amount: int = 0,
        shipping: bool = False,
        status: str = "success",
    ) -> int:
        """Gives back units of lines (by id), money beside them, and the shipping."""
        order = self._orders[order_id]
        refund = self._refund(order, lines or {}, amount=amount, shipping=shipping, status=status)
        order.refunds.append(refund)
        order.updated_at = self._tick()
        self._say("refunds/create", refund)
        self._changed(order, "orders/updated")
        return int(refund["id"])

    def settle(self, order_id: int, refund_id: int, status: str = "success") -> None:
        """What a payment service says later of a pending refund."""
        order = self._orders[order_id]
        refund = next(one for one in order.refunds if one["id"] == refund_id)
        for transaction in refund["transactions"]:
            transaction["status"] = status
        if status == "success":
            order.back += sum(one["_minor"] for one in refund["transactions"])
        self._changed(order, "orders/updated")

    def cancel(self, order_id: int, *, refunded: bool = True) -> None:
        """Everything that is left comes back, and all money or none."""
        order = self._orders[order_id]
        left = {line.id: line.quantity - line.gone for line in order.lines}
        status = "success" if refunded and order.paid > order.back else None
        refund = self._refund(order, left, shipping=status is not None, status=status)
        order.refunds.append(refund)
        order.cancelled_at = to_rfc3339(self._tick())
        if status:
            self._say("refunds/create", refund)
        self._changed(order, "orders/cancelled", "orders/updated")

    def delete(self, order_id: int) -> None:
        """Only a cancelled order can be deleted."""
        del self._orders[order_id]
        self._say("orders/delete", {"id": order_id})

    def change(self, order_id: int, **facts: Any) -> None:
        """Anything else that may change in an order: tags, an address, the e-mail."""
        order = self._orders[order_id]
        order.facts |= facts
        self._changed(order, "orders/updated")

    def tell(self, topic: str, body: Found) -> None:
        """Sends a message that no order is about: of a customer, of privacy, of another topic."""
        self._say(topic, body)

    def payload(self, order_id: int) -> Found:
        """The order as it is now."""
        return self._payload(self._orders[order_id])

    def line_ids(self, order_id: int) -> list[int]:
        return [line.id for line in self._orders[order_id].lines]

    def takes_off(self, code: str) -> int:
        """What a code of an amount takes off an order, in minor units; 0 where it is not good."""
        found = self.discounts.get(code.upper())
        if found is None or found["status"] != "ACTIVE":
            return 0
        return minor_units(
            found["customerGets"]["value"]["discountAmount"]["amount"], self.currency
        )

    # What the store works out.

    def _line(self, item: Item) -> _Line:
        return _Line(self._id(), item, item.quantity, item.discount)

    def _tax(self, worth: int) -> int:
        whole = 100 + self._tax_percent if self._taxes_included else 100
        return worth * self._tax_percent // whole

    def _with_tax(self, worth: int) -> int:
        return worth if self._taxes_included else worth + self._tax(worth)

    def _total(self, order: _Order) -> int:
        """Of what is still in the order, with shipping and tip."""
        lines = sum(self._with_tax(_held(line)) for line in order.lines)
        shipping = 0 if order.shipping_back else order.shipping
        return lines + shipping + order.tip

    def _due(self, order: _Order) -> int:
        return max(0, self._total(order) - order.adjusted)

    def _refund(
        self,
        order: _Order,
        lines: dict[int, int],
        *,
        amount: int = 0,
        shipping: bool = False,
        status: str | None,
    ) -> Found:
        """Takes units, money and shipping out of the order. `status` None: no money moves."""
        refund_id = self._id()
        overpaid = max(0, order.paid - order.back - self._due(order))  # since an edit
        rows = [
            self._refund_line(_line_of(order, line_id), units)
            for line_id, units in lines.items()
            if units
        ]
        shipped = order.shipping if shipping and not order.shipping_back else 0
        order.shipping_back = order.shipping_back or shipping
        order.adjusted += max(0, amount - overpaid)
        money = sum(row["_minor"] for row in rows) + amount + shipped
        short = max(0, money - order.paid + order.back) if status else 0  # no more than was paid
        money -= short
        beyond = amount - short
        if status == "success":
            order.back += money
        transaction = {
            "id": self._id(),
            "kind": "refund",
            "status": status,
            "amount": self._text(money),
            "currency": self.currency,
            "_minor": money,
        }
        return {
            "id": refund_id,
            "order_id": order.id,
            "created_at": to_rfc3339(self._now),
            "refund_line_items": rows,
            "refund_shipping_lines": [{"subtotal_amount_set": self._both(shipped)}]
            if shipped
            else [],
            "order_adjustments": [self._adjustment(refund_id, beyond)] if beyond else [],
            "transactions": [transaction] if status and money else [],
        }

    def _refund_line(self, line: _Line, units: int) -> Found:
        before = _held(line)
        line.gone += units
        worth = before - _held(line)
        return {
            "id": self._id(),
            "line_item_id": line.id,
            "quantity": units,
            "restock_type": "no_restock",
            "subtotal": float(self._text(worth)),
            "subtotal_set": self._both(worth),
            "total_tax": float(self._text(self._tax(worth))),
            "total_tax_set": self._both(self._tax(worth)),
            "_minor": self._with_tax(before) - self._with_tax(_held(line)),
        }

    def _adjustment(self, refund_id: int, amount: int) -> Found:
        return {
            "id": self._id(),
            "refund_id": refund_id,
            "kind": "refund_discrepancy",
            "reason": "Refund discrepancy",
            "amount": self._text(-amount),
            "amount_set": self._both(-amount),
            "tax_amount": self._text(0),
            "tax_amount_set": self._both(0),
        }

    def _both(self, minor: int) -> Found:
        one = {"amount": self._text(minor), "currency_code": self.currency}
        return {"shop_money": one, "presentment_money": one}

    # What it tells.

    def _payload(self, order: _Order) -> Found:
        told = {
            "id": order.id,
            **order.facts,
            "name": f"#{order.id}",
            "updated_at": to_rfc3339(order.updated_at),
            "cancelled_at": order.cancelled_at,
            "financial_status": self._status(order),
            "line_items": [self._line_payload(line) for line in order.lines],
            "shipping_lines": self._shipping_lines(order),
            "total_tip_received": self._text(order.tip),
            "current_total_price": self._text(self._due(order)),
            "refunds": order.refunds,
        }
        cleaned: Found = _without_marks(told)
        return cleaned

    def _status(self, order: _Order) -> str:
        kept = order.paid - order.back
        if order.cancelled_at and not order.paid:
            return "voided"
        if order.paid and not kept:
            return "refunded"
        if kept < self._due(order):
            return "partially_paid" if kept else "pending"
        return "partially_refunded" if order.back else "paid"

    def _line_payload(self, line: _Line) -> Found:
        item, whole = line.item, line.worth(line.quantity)
        tax = self._tax(whole)
        discount = {"amount": self._text(line.discount), "amount_set": self._both(line.discount)}
        return {
            "id": line.id,
            "product_id": 632910392,
            "title": "Coffee",
            "name": "Coffee - large",
            "sku": item.sku,
            "vendor": item.vendor,
            "gift_card": item.gift_card,
            "quantity": line.quantity,
            "current_quantity": line.quantity - line.gone,
            "price": self._text(item.price),
            "price_set": self._both(item.price),
            "discount_allocations": [discount] if line.discount else [],
            "tax_lines": [{"price": self._text(tax), "price_set": self._both(tax)}] if tax else [],
        }

    def _shipping_lines(self, order: _Order) -> list[Found]:
        if not order.shipping:
            return []
        price = {"price": self._text(order.shipping), "price_set": self._both(order.shipping)}
        return [{"id": order.id, **price, "discount_allocations": [], "tax_lines": []}]

    def _changed(self, order: _Order, *topics: str) -> None:
        order.updated_at = self._tick()
        for topic in topics:
            self._say(topic, self._payload(order))

    def _edited(self, order: _Order, line_id: int, delta: int) -> None:
        kind = "additions" if delta > 0 else "removals"
        change = {kind: [{"id": line_id, "delta": abs(delta)}]}
        edit = {"id": self._id(), "order_id": order.id, "line_items": change}
        order.updated_at = self._tick()
        self._say("orders/edited", {"order_edit": edit})
        self._changed(order, "orders/updated")

    def _say(self, topic: str, body: Found) -> None:
        content = json.dumps(_without_marks(body)).encode()
        headers = {
            "content-type": "application/json",
            "x-shopify-topic": topic,
            "x-shopify-hmac-sha256": mark_of(SECRET, content),
            "x-shopify-shop-domain": "corner-coffee.myshopify.com",
            "x-shopify-api-version": VERSIONS[0],
            "x-shopify-webhook-id": f"b54557e4-bdd9-4b37-8a5f-{self._id():012d}",
            "x-shopify-event-id": f"98880550-7158-44d4-b7cd-{self._now // SECOND:012d}",
            "x-shopify-triggered-at": to_rfc3339(self._now),
        }
        self.messages.append(Message(topic, headers, content))

    # What its API answers.

    def _failed(self, status: int) -> Answer:
        headers = {429: (("Retry-After", self.retry_after),), 302: (("Location", "/"),)}
        return Answer(status, {"errors": "told to fail"}, headers.get(status, ()))

    def _serve(self, asked: Asked) -> Answer:
        if asked.path == "/admin/oauth/access_token":
            return _give_token(dict(parse_qsl(asked.body.decode())))
        if asked.headers.get("x-shopify-access-token") != TOKEN:
            return Answer(401, {"errors": "[API] Invalid API key or access token"})
        version, _, rest = asked.path.removeprefix("/admin/api/").partition("/")
        if version not in VERSIONS:
            return Answer(404, {"errors": "Not Found"})
        if (asked.method, rest) == ("GET", "orders.json"):
            return self._list(asked.path, asked.query)
        if (asked.method, rest) == ("POST", "graphql.json"):
            return self._graphql(json.loads(asked.body))
        found = re.fullmatch(r"orders/([0-9]+)\.json", rest)
        if asked.method == "GET" and found and int(found[1]) in self._orders:
            return Answer(200, {"order": self.payload(int(found[1]))})
        return Answer(404, {"errors": "Not Found"})

    def _list(self, path: str, query: dict[str, str]) -> Answer:
        """A cursor stands for the filters, so it takes none beside the limit."""
        limit = int(query.get("limit", USUAL_PAGE))
        if "page_info" in query:
            if set(query) > {"page_info", "limit"}:
                return Answer(400, {"errors": "page_info takes no filters"})
            query = {**json.loads(base64.urlsafe_b64decode(query["page_info"])), **query}
        if limit > MOST_A_PAGE or query.get("status") != "any":
            return Answer(400, {"errors": "only status=any and limit up to 250 stand in"})
        since = from_rfc3339(query["updated_at_min"])
        after = tuple(query.get("after", (0, 0)))
        found = sorted(
            (one.updated_at, one.id) for one in self._orders.values() if one.updated_at >= since
        )
        rest = [key for key in found if key > after]
        page = rest[:limit]
        orders = [self.payload(order_id) for _, order_id in page]
        if len(rest) <= limit:
            return Answer(200, {"orders": orders})
        state = {"status": "any", "updated_at_min": query["updated_at_min"], "after": page[-1]}
        cursor = base64.urlsafe_b64encode(json.dumps(state).encode()).decode()
        link = f'<https://elsewhere.test{path}?limit={limit}&page_info={cursor}>; rel="next"'
        return Answer(200, {"orders": orders}, (("Link", link),))

    def _graphql(self, asked: Found) -> Answer:
        if self.throttled:
            return Answer(200, {"errors": [{"extensions": {"code": "THROTTLED"}}]})
        works = {
            "codeDiscountNodeByCode": self._find,
            "discountCodeBasicCreate": self._create,
            "discountCodeDeactivate": self._deactivate,
        }
        for name, work in works.items():
            if re.search(rf"\b{name}\(", asked["query"]):
                return Answer(200, {"data": {name: work(asked["variables"])}})
        return Answer(200, {"errors": [{"message": "the stand-in has no such field"}]})

    def _find(self, variables: Found) -> Found | None:
        found = self.discounts.get(variables["code"].upper())
        return found and {"id": found["id"], "codeDiscount": {"status": found["status"]}}

    def _create(self, variables: Found) -> Found:
        """By DiscountCodeBasicInput: what is required, and no code twice, whatever its case."""
        given = variables["discount"]
        for name in ("code", "context", "customerGets", "startsAt", "title"):
            if not given.get(name):
                return _user_error("BLANK", f"{name} can't be blank")
        if given["code"].upper() in self.discounts:
            return _user_error("TAKEN", "Code must be unique")
        node = f"gid://shopify/DiscountCodeNode/{self._id()}"
        self.discounts[given["code"].upper()] = {**given, "id": node, "status": "ACTIVE"}
        return {"codeDiscountNode": {"id": node}, "userErrors": []}

    def _deactivate(self, variables: Found) -> Found:
        for one in self.discounts.values():
            if one["id"] == variables["id"] and one["status"] == "ACTIVE":
                one["status"] = "EXPIRED"
                return {"codeDiscountNode": {"id": one["id"]}, "userErrors": []}
        return _user_error("INVALID", "Discount does not exist or is not active")


def _held(line: _Line) -> int:
    return line.worth(line.quantity - line.gone)


def _line_of(order: _Order, line_id: int) -> _Line:
    return next(line for line in order.lines if line.id == line_id)


def _without_marks(value: Any) -> Any:
    """Without what the stand-in writes down for itself."""
    if isinstance(value, dict):
        return {key: _without_marks(one) for key, one in value.items() if key != "_minor"}
    if isinstance(value, list):
        return [_without_marks(one) for one in value]
    return value


def _give_token(form: dict[str, str]) -> Answer:
    wanted = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
    if form != wanted:
        return Answer(400, {"error": "invalid_request"})
    return Answer(200, {"access_token": TOKEN, "scope": "read_orders", "expires_in": 86399})


def _user_error(code: str, message: str) -> Found:
    error = {"field": ["basicCodeDiscount", "code"], "code": code, "message": message}
    return {"codeDiscountNode": None, "userErrors": [error]}
