"""Shopify's orders, refunds and customers as facts.

Sources, all at https://shopify.dev: docs/api/admin-rest/latest/resources/order, .../refund and
.../customer (webhooks carry the same objects: docs/apps/build/webhooks/delivery-structure).

What Shopify leaves unsaid, and how it is read here:

- An order holds two moneys, the shop's and the one that the customer saw. The shop's is read,
  unless only the other is the program's.
- `quantity` is all that was ever on a line. An edit takes units out by a refund without any
  payment; such units, and those that `current_quantity` misses without a refund, were not bought.
  They leave with their share of the line's discounts and taxes, which Shopify tells for all units
  (github.com/microsoft/BCApps, pull requests 7447 and 10462, say so of a connector's practice).
  So does an exchange: what was returned is a refund, what was taken for it a new line.
- Money that comes back beyond lines and shipping is, below zero, in `order_adjustments`; they hold
  pairs that cancel each other, so only their sum counts. It pays first for what edits took out.
- Shipping that comes back takes nothing back, and less money than the lines cost takes back the
  whole lines: the goods are returned. Where money had come back before without goods, less may be
  the rest of what was paid: then the money counts, since no more than all can come back.
- A voided payment leaves its order waiting; only `cancelled_at` is final, whether the money came
  back yet or not, since no goods will.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from chalicelib.adapters.stores.reading import instant, money, needed, needed_text, objects, text
from chalicelib.domain.ledger.commands import LineRefund
from chalicelib.domain.orders import Order, OrderLine, Payment, allocate
from chalicelib.domain.referrals.checks import Seen
from chalicelib.domain.stores.facts import (
    Customer,
    Fact,
    OrderSaid,
    OrderState,
    OrderToFetch,
    RefundSaid,
    StoreRefund,
    Unreadable,
)
from chalicelib.kernel.clock import Instant

MAX_QUANTITY = 1_000_000  # of one line, as our own API has it

_PAID = frozenset({"paid", "partially_refunded", "refunded"})
# docs/api/admin-graphql/latest/enums/CustomerEmailMarketingState; of others nothing was said
_CONSENTS = {"subscribed": True, "unsubscribed": False}
_CHANNELS = {"web": "online"}  # others keep the store's word: `pos`, an app's id
_MAX_KIND = 40  # characters of what paid
_LONGEST_TAGS = 20_000  # characters of all

Found = dict[str, Any]


@dataclass(frozen=True)
class Money:
    """Which of an order's two moneys is read."""

    currency: str
    presented: bool = False  # the customer's, not the shop's

    @classmethod
    def of(cls, order: Found, wanted: str) -> "Money":
        """The shop's, unless only the customer's is `wanted`."""
        shops = needed_text(order, "currency")
        if shops != wanted and order.get("presentment_currency") == wanted:
            return cls(wanted, presented=True)
        return cls(shops)

    def signed(self, found: Found, name: str) -> int:
        """An amount in minor units, 0 where it is absent. Raises `Unreadable`."""
        value = self._of_set(found, name) if self.presented else found.get(name)
        return 0 if value is None else money(value, self.currency, name)

    def amount(self, found: Found, name: str) -> int:
        """An amount that cannot be below zero. Raises `Unreadable`."""
        amount = self.signed(found, name)
        if amount < 0:
            raise Unreadable(f"{name} is below zero")
        return amount

    def total(self, rows: Iterable[Found], name: str) -> int:
        return sum(self.amount(row, name) for row in rows)

    def moved(self, transaction: Found) -> int:
        """A transaction names the currency of its amount, which may be either."""
        if transaction.get("currency") in (None, self.currency):
            return money(transaction.get("amount"), self.currency, "amount")
        return money(self._of_set(transaction, "amount"), self.currency, "amount")

    def _of_set(self, found: Found, name: str) -> Any:
        which = "presentment_money" if self.presented else "shop_money"
        both = found.get(f"{name}_set")
        one = both.get(which) if isinstance(both, dict) else None
        if isinstance(one, dict):
            return one.get("amount")
        if found.get(name) is None:
            return None
        raise Unreadable(f"{name}_set.{which} is missing")


