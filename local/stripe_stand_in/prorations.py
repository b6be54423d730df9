"""Credits for time that was paid and is not used, debits for what takes its place ("Prorations").

To the second: the part of a period that is left, of what was billed for it (credits, in flexible
billing mode) or of what the new price would cost (debits).
"""

from datetime import UTC, datetime

from local.stripe_stand_in import discounts
from local.stripe_stand_in.catalog import pricing, smallest
from local.stripe_stand_in.periods import share
from local.stripe_stand_in.shapes import Object, shown
from local.stripe_stand_in.world import World


def credit(world: World, subscription: Object, item: Object, at: int) -> None:
    """Gives back what was billed for the item's time after `at`."""
    billed = item["_billed"]
    if billed is None or billed["amount"] <= 0:
        return
    start, end = billed["period"]["start"], billed["period"]["end"]
    if not start <= at < end:
        return
    unit = smallest(subscription["currency"])
    amount = -share(billed["amount"], end - at, end - start, unit)
    of = {"invoice": billed["invoice"], "invoice_line_items": [billed["line"]]}
    _pend(world, subscription, item, amount, (at, end), "Unused time on", of)
    item["_billed"] = None


def debit(world: World, subscription: Object, item: Object, at: int) -> None:
    """Bills the item, as it is now, for the rest of its period after `at`."""
    start, end = item["current_period_start"], item["current_period_end"]
    currency = subscription["currency"]
    full = item["price"]["unit_amount"] * item["quantity"]
    for discount in discounts.live(world, subscription, at):
        full -= discounts.off(discounts.coupon_of(world, discount), full, currency)
    amount = share(full, end - at, end - start, smallest(currency))
    row = _pend(world, subscription, item, amount, (at, end), "Remaining time on", None)
    item["_billed"] = {
        "amount": amount,
        "period": {"start": at, "end": end},
        "invoice": None,
        "line": row["id"],
    }


def _pend(
    world: World,
    subscription: Object,
    item: Object,
    amount: int,
    period: tuple[int, int],
    what: str,
    credited: Object | None,
) -> Object:
    """An invoice item that waits for the next invoice of the subscription."""
    customer, price = subscription["customer"], item["price"]
    product = world.get("product", price["product"])
    of = {"subscription": subscription["id"], "subscription_item": item["id"]}
    since = datetime.fromtimestamp(period[0], UTC).strftime("%d %b %Y")
    row = world.make(
        "invoiceitem",
        amount=amount,
        net_amount=amount,
        currency=subscription["currency"],
        customer=customer,
        date=world.now(customer),
        description=f"{what} {product['name']} after {since}",
        discountable=False,
        parent={"subscription_details": of, "type": "subscription_details"},
        period={"start": period[0], "end": period[1]},
        pricing=pricing(price),
        proration=True,
        quantity=item["quantity"],
        quantity_decimal=str(item["quantity"]),
        test_clock=subscription["test_clock"],
        _credited=credited,
        _item=item["id"],
        _price=shown(price),
        _subscription=subscription["id"],
    )
    world.record("created", row)
    return row
