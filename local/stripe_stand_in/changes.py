"""A subscription changes while it runs, and what that would cost ("Change price", "Prorations",
"Create a preview invoice")."""

from local.stripe_stand_in import discounts, fields, invoices
from local.stripe_stand_in.cards import declined
from local.stripe_stand_in.collect import ENDED, after_paid, collect
from local.stripe_stand_in.endings import cancel_now
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.payments import AUTHENTICATE, SUCCEEDED
from local.stripe_stand_in.periods import DAY, end_of_period
from local.stripe_stand_in.prorations import credit, debit
from local.stripe_stand_in.routes import route
from local.stripe_stand_in.shapes import Object, shown
from local.stripe_stand_in.subscriptions import LONGEST_TRIAL_DAYS, first_lines
from local.stripe_stand_in.world import World

_MONEY = "items proration_behavior proration_date billing_cycle_anchor trial_end "
_UPDATE = _MONEY + "payment_behavior pause_collection discounts off_session " + fields.KNOWN
_AFTER_END = ("metadata", "cancellation_details", "expand")
_ITEM = ("id", "price", "quantity", "deleted", "metadata", "discounts")


@route("POST", "/v1/subscriptions/{}", _UPDATE)
def update_subscription(world: World, params: Params, subscription_id: str) -> Object:
    """By "Update a subscription". Raises 402 with `payment_behavior=error_if_incomplete`."""
    subscription = world.get("subscription", subscription_id)
    if subscription["status"] in ENDED and set(params.tree) - {*_AFTER_END}:
        message = "A canceled subscription can only update its cancellation_details and metadata."
        raise invalid(message)
    with world.all_or_nothing():
        with world.changing(subscription):
            fields.update(world, subscription, params)
            _pause(world, subscription, params)
            _discount(world, subscription, params)
            due = _change(world, subscription, params)
        if due:
            _bill(world, subscription, params, due)
    return subscription


def _pause(world: World, subscription: Object, params: Params) -> None:
    """By "Pause payment collection": invoices are made and not collected; status stays."""
    if "pause_collection" not in params:
        return
    asked = params.child("pause_collection")
    if not asked.tree:
        subscription["pause_collection"] = None
        return
    behaviors = ("keep_as_draft", "mark_uncollectible", "void")
    behavior, until = asked.need("behavior"), asked.whole("resumes_at")
    if behavior not in behaviors:
        raise invalid(f"Must be one of {', '.join(behaviors)}.", "pause_collection[behavior]")
    if until is not None and until <= world.now(subscription["customer"]):
        raise invalid("resumes_at must be in the future.", "pause_collection[resumes_at]")
    subscription["pause_collection"] = {"behavior": behavior, "resumes_at": until}


def _discount(world: World, subscription: Object, params: Params) -> None:
    if "discounts" in params:
        rows = subscription["items"]["data"]
        amount = sum(row["price"]["unit_amount"] * row["quantity"] for row in rows)
        given = discounts.give(world, params.rows("discounts"), subscription, amount)
        subscription["discounts"] = given


def _change(world: World, subscription: Object, params: Params) -> str | None:
    """Changes items, trial and anchor. What is billed now: a `period`, `prorations`, nothing."""
    behavior = params.choice("proration_behavior", "create_prorations", "always_invoice", "none")
    if subscription["status"] == "incomplete" and ("items" in params or "trial_end" in params):
        raise invalid("An incomplete subscription waits for its first payment.", "items")
    at = _proration_date(world, subscription, params)
    ends_trial = _move_trial(world, subscription, params)
    restarts = _restarts(world, subscription, params) or ends_trial
    prorates = behavior != "none" and subscription["status"] != "trialing"
    changed = _changed(world, subscription, params)
    moved = {item_id for item_id, item in changed.items() if item.pop("_moved")}
    if prorates:
        _credit(world, subscription, changed, at, None if restarts else moved)
    _apply(subscription, changed)
    if restarts:
        subscription["status"] = "active" if ends_trial else subscription["status"]
        fields.restart_periods(subscription, world.now(subscription["customer"]))
        return "period"
    for item in subscription["items"]["data"] if prorates else ():
        if item["id"] in moved:
            debit(world, subscription, item, at)
    return "prorations" if prorates and behavior == "always_invoice" and moved else None


