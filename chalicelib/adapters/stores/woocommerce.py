"""WooCommerce: what its webhooks say.

Sources: developer.woocommerce.com/docs/apis/rest-api/v3/webhooks/, and for what it leaves open the
public source, github.com/woocommerce/woocommerce: plugins/woocommerce/includes/
class-wc-webhook.php.

A delivery is signed over its body alone: its headers are not, so a message that deletes is believed
only where its body is just an id, as WooCommerce sends it. It is made once: what failed is never
sent again, only a relay between may repeat it. When a webhook is saved WooCommerce sends
`webhook_id=5`, without a signature, and wants to see 200: such a ping says nothing, so nobody gains
by sending one.

An order in the trash is deleted, for good with us. Who restores it must give its points by hand.
"""

import hashlib
import re
from collections.abc import Sequence

from chalicelib.adapters.public_http import PublicHttp
from chalicelib.adapters.stores.reading import json_object
from chalicelib.adapters.stores.signing import verify
from chalicelib.adapters.stores.woocommerce_api import WooCommerceApi
from chalicelib.adapters.stores.woocommerce_orders import number, read_customer, read_order
from chalicelib.domain.stores.connection import Connection
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerGone,
    CustomerSaid,
    Fact,
    Heard,
    OrderGone,
    StoreMessage,
    Unreadable,
)
from chalicelib.kernel.clock import Instant

SIGNATURE = "x-wc-webhook-signature"
TOPIC = "x-wc-webhook-topic"
DELIVERY = "x-wc-webhook-delivery-id"

_PING = re.compile(rb"webhook_id=([0-9]{1,20})")
_MAX_TOPIC = 64  # characters
_ACCESS = re.compile(r"ck_[0-9A-Za-z]{8,100}:cs_[0-9A-Za-z]{8,100}")


class WooCommerce:
    """Keeps the port `StoreSystem`."""

    def __init__(self, http: PublicHttp) -> None:
        self._http = http

    def hear(
        self,
        message: StoreMessage,
        secrets: Sequence[str],
        source: str,
        money: str,  # noqa: ARG002 (an order names its own currency)
        now: Instant,  # noqa: ARG002 (no message says when it was sent)
    ) -> Heard:
        """What a message says. Raises `BadSignature`, and `Unreadable` for what was signed."""
        ping = _PING.fullmatch(message.body)
        if ping is None or SIGNATURE in message.headers:
            verify(secrets, message.headers.get(SIGNATURE, ""), message.body)
        if ping is not None:
            return Heard(f"ping.{ping[1].decode()}", "ping")
        topic = message.headers.get(TOPIC, "")
        if not topic:
            raise Unreadable(f"{TOPIC} is missing")
        facts = _facts(topic, message.body, source)
        return Heard(_id_of(message), topic[:_MAX_TOPIC], facts or (), known=facts is not None)

    def api(
        self,
        connection: Connection,
        access: str,
        money: str,  # noqa: ARG002 (an order names its own currency)
    ) -> WooCommerceApi:
        return WooCommerceApi(self._http, connection.address, access, connection.source)

    def address_problem(self, address: str) -> str | None:
        return self._http.problem(address)

    def access_problem(self, access: str) -> str | None:
        if _ACCESS.fullmatch(access):
            return None
        return "is not a consumer key and its secret, ck_...:cs_..."


def _id_of(message: StoreMessage) -> str:
    """The delivery, its topic and its body: WooCommerce's own id is a hash of the webhook and the
    second, so that two events of one second have the same."""
    named = f"{message.headers.get(DELIVERY, '')}\n{message.headers.get(TOPIC, '')}\n"
    return hashlib.sha256(named.encode("utf-8", "replace") + message.body).hexdigest()[:32]


def _facts(topic: str, body: bytes, source: str) -> tuple[Fact, ...] | None:
    """What a message of this topic says; None where the topic says nothing for us."""
    if topic in ("order.created", "order.updated", "order.restored"):
        said = read_order(json_object(body), source)
        return () if said is None else (said,)
    if topic in ("customer.created", "customer.updated"):
        return (CustomerSaid(read_customer(json_object(body))),)
    if topic == "order.deleted":
        return (OrderGone(_deleted(body)),)
    if topic == "customer.deleted":
        return (CustomerGone(Customer(_deleted(body))),)
    return None


def _deleted(body: bytes) -> str:
    found = json_object(body)
    if set(found) != {"id"}:
        raise Unreadable("more than the id of what was deleted is said")
    return number(found, "id")
