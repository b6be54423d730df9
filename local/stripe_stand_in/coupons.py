"""Coupons and promotion codes ("Coupons and promotion codes")."""

from decimal import Decimal, InvalidOperation

from local.stripe_stand_in.catalog import active, check_amount, currency_of
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.lists import page
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object
from local.stripe_stand_in.world import World


@route(
    "POST",
    "/v1/coupons",
    "id amount_off currency duration duration_in_months max_redemptions metadata name percent_off"
    " redeem_by",
)
def create_coupon(world: World, params: Params) -> Object:
    """By "Create a coupon": `percent_off` or `amount_off`, `once`, `repeating` or `forever`."""
    values: Object = {
        "percent_off": _percent(params.text("percent_off")),
        "amount_off": params.whole("amount_off", 1),
        "duration": params.choice("duration", "once", "repeating", "forever"),
        "duration_in_months": params.whole("duration_in_months", 1),
        "max_redemptions": params.whole("max_redemptions", 1),
        "redeem_by": params.whole("redeem_by"),
        "name": params.text("name"),
        "metadata": params.metadata(),
    }
    if (values["percent_off"] is None) == (values["amount_off"] is None):
        raise invalid("You must pass either percent_off or amount_off.", "percent_off")
    if (values["duration"] == "repeating") != (values["duration_in_months"] is not None):
        raise invalid("duration_in_months goes with duration=repeating.", "duration_in_months")
    values["currency"] = currency_of(params) if values["amount_off"] is not None else None
    check_amount(values["amount_off"] or 0, values["currency"] or "", "amount_off")
    coupon_id = params.text("id")
    if world.find("coupon", coupon_id):
        raise invalid("Coupon already exists.", "id", "resource_already_exists")
    coupon = world.make("coupon", id=coupon_id, created=world.now(), valid=True, **values)
    world.record("created", coupon)
    return coupon


def _percent(text: str | None) -> float | int | None:
    """Above 0 and at most 100, with up to four decimals."""
    if text is None:
        return None
    try:
        percent = Decimal(text)
    except InvalidOperation:
        percent = Decimal(0)
    if not 0 < percent <= 100 or percent != round(percent, 4):
        raise invalid("percent_off must be between 0 and 100.", "percent_off")
    return int(percent) if percent == int(percent) else float(percent)


@route("GET", "/v1/coupons", PAGED)
def list_coupons(world: World, params: Params) -> Object:
    """By "List all coupons"."""
    return page(params, "/v1/coupons", world.all("coupon"))


@route("GET", "/v1/coupons/{}")
def retrieve_coupon(world: World, _: Params, coupon_id: str) -> Object:
    """By "Retrieve a coupon"."""
    return world.get("coupon", coupon_id)


@route("POST", "/v1/coupons/{}", "metadata name")
def update_coupon(world: World, params: Params, coupon_id: str) -> Object:
    """By "Update a coupon": only how it is called."""
    coupon = world.get("coupon", coupon_id)
    with world.changing(coupon):
        coupon["name"] = params.text("name") or coupon["name"]
        coupon["metadata"] = params.metadata(coupon["metadata"])
    return coupon


@route("DELETE", "/v1/coupons/{}")
def delete_coupon(world: World, _: Params, coupon_id: str) -> Object:
    """By "Delete a coupon": discounts that were given stay."""
    for code in world.all("promotion_code"):
        if code["promotion"]["coupon"] == coupon_id:
            code["active"] = False
    coupon = world.get("coupon", coupon_id)
    deleted = world.drop("coupon", coupon_id)
    world.objects.setdefault("_deleted_coupon", {})[coupon_id] = coupon
    return deleted


@route(
    "POST",
    "/v1/promotion_codes",
    "promotion code active customer expires_at max_redemptions metadata restrictions",
)
def create_promotion_code(world: World, params: Params) -> Object:
    """By "Create a promotion code"; active codes differ, whatever their case."""
    coupon = world.get("coupon", params.child("promotion").need("coupon"), "promotion[coupon]")
    code = params.text("code") or world.new_id("promotion_code")[-8:].upper()
    taken = [one for one in world.all("promotion_code", active=True) if _same(one["code"], code)]
    if taken:
        raise invalid("An active promotion code with that code already exists.", "code")
    if customer := params.text("customer"):
        world.get("customer", customer, "customer")
    limits = params.child("restrictions")
    promotion_code = world.make(
        "promotion_code",
        created=world.now(),
        code=code,
        active=params.flag("active", True),
        customer=customer,
        expires_at=params.whole("expires_at"),
        max_redemptions=params.whole("max_redemptions", 1),
        metadata=params.metadata(),
        promotion={"coupon": coupon["id"], "type": "coupon"},
        restrictions={
            "first_time_transaction": limits.flag("first_time_transaction"),
            "minimum_amount": limits.whole("minimum_amount", 0),
            "minimum_amount_currency": limits.text("minimum_amount_currency"),
        },
    )
    world.record("created", promotion_code)
    return promotion_code


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


@route("GET", "/v1/promotion_codes", PAGED + "active code coupon customer")
def list_promotion_codes(world: World, params: Params) -> Object:
    """By "List all promotion codes"."""
    rows = active(params, world.all("promotion_code"))
    code, coupon, customer = (params.text(name) for name in ("code", "coupon", "customer"))
    found = [
        row
        for row in rows
        if (not code or _same(row["code"], code))
        and (not coupon or row["promotion"]["coupon"] == coupon)
        and (not customer or row["customer"] == customer)
    ]
    return page(params, "/v1/promotion_codes", found)


@route("GET", "/v1/promotion_codes/{}")
def retrieve_promotion_code(world: World, _: Params, code_id: str) -> Object:
    """By "Retrieve a promotion code"."""
    return world.get("promotion_code", code_id)


@route("POST", "/v1/promotion_codes/{}", "active metadata")
def update_promotion_code(world: World, params: Params, code_id: str) -> Object:
    """By "Update a promotion code": on or off."""
    promotion_code = world.get("promotion_code", code_id)
    with world.changing(promotion_code):
        promotion_code["active"] = params.flag("active", promotion_code["active"])
        promotion_code["metadata"] = params.metadata(promotion_code["metadata"])
    return promotion_code