class _Moved(Enum):
    """What became of the money of a refund."""

    BACK = "back"
    NOT_YET = "not_yet"  # it is pending, or failed
    NONE = "none"  # there was none to move: an edit


@dataclass(frozen=True)
class _Refund:
    """A refund, before it is known what its money is for."""

    id: str
    lines: tuple[LineRefund, ...]  # of goods
    worth: int  # of these lines, as they were paid
    moved: _Moved
    beyond: int  # the money beside lines and shipping
    short: int  # by how much the money was less than the lines are worth


def order_said(order: Found, source: str, wanted: str) -> OrderSaid:
    """The whole order, in `wanted` or the shop's currency. Raises `Unreadable`."""
    view = Money.of(order, wanted)
    included = order.get("taxes_included") is True
    refunds = _refunds(order, view, included)
    return OrderSaid(
        order=_with_payment(_order(order, source, view, included, refunds), order),
        state=_state(order),
        customer=_buyer(order),
        refunds=_said(refunds),
        discount_codes=tuple(
            code for one in objects(order, "discount_codes") if (code := text(one, "code"))
        ),
        is_test=order.get("test") is True,
        seen=Seen(
            network_address=text(order, "browser_ip"),
            email=_email(order),
            phone=text(order, "phone"),
        ),
    )


def refund_facts(refund: Found, wanted: str) -> tuple[Fact, ...]:
    """What a refund says without its order.

    Units that an edit took out, and money that is more or less than the lines are worth, can only
    be judged with the whole order: it must be fetched (or comes by `orders/updated`, which Shopify
    sends too).
    """
    order_id = needed_text(refund, "order_id")
    transactions = objects(refund, "transactions")
    currency = next((code for one in transactions if (code := text(one, "currency"))), wanted)
    found = _refund(refund, Money(currency), included=True)
    facts: list[Fact] = []
    if found.moved is _Moved.BACK and found.lines and not found.short:
        facts.append(RefundSaid(order_id, StoreRefund(found.id, found.lines)))
    edited = found.moved is _Moved.NONE and bool(found.lines)
    if edited or found.beyond or found.short:
        facts.append(OrderToFetch(order_id))
    return tuple(facts)


def customer_said(found: Found) -> Customer:
    """A customer, or the little that a message about his privacy tells of him.

    Shopify calls an address verified that somebody typed at the checkout; we take it as his where
    he has an account (`state`). To sign in takes a code sent to the address; legacy accounts take
    a password (help.shopify.com/en/manual/customers/customer-accounts/classic-customer-accounts),
    and nothing public says that a new one must prove its address.
    """
    home = found.get("default_address")
    accepts, accepted_at = _accepts_marketing(found)
    return Customer(
        id=text(found, "id"),
        email=text(found, "email"),
        email_verified=found.get("verified_email") is True and found.get("state") == "enabled",
        phone=text(found, "phone"),
        given_name=text(found, "first_name"),
        family_name=text(found, "last_name"),
        country=text(home, "country_code") if isinstance(home, dict) else None,
        locale=text(found, "locale"),
        accepts_marketing=accepts,
        accepted_at=accepted_at,
    )


def _accepts_marketing(found: Found) -> tuple[bool | None, Instant | None]:
    """What he said, and when."""
    consent = found.get("email_marketing_consent")
    if isinstance(consent, dict):
        said, at = _CONSENTS.get(text(consent, "state") or ""), consent.get("consent_updated_at")
    else:  # older versions of the API
        accepts, at = found.get("accepts_marketing"), found.get("accepts_marketing_updated_at")
        said = accepts if isinstance(accepts, bool) else None
    return said, None if said is None or at is None else instant(at, "consent_updated_at")


def _buyer(order: Found) -> Customer:
    """A guest has no customer, or one who never signed in: the order says the rest."""
    found = order.get("customer") or {}
    if not isinstance(found, dict):
        raise Unreadable("customer is no object")
    known = customer_said(found)
    billed = order.get("billing_address")
    country = text(billed, "country_code") if isinstance(billed, dict) else None
    accepts = order.get("buyer_accepts_marketing")
    if known.accepts_marketing is None and isinstance(accepts, bool):
        known = replace(known, accepts_marketing=accepts)
    return replace(
        known,
        email=known.email or _email(order),
        phone=known.phone or text(order, "phone"),
        country=known.country or country,
        locale=known.locale or text(order, "customer_locale"),
    )


