"""The customer portal, and the pages of invoices, receipts and banks ("Customer portal").

The portal lets a person end and resume a subscription and change the card that pays it.
"""

from html import escape

from local.stripe_stand_in import cards
from local.stripe_stand_in.changes import update_subscription
from local.stripe_stand_in.collect import ENDED, approve_intent, collect
from local.stripe_stand_in.customers import confirm_setup
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.pages import (
    CARD_FIELD,
    TEST_CARDS,
    Form,
    Reply,
    ask_bank,
    button,
    document,
    error,
    hidden,
    money,
    page_at,
    typed_card,
)
from local.stripe_stand_in.payments import AUTHENTICATE
from local.stripe_stand_in.routes import route
from local.stripe_stand_in.shapes import Object
from local.stripe_stand_in.world import World


@route("POST", "/v1/billing_portal/sessions", "customer return_url configuration locale")
def create_portal_session(world: World, params: Params) -> Object:
    """By "Create a portal session"."""
    customer = world.get("customer", params.need("customer"), "customer")
    session = world.make(
        "billing_portal.session",
        configuration=params.text("configuration") or "bpc_stand_in",
        created=world.now(customer),
        customer=customer["id"],
        locale=params.text("locale"),
        return_url=params.text("return_url"),
    )
    session["url"] = f"{world.url}/portal/{session['id']}"
    world.record("created", session)
    return session


@page_at("GET", "/portal/{}")
def show_portal(world: World, _: Form, session_id: str) -> Reply:
    """What a customer has, and what can be done about it."""
    return _portal(world, world.get("billing_portal.session", session_id), "")


def _portal(world: World, session: Object, problem: str) -> Reply:
    body = error(problem)
    for subscription in world.all("subscription", customer=session["customer"]):
        if subscription["status"] not in ENDED:
            body += _row(world, subscription)
    for invoice in world.all("invoice", customer=session["customer"])[::-1]:
        if invoice["hosted_invoice_url"]:
            total = money(invoice["total"], invoice["currency"])
            body += f'<p><a href="{invoice["hosted_invoice_url"]}">{invoice["number"]}</a> {total}'
    body += TEST_CARDS + button("card", "Change card", CARD_FIELD)
    if session["return_url"]:
        body += f'<p><a href="{escape(session["return_url"], quote=True)}">Back to the shop</a>'
    return document("Your subscriptions", body)


def _row(world: World, subscription: Object) -> str:
    price = subscription["items"]["data"][0]["price"]
    name = escape(world.get("product", price["product"])["name"])
    kept = hidden({"subscription": subscription["id"]}, "subscription")
    ends = subscription["cancel_at"] is not None
    text = f"<h2>{name}</h2><p>{subscription['status']}{', ends' if ends else ''}"
    if ends:
        return text + button("resume", "Resume", kept)
    return text + button("cancel", "Cancel at the end of the period", kept)


@page_at("POST", "/portal/{}")
def use_portal(world: World, form: Form, session_id: str) -> Reply:
    """What the customer pressed."""
    session = world.get("billing_portal.session", session_id)
    action = form.get("action")
    if action in ("cancel", "resume"):
        subscription = world.get("subscription", form.get("subscription", ""))
        if subscription["customer"] != session["customer"]:
            raise invalid("This subscription is somebody else's.")
        asked = {"cancel_at_period_end": "true" if action == "cancel" else "false"}
        update_subscription(world, Params(asked), subscription["id"])
    elif action in ("card", "approve"):
        card = typed_card(form)
        if card.authenticate != "never" and action != "approve":
            return ask_bank(form, "card")
        _change_card(world, session["customer"], card)
    return Reply(location=session["url"], status=303)


