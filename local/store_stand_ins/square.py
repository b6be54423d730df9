"""A stand-in for a seller's account at Square, on this machine alone.

    shop = SquareShop(clock)
    ada = shop.customer("ada@example.com")
    order_id = shop.order(Line("flat-white", 350, "2"), customer_id=ada)
    shop.pay(order_id)
    shop.refund(order_id, {"flat-white": "1"})
    for message in shop.messages: ...

It answers what `chalicelib/adapters/stores/square_api.py` asks, in the shapes of the pages named
there, and keeps each message that Square would send, signed for `notification_url`. What comes back
of an order is an order of its own, as at Square.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import unquote

from chalicelib.kernel.clock import Clock, to_rfc3339
from local.store_stand_ins.common import Answer, Asked, Found, Message, StandIn, mark_of

ACCESS = "EAAAstand-in-access-token"
SIGNATURE_KEY = "stand-in-signature-key"
LOCATION = "L1STANDIN"
NAMES = {"orders": "order", "payments": "payment", "refunds": "refund", "customers": "customer"}


@dataclass(frozen=True)
class Line:
    """What is sold; amounts in minor units."""

    uid: str
    price: int  # of a unit
    quantity: str = "1"
    discount: int = 0  # of the whole line
    tax: int = 0  # on top of the price, of the whole line
    unit: str | None = None  # what the quantity measures: METRIC_KILOGRAM
    item_type: str = "ITEM"


class SquareShop(StandIn):
    """The account, and the API in front of it."""

    def __init__(
        self, clock: Clock | None = None, currency: str = "EUR", port: int = 0, first_id: int = 0
    ) -> None:
        super().__init__(currency, clock, port, first_id)
        self.notification_url = "http://127.0.0.1/"
        self.locations = [LOCATION]
        self._things: dict[str, dict[str, Found]] = {kind: {} for kind in NAMES}

    def customer(self, email: str | None = None, **fields: Any) -> str:
        """A new profile in the seller's directory."""
        found = self._new("customers", email_address=email, **fields)
        self._tell("customer.created", found["id"], {"customer": found})
        return str(found["id"])

    def close_account(self, customer_id: str) -> None:
        """Deletes a profile."""
        found = self._things["customers"].pop(customer_id)
        self._tell("customer.deleted", customer_id, {"customer": found})

    def order(
        self,
        *lines: Line,
        customer_id: str | None = None,
        state: str = "OPEN",
        charge: int = 0,  # a service charge
        location_id: str = LOCATION,
    ) -> str:
        """Somebody orders; nothing is paid yet."""
        found = self._new(
            "orders", state=state, customer_id=customer_id, location_id=location_id, version=1
        )
        self._fill(found, lines, charge, tip=0)
        self._tell_order("created", found)
        return str(found["id"])

    def pay(self, order_id: str, *, tip: int = 0, status: str = "COMPLETED") -> str:
        """Pays all of it by a card, and completes it where the payment is; the payment's id."""
        order = self._things["orders"][order_id]
        order["total_tip_money"] = self._money(tip)
        order["total_money"] = self._money(order["total_money"]["amount"] + tip)
        payment = self._new(
            "payments",
            status=status,
            order_id=order_id,
            customer_id=order["customer_id"],
            total_money=order["total_money"],
            source_type="CARD",
            card_details={"card": {"fingerprint": "sq-1-stand-in"}},
            refund_ids=[],
        )
        tender = {"id": payment["id"], "type": "CARD", "amount_money": order["total_money"]}
        order["tenders"] = [tender]
        if status == "COMPLETED":
            order["state"] = "COMPLETED"
        self._touch(order)
        self._tell("payment.created", payment["id"], {"payment": payment})
        self._tell_order("updated", order)
        return str(payment["id"])

    def edit(self, order_id: str, *lines: Line, charge: int = 0) -> None:
        """The order has other lines now."""
        order = self._things["orders"][order_id]
        self._fill(order, lines, charge, order["total_tip_money"]["amount"])
        self._touch(order)
        self._tell_order("updated", order)

    def cancel(self, order_id: str) -> None:
        """An order that was not paid comes to nothing."""
        order = self._things["orders"][order_id]
        order["state"] = "CANCELED"
        self._touch(order)
        self._tell_order("updated", order)

    def refund(
        self,
        order_id: str,
        units: Mapping[str, str] | None = None,  # by line
        amount: int | None = None,
        status: str = "COMPLETED",
    ) -> str:
        """Lines come back, or an amount of money, or, with neither, all; the refund's id."""
        order = self._things["orders"][order_id]
        rows = {row["uid"]: row for row in order["line_items"]}
        if amount is None:
            units = units or {uid: row["quantity"] for uid, row in rows.items()}
            back = [self._row_back(rows[uid], quantity) for uid, quantity in units.items()]
        else:
            row = {"uid": "1", "quantity": "1", "item_type": "CUSTOM_AMOUNT"}
            back = [{**row, "total_money": self._money(amount)}]
        worth = self._money(sum(row["total_money"]["amount"] for row in back))
        returned = self._new(
            "orders",
            state="COMPLETED",
            location_id=order["location_id"],
            returns=[{"source_order_id": order_id, "return_line_items": back}],
            return_amounts={"total_money": worth},
        )
        payment = self._things["payments"][order["tenders"][0]["id"]]
        refund = self._new(
            "refunds",
            status="PENDING",
            amount_money=worth,
            payment_id=payment["id"],
            order_id=returned["id"],
        )
        payment["refund_ids"].append(refund["id"])
        self._tell("refund.created", refund["id"], {"refund": refund})
        self._tell("payment.updated", payment["id"], {"payment": payment})
        if status != "PENDING":
            self.settle(refund["id"], status)
        return str(refund["id"])

    def settle(self, refund_id: str, status: str) -> None:
        """A refund that waited comes through, or does not."""
        refund = self._things["refunds"][refund_id]
        refund["status"] = status
        self._touch(refund)
        self._touch(self._things["orders"][refund["order_id"]])
        self._tell("refund.updated", refund_id, {"refund": refund})

    def _failed(self, status: int) -> Answer:
        return Answer(status, _errors("INTERNAL_SERVER_ERROR"))

    def _serve(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {ACCESS}":
            return Answer(401, _errors("UNAUTHORIZED"))
        if not asked.headers.get("square-version"):
            return Answer(400, _errors("BAD_REQUEST"))
        if asked.path == "/v2/locations":
            return Answer(200, {"locations": [{"id": one} for one in self.locations]})
        if (asked.method, asked.path) == ("POST", "/v2/orders/search"):
            return self._search(json.loads(asked.body))
        _, _, kind, identifier = asked.path.split("/", 3)
        found = self._things.get(kind, {}).get(unquote(identifier))
        if found is None:
            return Answer(404, _errors("NOT_FOUND"))
        return Answer(200, {NAMES[kind]: found})

    def _search(self, asked: Found) -> Answer:
        """Pages through what was changed; the cursor is good for the same search alone."""
        cursor = asked.pop("cursor", None)
        search = json.dumps(asked, sort_keys=True)
        start, _, of = (cursor or f"0:{search}").partition(":")
        if of != search or not 1 <= len(asked["location_ids"]) <= 10:
            return Answer(400, _errors("INVALID_CURSOR"))
        query = asked["query"]["filter"]
        since = query["date_time_filter"]["updated_at"]["start_at"]
        found = [
            one
            for one in self._things["orders"].values()
            if one["location_id"] in asked["location_ids"]
            and one["state"] in query["state_filter"]["states"]
            and one["updated_at"] >= since
        ]
        found.sort(key=lambda one: one["updated_at"])
        end = int(start) + asked["limit"]
        entries = [{"order_id": one["id"]} for one in found[int(start) : end]]
        following = {"cursor": f"{end}:{search}"} if end < len(found) else {}
        return Answer(200, {"order_entries": entries, **following})

    def _fill(self, order: Found, lines: tuple[Line, ...], charge: int, tip: int) -> None:
        rows = [self._row(line) for line in lines]
        total = sum(row["total_money"]["amount"] for row in rows) + charge + tip
        order |= {
            "line_items": rows,
            "taxes": [{"uid": "tax", "type": "ADDITIVE"}] if any(one.tax for one in lines) else [],
            "total_tip_money": self._money(tip),
            "total_money": self._money(total),
        }

    def _row(self, line: Line) -> Found:
        whole = (Decimal(line.quantity) * line.price).quantize(Decimal(1), ROUND_HALF_UP)
        row = {
            "uid": line.uid,
            "name": line.uid,
            "catalog_object_id": line.uid.upper(),
            "quantity": line.quantity,
            "item_type": line.item_type,
            "base_price_money": self._money(line.price),
            "total_discount_money": self._money(line.discount),
            "total_tax_money": self._money(line.tax),
            "total_money": self._money(int(whole) - line.discount + line.tax),
        }
        if line.unit is not None:
            row["quantity_unit"] = {"measurement_unit": {"weight_unit": line.unit}}
        return row

    def _row_back(self, row: Found, quantity: str) -> Found:
        share = Decimal(quantity) / Decimal(row["quantity"]) * row["total_money"]["amount"]
        return {
            "uid": f"back-{row['uid']}",
            "source_line_item_uid": row["uid"],
            "quantity": quantity,
            "item_type": row["item_type"],
            "total_money": self._money(int(share.quantize(Decimal(1), ROUND_HALF_UP))),
        }

    def _new(self, kind: str, **fields: Any) -> Found:
        at = to_rfc3339(self._clock.now())
        identifier = f"{NAMES[kind]}-{self._id()}"
        found = {"id": identifier, "created_at": at, "updated_at": at, **fields}
        self._things[kind][identifier] = found
        return found

    def _touch(self, found: Found) -> None:
        found["updated_at"] = to_rfc3339(self._clock.now())

    def _money(self, amount: int) -> Found:
        return {"amount": amount, "currency": self.currency}

    def _tell_order(self, what: str, order: Found) -> None:
        told = {"order_id": order["id"], "state": order["state"], "version": order["version"]}
        self._tell(f"order.{what}", order["id"], {f"order_{what}": told})

    def _tell(self, topic: str, about: str, found: Found) -> None:
        event = {
            "merchant_id": "MSTANDIN",
            "type": topic,
            "event_id": f"event-{self._id()}",
            "created_at": to_rfc3339(self._clock.now()),
            "data": {"type": topic.partition(".")[0], "id": about, "object": found},
        }
        body = json.dumps(event).encode()
        self.messages.append(Message(topic, signed(self.notification_url, body), body))


def signed(url: str, body: bytes, key: str = SIGNATURE_KEY) -> dict[str, str]:
    """The headers of a message."""
    return {
        "content-type": "application/json",
        "square-environment": "Production",
        "x-square-hmacsha256-signature": mark_of(key, url.encode() + body),
    }


def _errors(code: str) -> Found:
    return {"errors": [{"category": "API_ERROR", "code": code}]}
