"""Invoices: their lines, their totals, and becoming final ("How invoicing works").

Credit and debit: a customer's `balance` below 0 is credit, which the next invoice uses up
("Customer credit balance").
"""

from local.stripe_stand_in import discounts, payments
from local.stripe_stand_in.catalog import pricing
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.shapes import Object, listed, made
from local.stripe_stand_in.world import World


def line(
    subscription: Object,
    item: Object,
    amount: int,
    period: tuple[int, int],
    description: str,
    pending: Object | None = None,
) -> Object:
    """A line of one item of the subscription. A proration has its discounts in its amount
    ("Prorations and discounts"); it comes from the pending invoice item `pending`."""
    price = item["price"] if pending is None else pending["_price"]
    details = {
        "invoice_item": pending and pending["id"],
        "proration": pending is not None,
        "proration_details": {"credited_items": pending and pending["_credited"]},
        "subscription": subscription["id"],
        "subscription_item": item["id"],
    }
    quantity = item["quantity"] if pending is None else pending["quantity"]
    kind = "subscription_item_details"
    return made(
        "line_item",
        amount=amount,
        currency=subscription["currency"],
        description=description,
        discountable=pending is None,
        metadata=dict(subscription["metadata"]),
        parent={"invoice_item_details": None, kind: details, "type": kind},
        period={"start": period[0], "end": period[1]},
        pricing=pricing(price),
        quantity=quantity,
        quantity_decimal=str(quantity),
        subscription=subscription["id"],
        subtotal=amount,
        _item=item["id"],
    )


def pending_lines(world: World, subscription: Object) -> list[Object]:
    """Lines of the prorations that wait for the next invoice."""
    waiting = world.all("invoiceitem", invoice=None, customer=subscription["customer"])
    lines = []
    for row in waiting:
        if row["_subscription"] == subscription["id"]:
            period = (row["period"]["start"], row["period"]["end"])
            item = {"id": row["_item"], "price": row["_price"], "quantity": row["quantity"]}
            lines.append(line(subscription, item, row["amount"], period, row["description"], row))
    return lines


def build(
    world: World, subscription: Object, reason: str, lines: list[Object], auto_advance: bool = True
) -> Object:
    """A draft of these lines, with the subscription's discounts."""
    customer = world.get("customer", subscription["customer"])
    now = world.now(customer)
    live = discounts.live(world, subscription, now)
    discounts.apply(world, live, lines, subscription["currency"])
    invoice = world.make(
        "invoice",
        account_name="Regulars (stand-in)",
        automatic_tax=made("invoice")["automatic_tax"]
        | _tax(subscription["automatic_tax"]["enabled"]),
        auto_advance=auto_advance,
        billing_reason=reason,
        created=now,
        currency=subscription["currency"],
        customer=customer["id"],
        default_payment_method=None,
        discounts=[one["id"] for one in live],
        parent=_parent(subscription),
        period_start=min((row["period"]["start"] for row in lines), default=now),
        period_end=max((row["period"]["end"] for row in lines), default=now),
        _subscription=subscription["id"],
        test_clock=customer["test_clock"],
        **{f"customer_{name}": customer[name] for name in ("address", "email", "name", "phone")},
    )
    for row in lines:
        row |= {"id": world.new_id("line_item"), "invoice": invoice["id"]}
    invoice["lines"] = listed(f"/v1/invoices/{invoice['id']}/lines", lines)
    _total(invoice, customer)
    _mark_billed(world, subscription, invoice)
    if invoice["subtotal"] > 0:
        discounts.spend(subscription, live)
    customer["currency"] = subscription["currency"]
    world.record("created", invoice)
    return invoice


def _parent(subscription: Object) -> Object:
    details = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
    kind = "subscription_details"
    return {"quote_details": None, kind: details, "type": kind}


def _tax(enabled: bool) -> Object:
    """Taxes are computed, and come to nothing here."""
    return {"enabled": enabled, "status": "complete" if enabled else None}


def _mark_billed(world: World, subscription: Object, invoice: Object) -> None:
    """What was billed for each item is what a later credit gives back a part of
    ("Credit prorations", flexible billing mode)."""
    items = {item["id"]: item for item in subscription["items"]["data"]}
    for row in invoice["lines"]["data"]:
        details = row["parent"]["subscription_item_details"]
        if details["proration"]:
            world.get("invoiceitem", details["invoice_item"])["invoice"] = invoice["id"]
        elif row["_item"] in items:
            items[row["_item"]]["_billed"] = {
                "amount": discounts.net(row),
                "period": dict(row["period"]),
                "invoice": invoice["id"],
                "line": row["id"],
            }
    subscription["latest_invoice"] = invoice["id"]


