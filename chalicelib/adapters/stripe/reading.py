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
_FORGIVEN = ("void", "uncollectible")
_LOOKED_AT = frozenset({"won", "warning_closed", "prevented"})  # no dispute any more


def lookup_key(program_id: str, plan: str, price: str, amount: int, money: str, every: str) -> str:
    """What a price of ours is found by, and known as one."""
    return f"regulars:{program_id}:{plan}:{price}:{amount}:{money}:{every}"


def subscription_of(one: Object, charges: list[Object], disputes: list[Object]) -> Subscription:
    """A subscription with its `latest_invoice` expanded, and what its customer disputed."""
    item = one["items"]["data"][0]
    price = item["price"]
    own = one["metadata"]
    status = PaymentStatus(one["status"])
    if status in (PaymentStatus.TRIALING, PaymentStatus.ACTIVE) and _collects_nothing(one):
        status = PaymentStatus.PAUSED
    money = price["currency"].upper()
    amount = from_stripe(price["unit_amount"] or 0, money)  # None of a price in tiers
    disputed = [row["created"] for row in disputes if _counts(one, item, row, charges)]
    return Subscription(
        id=one["id"],
        customer_id=one["customer"],
        program_id=own.get(PROGRAM, ""),
        member_id=own.get(MEMBER, ""),
        plan=_plan(price, own.get(PROGRAM, ""), amount, money),
        price=price["metadata"].get(PRICE, ""),
        amount=amount,
        money=money,
        status=status,
        started_at=_instant(one["start_date"]),
        period_start=_instant(item["current_period_start"]),
        period_end=_instant(item["current_period_end"]),
        paid_until=_instant(_paid_until(one, item, status)),
        cancels_at=_instant(one["cancel_at"])
        or (_instant(item["current_period_end"]) if one["cancel_at_period_end"] else 0),
        ended_at=_instant(one["ended_at"]),
        disputed_at=_instant(min(disputed, default=0)),
        item_id=item["id"],
    )


def _plan(price: Object, program_id: str, amount: int, money: str) -> str:
    """Of a price that we made, with the amount that it was made for; else empty."""
    of = price["metadata"]
    plan = str(of.get(PLAN, ""))
    every = price["recurring"]["interval"]
    made = lookup_key(program_id, plan, of.get(PRICE, ""), amount, money, every)
    return plan if of.get(PROGRAM) == program_id and price["lookup_key"] == made else ""


def _collects_nothing(one: Object) -> bool:
    """Whether it is paused, or was and its running period was never charged."""
    return bool(one["pause_collection"]) or _renewal_is(one, _FORGIVEN)


def _renewal_is(one: Object, statuses: tuple[str, ...]) -> bool:
    """Whether the invoice of the running period has one of these statuses."""
    latest = one["latest_invoice"]
    return (
        isinstance(latest, dict)
        and latest["billing_reason"] == "subscription_cycle"
        and latest["status"] in statuses
    )


def _counts(one: Object, item: Object, dispute: Object, charges: list[Object]) -> bool:
    """Whether money that was paid for this subscription is disputed.

    By a lost dispute it is gone, and with it the period that was paid; later ones are not.
    """
    if dispute["status"] in _LOOKED_AT:
        return False
    since = item["current_period_start"] if dispute["status"] == "lost" else one["created"]
    made = {charge["id"]: charge["created"] for charge in charges}
    return bool(made[dispute["charge"]] >= since)


def _paid_until(one: Object, item: Object, status: PaymentStatus) -> int:
    """In seconds. A renewal is not paid while its invoice is a draft, for about an hour."""
    start, end = item["current_period_start"], item["current_period_end"]
    if status is PaymentStatus.CANCELED:
        return int(one["ended_at"] or end)
    unpaid = _renewal_is(one, (*_OPEN, *_FORGIVEN))
    if status is PaymentStatus.PAUSED and unpaid:
        return int(one["metadata"].get(PAID_UNTIL) or start)
    paid = status in (PaymentStatus.ACTIVE, PaymentStatus.PAUSED) and not unpaid
    return int(end if paid or status is PaymentStatus.TRIALING else start)


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
