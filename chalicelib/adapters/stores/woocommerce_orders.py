"""WooCommerce's orders and customers, as its REST API (`wc/v3`) and its webhooks show them.

Sources: developer.woocommerce.com/docs/apis/rest-api/v3/orders/ and `/customers/`; what they leave
open was read in the public source, github.com/woocommerce/woocommerce, plugins/woocommerce/
includes/rest-api/Controllers/Version2/class-wc-rest-orders-v2-controller.php; the statuses are in
woocommerce.github.io/code-reference/classes/Automattic-WooCommerce-Enums-OrderStatus.html.

The state of an order:

    processing, completed       PAID, also cash on delivery: WooCommerce itself takes it as paid
    refunded                    PAID; its refunds take everything back
    pending, on-hold, others    PAID once it has a date of payment, PENDING before
    failed                      PENDING, with nothing in it
    cancelled, never paid       PENDING, with nothing in it
    cancelled after payment     CANCELLED
    trash                       CANCELLED
    drafts                      nothing is said

Cancelled is final with us. WooCommerce takes a payment for a failed and for a cancelled order too
(`OrderStatus::PAYMENT_COMPLETE_STATUSES`): a bank is late, an unpaid order lost its stock after an
hour and is paid after all. So these become an order of nothing, that gives nothing, until they are
paid; then they are edited back. Who cancels what was paid, or puts it into the trash, means it.

An order tells of a refund its id, a reason and an amount, and no more than the amount is ever
taken, so that a refund is the same whatever message brings it. Amounts hold shipping and tax, and
sum to `total` at most: an order of ours sums to just that (`_fitted`), so that a full refund takes
everything back.
"""

import html
import re
from dataclasses import replace
from typing import Any

from chalicelib.adapters.stores.reading import (
    instant,
    money,
    needed,
    objects,
    text,
    unit_price_and_discount,
)
from chalicelib.domain.orders import Order, OrderLine, Payment, allocate
from chalicelib.domain.referrals.checks import Seen
from chalicelib.domain.stores.facts import (
    Customer,
    OrderSaid,
    OrderState,
    StoreRefund,
    Unreadable,
)
from chalicelib.kernel.clock import Instant

Row = dict[str, Any]

_DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft", "new"})
_PAID = frozenset({"processing", "completed", "refunded"})
_CHANNELS = {"checkout": "online", "store-api": "online", "pos-rest-api": "pos"}
_GMT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")


def read_order(found: Row, source: str) -> OrderSaid | None:
    """An order as the REST API shows it; None for a draft. Raises `Unreadable`."""
    _refuse_error(found)
    status = text(found, "status") or ""
    if status in _DRAFTS:
        return None
    is_paid = status in _PAID or bool(found.get("date_paid_gmt") or found.get("date_paid"))
    order = _order(found, source)
    refunds = _refunds(found, order.currency)
    state = OrderState.PAID if is_paid else OrderState.PENDING
    if status == "trash" or (status == "cancelled" and is_paid):
        state = OrderState.CANCELLED
    elif status in ("failed", "cancelled"):
        state, order, refunds = OrderState.PENDING, _emptied(order), ()
    billing = _object(found, "billing")
    customer_id = text(found, "customer_id")
    return OrderSaid(
        order=order,
        state=state,
        customer=_customer(None if customer_id == "0" else customer_id, billing, billing),
        refunds=refunds,
        discount_codes=tuple(
            code for row in objects(found, "coupon_lines") if (code := text(row, "code"))
        ),
        seen=Seen(
            network_address=text(found, "customer_ip_address"),
            postal_address=_address(billing),
            email=text(billing, "email"),
            phone=text(billing, "phone"),
        ),
    )


def modified_at(found: Row) -> Instant | None:
    """When an order was changed last, to the second. Raises `Unreadable`."""
    value = found.get("date_modified_gmt")
    return None if value is None else _gmt(value, "date_modified_gmt")


def read_customer(found: Row) -> Customer:
    """An account as the REST API shows it. Raises `Unreadable`."""
    _refuse_error(found)
    return _customer(number(found, "id"), found, _object(found, "billing"))


def _order(found: Row, source: str) -> Order:
    """The content of an order, before any refund.

    The totals of lines, fees and shipping are without tax, whatever `prices_include_tax` says of
    how prices are typed; `price` is a quotient with a rounding error. Discounts of coupons are in
    the lines. Fees are no goods: those above zero stand beside the shipping, tips among them, since
    only their names tell; lines and fees below zero are a discount. Gift cards that pay are plugins
    that lower `total`.
    """
    currency = str(needed(found, "currency"))
    rows, fees = objects(found, "line_items"), objects(found, "fee_lines")
    cuts = [row for row in (*rows, *fees) if _amount(row, "total", currency) < 0]
    charges = [row for row in fees if row not in cuts] + objects(found, "shipping_lines")
    lines = tuple(_line(row, currency) for row in rows if row not in cuts)
    total = max(money(needed(found, "total"), currency, "total"), 0)
    method = text(found, "payment_method")
    order = Order(
        source=source,
        id=number(found, "id"),
        currency=currency,
        placed_at=_gmt(needed(found, "date_created_gmt"), "date_created_gmt"),
        lines=lines,
        channel=_channel(found),
        shipping=max(_sum(charges, "total", currency) + _sum(charges, "total_tax", currency), 0),
        tax_included=False,
        discount=min(-_sum(cuts, "total", currency), sum(line.price for line in lines)),
        paid_with=(Payment(method, total),) if method and total else (),
        updated_at=modified_at(found),
    )
    return _fitted(_less_tax(order, -_sum(cuts, "total_tax", currency)), total)