def _credit(
    world: World, subscription: Object, changed: dict[str, Object], at: int, moved: set[str] | None
) -> None:
    """Credits what was billed for items that cost otherwise now; None: for all of them."""
    for item in subscription["items"]["data"]:
        if moved is None or item["id"] in moved:
            credit(world, subscription, item, at)
            changed.get(item["id"], {})["_billed"] = None


def _proration_date(world: World, subscription: Object, params: Params) -> int:
    now = world.now(subscription["customer"])
    at = params.whole("proration_date")
    item = subscription["items"]["data"][0]
    if at is not None and not item["current_period_start"] <= at < item["current_period_end"]:
        raise invalid("proration_date must lie in the current period.", "proration_date")
    return now if at is None else at


def _move_trial(world: World, subscription: Object, params: Params) -> bool:
    """Whether a trial ends now; one that runs can also be given another end."""
    if "trial_end" not in params:
        return False
    now = world.now(subscription["customer"])
    if subscription["status"] != "trialing":
        raise invalid("The stand-in moves only a trial that runs.", "trial_end")
    if params.text("trial_end") == "now":
        subscription["trial_end"] = now
        return True
    at = params.whole("trial_end")
    if at is None or not now < at <= now + LONGEST_TRIAL_DAYS * DAY:
        raise invalid("trial_end must be in the future, within two years.", "trial_end")
    subscription |= {"trial_end": at, "billing_cycle_anchor": at}
    for item in subscription["items"]["data"]:
        item["current_period_end"] = at
    fields.keep_cancelling(subscription)
    return False


def _restarts(world: World, subscription: Object, params: Params) -> bool:
    """A new anchor: asked for, or because it is billed at another interval ("Change price")."""
    anchor = params.child("billing_cycle_anchor").choice("type", "unchanged", "now")
    if anchor == "now":
        return True
    if subscription["status"] == "trialing":
        return False
    first = subscription["items"]["data"][0]["price"]
    prices = [row.text("price") for row in params.rows("items")]
    return any(
        not fields.same_interval(world.get("price", one, "items[0][price]"), first)
        for one in prices
        if one and world.get("price", one, "items[0][price]")["recurring"]
    )


def _changed(world: World, subscription: Object, params: Params) -> dict[str, Object]:
    """Each item that changes or is new, as it will be, by id; `_moved` where it costs otherwise."""
    items = {item["id"]: item for item in subscription["items"]["data"]}
    changed: dict[str, Object] = {}
    for row in params.rows("items"):
        row.refuse_unknown(_ITEM)
        item_id = row.text("id")
        if item_id and item_id not in items:
            raise invalid(f"No such subscription item: '{item_id}'", "items[0][id]")
        new = _changed_item(world, subscription, items.get(item_id or ""), row)
        changed[new["id"]] = new
    return changed


def _changed_item(world: World, subscription: Object, old: Object | None, row: Params) -> Object:
    quantity = row.whole("quantity", 0)
    if old is None:
        price = world.get("price", row.need("price"), "items[0][price]")
        first = subscription["items"]["data"][0]
        period = (first["current_period_start"], first["current_period_end"])
        new = fields.item(world, subscription, price, 1 if quantity is None else quantity, period)
        return new | {"_moved": True}
    price_id, new = row.text("price"), dict(old)
    price = world.get("price", price_id, "items[0][price]") if price_id else old["price"]
    fields.set_price(new, price, old["quantity"] if quantity is None else quantity)
    new["metadata"] = row.metadata(old["metadata"])
    same = (new["price"]["id"], new["quantity"]) == (old["price"]["id"], old["quantity"])
    deleted = row.flag("deleted")
    return new | {"_deleted": deleted, "_moved": deleted or not same}


