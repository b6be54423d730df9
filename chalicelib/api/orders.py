"""Orders, their refunds, and what an order would earn."""

from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, SHOP_AND_MEMBER, Answer, Call, Resource
from chalicelib.api.members import TracesRequest
from chalicelib.api.shapes import (
    Amount,
    Currency,
    Identifier,
    Moment,
    MomentText,
    Name,
    PositiveAmount,
    Quantity,
    Source,
    exactly_one,
)
from chalicelib.api.views import (
    BalanceView,
    EffectView,
    EntryPointer,
    TierChangeView,
    appended_fields,
    gift_view,
    tier_change_view,
)
from chalicelib.domain.access.callers import Role
from chalicelib.domain.earning.evaluation import NOTHING_COUNTS, Earning
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.commands import CancelOrder, LineRefund, RefundOrder
from chalicelib.domain.ledger.entries import Kind
from chalicelib.domain.ledger.refs import RESERVED_SOURCES
from chalicelib.domain.members.member import Profile
from chalicelib.domain.orders import Order, OrderLine, Payment
from chalicelib.domain.ports import Parked
from chalicelib.domain.pricing.access import Entrance
from chalicelib.domain.pricing.pricing import Given
from chalicelib.domain.program.program import Program
from chalicelib.domain.referrals.checks import Seen
from chalicelib.kernel.clock import EARLIEST, from_datetime, to_rfc3339
from chalicelib.kernel.money import format_amount, is_currency
from chalicelib.kernel.patterns import whole
from chalicelib.services import members, orders, quotes, refunds, traces
from chalicelib.services.context import Context, Here
from chalicelib.services.quotes import Offered, Quote
from chalicelib.services.refunds import OrderChange

resource = Resource(__name__, "orders")

Names = Annotated[tuple[Name, ...], Meta(max_length=50)]


class LineRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of an order."""

    id: Identifier
    quantity: Quantity
    unit_price: Amount
    sku: Identifier | None = None
    name: Annotated[str, Meta(max_length=500)] | None = None
    categories: Names = ()
    labels: Names = ()
    discount: Amount = 0
    tax: Amount | None = None
    gift_card: bool = False


class PaymentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the bill, and what paid it: `card`, `cash`, `gift_card`, ..."""

    kind: Annotated[str, Meta(pattern=whole(r"[a-z][a-z0-9_]{0,39}"))]
    amount: PositiveAmount


class MemberReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the shop means: exactly one of them."""

    external_id: Identifier | None = None
    email: Annotated[str, Meta(max_length=254)] | None = None
    phone: Annotated[str, Meta(max_length=40)] | None = None


class Basket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is bought, and what it costs."""

    currency: Currency
    lines: Annotated[tuple[LineRequest, ...], Meta(min_length=1, max_length=1000)]
    channel: Name | None = None
    store: Name | None = None
    shipping: Amount = 0
    tax: Amount = 0
    tax_included: bool = True
    discount: Amount = 0
    tip: Amount = 0
    paid_with: Annotated[tuple[PaymentRequest, ...], Meta(max_length=20)] = ()


class BuyerRequest(TracesRequest, frozen=True, forbid_unknown_fields=True):
    """Who placed the order, as the store knows him. Kept as keyed hashes, for the checks of
    referrals alone."""

    email: Annotated[str, Meta(max_length=254)] | None = None
    phone: Annotated[str, Meta(max_length=40)] | None = None


