"""Shopify's Admin API: the orders that changed, and codes of discounts.

Sources, all at https://shopify.dev: docs/api/admin-rest/latest/resources/order (the list),
docs/api/admin-rest/usage/pagination (the Link header), docs/api/admin-rest/usage/rate-limits (429
and Retry-After), docs/api/admin-graphql/latest/mutations/discountCodeBasicCreate and
.../discountCodeDeactivate, docs/api/usage/versioning, and for the token
docs/apps/build/authentication-authorization/client-credentials-grant.

Orders come by REST, since webhooks send the same objects: one reading for both. Shopify calls it
legacy and says no end of it.
"""

import json
import re
import time
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from chalicelib.adapters.http import Http, Response
from chalicelib.adapters.stores.reading import json_object, objects, text
from chalicelib.adapters.stores.shopify_orders import order_said
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.domain.stores.facts import OrderSaid, OrdersChanged, StoreDiscount, Unreadable
from chalicelib.kernel.clock import SECOND, Instant, to_rfc3339
from chalicelib.kernel.money import format_amount

API_VERSIONS = ("2026-10", "2026-07")  # tried with the stand-in; the newest first
PAGE = 50  # orders; Shopify allows 250, which may be more bytes than a Lambda holds
MAX_PAGE_BYTES = 16 << 20
LONGEST_WAIT = 2.0  # seconds; a full bucket leaks two calls in one

_TOO_MANY = 429
_NOT_FOUND = 404
_LATER = frozenset({408, 429})  # and all from 500 on
_LONG_AGO = "2020-01-01T00:00:00Z"  # a start that no difference of clocks puts into the future

_FIND = """query find($code: String!) {
  codeDiscountNodeByCode(code: $code) {
    id codeDiscount { ... on DiscountCodeBasic { status } }
  }
}"""
_CREATE = """mutation create($discount: DiscountCodeBasicInput!) {
  discountCodeBasicCreate(basicCodeDiscount: $discount) {
    codeDiscountNode { id } userErrors { field code message }
  }
}"""
_DEACTIVATE = """mutation deactivate($id: ID!) {
  discountCodeDeactivate(id: $id) { codeDiscountNode { id } userErrors { field code message } }
}"""

Found = dict[str, Any]


