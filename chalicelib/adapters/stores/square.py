"""Square: a till, an online shop, invoices; what it tells by webhooks.

Its messages about orders say only that something changed, so the order is fetched.

Source: developer.squareup.com/docs/webhooks/step3validate (the signature),
developer.squareup.com/docs/webhooks/v2webhook-events-tech-ref (the events), and the pages of each
event under developer.squareup.com/reference/square/webhooks.
"""

import re
from collections.abc import Callable, Sequence

from chalicelib.adapters.http import LOOPBACK, Http
from chalicelib.adapters.stores.reading import json_object, text
from chalicelib.adapters.stores.signing import verify
from chalicelib.adapters.stores.square_api import SquareApi
from chalicelib.adapters.stores.square_orders import DRAFT, Found, customer_of
from chalicelib.domain.errors import Fault
from chalicelib.domain.stores.connection import Connection
from chalicelib.domain.stores.facts import (
    CustomerGone,
    CustomerSaid,
    Fact,
    Heard,
    OrderToFetch,
    StoreMessage,
    Unreadable,
)
from chalicelib.kernel.clock import Instant

SIGNATURE = "x-square-hmacsha256-signature"
PRODUCTION = "https://connect.squareup.com"
SANDBOX = "https://connect.squareupsandbox.com"
_TOKEN = re.compile(r"[\x21-\x7e]{16,1024}")


class Square:
    """Keeps the port `StoreSystem`."""

    def __init__(self, http: Http, *, allow_local: bool = False) -> None:
        """`allow_local` is for development."""
        self._http = http
        self._allow_local = allow_local

    def hear(
        self,
        message: StoreMessage,
        secrets: Sequence[str],
        source: str,  # noqa: ARG002
        money: str,  # noqa: ARG002
        now: Instant,  # noqa: ARG002
    ) -> Heard:
        """What a message says. Square signs no time: its own id is what makes it once."""
        # Over the address that the store's owner told Square, and the body.
        signed = message.url.encode() + message.body
        verify(secrets, message.headers.get(SIGNATURE, ""), signed)
        event = json_object(message.body)
        topic, identifier = text(event, "type"), text(event, "event_id")
        if topic is None or identifier is None:
            raise Unreadable("type or event_id is missing")
        facts = _FACTS.get(topic)
        if facts is None:
            return Heard(identifier, topic, known=False)
        return Heard(identifier, topic, facts(_object_of(event, topic)))

    def api(self, connection: Connection, access: str, money: str) -> SquareApi:
        """Raises `Fault` where the address is not Square's: nobody else may have the token."""
        problem = self.address_problem(connection.address)
        if problem is not None:
            raise Fault(f"the store's address {problem}")
        return SquareApi(
            self._http,
            connection.address,
            access,
            connection.source,
            money,
            is_test=connection.address == SANDBOX,
        )

    def address_problem(self, address: str) -> str | None:
        host = address.removeprefix("http://").rpartition(":")[0]
        is_local = self._allow_local and host in LOOPBACK
        if address in (PRODUCTION, SANDBOX) or is_local:
            return None
        return f"is neither {PRODUCTION} nor {SANDBOX}"

    def access_problem(self, access: str) -> str | None:
        if _TOKEN.fullmatch(access):
            return None
        return "is not an access token of Square: 16 or more letters, digits and signs"


def _object_of(event: Found, topic: str) -> Found:
    """What the event is about: `data.object` holds it alone, by the name of its kind."""
    kind, _, what = topic.partition(".")
    name = f"order_{what}" if kind == "order" else kind
    found = event
    for step in ("data", "object", name):
        found = found.get(step, {})
        if not isinstance(found, dict):
            raise Unreadable(f"{step} is no object")
    return found


def _order(found: Found) -> tuple[Fact, ...]:
    return () if found.get("state") == DRAFT else _order_of(found)


def _order_of(found: Found) -> tuple[Fact, ...]:
    """The order of a payment or of a refund; of a refund it may be the return, an order as well.

    Source: developer.squareup.com/docs/refunds-api/webhooks.
    """
    order_id = text(found, "order_id")
    return (OrderToFetch(order_id),) if order_id else ()


def _customer(found: Found) -> tuple[Fact, ...]:
    return (CustomerSaid(customer_of(found)),)


def _customer_gone(found: Found) -> tuple[Fact, ...]:
    """The one that was deleted, by hand or because it was merged into another."""
    return (CustomerGone(customer_of(found)),)


_FACTS: dict[str, Callable[[Found], tuple[Fact, ...]]] = {
    "order.created": _order,
    "order.updated": _order,
    "payment.created": _order_of,
    "payment.updated": _order_of,
    "refund.created": _order_of,
    "refund.updated": _order_of,
    "customer.created": _customer,
    "customer.updated": _customer,
    "customer.deleted": _customer_gone,
    "webhooks.test_notification": _order_of,  # it names none
}
