"""Stripe, reached by its own library: what members pay for plans.

Products and prices are made from the plans, or found again by their names; nothing is made by hand.
Every call that changes something has an idempotency key that the caller derives from what caused
it, so that a call whose answer was lost is made again without a second charge.

Sources: docs.stripe.com, "Build a subscriptions integration", "Change the price of existing
subscriptions", "Prorations", "Pause payment collection", "Customer portal", "Test clocks", and the
API reference of each call.
"""

import json
import logging
from dataclasses import replace
from typing import Any

import stripe

from chalicelib.adapters.stripe import calls
from chalicelib.adapters.stripe.calls import PAGE
from chalicelib.adapters.stripe.money import from_stripe, to_stripe
from chalicelib.adapters.stripe.reading import (
    MEMBER,
    PAID_UNTIL,
    PLAN,
    PRICE,
    PROGRAM,
    Object,
    event_of,
    invoice_of,
    lines_of,
    lookup_key,
    subscription_of,
)
from chalicelib.domain.errors import Fault, FieldError, Refusal
from chalicelib.domain.memberships.membership import Subscription
from chalicelib.domain.memberships.payments import (
    Begun,
    Billing,
    Buyer,
    Hosted,
    Invoice,
    PaymentEvent,
    Preview,
    Sale,
)
from chalicelib.domain.memberships.plan import Price
from chalicelib.domain.memberships.refunding import Charge
from chalicelib.kernel.clock import MINUTE, SECOND, Instant
from chalicelib.kernel.signatures import BadSignature

TIMEOUT_SECONDS = 8  # an answer of ours may need three calls within API Gateway's 29 s
RETRIES = 1
TOLERANCE = 5 * MINUTE
SUBSCRIPTIONS = 20  # of one look at the account: a call more for each
_KEY = "regulars_key"
_LOG = logging.getLogger("regulars")


