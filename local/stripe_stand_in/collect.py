"""Getting invoices paid, trying again, and what that makes of a subscription ("Smart Retries").

The statuses are those of "How subscriptions work".
"""

from local.stripe_stand_in import invoices, payments
from local.stripe_stand_in.cards import attach, decline, declined, resolve
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.payments import AUTHENTICATE, SUCCEEDED
from local.stripe_stand_in.periods import DAY
from local.stripe_stand_in.routes import route
from local.stripe_stand_in.shapes import Object
from local.stripe_stand_in.world import World

NO_CARD = "no_card"  # an attempt came to nothing: there was nothing to pay with
ENDED = ("canceled", "incomplete_expired")


def default_method(world: World, subscription: Object) -> Object | None:
    """What the subscription is paid with: its own card, or its customer's."""
    customer = world.get("customer", subscription["customer"])
    own = subscription["default_payment_method"]
    usual = customer["invoice_settings"]["default_payment_method"]
    return world.find("payment_method", own or usual)


def collect(
    world: World,
    invoice: Object,
    method: Object | None = None,
    proved: bool = False,
    scheduled: bool = True,
) -> str:
    """One attempt: `succeeded`, `authenticate`, `no_card` or a decline code.

    Only attempts of the schedule count ("attempt_count") and set the next one.
    """
    subscription = world.get("subscription", invoice["_subscription"])
    method = method or default_method(world, subscription)
    if method and method["customer"] not in (None, invoice["customer"]):
        raise invalid("This payment method is attached to another customer.", "payment_method")
    invoice["attempted"] = True
    invoice["attempt_count"] += int(scheduled)
    result = NO_CARD
    if method is not None:
        intent = world.get("payment_intent", invoice["_intent"])
        result = payments.attempt(world, intent, method, proved)
        if result == SUCCEEDED:
            # A card that paid is kept for the next time (`setup_future_usage`).
            attach(world, method, world.get("customer", invoice["customer"]))
    return settle(world, invoice, result, scheduled)


def settle(world: World, invoice: Object, result: str, scheduled: bool) -> str:
    """What an attempt makes of the invoice and of its subscription."""
    subscription = world.get("subscription", invoice["_subscription"])
    if result == SUCCEEDED:
        invoices.mark_paid(world, invoice)
        after_paid(world, invoice)
        return result
    if result == AUTHENTICATE:
        world.record("payment_action_required", invoice)
    if scheduled:
        _plan_retry(world, invoice, subscription)
    world.record("payment_failed", invoice)
    with world.changing(subscription):
        if subscription["status"] == "active" or subscription["status"] == "trialing":
            subscription["status"] = "past_due"
    if scheduled and invoice["next_payment_attempt"] is None:
        _give_up(world, subscription)
    return result


def _plan_retry(world: World, invoice: Object, subscription: Object) -> None:
    days = world.settings.retry_after_days
    tries = invoice["attempt_count"]
    due = None
    if subscription["status"] not in ("incomplete", *ENDED) and 0 < tries <= len(days):
        due = world.now(invoice["customer"]) + days[tries - 1] * DAY
    invoice["next_payment_attempt"] = due


def _give_up(world: World, subscription: Object) -> None:
    """All retries failed: as the settings say. An incomplete subscription has its 23 hours."""
    if subscription["status"] != "past_due":
        return
    if world.settings.after_retries == "cancel":
        end(world, subscription, "payment_failed")
    elif world.settings.after_retries == "unpaid":
        with world.changing(subscription):
            subscription["status"] = "unpaid"


def after_paid(world: World, invoice: Object) -> None:
    """A subscription whose latest invoice is paid is active."""
    subscription = world.get("subscription", invoice["_subscription"])
    waiting = ("incomplete", "past_due", "unpaid", "paused")
    with world.changing(subscription):
        if subscription["latest_invoice"] == invoice["id"] and subscription["status"] in waiting:
            subscription["status"] = "active"
        intent = world.find("payment_intent", invoice.get("_intent"))
        if intent and subscription["payment_settings"]["save_default_payment_method"] != "off":
            subscription["default_payment_method"] = intent["payment_method"]


def end(world: World, subscription: Object, reason: str) -> None:
    """Ends it now. What is still owed is not collected by itself any more."""
    now = world.now(subscription["customer"])
    subscription |= {"status": "canceled", "ended_at": now}
    subscription["canceled_at"] = subscription["canceled_at"] or now
    subscription["cancellation_details"]["reason"] = reason
    for invoice in world.all("invoice", _subscription=subscription["id"]):
        if invoice["status"] in ("draft", "open"):
            with world.changing(invoice):
                invoice |= {"auto_advance": False, "next_payment_attempt": None}
                invoice["automatically_finalizes_at"] = None
    world.record("deleted", subscription)


def expire(world: World, subscription: Object) -> None:
    """An incomplete subscription, 23 hours old or cancelled: over, and nothing is owed."""
    now = world.now(subscription["customer"])
    invoice = world.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        invoices.void(world, invoice)
    with world.changing(subscription):
        subscription |= {"status": "incomplete_expired", "ended_at": now, "canceled_at": now}