def _total(invoice: Object, customer: Object) -> None:
    lines = invoice["lines"]["data"]
    off: dict[str, int] = {}
    for row in lines:
        for taken in row["discount_amounts"]:
            off[taken["discount"]] = off.get(taken["discount"], 0) + taken["amount"]
    subtotal = sum(row["amount"] for row in lines)
    total = subtotal - sum(off.values())
    due = max(0, total + customer["balance"])
    invoice["total_discount_amounts"] = [
        {"amount": amount, "discount": discount} for discount, amount in off.items()
    ]
    invoice |= {"subtotal": subtotal, "subtotal_excluding_tax": subtotal}
    invoice |= {"total": total, "total_excluding_tax": total}
    invoice |= {"amount_due": due, "amount_remaining": due, "amount_paid": 0}
    invoice["starting_balance"] = customer["balance"]


def finalize(world: World, invoice: Object) -> None:
    """From draft to open, with a payment intent; to paid where nothing is due."""
    if invoice["status"] != "draft":
        raise invalid("This invoice is already finalized.", code="invoice_not_editable")
    customer = world.get("customer", invoice["customer"])
    now = world.now(customer)
    _total(invoice, customer)
    invoice["ending_balance"] = min(0, invoice["total"] + customer["balance"])
    _move_balance(world, invoice, invoice["ending_balance"], "applied_to_invoice")
    number = customer["next_invoice_sequence"]
    customer["next_invoice_sequence"] = number + 1
    invoice |= {"number": f"{customer['invoice_prefix']}-{number:04d}", "status": "open"}
    invoice["automatically_finalizes_at"] = None
    invoice["hosted_invoice_url"] = f"{world.url}/invoices/{invoice['id']}"
    invoice["invoice_pdf"] = f"{world.url}/invoices/{invoice['id']}/pdf"
    invoice["effective_at"] = invoice["status_transitions"]["finalized_at"] = now
    if invoice["amount_due"]:
        _make_payment(world, invoice, now)
    world.record("finalized", invoice)
    if not invoice["amount_due"]:
        mark_paid(world, invoice)


def _make_payment(world: World, invoice: Object, now: int) -> None:
    intent = payments.make_intent(
        world,
        invoice["amount_due"],
        invoice["currency"],
        invoice["customer"],
        description=f"Invoice {invoice['number']}",
        _invoice=invoice["id"],
    )
    invoice["_intent"] = intent["id"]
    world.make(
        "invoice_payment",
        amount_requested=invoice["amount_due"],
        created=now,
        currency=invoice["currency"],
        invoice=invoice["id"],
        payment={"type": "payment_intent", "payment_intent": intent["id"]},
        status="open",
    )


def _move_balance(world: World, invoice: Object, to: int, why: str) -> None:
    customer = world.get("customer", invoice["customer"])
    if to == customer["balance"]:
        return
    world.make(
        "customer_balance_transaction",
        amount=to - customer["balance"],
        created=world.now(customer),
        currency=invoice["currency"],
        customer=customer["id"],
        ending_balance=to,
        invoice=invoice["id"],
        metadata={},
        type=why,
    )
    with world.changing(customer):
        customer["balance"] = to


def mark_paid(world: World, invoice: Object) -> None:
    """Paid, with money or because nothing was due."""
    now = world.now(invoice["customer"])
    invoice |= {"status": "paid", "attempted": True, "next_payment_attempt": None}
    invoice |= {"amount_paid": invoice["amount_due"], "amount_remaining": 0}
    invoice["auto_advance"] = False
    invoice["status_transitions"]["paid_at"] = now
    for payment in world.all("invoice_payment", invoice=invoice["id"], status="open"):
        payment |= {"amount_paid": invoice["amount_due"], "status": "paid"}
        payment["status_transitions"]["paid_at"] = now
        world.record("paid", payment)
    world.record("paid", invoice)
    world.record("payment_succeeded", invoice)


def void(world: World, invoice: Object) -> None:
    """By "Void an invoice": it is as if it was never sent; credit that it used comes back."""
    if invoice["status"] not in ("draft", "open", "uncollectible"):
        raise invalid(f"You can only pass in open invoices. This is {invoice['status']}.")
    if invoice["status"] != "draft":
        customer = world.get("customer", invoice["customer"])
        used = invoice["ending_balance"] - invoice["starting_balance"]
        _move_balance(world, invoice, customer["balance"] - used, "unapplied_from_invoice")
    if intent := world.find("payment_intent", invoice.get("_intent")):
        payments.cancel(world, intent)
    for payment in world.all("invoice_payment", invoice=invoice["id"], status="open"):
        payment["status"] = "canceled"
    invoice |= {"status": "void", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["voided_at"] = world.now(invoice["customer"])
    world.record("voided", invoice)


def write_off(world: World, invoice: Object) -> None:
    """By "Mark an invoice as uncollectible": bad debt, unless it is paid already."""
    if invoice["status"] == "open":
        invoice |= {"status": "uncollectible", "next_payment_attempt": None}
        invoice["status_transitions"]["marked_uncollectible_at"] = world.now(invoice["customer"])
        world.record("marked_uncollectible", invoice)