class StripePayments:
    """Keeps the port `Payments`, for one Stripe account."""

    def __init__(
        self,
        secret_key: str,
        webhook_secrets: tuple[str, ...],
        base_url: str | None = None,
    ) -> None:
        """`webhook_secrets` are two while one takes the place of the other."""
        stripe.enable_telemetry = False
        addresses: Any = dict.fromkeys(("api", "connect", "files", "meter_events"), base_url)
        client = stripe.StripeClient(
            secret_key,
            base_addresses=addresses if base_url else None,
            max_network_retries=RETRIES,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        )
        self._api: Any = client.v1
        self._webhook_secrets = webhook_secrets
        self._prices: dict[tuple[str, str, Price], str] = {}

    # Customers

    def make_customer(self, key: str, buyer: Buyer) -> Billing:
        """Makes the member a customer; in a stopped test program with a test clock of his own."""
        clock = None
        if buyer.test_now is not None:
            now = buyer.test_now // SECOND
            made = calls.do(
                self._api.test_helpers.test_clocks.create,
                {"frozen_time": now, "name": buyer.member_id[:100]},
                f"{key}-clock-{now}",
            )
            clock = made["id"]
            key = f"{key}-{clock}"
        asked = {
            "metadata": {PROGRAM: buyer.program_id, MEMBER: buyer.member_id},
            **({"test_clock": clock} if clock else {}),
        }
        customer = calls.do(self._api.customers.create, asked, key)
        # Not with the first call: a profile may change before that is made again, and its key not.
        known = {"email": buyer.email, "name": buyer.name}
        details = {name: value for name, value in known.items() if value}
        if details:
            calls.do(self._api.customers.update, customer["id"], details)
        return Billing(buyer.program_id, buyer.member_id, customer["id"], clock)

    def forget_customer(self, customer_id: str) -> None:
        """Deletes a customer, which ends his subscriptions at once; nothing where he is gone."""
        calls.found(lambda: calls.do(self._api.customers.delete, customer_id))

    def advance(self, test_clock: str, now: Instant) -> None:
        """Moves a customer's test clock forward, as far as Stripe lets it at once."""
        asked = {"frozen_time": now // SECOND}
        try:
            calls.do(self._api.test_helpers.test_clocks.advance, test_clock, asked)
        except Fault as fault:
            _LOG.warning("a test clock stays where it is: %s", fault)

    # Selling

    def checkout(
        self, key: str, customer_id: str, sale: Sale, success_url: str, cancel_url: str
    ) -> Hosted | Refusal:
        """A page of Stripe on which the member pays. Pages of earlier tries are closed."""
        asked: Object = {
            "mode": "subscription",
            "customer": customer_id,
            "client_reference_id": sale.member_id,
            "line_items": [{"price": self._price(sale), "quantity": 1}],
            "success_url": success_url,
            "cancel_url": cancel_url,
            "subscription_data": {"metadata": _metadata(sale)},
            **self._terms(sale),
        }
        if sale.plan.automatic_tax:  # what is typed there decides the tax ("Checkout page")
            asked["customer_update"] = {"address": "auto"}
        if sale.trial_days:
            asked["subscription_data"]["trial_period_days"] = sale.trial_days
        if sale.plan.promotion_codes and "discounts" not in asked:
            asked["allow_promotion_codes"] = True
        made = calls.asked(lambda: calls.do(self._api.checkout.sessions.create, asked, key))
        if isinstance(made, Refusal):
            return made
        for one in calls.pages(self._api.checkout.sessions.list, customer=customer_id):
            if one["status"] == "open" and one["id"] != made["id"]:
                self._close(one["id"])
        return Hosted(made["url"], made["expires_at"] * SECOND)

    def _close(self, session_id: str) -> None:
        expire = self._api.checkout.sessions.expire
        calls.found(lambda: calls.do(expire, session_id))

    def subscribe(self, key: str, customer_id: str, sale: Sale) -> Begun | Refusal:
        """A subscription that a mobile app's payment sheet confirms ("default_incomplete")."""
        asked: Object = {
            "customer": customer_id,
            "items": [{"price": self._price(sale)}],
            "payment_behavior": "default_incomplete",
            "payment_settings": {"save_default_payment_method": "on_subscription"},
            "metadata": _metadata(sale),
            "expand": ["latest_invoice.confirmation_secret", "pending_setup_intent"],
            **self._terms(sale),
        }
        if sale.trial_days:
            asked["trial_period_days"] = sale.trial_days
            ends = {"end_behavior": {"missing_payment_method": "cancel"}}
            asked["trial_settings"] = ends
        made = calls.asked(lambda: calls.do(self._api.subscriptions.create, asked, key))
        if isinstance(made, Refusal):
            return made
        invoice = made["latest_invoice"] or {}
        secret = (invoice.get("confirmation_secret") or {}).get("client_secret")
        if secret and invoice.get("status") == "open":
            return Begun(made["id"], "payment", secret)
        setup = made["pending_setup_intent"]
        return Begun(made["id"], "setup" if setup else "none", setup and setup["client_secret"])

    def promotion(self, code: str) -> str | None:
        """The id of a promotion code that customers may use, None where there is none."""
        found = calls.do(self._api.promotion_codes.list, {"code": code, "active": True})["data"]
        return str(found[0]["id"]) if found else None

    def _terms(self, sale: Sale) -> Object:
        """What both ways to sell have in common."""
        found: Object = {}
        if sale.plan.automatic_tax:
            found["automatic_tax"] = {"enabled": True}
        if sale.promotion_code:
            found["discounts"] = [{"promotion_code": sale.promotion_code}]
        elif sale.price.intro_amount is not None:
            found["discounts"] = [{"coupon": self._intro(sale)}]
        return found

    def _intro(self, sale: Sale) -> str:
        """The coupon of a lower price for the first periods: made once, known by its id."""
        price = sale.price
        off = price.amount - (price.intro_amount or 0)
        coupon = f"regulars-{sale.program_id}-{price.number}-{off}-{price.intro_periods}"
        duration: Object = {"duration": "once"}
        if price.intro_periods > 1:
            duration = {"duration": "repeating", "duration_in_months": price.intro_periods}
        asked = {
            "id": coupon,
            "amount_off": to_stripe(off, price.money),
            "currency": price.money.lower(),
            **duration,
        }
        if calls.found(lambda: calls.do(self._api.coupons.retrieve, coupon)) is None:
            calls.make_once(self._api.coupons.create, asked, coupon)
        return coupon

    def _price(self, sale: Sale) -> str:
        """Stripe's id of a price; product and price are made where they are not there yet.

        The lookup key holds everything that a price is: another amount is another price, and who
        has the old one keeps it.
        """
        plan, price = sale.plan, sale.price
        known = (sale.program_id, plan.id, price)
        if known not in self._prices:
            terms = (plan.id, price.id, price.amount, price.money, price.every)
            lookup = lookup_key(sale.program_id, *terms)
            found = calls.do(self._api.prices.list, {"lookup_keys": [lookup]})["data"]
            self._prices[known] = found[0]["id"] if found else self._make_price(sale, lookup)
        return self._prices[known]

    def _make_price(self, sale: Sale, lookup: str) -> str:
        plan, price = sale.plan, sale.price
        product = f"regulars-{sale.program_id}-{plan.id}"
        if calls.found(lambda: calls.do(self._api.products.retrieve, product)) is None:
            asked = {
                "id": product,
                "name": sale.name,
                "metadata": {PROGRAM: sale.program_id, PLAN: plan.id},
            }
            calls.make_once(self._api.products.create, asked, product)
        made = calls.do(
            self._api.prices.create,
            {
                "product": product,
                "currency": price.money.lower(),
                "unit_amount": to_stripe(price.amount, price.money),
                "recurring": {"interval": price.every},
                "lookup_key": lookup,
                "metadata": {PROGRAM: sale.program_id, PLAN: plan.id, PRICE: price.id},
            },
            lookup,
        )
        return str(made["id"])

    # Changes

    def preview(self, subscription: Subscription, sale: Sale, at: Instant) -> Preview | Refusal:
        """What a change at a moment would cost ("Create a preview invoice")."""
        details = {**self._moved(subscription, sale, at)}
        del details["metadata"]
        asked = {
            "customer": subscription.customer_id,
            "subscription": subscription.id,
            "subscription_details": details,
        }
        made = calls.asked(lambda: calls.do(self._api.invoices.create_preview, asked))
        if isinstance(made, Refusal):
            return made
        money = made["currency"].upper()
        due = from_stripe(made["amount_due"], money)
        return Preview(due, money, lines_of(made), at)

    def change(
        self, key: str, subscription: Subscription, sale: Sale, at: Instant
    ) -> Refusal | None:
        """Takes another plan or price now, and charges what `preview` said.

        Refused where the charge fails: then nothing has changed.
        """
        asked = {
            **self._moved(subscription, sale, at),
            "payment_behavior": "error_if_incomplete",
        }
        return self._update(key, subscription.id, asked)

    def _moved(self, subscription: Subscription, sale: Sale, at: Instant) -> Object:
        return {
            "items": [{"id": subscription.item_id, "price": self._price(sale)}],
            "proration_behavior": "always_invoice",
            "proration_date": at // SECOND,
            "metadata": _metadata(sale),
        }

    def cancel_at_period_end(
        self, key: str, subscription_id: str, *, cancels: bool
    ) -> Refusal | None:
        """The subscription ends with its period, or goes on after all."""
        return self._update(key, subscription_id, {"cancel_at_period_end": cancels})

    def cancel_now(self, key: str, subscription_id: str) -> None:
        """The subscription ends at once; nothing where it has ended."""
        asked = {"prorate": False, "invoice_now": False}
        calls.found(lambda: calls.do(self._api.subscriptions.cancel, subscription_id, asked, key))

    def discount(self, key: str, subscription_id: str, code: str) -> Refusal | None:
        """What a promotion code takes off is taken off the next charges, in place of any other.

        Codes that are used up are looked at too: so the same call again is the same.
        """
        found = calls.do(self._api.promotion_codes.list, {"code": code})["data"]
        if not found:
            error = FieldError("promotion_code", "is no code that can be used here")
            return Refusal("unknown_promotion_code", error.reason, (error,))
        asked = {"discounts": [{"promotion_code": found[0]["id"]}]}
        return self._update(key, subscription_id, asked)

    def pause(
        self, key: str, subscription: Subscription, resumes_at: Instant | None
    ) -> Refusal | None:
        """Nothing is charged until it is resumed: invoices are void."""
        paused: Object = {"behavior": "void"}
        if resumes_at is not None:
            paused["resumes_at"] = resumes_at // SECOND
        paid_until = {PAID_UNTIL: str(subscription.paid_until // SECOND)}
        asked = {"pause_collection": paused, "metadata": paid_until}
        return self._update(key, subscription.id, asked)

    def resume(self, key: str, subscription_id: str, *, anew: bool) -> Refusal | None:
        """Charges again from the next period on; `anew` begins one now, or changes nothing."""
        asked: Object = {"pause_collection": "", "metadata": {PAID_UNTIL: ""}}
        if anew:
            asked["billing_cycle_anchor"] = {"type": "now"}
            asked["proration_behavior"] = "none"
            asked["payment_behavior"] = "error_if_incomplete"
        return self._update(key, subscription_id, asked)

    def _update(self, key: str, subscription_id: str, asked: Object) -> Refusal | None:
        update = self._api.subscriptions.update
        done = calls.asked(lambda: calls.do(update, subscription_id, asked, key))
        return done if isinstance(done, Refusal) else None

    # Money back

    def last_charge(self, subscription: Subscription) -> Charge | None:
        """The newest invoice of a subscription that was paid with money, and what of it is left."""
        asked = {"subscription": subscription.id, "status": "paid", "limit": PAGE}
        rows = calls.do(self._api.invoices.list, asked)["data"]
        paid = [one for one in rows if one["amount_paid"]]
        if not paid:
            return None
        newest = paid[0]
        payment = self._payment(newest["id"])
        done = self._charge(payment) if payment else None
        if done is None:
            return None
        money = newest["currency"].upper()
        lines = newest["lines"]["data"]
        return Charge(
            payment=payment,
            amount=from_stripe(done["amount"], money),
            refunded=from_stripe(done["amount_refunded"], money),
            money=money,
            paid_at=done["created"] * SECOND,
            is_first=len(paid) == 1,
            period_start=max(row["period"]["start"] for row in lines) * SECOND,
        )

    def refund(self, key: str, payment: str, amount: int, money: str) -> None:
        """Gives back so much of a payment, in minor units.

        Idempotency keys are forgotten after a day; the refund itself keeps ours. What somebody else
        gave back meanwhile, or a bank took back, is not given twice.
        """
        made = calls.do(self._api.refunds.list, {"payment_intent": payment, "limit": PAGE})
        if any(one["metadata"].get(_KEY) == key for one in made["data"]):
            return
        charge = self._charge(payment)
        if charge is None or charge["disputed"]:
            return
        left = charge["amount"] - charge["amount_refunded"]
        asked = {
            "payment_intent": payment,
            "amount": min(to_stripe(amount, money), left),
            "metadata": {_KEY: key},
        }
        if not asked["amount"]:
            return
        calls.do(self._api.refunds.create, asked, key)

    def _charge(self, payment: str) -> Object | None:
        charges = calls.do(self._api.charges.list, {"payment_intent": payment})["data"]
        return next((one for one in charges if one["paid"]), None)

    def _payment(self, invoice_id: str) -> str:
        rows = calls.do(self._api.invoice_payments.list, {"invoice": invoice_id, "status": "paid"})
        return next(
            (
                str(one["payment"]["payment_intent"])
                for one in rows["data"]
                if one["payment"].get("payment_intent")
            ),
            "",
        )

    # Reading

    def subscription(self, subscription_id: str) -> Subscription | None:
        """A subscription as it is now; None where there is none."""
        asked = {"expand": ["latest_invoice"]}
        found = calls.found(
            lambda: calls.do(self._api.subscriptions.retrieve, subscription_id, asked)
        )
        return None if found is None else subscription_of(found, *self._disputes(found["customer"]))

    def subscriptions_of(self, customer_id: str) -> list[Subscription]:
        """All that a customer has or had, newest first."""
        asked = {"customer": customer_id, "status": "all", "expand": ["data.latest_invoice"]}
        disputed = self._disputes(customer_id)
        rows = calls.pages(self._api.subscriptions.list, **asked)
        return [subscription_of(one, *disputed) for one in rows]

    def subscriptions_after(self, after: str | None) -> tuple[list[Subscription], str | None]:
        """A page of all subscriptions of the account, and where the next begins."""
        asked: Object = {"status": "all", "limit": SUBSCRIPTIONS, "expand": ["data.latest_invoice"]}
        if after:
            asked["starting_after"] = after
        page = calls.do(self._api.subscriptions.list, asked)
        rows = page["data"]
        following = rows[-1]["id"] if page["has_more"] and rows else None
        ours = [one for one in rows if PROGRAM in one["metadata"]]
        found = [subscription_of(one, *self._disputes(one["customer"])) for one in ours]
        return found, following

    def customer_of_charge(self, charge_id: str) -> str | None:
        """Whom a charge was made from."""
        found = calls.found(lambda: calls.do(self._api.charges.retrieve, charge_id))
        return None if found is None else found["customer"]

    def invoices(
        self, customer_id: str, after: str | None, limit: int
    ) -> tuple[list[Invoice], str | None]:
        """A page of a customer's invoices, newest first, with the receipts of their charges."""
        asked: Object = {"customer": customer_id, "limit": limit}
        if after:
            asked["starting_after"] = after
        page = calls.do(self._api.invoices.list, asked)
        rows = page["data"]
        charges = calls.do(self._api.charges.list, {"customer": customer_id, "limit": PAGE})
        receipts = {one["payment_intent"]: one["receipt_url"] for one in charges["data"]}
        found = []
        for one in rows:
            payment = self._payment(one["id"]) if one["amount_paid"] else ""
            found.append(replace(invoice_of(one), receipt=receipts.get(payment)))
        return found, rows[-1]["id"] if page["has_more"] and rows else None

    def portal(self, customer_id: str, return_url: str) -> str:
        """A page of Stripe where the member changes cards and reads invoices."""
        asked = {"customer": customer_id, "return_url": return_url}
        return str(calls.do(self._api.billing_portal.sessions.create, asked)["url"])

    def event(self, body: bytes, signature: str, now: Instant) -> PaymentEvent:
        """What a message is about. Raises `BadSignature` for one that is forged, old or early.

        Source: docs.stripe.com, "Resolve webhook signature verification errors". The library looks
        at the past only; a message from the future is as suspect. One of another account (Connect)
        is none of ours.
        """
        if not any(_is_signed(body, signature, one) for one in self._webhook_secrets):
            raise BadSignature
        # The first, as the library takes it: a second one is signed by nobody.
        at = next(int(one[2:]) for one in signature.split(",") if one.startswith("t="))
        try:
            event = json.loads(body)
            if abs(now - at * SECOND) > TOLERANCE or event.get("account"):
                raise BadSignature
            return event_of(event)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadSignature from error  # signed, and no event all the same

    def _disputes(self, customer_id: str) -> tuple[list[Object], list[Object]]:
        """A customer's charges that are or were disputed, and their disputes."""
        asked = {"customer": customer_id, "limit": PAGE}
        charges = calls.do(self._api.charges.list, asked)["data"]
        disputed = [charge for charge in charges if charge["disputed"]]
        rows: list[Object] = []
        for charge in disputed:
            rows += calls.do(self._api.disputes.list, {"charge": charge["id"]})["data"]
        return disputed, rows


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, signature, secret))
    except (stripe.SignatureVerificationError, UnicodeDecodeError, TypeError):
        return False  # a mark that is not ASCII cannot even be compared


def _metadata(sale: Sale) -> dict[str, str]:
    return {PROGRAM: sale.program_id, MEMBER: sale.member_id, PLAN: sale.plan.id}