def _apply(subscription: Object, changed: dict[str, Object]) -> None:
    items = {item["id"]: item for item in subscription["items"]["data"]} | changed
    kept = [item for item in items.values() if not item.pop("_deleted", False)]
    if not kept:
        raise invalid("A subscription must have at least one active price.", "items")
    for item in kept:
        if item["id"] in changed:
            fields.check_price(item["price"], kept[0]["price"])
    subscription["items"]["data"] = kept


def _bill(world: World, subscription: Object, params: Params, due: str) -> None:
    """The invoice of a change: prorations, and a whole period where a new one started."""
    behavior = params.choice(
        "payment_behavior", "allow_incomplete", "default_incomplete", "error_if_incomplete"
    )
    lines = invoices.pending_lines(world, subscription)
    if due == "period":
        lines += first_lines(world, subscription)
    with world.changing(subscription):
        invoice = invoices.build(world, subscription, "subscription_update", lines)
    if world.rehearsing:
        return
    invoices.finalize(world, invoice)
    if invoice["status"] == "paid":
        after_paid(world, invoice)
    elif behavior == "default_incomplete":
        with world.changing(subscription):
            subscription["status"] = "past_due"
    else:
        result = collect(world, invoice)
        if behavior == "error_if_incomplete" and result != SUCCEEDED:
            code = "authentication_required" if result == AUTHENTICATE else "generic_decline"
            raise declined(code)


@route(
    "POST",
    "/v1/invoices/create_preview",
    "customer subscription subscription_details discounts preview_mode",
)
def preview(world: World, params: Params) -> Object:
    """By "Create a preview invoice": what a change would bill, and nothing happens.

    With `always_invoice`, or where a new period starts, it is the invoice that is made at once;
    else the next renewal, with the prorations on it.
    """
    subscription_id = params.need("subscription")
    asked = params.child("subscription_details")
    asked.refuse_unknown((*_MONEY.split(), "cancel_now", "cancel_at_period_end"))
    before = shown(world.get("subscription", subscription_id))
    if before["status"] in ENDED:
        raise invalid("This subscription has ended.", code="invoice_upcoming_none")
    with world.rehearsal():
        subscription = world.get("subscription", subscription_id)
        if asked.flag("cancel_now"):
            prorate = asked.choice("proration_behavior", "create_prorations", "none") != "none"
            cancel_now(world, subscription, prorate, invoice_now=True)
        else:
            _discount(world, subscription, params)
            due = _change(world, subscription, asked)
            if due:
                _bill(world, subscription, asked, due)
            else:
                _renewal(world, subscription)
        if subscription["latest_invoice"] == before["latest_invoice"]:
            raise invalid("Nothing to invoice.", code="invoice_upcoming_none")
        invoice: Object = shown(world.get("invoice", subscription["latest_invoice"]))
    return invoice | {"id": invoice["id"].replace("in_", "upcoming_in_", 1)}


def _renewal(world: World, subscription: Object) -> None:
    """The next renewal, as far as it can be told today."""
    lines = invoices.pending_lines(world, subscription)
    if subscription["cancel_at"] is None:
        advance(subscription)
        lines += first_lines(world, subscription | {"status": "active"})
    if lines:
        invoices.build(world, subscription, "upcoming", lines)


def upcoming(world: World, subscription_id: str) -> Object | None:
    """The next invoice, as `invoice.upcoming` shows it: without an id."""
    with world.rehearsal():
        subscription = world.get("subscription", subscription_id)
        before = subscription["latest_invoice"]
        _renewal(world, subscription)
        latest = subscription["latest_invoice"]
        invoice: Object | None = None if latest == before else shown(world.get("invoice", latest))
    if invoice is not None:
        del invoice["id"]
    return invoice


def advance(subscription: Object) -> None:
    """On to the next period of every item."""
    for item in subscription["items"]["data"]:
        start, anchor = item["current_period_end"], subscription["billing_cycle_anchor"]
        item["current_period_start"] = start
        item["current_period_end"] = end_of_period(anchor, item["price"]["recurring"], start)
