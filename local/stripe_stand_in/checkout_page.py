"""The page where a person pays for a Checkout Session ("How Checkout works")."""

from html import escape

from local.stripe_stand_in import cards
from local.stripe_stand_in.errors import Refused, invalid
from local.stripe_stand_in.forms import Nested, Params
from local.stripe_stand_in.pages import (
    CARD_FIELD,
    TEST_CARDS,
    Form,
    Reply,
    ask_bank,
    button,
    document,
    error,
    money,
    page_at,
    typed_card,
)
from local.stripe_stand_in.shapes import Object
from local.stripe_stand_in.subscriptions import create
from local.stripe_stand_in.world import World


@page_at("GET", "/pay/{}")
def show_session(world: World, form: Form, session_id: str) -> Reply:
    """The page where a person pays."""
    return _page(world.get("checkout.session", session_id), form, "")


def _page(session: Object, form: Form, problem: str) -> Reply:
    if session["status"] != "open":
        return document("Checkout", f"<p>This page is over: {session['status']}.", status=410)
    rows = "".join(
        f"<li>{item['quantity']} × {escape(item['description'])}:"
        f" {money(item['amount_total'], item['currency'])}"
        f" every {item['price']['recurring']['interval_count']}"
        f" {item['price']['recurring']['interval']}"
        for item in session["_items"]
    )
    body = f"<ul>{rows}</ul><p>Due today: {money(session['amount_total'], session['currency'])}"
    inputs = ""
    if not session["customer"]:
        email = escape(form.get("email") or session["customer_email"] or "", quote=True)
        inputs += f'<label>E-mail <input name="email" type="email" value="{email}"></label>'
    if session["allow_promotion_codes"]:
        inputs += '<label>Promotion code <input name="code"></label>'
    if _needs_card(session):
        inputs += CARD_FIELD
        body += TEST_CARDS
    body += error(problem) + button("pay", "Subscribe", inputs)
    if session["cancel_url"]:
        body += f'<p><a href="{escape(session["cancel_url"], quote=True)}">Back to the shop</a>'
    return document("Checkout", body)


def _needs_card(session: Object) -> bool:
    return session["payment_method_collection"] == "always" or bool(session["amount_total"])


@page_at("POST", "/pay/{}")
def pay_session(world: World, form: Form, session_id: str) -> Reply:
    """A person pays, or answers its bank. Back to the shop when it worked."""
    session = world.get("checkout.session", session_id)
    if session["status"] != "open":
        return _page(session, form, "")
    answer = form.get("action")
    if answer == "refuse":
        return _page(session, form, "You refused. The card was not charged.")
    try:
        card = typed_card(form) if _needs_card(session) else None
        if card and card.authenticate != "never" and answer != "approve":
            return ask_bank(form, "card", "email", "code")
        complete(world, session_id, card, form)
    except Refused as refused:
        return _page(world.get("checkout.session", session_id), form, str(refused))
    address = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id)
    return Reply(location=address, status=303)


def complete(world: World, session_id: str, card: cards.Card | None, form: Form) -> None:
    """The subscription begins, or nothing happens. Raises 400 and 402."""
    with world.all_or_nothing():
        session = world.get("checkout.session", session_id)
        customer = _customer(world, session, form)
        method = cards.make_method(world, card) if card else None
        if method:
            method["_authenticated"] = card is not None and card.authenticate == "once"
            cards.attach(world, method, customer)
        asked = _subscription(world, session, customer, method, form)
        subscription = create(world, Params(asked), proved=True)
        invoice = world.get("invoice", subscription["latest_invoice"])
        session |= {"status": "complete", "url": None, "customer": customer["id"]}
        session |= {"subscription": subscription["id"], "invoice": invoice["id"]}
        session |= {"amount_total": invoice["total"], "amount_subtotal": invoice["subtotal"]}
        session["total_details"]["amount_discount"] = invoice["subtotal"] - invoice["total"]
        session["payment_status"] = "paid" if invoice["total"] else "no_payment_required"
        session["customer_details"] = _details(customer)
        world.record("completed", session)


def _details(customer: Object) -> Object:
    typed = {name: customer[name] for name in ("address", "email", "name", "phone", "tax_exempt")}
    return typed | {"tax_ids": [], "business_name": None, "individual_name": None}


def _customer(world: World, session: Object, form: Form) -> Object:
    if session["customer"]:
        return world.get("customer", session["customer"])
    email = session["customer_email"] or form.get("email") or None
    customer = world.make("customer", created=world.now(), email=email)
    customer["invoice_prefix"] = customer["id"][-8:].upper()
    world.record("created", customer)
    return customer


def _subscription(
    world: World, session: Object, customer: Object, method: Object | None, form: Form
) -> Nested:
    """The parameters of the subscription that the session starts."""
    asked = session["_asked"]
    data = {"metadata": {}} | asked.get("subscription_data", {})
    rows = asked.get("discounts") or {}
    if session["allow_promotion_codes"] and form.get("code"):
        code = form["code"].strip().casefold()
        active = world.all("promotion_code", active=True)
        found = [one["id"] for one in active if one["code"].casefold() == code]
        if not found:
            raise invalid("This code is invalid.", "promotion_code")
        rows = {"0": {"promotion_code": found[0]}}
    tree: Nested = data | {
        "customer": customer["id"],
        "items": asked["line_items"],
        "discounts": rows,
        "payment_behavior": "error_if_incomplete",
        "automatic_tax": asked.get("automatic_tax", {}),
    }
    return tree | ({"default_payment_method": method["id"]} if method else {})