class ShopifyApi:
    """Keeps the port `StoreApi`. One store, for the time of one piece of work."""

    def __init__(self, http: Http, address: str, access: str, source: str, money: str) -> None:
        """`access` is an Admin API access token, or `<client id>:<client secret>` of an app of the
        shop's own, which stand for a token of 24 hours."""
        self._http = http
        self._address = address
        self._access = access
        self._source = source
        self._money = money
        self._token: str | None = None if ":" in access else access

    def changed(self, since: Instant, cursor: str | None) -> OrdersChanged:
        """Shopify lists the orders of the last 60 days, all only to apps with read_all_orders."""
        query = {"limit": str(PAGE), "page_info": cursor} if cursor else _changes(since)
        answer = self._call("GET", f"orders.json?{urlencode(query)}")
        rows = objects(_body(answer), "orders")
        orders, unreadable = [], []
        for row in rows:
            try:
                orders.append(order_said(row, self._source, self._money))
            except Unreadable as error:
                unreadable.append(f"order {text(row, 'id')}: {error}")
        return OrdersChanged(tuple(orders), _next_page(answer), tuple(unreadable))

    def order(self, order_id: str) -> OrderSaid | None:
        answer = self._call("GET", f"orders/{quote(order_id, safe='')}.json", missing=True)
        if answer.status == _NOT_FOUND:
            return None
        found = _body(answer).get("order")
        if not isinstance(found, dict):
            raise Fault("Shopify answered without the order")
        try:
            return order_said(found, self._source, self._money)
        except Unreadable as error:
            raise Fault(f"Shopify's order {order_id} cannot be read: {error}") from error

    def put_discount(self, discount: StoreDiscount) -> None:
        """Amounts are in the shop's currency. A code that somebody else makes meanwhile is there
        too."""
        if self._find(discount.code) is not None:
            return
        done = self._ask(_CREATE, {"discount": _discount(discount)}, "discountCodeBasicCreate")
        errors = objects(done, "userErrors")
        if not any(one.get("code") == "TAKEN" for one in errors):
            _refuse(errors)

    def end_discount(self, code: str) -> None:
        """Deactivates it: what it was used for can still be seen."""
        node = self._find(code)
        if node is None or (node.get("codeDiscount") or {}).get("status") == "EXPIRED":
            return
        done = self._ask(_DEACTIVATE, {"id": node["id"]}, "discountCodeDeactivate")
        _refuse(objects(done, "userErrors"))

    def _find(self, code: str) -> Found | None:
        return self._ask(_FIND, {"code": code}, "codeDiscountNodeByCode") or None

    def _ask(self, query: str, variables: Found, name: str) -> Found:
        """One field of what GraphQL answers, empty where it is null."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        found = _body(self._call("POST", "graphql.json", body))
        errors = found.get("errors")
        if errors:
            if "THROTTLED" in json.dumps(errors):
                raise Unavailable("Shopify throttles us")
            raise Fault(f"Shopify refuses {name}: {json.dumps(errors)[:300]}")
        data = found.get("data")
        field = data.get(name) if isinstance(data, dict) else None
        return field if isinstance(field, dict) else {}

    def _call(
        self, method: str, path: str, body: bytes = b"", *, missing: bool = False
    ) -> Response:
        if self._token is None:
            self._token = self._new_token()
        url = f"{self._address}/admin/api/{API_VERSIONS[0]}/{path}"
        headers = {
            "x-shopify-access-token": self._token,
            "content-type": "application/json",
            "accept": "application/json",
        }
        return self._send(method, url, body, headers, missing=missing)

    def _send(
        self, method: str, url: str, body: bytes, headers: dict[str, str], *, missing: bool = False
    ) -> Response:
        """One answer that is a success, or, with `missing`, says that nothing is there.

        A full bucket is waited for once, where that takes a moment alone. A redirect is none of
        these, so that the token goes nowhere else.
        """
        answer = self._http.send(method, url, body, headers)
        if answer.status == _TOO_MANY and (wait := _seconds(answer)) <= LONGEST_WAIT:
            time.sleep(wait)
            answer = self._http.send(method, url, body, headers)
        if answer.status == 200 or (missing and answer.status == _NOT_FOUND):
            return answer
        if answer.status in _LATER or answer.status >= 500:
            raise Unavailable(f"Shopify answered {answer.status}")
        raise Fault(f"Shopify answered {answer.status}")

    def _new_token(self) -> str:
        client_id, _, client_secret = self._access.partition(":")
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        answer = self._send(
            "POST",
            f"{self._address}/admin/oauth/access_token",
            urlencode(form).encode(),
            {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        )
        token = text(_body(answer), "access_token")
        if token is None:
            raise Fault("Shopify answered without a token")
        return token


def _changes(since: Instant) -> dict[str, str]:
    """Shopify counts seconds: what changed in the second of `since` is asked for whole."""
    return {
        "status": "any",
        "limit": str(PAGE),
        "order": "updated_at asc",
        "updated_at_min": to_rfc3339(since // SECOND * SECOND),
    }


def _body(answer: Response) -> Found:
    try:
        return json_object(answer.body)
    except Unreadable as error:
        raise Fault(f"Shopify's answer cannot be read: {error}") from error


def _next_page(answer: Response) -> str | None:
    """Of the Link header only the cursor counts: the address is always the store's own."""
    found = re.search(r'<([^<>]*)>;\s*rel="?next"?', answer.headers.get("link", ""))
    if found is None:
        return None
    return next(iter(parse_qs(urlsplit(found[1]).query).get("page_info", ())), None)


def _seconds(answer: Response) -> float:
    try:
        return max(0.0, float(answer.headers.get("retry-after", "")))
    except ValueError:
        return LONGEST_WAIT


def _discount(discount: StoreDiscount) -> Found:
    if discount.percent is not None:
        value: Found = {"percentage": discount.percent / 100}
    else:
        amount = format_amount(discount.amount or 0, discount.currency)
        value = {"discountAmount": {"amount": amount, "appliesOnEachItem": False}}
    return {
        "title": discount.title,
        "code": discount.code,
        "startsAt": _LONG_AGO,
        "endsAt": None if discount.ends_at is None else to_rfc3339(discount.ends_at),
        "usageLimit": 1,
        "context": {"all": "ALL"},
        "customerGets": {"value": value, "items": {"all": True}},
    }


def _refuse(errors: list[Found]) -> None:
    if errors:
        said = "; ".join(str(one.get("message")) for one in errors)
        raise Fault(f"Shopify refuses the discount: {said[:300]}")
