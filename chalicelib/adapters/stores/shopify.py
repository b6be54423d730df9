"""Shopify: what its webhooks say.

Sources, all at https://shopify.dev: docs/apps/build/webhooks/verify-deliveries (the signature, and
which header tells a repetition), docs/apps/build/webhooks/delivery-structure (the headers),
docs/api/webhooks (the topics), docs/apps/build/compliance/privacy-law-compliance (the topics of
privacy), docs/api/usage/versioning.

The signature covers the body alone: that a body belongs to its topic is Shopify's word over TLS.
"""

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.stores.reading import json_object, needed, needed_text
from chalicelib.adapters.stores.shopify_orders import customer_said, order_said, refund_facts
from chalicelib.adapters.stores.signing import verify
from chalicelib.domain.errors import Fault
from chalicelib.domain.ports import StoreApi
from chalicelib.domain.stores.connection import Connection
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerGone,
    CustomerSaid,
    DataAsked,
    ErasureAsked,
    Fact,
    Heard,
    OrderGone,
    OrderToFetch,
    StoreGone,
    StoreMessage,
    Unreadable,
)
from chalicelib.kernel.clock import Instant

if TYPE_CHECKING:
    from chalicelib.adapters.http import Http

SIGNATURE = "x-shopify-hmac-sha256"
TOPIC = "x-shopify-topic"
MESSAGE_ID = "x-shopify-webhook-id"  # x-shopify-event-id is the same for all topics of one action

_ADDRESS = re.compile(r"https://[a-z0-9][a-z0-9-]{0,99}\.myshopify\.com")
_LOCAL_ADDRESS = re.compile(r"http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")
_TOKEN = re.compile(r"shp(at|ca|pa)_[0-9A-Za-z]{16,200}")
_CLIENT = re.compile(r"[0-9A-Za-z]{16,100}:[0-9A-Za-z_]{16,200}")

Body = dict[str, Any]


class Shopify:
    """Keeps the port `StoreSystem`."""

    def __init__(self, *, allow_local: bool = False) -> None:
        """`allow_local` is for development: stores on this machine, over http."""
        self._allow_local = allow_local

    def hear(
        self,
        message: StoreMessage,
        secrets: Sequence[str],
        source: str,
        money: str,
        now: Instant,  # noqa: ARG002 (Shopify signs no time)
    ) -> Heard:
        verify(secrets, message.headers.get(SIGNATURE, ""), message.body)
        topic, message_id = _header(message, TOPIC), _header(message, MESSAGE_ID)
        read = _READERS.get(topic)
        if read is None:
            return Heard(message_id, topic, known=False)
        return Heard(message_id, topic, read(json_object(message.body), source, money))

    def api(self, connection: Connection, access: str, money: str) -> StoreApi:
        """Raises `Fault` where the address is not Shopify's."""
        from chalicelib.adapters.stores.shopify_api import ShopifyApi

        problem = self.address_problem(connection.address)
        if problem is not None:
            raise Fault(f"the store's address {problem}")
        return ShopifyApi(self._http, connection.address, access, connection.source, money)

    @cached_property
    def _http(self) -> "Http":
        """Made with the first call: messages do without, and it takes time to load."""
        from chalicelib.adapters.http import Http
        from chalicelib.adapters.stores.shopify_api import MAX_PAGE_BYTES

        return Http(MAX_PAGE_BYTES)

    def access_problem(self, access: str) -> str | None:
        if _TOKEN.fullmatch(access) or _CLIENT.fullmatch(access):
            return None
        return "is neither an Admin API access token (shpat_...) nor <client id>:<client secret>"

    def address_problem(self, address: str) -> str | None:
        """Why a store of Shopify cannot be at an address; None where it can.

        The token goes there: to Shopify's own names alone, never to a shop's own domain.
        """
        if _ADDRESS.fullmatch(address):
            return None
        if self._allow_local and _LOCAL_ADDRESS.fullmatch(address):
            return None
        return "is not https://<name>.myshopify.com"


def _header(message: StoreMessage, name: str) -> str:
    value = message.headers.get(name, "").strip()
    if not value:
        raise Unreadable(f"the header {name} is missing")
    return value


def _order(body: Body, source: str, money: str) -> tuple[Fact, ...]:
    return (order_said(body, source, money),)


def _order_gone(body: Body, source: str, money: str) -> tuple[Fact, ...]:  # noqa: ARG001
    return (OrderGone(needed_text(body, "id")),)


def _order_edited(body: Body, source: str, money: str) -> tuple[Fact, ...]:  # noqa: ARG001
    """Only what the edit added and removed, not the order."""
    return (OrderToFetch(needed_text(_part(body, "order_edit"), "order_id")),)


def _refund(body: Body, source: str, money: str) -> tuple[Fact, ...]:  # noqa: ARG001
    return refund_facts(body, money)


def _customer(body: Body, source: str, money: str) -> tuple[Fact, ...]:  # noqa: ARG001
    needed_text(body, "id")
    return (CustomerSaid(customer_said(body)),)


def _customer_gone(body: Body, source: str, money: str) -> tuple[Fact, ...]:  # noqa: ARG001
    needed_text(body, "id")
    return (CustomerGone(customer_said(body)),)


def _data_asked(body: Body, source: str, money: str) -> tuple[Fact, ...]:  # noqa: ARG001
    return (DataAsked(_somebody(body)),)


def _erasure_asked(body: Body, source: str, money: str) -> tuple[Fact, ...]:  # noqa: ARG001
    return (ErasureAsked(_somebody(body)),)


def _store_gone(body: Body, source: str, money: str) -> tuple[Fact, ...]:  # noqa: ARG001
    return (StoreGone(),)


def _somebody(body: Body) -> Customer:
    """Of whom a message about privacy is: by id, by e-mail, or by phone alone."""
    found = customer_said(_part(body, "customer"))
    if found.id is None and found.email is None and found.phone is None:
        raise Unreadable("customer has neither id nor email nor phone")
    return found


def _part(body: Body, name: str) -> Body:
    part = needed(body, name)
    if not isinstance(part, dict):
        raise Unreadable(f"{name} is no object")
    return part


_READERS: dict[str, Callable[[Body, str, str], tuple[Fact, ...]]] = {
    "orders/create": _order,
    "orders/paid": _order,
    "orders/updated": _order,
    "orders/edited": _order_edited,
    "orders/cancelled": _order,
    "orders/delete": _order_gone,
    "refunds/create": _refund,
    "customers/create": _customer,
    "customers/update": _customer,
    "customers/delete": _customer_gone,
    "customers/data_request": _data_asked,
    "customers/redact": _erasure_asked,
    "shop/redact": _store_gone,
}
