"""Stripe's objects in our words.

Sources: docs.stripe.com, the API reference of each object, "How subscriptions work" (statuses),
"Pause payment collection". Of API version 2026-10-28.endive, in which the period of a subscription
stands at its items and the payments of an invoice in a list.
"""

from typing import Any

from chalicelib.adapters.stripe.money import from_stripe
from chalicelib.domain.memberships.membership import PaymentStatus, Subscription
from chalicelib.domain.memberships.payments import Invoice, InvoiceLine, PaymentEvent
from chalicelib.kernel.clock import SECOND, Instant

PROGRAM, MEMBER, PLAN, PRICE = (
    "regulars_program",
    "regulars_member",
    "regulars_plan",
    "regulars_price",
)
PAID_UNTIL = "regulars_paid_until"  # seconds; of a subscription whose collection is paused
Object = dict[str, Any]
_OPEN = ("draft", "open")
_LOOKED_AT = frozenset({"won", "warning_closed", "prevented"})  # no dispute any more


def subscription_of(one: Object, disputes: list[Object]) -> Subscription:
    """A subscription with its `latest_invoice` expanded, and the disputes of its charges."""
    item = one["items"]["data"][0]
    price = item["price"]
    of_price, own = price["metadata"], one["metadata"]
    status = PaymentStatus(one["status"])
    if status in (PaymentStatus.TRIALING, PaymentStatus.ACTIVE) and one["pause_collection"]:
        status = PaymentStatus.PAUSED
    money = price["currency"].upper()
    amount = price["unit_amount"] * item["quantity"]
    return Subscription(
        id=one["id"],
        customer_id=one["customer"],
        program_id=own.get(PROGRAM, ""),
        member_id=own.get(MEMBER, ""),
        plan=of_price.get(PLAN, "") if of_price.get(PROGRAM) == own.get(PROGRAM) else "",
        price=of_price.get(PRICE, ""),
        amount=from_stripe(amount, money),
        money=money,
        status=status,
        started_at=_instant(one["start_date"]),
        period_start=_instant(item["current_period_start"]),
        period_end=_instant(item["current_period_end"]),
        paid_until=_instant(_paid_until(one, item, status)),
        cancels_at=_instant(one["cancel_at"])
        or (_instant(item["current_period_end"]) if one["cancel_at_period_end"] else 0),
        ended_at=_instant(one["ended_at"]),
        disputed_at=_instant(min((row["created"] for row in disputes), default=0)),
        item_id=item["id"],
    )


def _paid_until(one: Object, item: Object, status: PaymentStatus) -> int:
    """In seconds. A renewal is not paid while its invoice is a draft, for about an hour."""
    start, end = item["current_period_start"], item["current_period_end"]
    if status is PaymentStatus.CANCELED:
        return int(one["ended_at"] or end)
    if status is PaymentStatus.PAUSED:
        return int(one["metadata"].get(PAID_UNTIL) or start)
    latest = one["latest_invoice"]
    unpaid = (
        isinstance(latest, dict)
        and latest["status"] in _OPEN
        and latest["billing_reason"] == "subscription_cycle"
    )
    paid = status is PaymentStatus.TRIALING or (status is PaymentStatus.ACTIVE and not unpaid)
    return int(end if paid else start)


def open_disputes(rows: list[Object]) -> list[Object]:
    """Those that are not won; by a lost one the money is gone."""
    return [one for one in rows if one["status"] not in _LOOKED_AT]


def invoice_of(one: Object) -> Invoice:
    """An invoice."""
    money = one["currency"].upper()
    return Invoice(
        id=one["id"],
        number=one["number"],
        status=one["status"],
        total=from_stripe(one["total"], money),
        paid=from_stripe(one["amount_paid"], money),
        money=money,
        made_at=_instant(one["created"]),
        page=one["hosted_invoice_url"],
        pdf=one["invoice_pdf"],
    )


def lines_of(one: Object) -> tuple[InvoiceLine, ...]:
    """The rows of an invoice."""
    money = one["currency"].upper()
    return tuple(
        InvoiceLine(row["description"] or "", from_stripe(row["amount"], money), _prorated(row))
        for row in one["lines"]["data"]
    )


def _prorated(row: Object) -> bool:
    parent = row["parent"] or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    return bool(details.get("proration"))


def event_of(one: Object) -> PaymentEvent:
    """What a message is about. What it says of it is not looked at: it may be old."""
    about = one["data"]["object"]
    kind = about.get("object")
    parent = (about.get("parent") or {}).get("subscription_details") or {}
    named = about.get("subscription") or parent.get("subscription")
    return PaymentEvent(
        id=one["id"],
        type=one["type"],
        subscription=about["id"] if kind == "subscription" else _id(named),
        customer=about["id"] if kind == "customer" else _id(about.get("customer")),
        charge=about["id"] if kind == "charge" else _id(about.get("charge")),
    )


def _id(named: Any) -> str | None:
    if isinstance(named, dict):
        named = named.get("id")
    return named if isinstance(named, str) else None


def _instant(seconds: int | None) -> Instant:
    return (seconds or 0) * SECOND
