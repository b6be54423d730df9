"""The fields of a subscription that a request sets, alike when it begins and when it changes."""

from local.stripe_stand_in.customers import check_attached
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.periods import end_of_period
from local.stripe_stand_in.shapes import Object, made, shown
from local.stripe_stand_in.world import World

KNOWN = (
    "metadata description default_payment_method payment_settings trial_settings automatic_tax"
    " cancel_at cancel_at_period_end cancellation_details collection_method billing_mode"
)


def update(world: World, subscription: Object, params: Params) -> None:
    """Sets what the request names. Raises 400."""
    _refuse_other_modes(params)
    subscription["metadata"] = params.metadata(subscription["metadata"])
    if "description" in params:
        subscription["description"] = params.text("description")
    if "default_payment_method" in params:
        customer = world.get("customer", subscription["customer"])
        method_id = params.text("default_payment_method")
        method = check_attached(world, method_id, customer) if method_id else None
        subscription["default_payment_method"] = method and method["id"]
    settings = params.child("payment_settings")
    if "save_default_payment_method" in settings:
        saved = settings.choice("save_default_payment_method", "off", "on_subscription")
        subscription["payment_settings"]["save_default_payment_method"] = saved
    if "trial_settings" in params:
        behaviors = ("create_invoice", "cancel", "pause")
        asked = params.child("trial_settings").child("end_behavior")
        chosen = {"missing_payment_method": asked.choice("missing_payment_method", *behaviors)}
        subscription["trial_settings"] = {"end_behavior": chosen}
    if "automatic_tax" in params:
        enabled = params.child("automatic_tax").flag("enabled")
        subscription["automatic_tax"] |= {"enabled": enabled}
    details(subscription, params)
    _ending(world, subscription, params)


def _refuse_other_modes(params: Params) -> None:
    if params.choice("collection_method", "charge_automatically", "send_invoice") != (
        "charge_automatically"
    ):
        raise invalid("The stand-in only charges automatically.", "collection_method")
    if params.child("billing_mode").choice("type", "flexible", "classic") != "flexible":
        raise invalid("The stand-in only has flexible billing mode.", "billing_mode")


def details(subscription: Object, params: Params) -> None:
    """Why it ends, in the customer's words."""
    for name in ("comment", "feedback"):
        if name in (asked := params.child("cancellation_details")):
            subscription["cancellation_details"][name] = asked.text(name)


def _ending(world: World, subscription: Object, params: Params) -> None:
    """`cancel_at_period_end`, or `cancel_at` a time; each unset again resumes it.

    `cancel_at` is set in both cases. `min_period_end` becomes a time at once ("cancel_at").
    """
    if "cancel_at_period_end" in params and "cancel_at" in params:
        raise invalid("Give either cancel_at or cancel_at_period_end.", "cancel_at")
    if "cancel_at_period_end" in params:
        at_end = params.flag("cancel_at_period_end")
        _end_at(world, subscription, period_end(subscription) if at_end else None, at_end)
    elif params.text("cancel_at") in ("min_period_end", "max_period_end"):
        _end_at(world, subscription, period_end(subscription), False)
    elif "cancel_at" in params:
        at = params.whole("cancel_at")
        if at is not None and at <= world.now(subscription["customer"]):
            raise invalid("cancel_at must be in the future.", "cancel_at")
        _end_at(world, subscription, at, False)


def _end_at(world: World, subscription: Object, at: int | None, at_period_end: bool) -> None:
    subscription |= {"cancel_at": at, "cancel_at_period_end": at_period_end}
    subscription["canceled_at"] = world.now(subscription["customer"]) if at else None
    reason = "cancellation_requested" if at else None
    subscription["cancellation_details"]["reason"] = reason


def period_end(subscription: Object) -> int:
    """When the running period of all items ends."""
    return int(subscription["items"]["data"][0]["current_period_end"])


def check_price(price: Object, like: Object) -> None:
    """A price that a subscription can have beside `like`. Raises 400."""
    if price["type"] != "recurring":
        message = f"The price specified is set to `type=one_time`: {price['id']}"
        raise invalid(message, "items[0][price]")
    if not price["active"]:
        raise invalid("The price specified is inactive.", "items[0][price]", "price_inactive")
    if price["currency"] != like["currency"]:
        raise invalid("All prices of a subscription have one currency.", "items[0][price]")
    if not same_interval(price, like):
        raise invalid("The stand-in bills one interval a subscription.", "items[0][price]")


def same_interval(one: Object, other: Object) -> bool:
    """Whether both are billed as often."""
    names = ("interval", "interval_count")
    return all(one["recurring"][name] == other["recurring"][name] for name in names)


def item(
    world: World, subscription: Object, price: Object, quantity: int, period: tuple[int, int]
) -> Object:
    """One thing that a subscription has."""
    new = made(
        "subscription_item",
        id=world.new_id("subscription_item"),
        created=world.now(subscription["customer"]),
        subscription=subscription["id"],
        current_period_start=period[0],
        current_period_end=period[1],
        _billed=None,
    )
    set_price(new, price, quantity)
    return new


def set_price(row: Object, price: Object, quantity: int) -> None:
    """What the item costs from now on; `plan` is how it was written before prices."""
    recurring = price["recurring"]
    fields = ("active", "billing_scheme", "created", "currency", "id", "livemode", "metadata")
    plan = made("plan") | {name: price[name] for name in (*fields, "nickname", "product")}
    plan |= {"amount": price["unit_amount"], "amount_decimal": price["unit_amount_decimal"]}
    plan |= {name: recurring[name] for name in ("interval", "interval_count", "usage_type")}
    row |= {"price": shown(price), "plan": plan, "quantity": quantity}


def price_ids(subscription: Object) -> list[str]:
    """The prices of all items."""
    return [row["price"]["id"] for row in subscription["items"]["data"]]


def restart_periods(subscription: Object, now: int) -> None:
    """A new anchor: every item's period starts now."""
    subscription["billing_cycle_anchor"] = now
    for row in subscription["items"]["data"]:
        row["current_period_start"] = now
        row["current_period_end"] = end_of_period(now, row["price"]["recurring"], now)
    keep_cancelling(subscription)


def keep_cancelling(subscription: Object) -> None:
    """`cancel_at_period_end` means the period that is, wherever its end moves."""
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = period_end(subscription)
