"""A subscription ends or goes on again, a customer is deleted ("Cancel subscriptions")."""

from local.stripe_stand_in import fields, invoices
from local.stripe_stand_in.collect import (
    ENDED,
    after_paid,
    collect,
    default_method,
    end,
    expire,
)
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.payments import SUCCEEDED
from local.stripe_stand_in.prorations import credit
from local.stripe_stand_in.routes import route
from local.stripe_stand_in.shapes import Object, made
from local.stripe_stand_in.subscriptions import first_lines
from local.stripe_stand_in.world import World


@route("DELETE", "/v1/subscriptions/{}", "prorate invoice_now cancellation_details")
def cancel_subscription(world: World, params: Params, subscription_id: str) -> Object:
    """By "Cancel a subscription": now. `prorate` credits unused time, `invoice_now` bills it."""
    subscription = world.get("subscription", subscription_id)
    if subscription["status"] in ENDED:
        raise invalid("This subscription is already canceled.", code="resource_missing")
    fields.details(subscription, params)
    if subscription["status"] == "incomplete":
        expire(world, subscription)
        return subscription
    cancel_now(world, subscription, params.flag("prorate"), params.flag("invoice_now"))
    end(world, subscription, "cancellation_requested")
    return subscription


def cancel_now(world: World, subscription: Object, prorate: bool, invoice_now: bool) -> None:
    """What cancelling does to money: a credit, and a last invoice."""
    if prorate:
        at = world.now(subscription["customer"])
        for item in subscription["items"]["data"]:
            credit(world, subscription, item, at)
    lines = invoices.pending_lines(world, subscription)
    if invoice_now and lines:
        invoice = invoices.build(world, subscription, "subscription_update", lines)
        if world.rehearsing:
            return
        invoices.finalize(world, invoice)
        if invoice["status"] == "open":
            collect(world, invoice)
    elif not prorate and not invoice_now:
        for row in world.all("invoiceitem", invoice=None, _subscription=subscription["id"]):
            world.drop("invoiceitem", row["id"])


@route(
    "POST",
    "/v1/subscriptions/{}/resume",
    "billing_cycle_anchor proration_behavior payment_behavior proration_date",
)
def resume_subscription(world: World, params: Params, subscription_id: str) -> Object:
    """By "Resume a subscription": one that was paused when its trial ended without a card."""
    subscription = world.get("subscription", subscription_id)
    if subscription["status"] != "paused":
        raise invalid("Only a paused subscription can be resumed.")
    anchor = params.child("billing_cycle_anchor").choice("type", "now", "unchanged")
    if anchor != "now":
        raise invalid("The stand-in resumes with a new anchor only.", "billing_cycle_anchor")
    if default_method(world, subscription) is None:
        raise invalid("There is no default_payment_method set.", code="missing_payment_method")
    with world.changing(subscription):
        fields.restart_periods(subscription, world.now(subscription["customer"]))
    invoice = invoices.build(
        world, subscription, "subscription_update", first_lines(world, subscription)
    )
    invoices.finalize(world, invoice)
    if invoice["status"] == "paid":
        after_paid(world, invoice)
    elif collect(world, invoice) == SUCCEEDED:
        world.record("resumed", subscription)
    return subscription


@route("DELETE", "/v1/subscriptions/{}/discount")
def delete_discount(world: World, _: Params, subscription_id: str) -> Object:
    """By "Delete a subscription discount"."""
    subscription = world.get("subscription", subscription_id)
    if not subscription["discounts"]:
        raise invalid("No active discount for subscription.", code="resource_missing")
    with world.changing(subscription):
        discount_id = subscription["discounts"][-1]
        subscription["discounts"] = subscription["discounts"][:-1]
    gone, names = world.get("discount", discount_id), made("deleted_discount")
    world.record("customer.discount.deleted", gone)
    return names | {name: gone[name] for name in names if name in gone}


@route("DELETE", "/v1/customers/{}")
def delete_customer(world: World, _: Params, customer_id: str) -> Object:
    """By "Delete a customer": for ever; what runs is cancelled, its cards pay no more."""
    world.get("customer", customer_id)
    for subscription in world.all("subscription", customer=customer_id):
        if subscription["status"] not in ENDED:
            end(world, subscription, "cancellation_requested")
    for method in world.all("payment_method", customer=customer_id):
        method["customer"] = None
    deleted = world.drop("customer", customer_id)
    world.objects.setdefault("_deleted_customer", {})[customer_id] = deleted
    return deleted