class SentOrder(Basket, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An order of a member, who is named by `member_id` or found by `member`.

    What a `pending` order earns cannot be spent until the order is paid or confirmed. Once all of
    an order came back, so does what its `redemptions` took. `updated_at` says when the store
    changed the order: what it says of an earlier time is outdated.
    """

    id: Identifier
    placed_at: Moment
    member_id: Identifier | None = None
    member: MemberReference | None = None
    status: Literal["pending", "paid"] = "paid"
    redemptions: Annotated[tuple[Identifier, ...], Meta(max_length=20)] = ()
    updated_at: Moment | None = None
    buyer: BuyerRequest | None = None


class OrderRequest(SentOrder, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An order, and the system it comes from."""

    source: Source


class QuoteRequest(Basket, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An order that nobody has paid yet, and the codes that the customer has for it."""

    member_id: Identifier | None = None
    placed_at: Moment | None = None
    vouchers: Annotated[tuple[Name, ...], Meta(max_length=20)] = ()


class LineRefundRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one line that came back."""

    id: Identifier
    quantity: Quantity


class RefundRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came back: some lines, or an amount of money, or, with neither, all that was left."""

    id: Identifier
    lines: Annotated[tuple[LineRefundRequest, ...], Meta(min_length=1, max_length=1000)] | None = (
        None
    )
    amount: PositiveAmount | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class OrderView(msgspec.Struct, frozen=True):
    """What an order gave."""

    source: str
    id: str
    member_id: str
    status: str
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer
    tier_changed: TierChangeView | None


class ParkedView(msgspec.Struct, frozen=True):
    """A refund or a cancellation that came before its order; it is applied when the order comes."""

    source: str
    order_id: str
    status: str = "parked"


class RefundView(msgspec.Struct, frozen=True):
    """What a refund took back."""

    source: str
    order_id: str
    id: str
    member_id: str
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer
    tier_changed: TierChangeView | None


class Explanation(msgspec.Struct, frozen=True):
    """What one rule, or one discount, made of the order."""

    rule: str
    applied: bool
    why: str


class LineDiscountView(msgspec.Struct, frozen=True):
    """What one discount takes off a line."""

    discount: str
    amount: int


class LinePriceView(msgspec.Struct, frozen=True):
    """What a line costs, in minor units: as it was sent, and with every discount.

    `tax` is the line's, inside the total where the order's prices include tax.
    """

    id: str
    price: int
    discounts: list[LineDiscountView]
    total: int
    tax: int


class PricesView(msgspec.Struct, frozen=True):
    """What the order costs. `total` is all that is to be paid: goods, tax, shipping and tip."""

    currency: str
    lines: list[LinePriceView]
    goods: int
    discount: int
    tax: int
    total: int


class AccessView(msgspec.Struct, frozen=True):
    """A line that some members can buy before others: whether this customer can, and since when."""

    release: str
    line: str
    open: bool
    opens_at: MomentText | None
    why: str


class GiftView(msgspec.Struct, frozen=True):
    """A line that a voucher adds to the order."""

    line: str
    sku: str
    quantity: int


class OfferedView(msgspec.Struct, frozen=True):
    """What a code does for the order; `pays` is what it can pay of it, in minor units."""

    code: str
    applied: bool
    why: str
    gift: GiftView | None
    pays: int | None


class QuoteView(msgspec.Struct, frozen=True):
    """What an order would cost and give, and why each rule and discount does what it does."""

    effects: list[EffectView]
    prices: PricesView
    vouchers: list[OfferedView]
    access: list[AccessView]
    explain: list[Explanation]


@resource.endpoint(
    "POST",
    "/v1/orders",
    callers=SHOP,
    body=OrderRequest,
    answer=OrderView,
    status=HTTPStatus.CREATED,
)
def record_order(call: Call) -> Answer | Refusal:
    """Record an order, paid or pending.

    Once for ever for one source and id: the same order again is answered with what it gave the
    first time, another content is refused. A pending order is sent again when it is paid.
    """
    request: OrderRequest = call.body
    return reserved(request.source) or take_order(call, request.source, request)


@resource.endpoint(
    "POST",
    "/v1/orders/{source}/{order_id}/confirm",
    callers=SHOP,
    answer=OrderView,
)
def confirm_order(call: Call, source: str, order_id: str) -> Answer | Refusal:
    """Confirm an order: everything that it gave can be spent now, whatever it waited for."""
    changed = orders.confirm_order(call.context, call.here, source, order_id)
    if isinstance(changed, Refusal):
        return changed
    return order_answer(call, changed, "confirmed")


@resource.endpoint(
    "POST",
    "/v1/orders/{source}/{order_id}/cancel",
    callers=SHOP,
    answer=OrderView,
    other_answers={HTTPStatus.ACCEPTED: ParkedView},
)
def cancel_order(call: Call, source: str, order_id: str) -> Answer | Refusal:
    """Cancel an order, for ever: what it gave is taken back, what was redeemed for it comes back.

    The cancellation of an order that was not sent yet is kept (202) until it is.
    """
    return reserved(source) or take_cancellation(call, source, order_id)


@resource.endpoint(
    "POST",
    "/v1/orders/{source}/{order_id}/refunds",
    callers=SHOP,
    body=RefundRequest,
    answer=RefundView,
    other_answers={HTTPStatus.ACCEPTED: ParkedView},
    status=HTTPStatus.CREATED,
)
def refund_order(call: Call, source: str, order_id: str) -> Answer | Refusal:
    """Refund an order, whole or in part.

    The rules that paid take back their share; partial refunds sum to the whole exactly. Once for
    ever for one refund id of an order. A refund that comes before its order is kept (202) until
    the order comes.
    """
    return reserved(source) or take_refund(call, source, order_id, call.body)


@resource.endpoint(
    "POST", "/v1/quotes", callers=SHOP_AND_MEMBER, body=QuoteRequest, answer=QuoteView
)
def quote(call: Call) -> QuoteView | Refusal:
    """Ask what an order would earn, and why. Nothing is stored."""
    request: QuoteRequest = call.body
    member_id = request.member_id
    if call.caller is not None and call.caller.role is Role.MEMBER:
        if member_id not in (None, call.caller.member_id):
            return members.NOT_FOUND
        member_id = call.caller.member_id
    errors = list(_check_basket(request))
    if errors:
        return Refusal("invalid_request", "the order cannot be quoted", tuple(errors))
    placed_at = from_datetime(request.placed_at) if request.placed_at else call.here.now
    order = _order(request, "quote", "quote", placed_at)
    quoted = quotes.quote(call.context, call.here, member_id, order, request.vouchers)
    if isinstance(quoted, Refusal):
        return quoted
    return QuoteView(
        [_quoted_effect(quoted.program, one) for one in quoted.earnings if one.points],
        _prices(quoted),
        [_offered(one) for one in quoted.offered],
        [_entrance(one) for one in quoted.entrances],
        [
            *(_explain_discount(quoted.program, one) for one in quoted.priced.given),
            *(_explain(quoted.program, one) for one in quoted.earnings),
            *(
                Explanation(one.id, reason is None, reason or one.describe())
                for one, reason in quoted.multipliers
            ),
        ],
    )


def take_order(
    call: Call, source: str, request: SentOrder, *, editable: bool = False
) -> Answer | Refusal:
    """An order that the shop or one of its stores sent."""
    order = order_of(request, source)
    if isinstance(order, Refusal):
        return order
    member_id = request.member_id or find(call.context, call.here, request.member)
    if member_id is None:
        return members.NOT_FOUND
    remember_buyer(call.context, call.here, member_id, request)
    changed = orders.record_order(
        call.context,
        call.here,
        member_id,
        order,
        paid=request.status == "paid",
        editable=editable,
    )
    if isinstance(changed, Refusal):
        return changed
    return order_answer(call, changed, request.status)


def order_of(request: SentOrder, source: str) -> Order | Refusal:
    """The order that was sent, or what is wrong with it."""
    errors = [*_check_basket(request), *_check_request(request)]
    if errors:
        return Refusal("invalid_request", "the order cannot be taken", tuple(errors))
    return replace(
        _order(request, source, request.id, from_datetime(request.placed_at)),
        redemptions=request.redemptions,
        updated_at=from_datetime(request.updated_at) if request.updated_at else None,
    )


def find(context: Context, here: Here, reference: MemberReference | None) -> str | None:
    """The id of whom the shop means."""
    found = members.find(context, here, profile_of(reference)) if reference else None
    return found.id if found else None


def profile_of(reference: MemberReference) -> Profile:
    """What whom the shop means is found by."""
    return Profile(**msgspec.structs.asdict(reference))


def remember_buyer(context: Context, here: Here, member_id: str, request: SentOrder) -> None:
    """Keeps what the order tells of the buyer, for the checks of referrals."""
    if request.buyer is not None:
        seen = Seen(**msgspec.structs.asdict(request.buyer))
        traces.remember(context, here, member_id, seen)


def take_cancellation(call: Call, source: str, order_id: str) -> Answer | Refusal:
    """A cancellation that the shop or one of its stores sent."""
    command = CancelOrder(source, order_id)
    changed = refunds.cancel_order(call.context, call.here, command)
    if isinstance(changed, Refusal):
        return changed
    if isinstance(changed, Parked):
        return Answer(ParkedView(source, order_id), HTTPStatus.ACCEPTED)
    return order_answer(call, changed, "cancelled")


def take_refund(call: Call, source: str, order_id: str, request: RefundRequest) -> Answer | Refusal:
    """A refund that the shop or one of its stores sent."""
    if request.lines is not None and request.amount is not None:
        return Refusal("invalid_request", "a refund is by lines or by amount, not both")
    command = RefundOrder(
        source,
        order_id,
        request.id,
        tuple(LineRefund(line.id, line.quantity) for line in request.lines or ()),
        request.amount,
    )
    changed = refunds.refund_order(call.context, call.here, command, request.reason)
    if isinstance(changed, Refusal):
        return changed
    if isinstance(changed, Parked):
        return Answer(ParkedView(source, order_id), HTTPStatus.ACCEPTED)
    view = RefundView(
        source=source,
        order_id=order_id,
        id=request.id,
        member_id=changed.first.stored.key.member_id,
        **appended_fields(call.context.catalog, call.here, *changed.entries),
        tier_changed=_tier_changed(call, changed),
    )
    return Answer(view, replayed=changed.first.replayed)


_STATUSES = {
    Kind.ORDER: "paid",
    Kind.ORDER_PENDING: "pending",
    Kind.ORDER_CONFIRMED: "confirmed",
    Kind.ORDER_CANCELLED: "cancelled",
}


def order_answer(call: Call, changed: OrderChange, status: str) -> Answer:
    """What an order gave, as its caller is told."""
    first = changed.first
    view = OrderView(
        source=changed.record.order.source,
        id=changed.record.order.id,
        member_id=first.stored.key.member_id,
        status=_STATUSES.get(Kind(first.entry.kind), status),
        **appended_fields(call.context.catalog, call.here, *changed.entries),
        tier_changed=_tier_changed(call, changed),
    )
    return Answer(view, replayed=first.replayed)


def _tier_changed(call: Call, changed: OrderChange) -> TierChangeView | None:
    catalog, here = call.context.catalog, call.here
    views = [tier_change_view(catalog, here, one.entry) for one in changed.entries]
    return next(filter(None, views), None)


def reserved(source: str) -> Refusal | None:
    """Why orders cannot come from a source; None where they can."""
    if source not in RESERVED_SOURCES:
        return None
    error = FieldError("source", f"{source} is a reserved name")
    return Refusal("invalid_request", error.reason, (error,))


def _check_basket(basket: Basket) -> Iterator[FieldError]:
    if not is_currency(basket.currency):
        yield FieldError("currency", f"{basket.currency} is not a currency of ISO 4217")


def _check_request(request: SentOrder) -> Iterator[FieldError]:
    if from_datetime(request.placed_at) < EARLIEST:
        yield FieldError("placed_at", "lies before 1970")
    if len(set(request.redemptions)) < len(request.redemptions):
        yield FieldError("redemptions", "names one twice")
    if not exactly_one((request.member_id, request.member)):
        yield FieldError("member_id", "name exactly one of member_id and member")
    reference = request.member
    if reference and not exactly_one((reference.external_id, reference.email, reference.phone)):
        yield FieldError("member", "name exactly one of external_id, email and phone")


def _order(basket: Basket, source: str, order_id: str, placed_at: int) -> Order:
    return Order(
        source=source,
        id=order_id,
        currency=basket.currency,
        placed_at=placed_at,
        lines=tuple(OrderLine(**msgspec.structs.asdict(line)) for line in basket.lines),
        channel=basket.channel,
        store=basket.store,
        shipping=basket.shipping,
        tax=basket.tax,
        tax_included=basket.tax_included,
        discount=basket.discount,
        tip=basket.tip,
        paid_with=tuple(Payment(one.kind, one.amount) for one in basket.paid_with),
    )


def _quoted_effect(program: Program, one: Earning) -> EffectView:
    return EffectView(
        program.currency_names[one.rule.currency],
        one.points,
        "available",
        one.rule.id,
        gift_view(program, one.rule, one.weight, one.factors),
    )


def _offered(one: Offered) -> OfferedView:
    gift = None
    if one.gift:
        gift = GiftView(f"gift-{one.code}", one.gift.sku, one.gift.quantity)
    why = one.why_not or (one.discount and f"gives {one.discount}") or "can be used"
    return OfferedView(one.code, one.why_not is None, why, gift, one.pays)


def _prices(quoted: Quote) -> PricesView:
    sent, priced = quoted.sent, quoted.priced
    order = priced.order
    lines = [
        LinePriceView(
            line.id,
            before,
            [
                LineDiscountView(one.discount.id, one.off[at])
                for one in priced.given
                if one.off and one.off[at]
            ],
            now,
            tax,
        )
        for at, (line, before, now, tax) in enumerate(
            zip(order.lines, sent.goods, order.goods, order.taxes, strict=True)
        )
    ]
    return PricesView(
        order.currency,
        lines,
        sum(order.goods),
        sum(sent.goods) - sum(order.goods),
        sum(order.taxes),
        order.total,
    )


def _entrance(one: Entrance) -> AccessView:
    opens_at = to_rfc3339(one.opens_at) if one.opens_at is not None else None
    return AccessView(one.access.id, one.line_id, one.is_open, opens_at, one.why)


def _explain_discount(program: Program, one: Given) -> Explanation:
    if one.why_not is not None:
        return Explanation(one.discount.id, False, one.why_not)
    off = f"{format_amount(one.amount, program.money)} {program.money} off"
    return Explanation(one.discount.id, True, off)


def _explain(program: Program, one: Earning) -> Explanation:
    if not one.weight:
        return Explanation(one.rule.id, False, one.why_not or NOTHING_COUNTS)
    why = gift_view(program, one.rule, one.weight, one.factors)
    if not one.points:
        return Explanation(one.rule.id, False, f"too little: {why}")
    return Explanation(one.rule.id, True, f"{why}; {one.why_not}" if one.why_not else why)
