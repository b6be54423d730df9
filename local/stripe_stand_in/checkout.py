"""Checkout Sessions that start a subscription, and the page where one pays ("Checkout")."""

from html import escape

from local.stripe_stand_in import cards, discounts, fields
from local.stripe_stand_in.errors import Refused, invalid, required
from local.stripe_stand_in.forms import Nested, Params
from local.stripe_stand_in.lists import included, page
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
from local.stripe_stand_in.periods import DAY
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object, listed, made
from local.stripe_stand_in.subscriptions import create
from local.stripe_stand_in.world import World

_KNOWN = (
    "mode line_items customer customer_email client_reference_id success_url cancel_url"
    " subscription_data discounts allow_promotion_codes automatic_tax metadata expires_at locale"
    " payment_method_collection ui_mode customer_update billing_address_collection"
    " payment_method_types tax_id_collection consent_collection"
)
_DATA = ("metadata", "trial_period_days", "trial_end", "trial_settings", "description")
_SHORTEST = 1800  # seconds that a session is open at least; a day at most ("expires_at")


@route("POST", "/v1/checkout/sessions", _KNOWN)
def create_session(world: World, params: Params) -> Object:
    """By "Create a Checkout Session", `mode=subscription` on a hosted page."""
    if params.need("mode") != "subscription":
        raise invalid("The stand-in only has mode=subscription.", "mode")
    params.choice("ui_mode", "hosted_page")
    if "discounts" in params and params.flag("allow_promotion_codes"):
        message = "You may only specify one of these parameters: allow_promotion_codes, discounts."
        raise invalid(message, "discounts")
    customer_id = params.text("customer")
    customer = world.get("customer", customer_id, "customer") if customer_id else None
    data = params.child("subscription_data")
    data.refuse_unknown(_DATA)
    items = _line_items(world, params)
    success_url = params.need("success_url")
    session = world.make(
        "checkout.session",
        created=world.now(customer),
        client_reference_id=params.text("client_reference_id"),
        customer=customer_id,
        customer_email=params.text("customer_email"),
        expires_at=_expires_at(params, world.now(customer)),
        metadata=params.metadata(),
        mode="subscription",
        payment_method_collection=params.choice(
            "payment_method_collection", "always", "if_required"
        ),
        success_url=success_url,
        cancel_url=params.text("cancel_url"),
        locale=params.text("locale"),
        currency=items[0]["currency"],
        allow_promotion_codes=params.flag("allow_promotion_codes") or None,
        ui_mode="hosted_page",
        adaptive_pricing=None,
        _group=customer and customer["test_clock"],
        _asked=params.tree,
        _items=items,
    )
    session["automatic_tax"]["enabled"] = params.child("automatic_tax").flag("enabled")
    session["url"] = f"{world.url}/pay/{session['id']}"
    off = _off(world, session, params.rows("discounts"), customer)
    _total(session, off, trial=_has_trial(data))
    return session


def _line_items(world: World, params: Params) -> list[Object]:
    items = []
    for row in params.rows("line_items"):
        row.refuse_unknown(("price", "quantity"))
        price = world.get("price", row.need("price"), "line_items[0][price]")
        quantity = row.whole("quantity", 1)
        if quantity is None:
            raise required("line_items[0][quantity]")
        amount = price["unit_amount"] * quantity
        product = world.get("product", price["product"])
        items.append(
            made(
                "item",
                id=world.new_id("item"),
                amount_subtotal=amount,
                amount_total=amount,
                currency=price["currency"],
                description=product["name"],
                metadata={},
                price=dict(price),
                quantity=quantity,
            )
        )
    if not items:
        raise required("line_items")
    for item in items:
        fields.check_price(item["price"], items[0]["price"])
    return items


def _expires_at(params: Params, now: int) -> int:
    at = params.whole("expires_at")
    if at is not None and not now + _SHORTEST <= at <= now + DAY:
        raise invalid("expires_at must be 30 minutes to 24 hours from now.", "expires_at")
    return at or now + DAY


def _has_trial(data: Params) -> bool:
    return bool(data.text("trial_period_days") or data.text("trial_end"))


def _off(world: World, session: Object, rows: list[Params], customer: Object | None) -> int:
    """What the discounts take off, once all are checked. Raises 400."""
    left: int = sum(item["amount_subtotal"] for item in session["_items"])
    total, currency = left, session["currency"]
    for row in rows:
        coupon = discounts.check(world, row, customer, total, currency)
        left -= discounts.off(coupon, left, currency)
    return total - left


def _total(session: Object, off: int, trial: bool) -> None:
    subtotal = 0 if trial else sum(item["amount_subtotal"] for item in session["_items"])
    off = 0 if trial else off
    session |= {"amount_subtotal": subtotal, "amount_total": subtotal - off}
    session["total_details"] |= {"amount_discount": off, "amount_shipping": 0, "amount_tax": 0}


@route("GET", "/v1/checkout/sessions", PAGED + "customer status subscription")
def list_sessions(world: World, params: Params) -> Object:
    """By "List all Checkout Sessions"."""
    names = ("customer", "status", "subscription")
    equal = {name: params.text(name) for name in names if name in params}
    return page(params, "/v1/checkout/sessions", world.all("checkout.session", **equal))


@route("GET", "/v1/checkout/sessions/{}")
def retrieve_session(world: World, _: Params, session_id: str) -> Object:
    """By "Retrieve a Checkout Session"."""
    return world.get("checkout.session", session_id)


@route("GET", "/v1/checkout/sessions/{}/line_items", PAGED)
def list_line_items(world: World, params: Params, session_id: str) -> Object:
    """By "Retrieve a Checkout Session's line items"."""
    rows = world.get("checkout.session", session_id)["_items"][::-1]
    return page(params, f"/v1/checkout/sessions/{session_id}/line_items", rows)


@included("checkout.session", "line_items")
def _included_items(world: World, session_id: str) -> Object:
    rows = world.get("checkout.session", session_id)["_items"]
    return listed(f"/v1/checkout/sessions/{session_id}/line_items", rows)


@route("POST", "/v1/checkout/sessions/{}/expire")
def expire_one(world: World, _: Params, session_id: str) -> Object:
    """By "Expire a Checkout Session"."""
    session = world.get("checkout.session", session_id)
    if session["status"] != "open":
        raise invalid('Only Checkout Sessions with a status in ["open"] can be expired.')
    expire_session(world, session)
    return session


def expire_session(world: World, session: Object) -> None:
    """Nobody paid in time, or the shop took it back."""
    session |= {"status": "expired", "url": None}
    world.record("expired", session)


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
