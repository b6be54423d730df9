"""What Square's objects say, in our words: orders with their payments and returns, customers.

Source: developer.squareup.com/reference/square/objects, the pages Order, OrderLineItem,
OrderReturn, Tender, Payment, PaymentRefund and Customer; for returns as orders of their own also
developer.squareup.com/docs/orders-api/order-returns-exchanges and
developer.squareup.com/forums/t/both-charges-and-refunds-in-v2-orders/2584. Amounts are in minor
units already (developer.squareup.com/docs/build-basics/working-with-monetary-amounts).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.adapters.stores.reading import (
    instant,
    needed,
    objects,
    text,
    unit_price_and_discount,
)
from chalicelib.domain.ledger.commands import LineRefund
from chalicelib.domain.orders import GIFT_CARD, Order, OrderLine, Payment
from chalicelib.domain.referrals.checks import Seen
from chalicelib.domain.stores.facts import (
    Customer,
    OrderSaid,
    OrderState,
    StoreRefund,
    Unreadable,
)
from chalicelib.kernel.money import MAX_AMOUNT, is_currency

COMPLETED, CANCELED, DRAFT = "COMPLETED", "CANCELED", "DRAFT"
_NEVER_PAID_BACK = ("REJECTED", "FAILED")
_QUANTITY = re.compile(r"[0-9]{1,12}(\.[0-9]{1,10})?", re.ASCII)
_KINDS = {"SQUARE_GIFT_CARD": GIFT_CARD}

Found = dict[str, Any]


@dataclass(frozen=True)
class Returned:
    """Goods or money that came back of an order: in Square an order of its own."""

    order: Found
    refunds: tuple[Found, ...]  # the payments back, one a tender


@dataclass(frozen=True)
class Around:
    """What belongs to an order and is kept beside it."""

    payments: tuple[Found, ...] = ()
    returned: tuple[Returned, ...] = ()
    customer: Found | None = None


def origin_of(order: Found) -> str | None:
    """The order that a return is of; None for an order that sells, and for a return of none.

    Where goods are exchanged the return is a part of the order that sells the new ones.
    """
    if order.get("line_items"):
        return None
    sources = (text(one, "source_order_id") for one in objects(order, "returns"))
    return next((source for source in sources if source), None)


def is_sale(order: Found) -> bool:
    """Whether somebody bought something: no draft, and no return.

    A draft can be changed, and not be paid (reference, OrderState).
    """
    sells = bool(order.get("line_items")) or not order.get("returns")
    return sells and order.get("state") != DRAFT


def order_said(
    order: Found, around: Around, source: str, money: str, *, is_test: bool
) -> OrderSaid:
    """The order as it is. Raises `Unreadable`.

    Square changes nothing in an order when something of it comes back, so its lines are those
    before any refund.
    """
    currency = _currency(order, money)
    read = _order(order, source, currency)
    customer = _buyer(around)
    refunds = (_refund(one, order, currency) for one in around.returned)
    return OrderSaid(
        read,
        _state(order, around.payments, read.total, currency),
        customer,
        tuple(one for one in refunds if one is not None),
        is_test=is_test,
        seen=Seen(
            card_fingerprint=_card(around.payments), email=customer.email, phone=customer.phone
        ),
    )


def customer_of(found: Found) -> Customer:
    """A customer's profile. Raises `Unreadable`.

    A shop assistant may have typed the address, so it is not verified. Who did not unsubscribe has
    not asked for marketing either.
    """
    preferences = _part(found, "preferences")
    country = text(_part(found, "address"), "country")
    return Customer(
        text(found, "id"),
        text(found, "email_address"),
        phone=text(found, "phone_number"),
        given_name=text(found, "given_name"),
        family_name=text(found, "family_name"),
        country=country if country and re.fullmatch("[A-Z]{2}", country) else None,
        accepts_marketing=False if preferences.get("email_unsubscribed") is True else None,
    )


def amount(found: Found, name: str, currency: str) -> int:
    """Minor units of a money object, 0 where it is absent. Raises `Unreadable`."""
    value = _part(found, name)
    number = value.get("amount", 0)
    if type(number) is not int or not 0 <= number <= MAX_AMOUNT:
        raise Unreadable(f"{name} is no amount")
    if number and value.get("currency") != currency:
        raise Unreadable(f"{name} is not in {currency}")
    return number


def _part(found: Found, name: str) -> Found:
    value = found.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is no object")
    return value


def _currency(order: Found, money: str) -> str:
    currency = text(_part(order, "total_money"), "currency") or money
    if not is_currency(currency):
        raise Unreadable(f"{currency} is not a currency of ISO 4217")
    return currency


def _order(order: Found, source: str, currency: str) -> Order:
    """The lines with their discounts and taxes, and the rest of the total beside them.

    Orders' discounts and taxes are on the lines already. What the total has beside lines and tip
    are service charges (a delivery is one) and the rounding of cash. That the tip is in the total
    follows from what `total_money` means (all that is to be collected), and was not tried.
    """
    taxes = objects(order, "taxes")
    tax_included = not taxes or any(one.get("type") != "ADDITIVE" for one in taxes)
    rows = [row for row in objects(order, "line_items") if _units(row)]
    lines = tuple(_line(row, currency, tax_included=tax_included) for row in rows)
    tip = amount(order, "total_tip_money", currency)
    paid_for_lines = sum(amount(row, "total_money", currency) for row in rows)
    beside = amount(order, "total_money", currency) - tip - paid_for_lines
    return Order(
        source,
        str(needed(order, "id")),
        currency,
        instant(needed(order, "created_at"), "created_at"),
        lines,
        channel=text(_part(order, "source"), "name"),
        store=text(order, "location_id"),
        shipping=max(beside, 0),
        tax_included=tax_included,
        discount=min(
            max(-beside, 0) + _exchanged(order, currency), sum(line.price for line in lines)
        ),
        tip=tip,
        paid_with=tuple(_payment(one, currency) for one in objects(order, "tenders")),
        updated_at=instant(needed(order, "updated_at"), "updated_at"),
    )


def _exchanged(order: Found, currency: str) -> int:
    """What goods that were brought back pay of new ones: only the difference was spent."""
    worth = amount(_part(order, "return_amounts"), "total_money", currency)
    refunds = [one for one in objects(order, "refunds") if _is_alive(one)]
    return max(worth - sum(amount(one, "amount_money", currency) for one in refunds), 0)


def _line(row: Found, currency: str, *, tax_included: bool) -> OrderLine:
    tax = amount(row, "total_tax_money", currency)
    price = amount(row, "total_money", currency) - (0 if tax_included else tax)
    if price < 0:
        raise Unreadable("total_money of a line is less than its tax")
    quantity = _units(row)
    before = price + amount(row, "total_discount_money", currency)
    unit_price, discount = unit_price_and_discount(before, price, quantity)
    return OrderLine(
        str(needed(row, "uid")),
        quantity,
        unit_price,
        sku=text(row, "catalog_object_id"),
        name=text(row, "name"),
        discount=discount,
        tax=tax,
        gift_card=row.get("item_type") == "GIFT_CARD",
    )


def _quantity(row: Found) -> Decimal:
    written = str(needed(row, "quantity"))
    if not _QUANTITY.fullmatch(written):
        raise Unreadable(f"quantity: {written[:20]!r} is no quantity")
    return Decimal(written)


def _units(row: Found) -> int:
    """How many units a line has: what is measured (1.5 kg) is one, at its whole price.

    Source: OrderLineItem, `quantity` and `quantity_unit`. A line of none is left out when the order
    is paid.
    """
    quantity = _quantity(row)
    if not quantity:
        return 0
    measured = row.get("quantity_unit") is not None or quantity % 1
    return 1 if measured else int(quantity)


def _payment(tender: Found, currency: str) -> Payment:
    kind = str(needed(tender, "type"))
    return Payment(_KINDS.get(kind, kind.lower()), amount(tender, "amount_money", currency))


def _state(order: Found, payments: Sequence[Found], total: int, currency: str) -> OrderState:
    """An open order is paid when what was captured covers it: an approved payment may still lapse.

    Source: reference, OrderState; Payment, `status`.
    """
    state = order.get("state")
    if state == CANCELED:
        return OrderState.CANCELLED
    captured = [one for one in payments if one.get("status") == COMPLETED]
    paid = sum(amount(one, "total_money", currency) for one in captured)
    if state == COMPLETED or (captured and paid >= total):
        return OrderState.PAID
    return OrderState.PENDING


def _buyer(around: Around) -> Customer:
    if around.customer is not None:
        return customer_of(around.customer)
    emails = (text(one, "buyer_email_address") for one in around.payments)
    return Customer(email=next((email for email in emails if email), None))


def _card(payments: Sequence[Found]) -> str | None:
    cards = (_part(_part(one, "card_details"), "card") for one in payments)
    return next((mark for card in cards if (mark := text(card, "fingerprint"))), None)


def _refund(returned: Returned, order: Found, currency: str) -> StoreRefund | None:
    """What came back, once all of it is paid back; None before, and where it never is.

    A payment back may wait for days and fail then (PaymentRefund, `status`), and what we take back
    we cannot give again.
    """
    alive = [one for one in returned.refunds if _is_alive(one)]
    if not alive or any(one.get("status") != COMPLETED for one in alive):
        return None
    paid_back = sum(amount(one, "amount_money", currency) for one in alive)
    identifier = str(needed(returned.order, "id"))
    worth = amount(_part(returned.order, "return_amounts"), "total_money", currency)
    lines = _lines_back(returned.order, order) if worth == paid_back else ()
    if lines:
        return StoreRefund(identifier, lines)
    return StoreRefund(identifier, amount=paid_back) if paid_back else None


def _is_alive(refund: Found) -> bool:
    return refund.get("status") not in _NEVER_PAID_BACK


def _lines_back(returned: Found, order: Found) -> tuple[LineRefund, ...]:
    """The lines that came back, where they are the whole of it and can be counted; else none."""
    sold = {text(row, "uid"): row for row in objects(order, "line_items")}
    units: dict[str, int] = {}
    of_order = [one for one in objects(returned, "returns") if _is_of(one, order)]
    for row in [row for one in of_order for row in objects(one, "return_line_items")]:
        uid = text(row, "source_line_item_uid")
        counted = _units_back(row, sold.get(uid)) if uid else None
        if uid is None or counted is None:
            return ()
        units[uid] = units.get(uid, 0) + counted
    return tuple(LineRefund(uid, quantity) for uid, quantity in units.items())


def _is_of(one: Found, order: Found) -> bool:
    return text(one, "source_order_id") == text(order, "id")


def _units_back(row: Found, sold: Found | None) -> int | None:
    """How many units; None for a part of what is measured, and for what is no line: an amount."""
    if sold is None:
        return None
    if _units(sold) == 1:
        return 1 if _quantity(row) == _quantity(sold) else None
    return int(_quantity(row)) if _quantity(row) % 1 == 0 else None
