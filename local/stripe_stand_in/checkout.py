"""Checkout Sessions that start a subscription ("Checkout")."""

from local.stripe_stand_in import discounts, fields
from local.stripe_stand_in.errors import invalid, required
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.lists import included, page
from local.stripe_stand_in.periods import DAY
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object, listed, made
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
    _check(params)
    customer_id = params.text("customer")
    customer = world.get("customer", customer_id, "customer") if customer_id else None
    items = _line_items(world, params)
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
        success_url=params.need("success_url"),
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
    _total(session, off, trial=_has_trial(params.child("subscription_data")))
    return session


def _check(params: Params) -> None:
    """What can be said before anything is looked up. Raises 400."""
    if params.need("mode") != "subscription":
        raise invalid("The stand-in only has mode=subscription.", "mode")
    params.need("success_url")
    params.choice("ui_mode", "hosted_page")
    params.child("subscription_data").refuse_unknown(_DATA)
    if "discounts" in params and params.flag("allow_promotion_codes"):
        message = "You may only specify one of these parameters: allow_promotion_codes, discounts."
        raise invalid(message, "discounts")


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
