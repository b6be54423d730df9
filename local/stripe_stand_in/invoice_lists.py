"""Reads invoices, what is on them, and what paid them ("Invoices", "Invoice Payment")."""

from collections.abc import Iterable

from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.lists import included, page
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object, listed
from local.stripe_stand_in.world import World


@route("GET", "/v1/invoices", PAGED + "customer subscription status collection_method")
def list_invoices(world: World, params: Params) -> Object:
    """By "List all invoices"."""
    fields = {"customer": "customer", "status": "status", "subscription": "_subscription"}
    equal = {fields[name]: params.text(name) for name in fields if name in params}
    return page(params, "/v1/invoices", world.all("invoice", **equal))


@route("GET", "/v1/invoices/{}")
def retrieve_invoice(world: World, _: Params, invoice_id: str) -> Object:
    """By "Retrieve an invoice"."""
    return world.get("invoice", invoice_id)


@route("GET", "/v1/invoices/{}/lines", PAGED)
def list_lines(world: World, params: Params, invoice_id: str) -> Object:
    """By "Retrieve an invoice's line items"."""
    rows: Iterable[Object] = world.get("invoice", invoice_id)["lines"]["data"][::-1]
    return page(params, f"/v1/invoices/{invoice_id}/lines", rows)


@route("GET", "/v1/invoiceitems", PAGED + "customer invoice pending")
def list_items(world: World, params: Params) -> Object:
    """By "List all invoice items"."""
    names = ("customer", "invoice")
    rows = world.all("invoiceitem", **{n: params.text(n) for n in names if n in params})
    if "pending" in params:
        rows = [row for row in rows if (row["invoice"] is None) == params.flag("pending")]
    return page(params, "/v1/invoiceitems", rows)


@route("GET", "/v1/invoice_payments", PAGED + "invoice payment status")
def list_payments(world: World, params: Params) -> Object:
    """By "List all payments for an invoice"."""
    names = ("invoice", "status")
    rows = world.all("invoice_payment", **{n: params.text(n) for n in names if n in params})
    if intent := params.child("payment").text("payment_intent"):
        rows = [row for row in rows if row["payment"]["payment_intent"] == intent]
    return page(params, "/v1/invoice_payments", rows)


@included("invoice", "confirmation_secret")
def _confirmation_secret(world: World, invoice_id: str) -> Object | None:
    intent = world.find("payment_intent", world.get("invoice", invoice_id).get("_intent"))
    return intent and {"client_secret": intent["client_secret"], "type": "payment_intent"}


@included("invoice", "payments")
def _payments(world: World, invoice_id: str) -> Object:
    rows = world.all("invoice_payment", invoice=invoice_id)
    return listed(f"/v1/invoice_payments?invoice={invoice_id}", rows)
