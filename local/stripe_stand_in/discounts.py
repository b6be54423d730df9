"""Discounts: who may have one, what it takes off, when it ends ("Coupons and promotion codes")."""

from collections.abc import Iterable

from local.stripe_stand_in.catalog import smallest
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.periods import share, step
from local.stripe_stand_in.shapes import Object
from local.stripe_stand_in.world import World

_MOST_PERCENT_PARTS = 1_000_000  # a percentage has four decimals


def coupon_of(world: World, discount: Object) -> Object:
    """The coupon of a discount, be it deleted since."""
    coupon_id = discount["source"]["coupon"]
    return world.find("coupon", coupon_id) or world.get("_deleted_coupon", coupon_id)


def check(world: World, row: Params, customer: Object | None, amount: int, currency: str) -> Object:
    """The coupon that a row of `discounts` names, where the customer may use it. Raises 400."""
    now = world.now(customer)
    code_id = row.text("promotion_code")
    if code_id is None:
        coupon = world.get("coupon", row.need("coupon"), "discounts[0][coupon]")
    else:
        code = world.get("promotion_code", code_id, "discounts[0][promotion_code]")
        _check_code(world, code, customer, amount, now)
        coupon = world.get("coupon", code["promotion"]["coupon"])
    late = coupon["redeem_by"] is not None and coupon["redeem_by"] < now
    if late or _used_up(coupon):
        raise invalid("This coupon is expired or used up.", "coupon", "coupon_expired")
    if coupon["amount_off"] is not None and coupon["currency"] != currency:
        raise invalid("This coupon is in another currency.", "coupon")
    return coupon


def _check_code(world: World, code: Object, customer: Object | None, amount: int, now: int) -> None:
    limits = code["restrictions"]
    late = code["expires_at"] is not None and code["expires_at"] < now
    if not code["active"] or late or _used_up(code):
        raise invalid("This promotion code is not active.", "promotion_code")
    if code["customer"] not in (None, (customer or {}).get("id")):
        raise invalid("This promotion code is for another customer.", "promotion_code")
    if limits["first_time_transaction"] and customer and _has_paid(world, customer):
        message = "This promotion code cannot be redeemed because the associated customer has "
        raise invalid(message + "prior transactions.", "promotion_code")
    if amount < (limits["minimum_amount"] or 0):
        raise invalid("The amount is below this promotion code's minimum.", "promotion_code")


def _used_up(limited: Object) -> bool:
    most = limited["max_redemptions"]
    return most is not None and limited["times_redeemed"] >= most


def _has_paid(world: World, customer: Object) -> bool:
    invoices = world.all("invoice", customer=customer["id"], status="paid")
    return any(invoice["amount_paid"] for invoice in invoices)


def give(world: World, rows: Iterable[Params], subscription: Object, amount: int) -> list[str]:
    """The ids of the discounts that `discounts` of a request makes of coupons and codes."""
    given = []
    for row in rows:
        if kept := row.text("discount"):
            given.append(world.get("discount", kept, "discounts[0][discount]")["id"])
            continue
        customer = world.get("customer", subscription["customer"])
        coupon = check(world, row, customer, amount, subscription["currency"])
        given.append(_make(world, coupon, row.text("promotion_code"), subscription)["id"])
    return given


def _make(world: World, coupon: Object, code_id: str | None, subscription: Object) -> Object:
    now = world.now(subscription["customer"])
    months = coupon["duration_in_months"]
    discount = world.make(
        "discount",
        customer=subscription["customer"],
        subscription=subscription["id"],
        promotion_code=code_id,
        source={"coupon": coupon["id"], "type": "coupon"},
        start=now,
        end=step(now, "month", months) if months else None,
        _duration=coupon["duration"],
    )
    _redeem(world, coupon)
    if code_id:
        _redeem(world, world.get("promotion_code", code_id))
    if not world.rehearsing:
        world.record("customer.discount.created", discount)
    return discount


def _redeem(world: World, limited: Object) -> None:
    """Counts one use; what is used up is off."""
    with world.changing(limited):
        limited["times_redeemed"] += 1
        if _used_up(limited):
            limited["valid" if limited["object"] == "coupon" else "active"] = False


def live(world: World, subscription: Object, at: int) -> list[Object]:
    """The subscription's discounts that have not ended."""
    found = [world.get("discount", one) for one in subscription["discounts"]]
    return [one for one in found if one["end"] is None or one["end"] > at]


def off(coupon: Object, amount: int, currency: str) -> int:
    """What a coupon takes off an amount: never more than the amount."""
    if coupon["amount_off"] is not None:
        return min(int(coupon["amount_off"]), max(amount, 0))
    parts = round(coupon["percent_off"] * 10_000)
    return share(max(amount, 0), parts, _MOST_PERCENT_PARTS, smallest(currency))


def apply(world: World, discounts: list[Object], lines: list[Object], currency: str) -> None:
    """Writes `discount_amounts` of the lines. An amount off is spread over them, first to last."""
    for discount in discounts:
        coupon = coupon_of(world, discount)
        left: int | None = coupon["amount_off"]
        for line in lines:
            if not line["discountable"] or line["amount"] <= 0:
                continue
            rest = net(line)
            taken = off(coupon, rest, currency) if left is None else min(left, rest)
            left = None if left is None else left - taken
            line["discount_amounts"].append({"amount": taken, "discount": discount["id"]})
            line["discounts"].append(discount["id"])


def net(line: Object) -> int:
    """What a line comes to after its discounts."""
    return int(line["amount"]) - sum(int(one["amount"]) for one in line["discount_amounts"])


def spend(subscription: Object, discounts: list[Object]) -> None:
    """After an invoice with a charge: what was for once is gone."""
    once = {one["id"] for one in discounts if one["_duration"] == "once"}
    kept = [one for one in subscription["discounts"] if one not in once]
    if kept != subscription["discounts"]:
        subscription["discounts"] = kept
