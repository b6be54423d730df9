"""Square's API, as far as we ask it: orders with all that belongs to them, one at a time.

Written against the version 2026-09-16; the newest two at the time of writing were 2026-09-16 and
2026-08-19 (developer.squareup.com/docs/changelog/connect). Who names a version gets its behaviour
(developer.squareup.com/docs/build-basics/versioning).
"""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from chalicelib.adapters.http import Http, Response
from chalicelib.adapters.stores.reading import json_object, needed, objects, text
from chalicelib.adapters.stores.square_orders import (
    Around,
    Found,
    Returned,
    is_sale,
    order_said,
    origin_of,
)
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.domain.stores.facts import OrderSaid, OrdersChanged, StoreDiscount, Unreadable
from chalicelib.kernel.clock import Instant, to_rfc3339

VERSION = "2026-09-16"
PAGE = 20  # orders: each takes some calls more
MOST_LOCATIONS = 10  # of one search: reference, SearchOrders
_STATES = ["OPEN", "COMPLETED", "CANCELED"]


class SquareApi:
    """Keeps the port `StoreApi`; what cannot be read raises `Unreadable`."""

    def __init__(
        self, http: Http, address: str, access: str, source: str, money: str, *, is_test: bool
    ) -> None:
        self._http = http
        self._address = address
        self._access = access
        self._source = source
        self._money = money
        self._is_test = is_test

    def changed(self, since: Instant, cursor: str | None) -> OrdersChanged:
        """A page of what changed in ten of the seller's locations, then in the next ten.

        A search must name its locations, ten at most, and Square sorts within one search. Only ids
        are searched for: an order may be so large that twenty are too much for one answer.
        A return among them is told as the order that it is of.

        Source: developer.squareup.com/docs/orders-api/manage-orders/search-orders.
        """
        number, _, place = (cursor or "0:").partition(":")
        locations = self._locations()
        first, behind = int(number) * MOST_LOCATIONS, (int(number) + 1) * MOST_LOCATIONS
        if first >= len(locations):
            return OrdersChanged((), None)
        found = self._search(locations[first:behind], since, place)
        orders: dict[str, OrderSaid] = {}
        unreadable = []
        for entry in objects(found, "order_entries"):
            order_id = str(needed(entry, "order_id"))
            try:
                said = self.order(order_id)
            except Unreadable as error:
                unreadable.append(f"{order_id}: {error}")
                continue
            if said is not None:
                orders[said.order.id] = said
        following = f"{int(number) + 1}:" if behind < len(locations) else None
        if found.get("cursor"):
            following = f"{number}:{found['cursor']}"
        return OrdersChanged(tuple(orders.values()), following, tuple(unreadable))

    def order(self, order_id: str) -> OrderSaid | None:
        """An order as it is now; of a return, the order that something came back of.

        None for drafts, and for returns of no order.
        """
        found = self._get("orders", order_id, "order")
        origin = origin_of(found) if found else None
        if origin is not None:
            found = self._get("orders", origin, "order")
        if found is None or not is_sale(found):
            return None
        around = self._around(found)
        return order_said(found, around, self._source, self._money, is_test=self._is_test)

    def put_discount(self, discount: StoreDiscount) -> None:
        """Raises `Fault`: a discount of Square's catalog is picked by the cashier or by a pricing
        rule, and the API has nothing that a customer types in
        (developer.squareup.com/docs/catalog-api/cookbook/auto-apply-discounts)."""
        raise Fault(f"Square has no discounts by code: {discount.code} cannot be made")

    def end_discount(self, code: str) -> None:
        """Raises `Fault`, as `put_discount` does."""
        raise Fault(f"Square has no discounts by code: {code} cannot be ended")

    def _around(self, order: Found) -> Around:
        order_id, tenders = str(needed(order, "id")), objects(order, "tenders")
        payments = tuple(self._payments(tenders))
        known = (text(one, "customer_id") for one in (order, *payments, *tenders))
        customer_id = next((one for one in known if one), None)
        # A customer who was merged into another is answered with that other.
        customer = self._get("customers", customer_id, "customer") if customer_id else None
        return Around(payments, tuple(self._returned(payments, order_id)), customer)

    def _payments(self, tenders: list[Found]) -> Iterator[Found]:
        """A tender's id is that of its payment (reference, Tender)."""
        for tender in tenders:
            payment = self._get("payments", str(needed(tender, "id")), "payment")
            if payment is not None:
                yield payment

    def _returned(self, payments: tuple[Found, ...], order_id: str) -> Iterator[Returned]:
        """What came back: an order names no return of it, its payments name their refunds.

        A refund names the return that it is of; one that does not stands for itself.

        Source: developer.squareup.com/forums/t/how-to-retrieve-list-of-refunds-for-an-invoice/6813.
        """
        by_return: dict[str, list[Found]] = {}
        for refund_id in [one for payment in payments for one in _texts(payment, "refund_ids")]:
            refund = self._get("refunds", refund_id, "refund")
            if refund is None:
                continue
            return_id = text(refund, "order_id") or order_id
            if return_id == order_id:
                yield Returned({"id": refund_id}, (refund,))
            else:
                by_return.setdefault(return_id, []).append(refund)
        for return_id, refunds in by_return.items():
            order = self._get("orders", return_id, "order")
            yield Returned(order or {"id": return_id}, tuple(refunds))

    def _locations(self) -> list[str]:
        """All of the seller: the answer has no pages (reference, ListLocations)."""
        found = self._read(self._send("GET", "locations"))
        return [str(needed(one, "id")) for one in objects(found, "locations")]

    def _search(self, locations: list[str], since: Instant, place: str) -> Found:
        """A place is forgotten after a while, some minutes, and the search begins anew then.

        Source: developer.squareup.com/docs/build-basics/common-api-patterns/pagination.
        """
        query = {
            "filter": {
                "date_time_filter": {"updated_at": {"start_at": to_rfc3339(since)}},
                "state_filter": {"states": _STATES},
            },
            "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
        }
        search = {"location_ids": locations, "return_entries": True, "limit": PAGE, "query": query}
        going_on = {**search, "cursor": place} if place else search
        answer = self._send("POST", "orders/search", going_on)
        if place and answer.status == HTTPStatus.BAD_REQUEST:
            answer = self._send("POST", "orders/search", search)
        return self._read(answer)

    def _get(self, kind: str, identifier: str, name: str) -> Found | None:
        """One thing; None where there is none."""
        answer = self._send("GET", f"{kind}/{quote(identifier, safe='')}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        one = self._read(answer).get(name)
        if not isinstance(one, dict):
            raise Unreadable(f"{name} is missing")
        return one

    def _send(self, method: str, path: str, body: Any = None) -> Response:
        headers = {
            "authorization": f"Bearer {self._access}",
            "square-version": VERSION,
            "content-type": "application/json",
        }
        content = b"" if body is None else json.dumps(body).encode()
        return self._http.send(method, f"{self._address}/v2/{path}", content, headers)

    def _read(self, answer: Response) -> Found:
        if answer.status == HTTPStatus.OK:
            return json_object(answer.body)
        passes = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if passes or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Unavailable(f"Square answers {answer.status}")
        raise Fault(f"Square refuses us: {answer.status}")


def _texts(found: Found, name: str) -> list[str]:
    rows = found.get(name) or []
    if not isinstance(rows, list):
        raise Unreadable(f"{name} is no list")
    return [str(one) for one in rows]