def _change_card(world: World, customer_id: str, card: cards.Card) -> None:
    """The new card pays everything that runs, as Stripe's portal does."""
    customer = world.get("customer", customer_id)
    method = cards.make_method(world, card)
    method["_authenticated"] = card.authenticate == "once"
    cards.attach(world, method, customer)
    with world.changing(customer):
        settings = customer["invoice_settings"] | {"default_payment_method": method["id"]}
        customer["invoice_settings"] = settings
    for subscription in world.all("subscription", customer=customer_id):
        if subscription["status"] not in ENDED:
            with world.changing(subscription):
                subscription["default_payment_method"] = method["id"]


@page_at("GET", "/invoices/{}")
def show_invoice(world: World, _: Form, invoice_id: str) -> Reply:
    """The hosted invoice page: what is billed, and a way to pay what is open."""
    return _invoice(world, world.get("invoice", invoice_id), "")


def _invoice(world: World, invoice: Object, problem: str) -> Reply:
    lines = "".join(
        f"<li>{escape(row['description'])}: {money(row['amount'], row['currency'])}"
        for row in invoice["lines"]["data"]
    )
    currency = invoice["currency"]
    body = f"<ul>{lines}</ul><p>Total {money(invoice['total'], currency)}, {invoice['status']}"
    if invoice["status"] == "open":
        body += f"<p>Due: {money(invoice['amount_due'], currency)}" + TEST_CARDS + error(problem)
        body += button("pay", "Pay", CARD_FIELD)
    for charge in world.all("charge", payment_intent=invoice.get("_intent"), paid=True):
        body += f'<p><a href="{charge["receipt_url"]}">Receipt</a>'
    return document(f"Invoice {invoice['number']}", body)


@page_at("POST", "/invoices/{}")
def pay_invoice_page(world: World, form: Form, invoice_id: str) -> Reply:
    """A person pays an open invoice, say after the card on file failed."""
    invoice = world.get("invoice", invoice_id)
    if invoice["status"] != "open" or form.get("action") == "refuse":
        return _invoice(world, invoice, "The card was not charged.")
    method = cards.make_method(world, typed_card(form))
    result = collect(world, invoice, method, form.get("action") == "approve", scheduled=False)
    if result == AUTHENTICATE:
        return ask_bank(form, "card")
    return _invoice(world, invoice, f"Your card was declined: {result}.")


@page_at("GET", "/invoices/{}/pdf")
def print_invoice(world: World, form: Form, invoice_id: str) -> Reply:
    """In the place of the PDF: the same page."""
    return show_invoice(world, form, invoice_id)


@page_at("GET", "/receipts/{}")
def show_receipt(world: World, _: Form, charge_id: str) -> Reply:
    """The receipt of a charge, with what came back of it."""
    charge = world.get("charge", charge_id)
    body = f"<p>Paid {money(charge['amount'], charge['currency'])}"
    if charge["amount_refunded"]:
        body += f"<p>Refunded {money(charge['amount_refunded'], charge['currency'])}"
    return document("Receipt", body)


@page_at("GET", "/authenticate/{}")
def show_bank(world: World, form: Form, intent_id: str) -> Reply:
    """The page of the bank of a payment or setup intent that waits for its customer."""
    if _intent(world, intent_id)["status"] != "requires_action":
        return document("Your bank", "<p>There is nothing to approve.", status=410)
    return ask_bank(form)


@page_at("POST", "/authenticate/{}")
def answer_bank(world: World, form: Form, intent_id: str) -> Reply:
    """The customer's answer."""
    intent, approved = _intent(world, intent_id), form.get("action") == "approve"
    if intent["object"] == "payment_intent":
        approve_intent(world, intent, approved)
    elif approved:
        confirm_setup(world, intent, intent["payment_method"], proved=True)
    else:
        intent |= {"status": "requires_payment_method", "next_action": None}
        world.record("setup_failed", intent)
    return document("Your bank", "<p>Thank you." if approved else "<p>Refused.")


def _intent(world: World, intent_id: str) -> Object:
    kind = "payment_intent" if intent_id.startswith("pi_") else "setup_intent"
    return world.get(kind, intent_id)