def _email(order: Found) -> str | None:
    return text(order, "email") or text(order, "contact_email")


def _state(order: Found) -> OrderState:
    if order.get("cancelled_at"):
        return OrderState.CANCELLED
    paid = text(order, "financial_status") in _PAID
    return OrderState.PAID if paid else OrderState.PENDING


def _order(
    order: Found, source: str, view: Money, included: bool, refunds: Sequence[_Refund]
) -> Order:
    rows = objects(order, "line_items")
    labels = _tags(order)
    edited = _units(one for one in refunds if one.moved is _Moved.NONE)
    gone = _units(refunds)
    kept = [(row, _kept(row, edited, gone)) for row in rows if not _is_tip(row)]
    source_name = text(order, "source_name")
    return Order(
        source=source,
        id=needed_text(order, "id"),
        currency=view.currency,
        placed_at=instant(order.get("processed_at") or needed(order, "created_at"), "created_at"),
        lines=tuple(_line(row, units, view, included, labels) for row, units in kept if units),
        channel=_CHANNELS.get(source_name or "", source_name),
        store=text(order, "location_id"),
        shipping=_shipping(order, view, included),
        tax_included=included,
        tip=_tip(order, rows, view),
        updated_at=instant(needed(order, "updated_at"), "updated_at"),
    )


def _with_payment(order: Order, found: Found) -> Order:
    """Shopify names what paid and not how much each: only a single one is known to be all."""
    names = found.get("payment_gateway_names")
    if not isinstance(names, list) or len(names) != 1 or not order.total:
        return order
    kind = re.sub(r"[^a-z0-9]+", "_", str(names[0]).lower()).strip("_")[:_MAX_KIND]
    return replace(order, paid_with=(Payment(kind, order.total),)) if kind else order


def _tags(order: Found) -> tuple[str, ...]:
    """The order's tags: product tags and types are not in the payload."""
    parts = (text(order, "tags", _LONGEST_TAGS) or "").split(",")
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _is_tip(line: Found) -> bool:
    """These fields are present on lines that are tips alone, if only as null; a tip is on such a
    line, and in `total_tip_received` too."""
    return "tip_payment_gateway" in line or "tip_payment_method" in line


def _tip(order: Found, rows: Iterable[Found], view: Money) -> int:
    lines = [row for row in rows if _is_tip(row)]
    if lines:
        return sum(view.amount(row, "price") * _quantity(row) for row in lines)
    return 0 if view.presented else view.amount(order, "total_tip_received")


def _shipping(order: Found, view: Money, included: bool) -> int:
    """With its tax, after its discounts: what of the bill is no line and no tip."""
    total = 0
    for row in objects(order, "shipping_lines"):
        if row.get("is_removed") is True:
            continue
        price = view.amount(row, "price") - view.total(
            objects(row, "discount_allocations"), "amount"
        )
        tax = 0 if included else view.total(objects(row, "tax_lines"), "price")
        total += max(0, price) + tax
    return total


def _kept(row: Found, edited: Counter[str], gone: Counter[str]) -> int:
    """The units that were bought: of all that ever were on a line, those no edit took out."""
    line_id, quantity = needed_text(row, "id"), _quantity(row)
    current = row.get("current_quantity")
    missing = 0
    if current is not None:
        missing = quantity - _count(current, "current_quantity") - gone[line_id]
    return max(0, quantity - edited[line_id] - max(0, missing))


def _units(refunds: Iterable[_Refund]) -> Counter[str]:
    """How many units are in them, by line."""
    units: Counter[str] = Counter()
    for one in refunds:
        for line in one.lines:
            units[line.id] += line.quantity
    return units


