"""WooCommerce's REST API: the orders that changed, and coupons.

Source: developer.woocommerce.com/docs/apis/rest-api/v3/ (`orders/`, `coupons/`, and of Basic
authentication over https `authentication/`), version `wc/v3`. `modified_after` is newer than
WooCommerce 5.6 (github.com/woocommerce/woocommerce/pull/30585), sorting by `modified` newer still;
that times are compared strictly, and to the second, is in class-wc-rest-crud-controller.php.

The shop's address is the word of whoever connects it, so requests go only where `PublicHttp` lets
them, and no redirect is followed with the key.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.adapters.http import Response
from chalicelib.adapters.public_http import NoAnswer, PublicHttp, Unsafe
from chalicelib.adapters.stores.reading import json_value
from chalicelib.adapters.stores.woocommerce_orders import Row, modified_at, read_order
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.domain.stores.facts import OrderSaid, OrdersChanged, StoreDiscount, Unreadable
from chalicelib.kernel.clock import SECOND, Instant, to_rfc3339
from chalicelib.kernel.money import format_amount

BASE = "/wp-json/wc/v3"
PAGE = 50  # orders: a page of large ones stays below `MAX_BYTES`
MAX_BYTES = 4 << 20

_OK = range(200, 300)
_TOO_MANY = 429
_SERVER_ERROR = 500
_NO_ORDER = "woocommerce_rest_shop_order_invalid_id"
_NO_COUPON = "woocommerce_rest_shop_coupon_invalid_id"
_CODE_TAKEN = "woocommerce_rest_coupon_code_already_exists"


@dataclass(frozen=True)
class _Place:
    """Where a page begins: with the orders changed in a second (since 1970), or later.

    With a `page` it is one of the pages of just this second, of so many orders in `total`.
    """

    second: int
    page: int | None = None
    total: int = 0

    @classmethod
    def read(cls, since: Instant, cursor: str | None) -> "_Place":
        if cursor is None:
            return cls(since // SECOND)
        return cls(*map(int, cursor.split(":")))

    def __str__(self) -> str:
        return f"{self.second}" if self.page is None else f"{self.second}:{self.page}:{self.total}"

    @property
    def query(self) -> str:
        """The orders of the page, oldest change first, those of one second by their ids."""
        asked = {
            "modified_after": _time(self.second - 1),
            "dates_are_gmt": "true",
            "orderby": "modified",
            "order": "asc",
            "per_page": str(PAGE),
            "page": str(self.page or 1),
        }
        if self.page is not None:
            asked["modified_before"] = _time(self.second + 1)
        return urlencode(asked)

    def next(self, last: int, pages: int, total: int) -> "_Place | None":
        """Where the next page begins, `last` being the second of the last order of this one."""
        if self.page is None:
            if pages <= 1:
                return None
            return _Place(last) if last > self.second else _Place(self.second, 1, total)
        if self.page > 1 and total != self.total:
            return _Place(self.second, 1, total)
        if self.page < pages:
            return _Place(self.second, self.page + 1, total)
        return _Place(self.second + 1)


class WooCommerceApi:
    """Keeps the port `StoreApi`. A single order may be `Unreadable`, too."""

    def __init__(self, http: PublicHttp, address: str, access: str, source: str) -> None:
        """`access` is `ck_...:cs_...`."""
        self._http = http
        self._base = address.rstrip("/") + BASE
        self._authorization = f"Basic {base64.b64encode(access.encode()).decode()}"
        self._source = source

    def changed(self, since: Instant, cursor: str | None) -> OrdersChanged:
        """A page of the orders that changed.

        An order that changes while pages are read moves to the end, and of numbered pages one
        would then miss the order that takes its place. So a page begins anew with the second in
        which the one before ended. Only where a page is of one second alone (somebody edited in
        bulk) the rest of just this second is read by numbers, again where an order has left it.
        """
        place = _Place.read(since, cursor)
        answer = self._ask("GET", f"/orders?{place.query}")
        assert answer is not None  # noqa: S101 (no refusal is expected)
        rows = _rows(answer)
        orders, unreadable, seconds = [], [], []
        for row in rows:
            try:
                seconds.append((modified_at(row) or 0) // SECOND)
                said = read_order(row, self._source)
            except Unreadable as error:
                unreadable.append(f"order {str(row.get('id'))[:20]}: {error}")
            else:
                orders += [said] if said else []
        pages = _count(answer, "totalpages")
        if pages > 1 and not seconds:
            raise Fault("the store does not show when its orders were changed")
        last = max(seconds, default=place.second)
        following = place.next(last, pages, _count(answer, "total"))
        return OrdersChanged(
            tuple(orders), None if following is None else str(following), tuple(unreadable)
        )

    def order(self, order_id: str) -> OrderSaid | None:
        answer = self._ask("GET", f"/orders/{quote(order_id, safe='')}", but=_NO_ORDER)
        if answer is None:
            return None
        found = _json(answer)
        if not isinstance(found, dict):
            raise Unavailable("the store answered with no order")
        return read_order(found, self._source)

    def put_discount(self, discount: StoreDiscount) -> None:
        """Makes a coupon for one order.

        Its end is written with a zone: of `date_expires_gmt`, though documented, nothing is set
        (class-wc-rest-coupons-v2-controller.php). A coupon is good in the second that it names.
        """
        coupon: dict[str, Any] = {
            "code": discount.code,
            "description": discount.title,
            "usage_limit": 1,
        }
        if discount.percent is not None:
            coupon |= {"discount_type": "percent", "amount": str(discount.percent)}
        else:
            amount = format_amount(discount.amount or 0, discount.currency)
            coupon |= {"discount_type": "fixed_cart", "amount": amount}
        if discount.ends_at is not None:
            coupon["date_expires"] = f"{_time((discount.ends_at - 1) // SECOND)}Z"
        self._ask("POST", "/coupons", coupon, but=_CODE_TAKEN)

    def end_discount(self, code: str) -> None:
        answer = self._ask("GET", f"/coupons?{urlencode({'code': code})}")
        assert answer is not None  # noqa: S101 (no refusal is expected)
        for row in _rows(answer):
            # WooCommerce keeps codes in lower case. A shop that ignores `code` lists all coupons.
            if str(row.get("code")).lower() == code.lower():
                coupon = quote(str(row.get("id")), safe="")
                self._ask("DELETE", f"/coupons/{coupon}?force=true", but=_NO_COUPON)

    def _ask(
        self, method: str, path: str, content: Row | None = None, *, but: str | None = None
    ) -> Response | None:
        """What the shop answered; None where it refused with just this code.

        Raises `Unavailable` and `Fault`.
        """
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        body = b""
        if content is not None:
            body = json.dumps(content).encode()
            headers["Content-Type"] = "application/json"
        try:
            answer = self._http.send(method, self._base + path, headers, body, MAX_BYTES + 1)
        except Unsafe as unsafe:
            raise Fault(f"the address of the store {unsafe}") from unsafe
        except NoAnswer as silence:
            raise Unavailable(f"the store gave {silence}") from silence
        return _judged(answer, but)


def _judged(answer: Response, but: str | None) -> Response | None:
    if answer.status == _TOO_MANY or answer.status >= _SERVER_ERROR:
        raise Unavailable(f"the store answered {answer.status}")
    if len(answer.body) > MAX_BYTES:
        raise Fault(f"the store answered with more than {MAX_BYTES} bytes")
    if answer.status in _OK:
        return answer
    code = _code(answer)
    if but is not None and code == but:
        return None
    raise Fault(f"the store answered {answer.status} {code}".rstrip())


def _code(answer: Response) -> str:
    """The code of a refusal, where it is one of WordPress's."""
    try:
        found = json_value(answer.body)
    except Unreadable:
        return ""
    return str(found.get("code", ""))[:80] if isinstance(found, dict) else ""


def _json(answer: Response) -> Any:
    """A whole answer. A page in place of it (maintenance, a firewall) may pass."""
    try:
        return json_value(answer.body)
    except Unreadable as error:
        raise Unavailable("the store answered with no JSON") from error


def _rows(answer: Response) -> list[Row]:
    found = _json(answer)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unavailable("the store answered with no list")
    return found


def _count(answer: Response, name: str) -> int:
    text = answer.headers.get(f"x-wp-{name}", "")
    if not (text.isascii() and text.isdigit()):
        raise Fault(f"the store did not say X-WP-{name}")
    return int(text)


def _time(second: int) -> str:
    """A second as WooCommerce writes it, in UTC without a zone."""
    return to_rfc3339(max(second, 0) * SECOND).removesuffix("Z")