@route("POST", "/v1/invoices/{}/pay", "payment_method off_session")
def pay_invoice(world: World, params: Params, invoice_id: str) -> Object:
    """By "Pay an invoice". Raises 402 where the card's bank refuses; the attempt stays."""
    invoice = world.get("invoice", invoice_id)
    if invoice["status"] == "draft":
        invoices.finalize(world, invoice)
        if invoice["status"] == "paid":
            after_paid(world, invoice)
            return invoice
    if invoice["status"] != "open":
        raise invalid(f"Invoice is already {invoice['status']}", code="invoice_not_open")
    method_id = params.text("payment_method")
    method = resolve(world, method_id) if method_id else None
    result = collect(world, invoice, method, scheduled=False)
    if result == NO_CARD:
        raise invalid("There is no default_payment_method set.", code="missing_payment_method")
    if result == AUTHENTICATE:
        raise declined("authentication_required", payment_intent=invoice["_intent"])
    if result != SUCCEEDED:
        raise declined(result, payment_intent=invoice["_intent"])
    return invoice


@route("POST", "/v1/invoices/{}/finalize", "auto_advance")
def finalize_invoice(world: World, params: Params, invoice_id: str) -> Object:
    """By "Finalize an invoice"; with `auto_advance` it is paid as well."""
    invoice = world.get("invoice", invoice_id)
    invoice["auto_advance"] = params.flag("auto_advance", invoice["auto_advance"])
    finalize_and_collect(world, invoice)
    return invoice


def finalize_and_collect(world: World, invoice: Object) -> None:
    """What happens to a draft about an hour after it was made."""
    invoices.finalize(world, invoice)
    if invoice["status"] == "paid":
        after_paid(world, invoice)
    elif invoice["auto_advance"]:
        collect(world, invoice)


@route("POST", "/v1/invoices/{}/void")
def void_invoice(world: World, _: Params, invoice_id: str) -> Object:
    """By "Void an invoice"; the first of an incomplete subscription ends it."""
    invoice = world.get("invoice", invoice_id)
    subscription = world.get("subscription", invoice["_subscription"])
    if invoice["status"] == "draft":
        raise invalid("You can only void open or uncollectible invoices.")
    invoices.void(world, invoice)
    if subscription["status"] == "incomplete":
        expire(world, subscription)
    elif subscription["latest_invoice"] == invoice_id:
        with world.changing(subscription):
            if subscription["status"] in ("past_due", "unpaid"):
                subscription["status"] = "active"
    return invoice


@route("POST", "/v1/invoices/{}/mark_uncollectible")
def mark_uncollectible(world: World, _: Params, invoice_id: str) -> Object:
    """By "Mark an invoice as uncollectible"."""
    invoice = world.get("invoice", invoice_id)
    if invoice["status"] != "open":
        raise invalid("You can only mark open invoices as uncollectible.")
    invoices.write_off(world, invoice)
    return invoice


_CONFIRM = "payment_method return_url client_secret off_session setup_future_usage mandate_data"


@route("POST", "/v1/payment_intents/{}/confirm", _CONFIRM)
def confirm_intent(world: World, params: Params, intent_id: str) -> Object:
    """By "Confirm a PaymentIntent": what a payment sheet does. Raises 402."""
    intent = world.get("payment_intent", intent_id)
    method_id = params.text("payment_method") or intent["payment_method"]
    if not method_id:
        raise invalid("You must provide a payment method.", "payment_method")
    method = resolve(world, method_id)
    result = collect(world, _invoice_of(world, intent), method, scheduled=False)
    if result not in (SUCCEEDED, AUTHENTICATE):
        raise declined(result, payment_intent=intent_id)
    return intent


@route("POST", "/_local/payment_intents/{}/authenticate", "outcome")
def authenticate(world: World, params: Params, intent_id: str) -> Object:
    """The customer approves or refuses, asked by its bank. Local only."""
    intent = world.get("payment_intent", intent_id)
    approve_intent(world, intent, params.choice("outcome", "approve", "refuse") == "approve")
    return intent


def approve_intent(world: World, intent: Object, approved: bool) -> None:
    """The customer's answer to its bank."""
    if intent["status"] != "requires_action":
        raise invalid("This PaymentIntent does not wait for the customer.")
    method = world.get("payment_method", intent["payment_method"])
    invoice = _invoice_of(world, intent)
    if approved:
        collect(world, invoice, method, proved=True, scheduled=False)
        return
    payments.refuse(world, intent, method, "authentication_required")
    code = "payment_intent_authentication_failure"
    intent["last_payment_error"] |= decline("authentication_required") | {"code": code}
    settle(world, invoice, code, scheduled=False)


def _invoice_of(world: World, intent: Object) -> Object:
    invoice = world.get("invoice", intent["_invoice"])
    if invoice["status"] != "open":
        raise invalid(f"The invoice of this PaymentIntent is {invoice['status']}.")
    return invoice