def _line(
    row: Found, units: int, view: Money, included: bool, labels: tuple[str, ...]
) -> OrderLine:
    needed(row, "price")
    unit_price, quantity = view.amount(row, "price"), _quantity(row)
    discount = _share(view.total(objects(row, "discount_allocations"), "amount"), units, quantity)
    discount = min(discount, unit_price * units)
    tax = _share(view.total(objects(row, "tax_lines"), "price"), units, quantity)
    if included:
        tax = min(tax, unit_price * units - discount)  # Shopify rounds each of several taxes
    vendor = text(row, "vendor")
    return OrderLine(
        id=needed_text(row, "id"),
        quantity=units,
        unit_price=unit_price,
        sku=text(row, "sku"),
        name=text(row, "name") or text(row, "title"),
        categories=(vendor,) if vendor else (),
        labels=labels,
        discount=discount,
        tax=tax,
        gift_card=row.get("gift_card") is True,
    )


def _share(total: int, units: int, quantity: int) -> int:
    """What of a line's total is of so many of its units."""
    return allocate(total, (units, quantity - units))[0]


def _quantity(found: Found) -> int:
    return _count(needed(found, "quantity"), "quantity")


def _count(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_QUANTITY:
        raise Unreadable(f"{name} is not a number of units")
    return value


def _refunds(order: Found, view: Money, included: bool) -> list[_Refund]:
    """Oldest first: their numbers grow."""
    found = [_refund(one, view, included) for one in objects(order, "refunds")]
    tips = {str(row.get("id")) for row in objects(order, "line_items") if _is_tip(row)}
    found = [
        replace(one, lines=tuple(line for line in one.lines if line.id not in tips))
        for one in found
    ]
    return sorted(found, key=lambda one: (len(one.id), one.id))


def _refund(refund: Found, view: Money, included: bool) -> _Refund:
    rows = objects(refund, "refund_line_items")
    units: Counter[str] = Counter()
    for row in rows:
        line = row.get("line_item")
        if not (isinstance(line, dict) and _is_tip(line)):
            units[needed_text(row, "line_item_id")] += _quantity(row)
    worth = view.total(rows, "subtotal") + (0 if included else view.total(rows, "total_tax"))
    payments = [one for one in objects(refund, "transactions") if one.get("kind") == "refund"]
    done = [one for one in payments if one.get("status") == "success"]
    moved = _Moved.BACK if done else _Moved.NOT_YET if payments else _Moved.NONE
    beyond = _beyond(refund, bool(rows), done, view) if done else 0
    return _Refund(
        id=needed_text(refund, "id"),
        lines=tuple(LineRefund(line_id, count) for line_id, count in units.items() if count),
        worth=worth,
        moved=moved,
        beyond=max(0, beyond),
        short=max(0, -beyond) if rows else 0,
    )


def _beyond(refund: Found, has_lines: bool, done: Iterable[Found], view: Money) -> int:
    """The money of a refund that is neither for its lines nor for shipping; below zero where they
    are worth more.

    Refunded shipping is an adjustment of its own kind, since version 2024-10 a list of its own.
    """
    adjustments = objects(refund, "order_adjustments")
    if has_lines or adjustments or objects(refund, "refund_shipping_lines"):
        return -sum(
            view.signed(one, "amount") + view.signed(one, "tax_amount")
            for one in adjustments
            if one.get("kind") != "shipping_refund"
        )
    return sum(view.moved(one) for one in done)


def _said(refunds: Iterable[_Refund]) -> tuple[StoreRefund, ...]:
    """What came back. Money that only pays for what an edit took out takes nothing back."""
    said: list[StoreRefund] = []
    owed = 0  # for what edits took out
    given = 0  # without goods
    for one in refunds:
        if one.moved is _Moved.NONE:
            owed += one.worth
        if one.moved is not _Moved.BACK:
            continue
        amount = max(0, one.beyond - owed)
        owed = max(0, owed - one.beyond)
        if one.lines and one.short and given:
            amount = max(0, one.worth - one.short)
            given = max(0, given - one.short)
            said += _refunded(one.id, (), amount)
        else:
            given += amount
            said += _refunded(one.id, one.lines, amount)
    return tuple(said)


def _refunded(refund_id: str, lines: tuple[LineRefund, ...], amount: int) -> Iterable[StoreRefund]:
    if lines:
        yield StoreRefund(refund_id, lines)
    if amount:
        yield StoreRefund(f"{refund_id}:amount" if lines else refund_id, amount=amount)
