"""Subscriptions begin, are read, end and go on ("How subscriptions work").

Only `charge_automatically` and flexible billing mode, the default since 2025-09-30.clover.
"""

from local.stripe_stand_in import discounts, fields, invoices
from local.stripe_stand_in.cards import declined
from local.stripe_stand_in.collect import (
    ENDED,
    after_paid,
    collect,
    default_method,
)
from local.stripe_stand_in.customers import make_setup_intent
from local.stripe_stand_in.errors import invalid, required
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.lists import page
from local.stripe_stand_in.payments import AUTHENTICATE, SUCCEEDED
from local.stripe_stand_in.periods import DAY, end_of_period
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object, listed
from local.stripe_stand_in.world import World

NOTICE_DAYS = 3  # "customer.subscription.trial_will_end"
LONGEST_TRIAL_DAYS = 730  # two years
_CREATE = "customer items trial_period_days trial_end payment_behavior discounts off_session "
_ALLOW, _DEFAULT, _ERROR = "allow_incomplete", "default_incomplete", "error_if_incomplete"


@route("POST", "/v1/subscriptions", _CREATE + "currency proration_behavior " + fields.KNOWN)
def create_subscription(world: World, params: Params) -> Object:
    """By "Create a subscription"."""
    return create(world, params)


def create(world: World, params: Params, proved: bool = False) -> Object:
    """Begins a subscription; `proved`: the customer just approved its card. Raises 400 and 402."""
    customer = world.get("customer", params.need("customer"), "customer")
    behavior = params.choice("payment_behavior", _ALLOW, _DEFAULT, _ERROR)
    prices = _prices(world, params)
    _check_currency(world, customer, prices[0][0]["currency"])
    trial_end = _trial_end(params, world.now(customer))
    with world.all_or_nothing():
        subscription = _make(world, customer, prices, trial_end)
        fields.update(world, subscription, params)
        rows = params.rows("discounts")
        amount = sum(price["unit_amount"] * quantity for price, quantity in prices)
        subscription["discounts"] = discounts.give(world, rows, subscription, amount)
        invoice = invoices.build(
            world, subscription, "subscription_create", first_lines(world, subscription)
        )
        world.record("created", subscription)
        if trial_end:
            _begin_trial(world, subscription, behavior)
        invoices.finalize(world, invoice)
        _collect_first(world, subscription, invoice, behavior, proved)
    return subscription


def _prices(world: World, params: Params) -> list[tuple[Object, int]]:
    """What is bought, and how many of each."""
    found = []
    for row in params.rows("items"):
        row.refuse_unknown(("price", "quantity", "metadata"))
        price = world.get("price", row.need("price"), "items[0][price]")
        quantity = row.whole("quantity", 0)
        found.append((price, 1 if quantity is None else quantity))
    if not found:
        raise required("items")
    for price, _ in found:
        fields.check_price(price, found[0][0])
    return found


def _check_currency(world: World, customer: Object, currency: str) -> None:
    """By "Supported currencies": one customer is billed in one currency at a time."""
    for one in world.all("subscription", customer=customer["id"]):
        if one["status"] not in ENDED and one["currency"] != currency:
            raise invalid("You cannot combine currencies on a single customer.", "currency")


def _trial_end(params: Params, now: int) -> int | None:
    days = params.whole("trial_period_days", 1)
    if params.text("trial_end") == "now":
        return None
    at = params.whole("trial_end")
    if days and at:
        raise invalid("trial_end and trial_period_days exclude each other.", "trial_end")
    if days:
        at = now + days * DAY
    if at is not None and not now < at <= now + LONGEST_TRIAL_DAYS * DAY:
        raise invalid("trial_end must be in the future, within two years.", "trial_end")
    return at


