"""A shop's account at the stand-in of Stripe, used by the real `stripe` library."""

import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from chalicelib.kernel.clock import SECOND
from local.stripe_stand_in import SECRET_KEY, StripeStandIn
from tests.fakes.shop import SetClock

START = SetClock().now() // SECOND
HOUR = 3600
stripe.enable_telemetry = False

Client = Any  # `client.v1`: its services are made on first use, which types do not show


def client_of(stand_in: StripeStandIn, key: str = SECRET_KEY) -> Client:
    """The real library, which reaches nothing but the stand-in and never tries again by itself."""
    addresses: Any = dict.fromkeys(("api", "connect", "files", "meter_events"), stand_in.url)
    return stripe.StripeClient(key, base_addresses=addresses, max_network_retries=0).v1


class Account:
    """A shop's account with a product, and a customer whose test clock starts at `START`."""

    def __init__(self, stand_in: StripeStandIn, currency: str = "eur") -> None:
        self.stand_in = stand_in
        self.api = client_of(stand_in)
        self.currency = currency
        self.product = self.api.products.create({"name": "Plus"}).id
        self.clock = self.api.test_helpers.test_clocks.create({"frozen_time": START}).id
        self.customer = self.api.customers.create({"test_clock": self.clock}).id

    def price(self, amount: int, interval: str = "month", count: int = 1) -> str:
        every = {"interval": interval, "interval_count": count}
        asked = {"product": self.product, "currency": self.currency, "unit_amount": amount}
        return str(self.api.prices.create({**asked, "recurring": every}).id)

    def card(self, token: str = "pm_card_visa") -> str:
        method = self.api.payment_methods.attach(token, {"customer": self.customer}).id
        usual = {"default_payment_method": method}
        self.api.customers.update(self.customer, {"invoice_settings": usual})
        return str(method)

    def subscribe(self, price: str, **more: Any) -> Any:
        asked = {"customer": self.customer, "items": [{"price": price}], **more}
        return self.api.subscriptions.create(asked)

    def get(self, subscription: Any, *expand: str) -> Any:
        return self.api.subscriptions.retrieve(subscription.id, {"expand": list(expand)})

    def change(self, subscription: Any, price: str, **more: Any) -> Any:
        items = [{"id": subscription["items"].data[0].id, "price": price}]
        return self.api.subscriptions.update(subscription.id, {"items": items, **more})

    def advance(self, to: int) -> None:
        self.api.test_helpers.test_clocks.advance(self.clock, {"frozen_time": to})

    def invoices(self) -> list[tuple[str, int, str]]:
        rows = self.api.invoices.list({"customer": self.customer, "limit": 100}).data[::-1]
        return [(row.billing_reason, row.total, row.status) for row in rows]

    def told(self, *names: str) -> list[str]:
        """The events of those names, in their order."""
        return [one["type"] for one in self.stand_in.events if one["type"] in names]


def local(stand_in: StripeStandIn, path: str, **form: Any) -> Any:
    """A route that only the stand-in has."""
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{stand_in.url}/_local/{path}", body) as answer:
        return json.load(answer)


def refusal(call: Callable[[], Any]) -> stripe.StripeError:
    """What the library raises."""
    with pytest.raises(stripe.StripeError) as raised:
        call()
    return raised.value