def _line(row: Row, currency: str) -> OrderLine:
    after = _amount(row, "total", currency)
    before = _amount(row, "subtotal", currency)
    quantity = _units(row.get("quantity"))
    unit_price, discount = unit_price_and_discount(before, after, quantity)
    return OrderLine(
        id=number(row, "id"),
        quantity=quantity,
        unit_price=unit_price,
        sku=text(row, "sku"),
        name=html.unescape(text(row, "name") or "") or None,
        labels=tuple(
            f"{kind}:{its_id}"
            for kind in ("product", "variation")
            if (its_id := text(row, f"{kind}_id") or "0") != "0"
        ),
        discount=discount,
        tax=max(_amount(row, "total_tax", currency), 0),
    )


def _units(quantity: Any) -> int:
    """A whole quantity; of any other (plugins sell by weight) one unit, at the whole price."""
    whole = re.fullmatch(r"([0-9]{1,9})(\.0+)?", str(quantity), re.ASCII)
    return max(int(whole[1]), 1) if whole else 1


def _fitted(order: Order, total: int) -> Order:
    """The order so that it sums to what WooCommerce says that was to be paid.

    Rounded parts may sum to a unit more or less, and plugins change the total alone. What is too
    little stands beside the shipping; what is too much (paid by a gift card, as a rule) is taken
    off the goods, then off the shipping, then off the tax.
    """
    surplus = total - order.total
    if surplus >= 0:
        return replace(order, shipping=order.shipping + surplus)
    order = replace(order, discount=order.discount + min(-surplus, sum(order.goods)))
    shipping = order.shipping - min(order.total - total, order.shipping)
    order = replace(order, shipping=shipping)
    return _less_tax(order, order.total - total)


def _less_tax(order: Order, amount: int) -> Order:
    """The order with so much less tax on its lines, in proportion to what they have."""
    taxes = allocate(max(sum(order.taxes) - max(amount, 0), 0), order.taxes)
    lines = zip(order.lines, taxes, strict=True)
    return replace(order, lines=tuple(replace(line, tax=tax) for line, tax in lines))


def _emptied(order: Order) -> Order:
    """The order with nothing in it."""
    return replace(order, lines=(), shipping=0, discount=0, paid_with=())


def _refunds(found: Row, currency: str) -> tuple[StoreRefund, ...]:
    """The refunds by their amounts, oldest first.

    A refund of no money says nothing. One that was deleted is not told any more.
    """
    amounts = {
        number(row, "id"): abs(_amount(row, "total", currency)) for row in objects(found, "refunds")
    }
    ordered = sorted(amounts.items(), key=lambda one: int(one[0]))
    return tuple(StoreRefund(its_id, amount=amount) for its_id, amount in ordered if amount)


def _customer(customer_id: str | None, named: Row, billing: Row) -> Customer:
    """WooCommerce verifies no address, and knows of no consent to marketing."""
    country = text(billing, "country") or ""
    return Customer(
        id=customer_id,
        email=text(named, "email") or text(billing, "email"),
        phone=text(billing, "phone"),
        given_name=text(named, "first_name") or text(billing, "first_name"),
        family_name=text(named, "last_name") or text(billing, "last_name"),
        country=country if re.fullmatch(r"[A-Z]{2}", country) else None,
    )


def _address(billing: Row) -> str | None:
    if text(billing, "address_1") is None:
        return None
    names = ("address_1", "address_2", "postcode", "city", "country")
    return ", ".join(part for name in names if (part := text(billing, name)))


def _channel(found: Row) -> str | None:
    created_via = text(found, "created_via")
    return _CHANNELS.get(created_via, created_via) if created_via else None


def _refuse_error(found: Row) -> None:
    """Raises `Unreadable` for an error in place of what was asked for: a webhook sends that where
    its user may not read orders, or where the order is gone."""
    if "id" not in found and "code" in found:
        raise Unreadable(f"WooCommerce sent an error: {(text(found, 'code') or '')[:80]}")


def _object(found: Row, name: str) -> Row:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def number(found: Row, name: str) -> str:
    """An id, as text. Raises `Unreadable`."""
    value = text(found, name) or ""
    if not re.fullmatch(r"[0-9]{1,20}", value, re.ASCII):
        raise Unreadable(f"{name} is no id")
    return value


def _amount(row: Row, name: str, currency: str) -> int:
    return money(text(row, name) or "0", currency, name)


def _sum(rows: list[Row], name: str, currency: str) -> int:
    return sum(_amount(row, name, currency) for row in rows)


def _gmt(value: Any, name: str) -> Instant:
    """A time of WooCommerce, in UTC, though it does not say so."""
    return instant(f"{value}Z" if _GMT.fullmatch(str(value)) else value, name)