def _make(
    world: World, customer: Object, prices: list[tuple[Object, int]], trial_end: int | None
) -> Object:
    now = world.now(customer)
    anchor = trial_end or now
    subscription = world.make(
        "subscription",
        billing_cycle_anchor=anchor,
        created=now,
        currency=prices[0][0]["currency"],
        customer=customer["id"],
        start_date=now,
        status="trialing" if trial_end else "incomplete",
        test_clock=customer["test_clock"],
        trial_start=now if trial_end else None,
        trial_end=trial_end,
        _noticed=[],
    )
    items = []
    for price, quantity in prices:
        ends = trial_end or end_of_period(anchor, price["recurring"], now)
        items.append(fields.item(world, subscription, price, quantity, (now, ends)))
    url = f"/v1/subscription_items?subscription={subscription['id']}"
    subscription["items"] = listed(url, items)
    return subscription


def first_lines(world: World, subscription: Object) -> list[Object]:
    """A line for each item and its period; free while a trial lasts."""
    lines = []
    for item in subscription["items"]["data"]:
        period = (item["current_period_start"], item["current_period_end"])
        product = world.get("product", item["price"]["product"])
        name, quantity = product["name"], item["quantity"]
        if subscription["status"] == "trialing":
            text, amount = f"Trial period for {name}", 0
        else:
            text, amount = f"{quantity} × {name}", item["price"]["unit_amount"] * quantity
        lines.append(invoices.line(subscription, item, amount, period, text))
    return lines


def _begin_trial(world: World, subscription: Object, behavior: str) -> None:
    now = world.now(subscription["customer"])
    if subscription["trial_end"] - now <= NOTICE_DAYS * DAY:
        notice_trial_end(world, subscription)
    if behavior == _DEFAULT or default_method(world, subscription) is None:
        intent = make_setup_intent(world, subscription["customer"])
        subscription["pending_setup_intent"] = intent["id"]


def notice_trial_end(world: World, subscription: Object) -> None:
    """Three days before, or at once where the trial is shorter."""
    subscription["_noticed"].append(f"trial_end:{subscription['trial_end']}")
    world.record("trial_will_end", subscription)


def _collect_first(
    world: World, subscription: Object, invoice: Object, behavior: str, proved: bool
) -> None:
    """The first payment, as `payment_behavior` says."""
    if invoice["status"] == "paid":
        after_paid(world, invoice)
        return
    method = default_method(world, subscription)
    if behavior == _DEFAULT:
        return
    if method is None:
        raise invalid(
            "This customer has no attached payment source or default payment method.",
            code="resource_missing",
        )
    result = collect(world, invoice, method, proved)
    if behavior == _ERROR and result == AUTHENTICATE:
        raise declined("authentication_required")
    if behavior == _ERROR and result != SUCCEEDED:
        raise declined(result)


@route("GET", "/v1/subscriptions", PAGED + "customer price status test_clock")
def list_subscriptions(world: World, params: Params) -> Object:
    """By "List subscriptions": without `status`, those that are not canceled.

    Those of a test clock are there only by `test_clock` or by `customer`.
    """
    equal = {"customer": params.text("customer")} if "customer" in params else {}
    if "test_clock" in params or not equal:
        equal["test_clock"] = params.text("test_clock")
    rows = world.all("subscription", **equal)
    if price := params.text("price"):
        rows = [one for one in rows if price in fields.price_ids(one)]
    match params.text("status"):
        case None:
            rows = [one for one in rows if one["status"] != "canceled"]
        case "ended":
            rows = [one for one in rows if one["status"] in ENDED]
        case "all":
            pass
        case status:
            rows = [one for one in rows if one["status"] == status]
    return page(params, "/v1/subscriptions", rows)


@route("GET", "/v1/subscriptions/{}")
def retrieve_subscription(world: World, _: Params, subscription_id: str) -> Object:
    """By "Retrieve a subscription"."""
    return world.get("subscription", subscription_id)


@route("GET", "/v1/subscription_items", PAGED + "subscription")
def list_items(world: World, params: Params) -> Object:
    """By "List all subscription items"."""
    subscription = world.get("subscription", params.need("subscription"), "subscription")
    return page(params, "/v1/subscription_items", subscription["items"]["data"])
