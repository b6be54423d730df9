"""Paid memberships: what a member is entitled to, and how he starts, changes and ends one."""

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, SHOP_AND_MEMBER, Answer, Call, Invalid, Resource
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import (
    Amount,
    Cursor,
    Identifier,
    Limit,
    Moment,
    MomentText,
    Name,
    Source,
)
from chalicelib.api.views import (
    EntitlementsView,
    EntryPointer,
    entitlements_view,
    event_name,
)
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import UseBenefit
from chalicelib.domain.memberships.payments import Invoice, InvoiceLine
from chalicelib.kernel.clock import from_datetime, to_rfc3339
from chalicelib.kernel.patterns import whole
from chalicelib.services import membership_ends, memberships, passes, reconciliation
from chalicelib.services.memberships import Desk, Entitled, Wish
from chalicelib.services.passes import PassKey

resource = Resource(__name__, "memberships")

NOT_CONFIGURED = Refusal("not_configured", "payments are not set up here")
Url = Annotated[
    str,
    Meta(pattern=whole(r"(https://[!-~]+|http://localhost(:[0-9]+)?(/[!-~]*)?)"), max_length=1000),
]
_MEMBERSHIP = "/v1/members/{member_id}/membership"


class EntitlementsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As of a past moment; without it, now."""

    at: Moment | None = None


class StartRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The plan and the price, and a promotion code where the plan takes them."""

    plan: Identifier
    price: Identifier
    promotion_code: Name | None = None


class CheckoutRequest(StartRequest, frozen=True, forbid_unknown_fields=True):
    """Where the payment page goes on to. Without addresses it is the page of the member's card."""

    success_url: Url | None = None
    cancel_url: Url | None = None


class CheckoutView(msgspec.Struct, frozen=True):
    """The page on which the member pays."""

    url: str
    expires_at: MomentText


class SubscriptionView(msgspec.Struct, frozen=True):
    """What the payment sheet of a mobile app confirms.

    `kind` is `payment` (a charge), `setup` (a card for after the trial) or `none`.
    """

    subscription: str
    kind: str
    client_secret: str | None


class PreviewView(msgspec.Struct, frozen=True):
    """What a change costs at once, in minor units; `previewed_at` goes into the change."""

    due_now: int
    money: str
    lines: list[InvoiceLine]
    previewed_at: MomentText


class ChangeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the member wants instead, as it was previewed within the last hour."""

    plan: Identifier
    price: Identifier
    previewed_at: Moment


class CancelRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When it ends. Ended `now`, the program's rules say what is given back."""

    when: Literal["period_end", "now"] = "period_end"


class RefundView(msgspec.Struct, frozen=True):
    """What is given back of the last charge, in minor units, and by which rule."""

    amount: int
    money: str
    why: str


class CancelledView(msgspec.Struct, frozen=True):
    """The membership after the cancellation, and what was given back."""

    membership: EntitlementsView
    refund: RefundView | None


class PromotionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A promotion code of Stripe."""

    promotion_code: Name


class PauseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When charges go on by themselves; without it, when the member resumes."""

    resumes_at: Moment | None = None


class PortalRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the page leads back to."""

    return_url: Url | None = None


class PortalView(msgspec.Struct, frozen=True):
    """A page of Stripe, good for some minutes."""

    url: str


class InvoiceView(msgspec.Struct, frozen=True):
    """An invoice, its pages at Stripe, and the receipt of its charge. Minor units."""

    id: str
    number: str | None
    status: str
    total: int
    paid: int
    money: str
    made_at: MomentText
    page: str | None
    pdf: str | None
    receipt: str | None


class InvoicesView(msgspec.Struct, frozen=True):
    """Invoices, newest first."""

    data: list[InvoiceView]
    next_cursor: str | None


class InvoicesQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """A page of invoices."""

    limit: Limit = 10


class UseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A benefit that was used, by the id that its source gives it; `worth` in minor units."""

    source: Source
    id: Identifier
    benefit: Identifier
    worth: Amount = 0


class UseView(msgspec.Struct, frozen=True):
    """How often benefits were used in this period, and what they were worth."""

    uses: int
    worth: int
    entry: EntryPointer


class ReconcileRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it goes on."""

    cursor: Cursor | None = None


class ReconciledRow(msgspec.Struct, frozen=True):
    """A subscription that was not as it was known.

    `outcome` is `changed` (`event` says how), `ended` (a second one, or one that was to be ended),
    or why nothing could be done: `member_not_found`, `unknown_plan`, `foreign_program`.
    """

    subscription: str
    member_id: str
    outcome: str
    event: str | None


class ReconciledView(msgspec.Struct, frozen=True):
    """What was found; go on with `next_cursor` until there is none."""

    checked: int
    found: list[ReconciledRow]
    next_cursor: str | None


@resource.endpoint(
    "GET",
    "/v1/members/{member_id}/entitlements",
    callers=SHOP_AND_MEMBER,
    query=EntitlementsQuery,
    answer=EntitlementsView,
)
def read_entitlements(call: Call, member_id: str) -> EntitlementsView | Refusal:
    """Read what a member is entitled to, now or at a past moment.

    Right at every instant: no job and no message has to have come for it.
    """
    at = from_datetime(call.query.at) if call.query.at else None
    found = memberships.entitlements(call.context, call.here, member_id, at)
    return found if isinstance(found, Refusal) else _entitlements_view(call, found)


@resource.endpoint(
    "POST",
    f"{_MEMBERSHIP}/checkout",
    callers=SHOP_AND_MEMBER,
    body=CheckoutRequest,
    answer=CheckoutView,
    status=HTTPStatus.CREATED,
    keyed=True,
    key_required=True,
)
def check_out(call: Call, member_id: str) -> CheckoutView | Refusal:
    """Start a membership on a payment page of Stripe."""
    desk = _desk(call)
    request: CheckoutRequest = call.body
    page = _card_page(call, member_id)
    pages = (request.success_url or page, request.cancel_url or page)
    wish = _wish(request)
    hosted = memberships.check_out(desk, member_id, wish, pages, call.idempotency_key or "")
    if isinstance(hosted, Refusal):
        return hosted
    return CheckoutView(hosted.url, to_rfc3339(hosted.expires_at))


@resource.endpoint(
    "POST",
    f"{_MEMBERSHIP}/subscription",
    callers=SHOP_AND_MEMBER,
    body=StartRequest,
    answer=SubscriptionView,
    status=HTTPStatus.CREATED,
    keyed=True,
    key_required=True,
)
def subscribe(call: Call, member_id: str) -> SubscriptionView | Refusal:
    """Start a membership for the payment sheet of a mobile app."""
    desk = _desk(call)
    request: StartRequest = call.body
    wish = _wish(request)
    begun = memberships.subscribe(desk, member_id, wish, call.idempotency_key or "")
    if isinstance(begun, Refusal):
        return begun
    return SubscriptionView(begun.subscription, begun.kind, begun.client_secret)


@resource.endpoint(
    "POST",
    f"{_MEMBERSHIP}/preview",
    callers=SHOP_AND_MEMBER,
    body=StartRequest,
    answer=PreviewView,
)
def preview(call: Call, member_id: str) -> PreviewView | Refusal:
    """Preview what another plan or price would cost now."""
    desk = _desk(call)
    request: StartRequest = call.body
    wish = _wish(request)
    found = memberships.preview(desk, member_id, wish)
    if isinstance(found, Refusal):
        return found
    return PreviewView(found.due_now, found.money, list(found.lines), to_rfc3339(found.at))


@resource.endpoint(
    "POST",
    f"{_MEMBERSHIP}/change",
    callers=SHOP_AND_MEMBER,
    body=ChangeRequest,
    answer=EntitlementsView,
    keyed=True,
    key_required=True,
)
def change(call: Call, member_id: str) -> EntitlementsView | Refusal:
    """Take another plan or price, at the cost that was previewed.

    Where the charge fails nothing has changed.
    """
    desk = _desk(call)
    request: ChangeRequest = call.body
    wish = Wish(request.plan, request.price)
    at = from_datetime(request.previewed_at)
    done = memberships.change(desk, member_id, wish, at, call.idempotency_key or "")
    return done if isinstance(done, Refusal) else _entitlements_view(call, done)


@resource.endpoint(
    "POST",
    f"{_MEMBERSHIP}/cancel",
    callers=SHOP_AND_MEMBER,
    body=CancelRequest,
    answer=CancelledView,
    keyed=True,
    key_required=True,
)
def cancel(call: Call, member_id: str) -> CancelledView | Refusal:
    """Cancel a membership in one step: at the end of its period, or now.

    Ended now, what the program's rules give back goes back to the card that paid, once.
    """
    desk = _desk(call)
    if call.body.when == "period_end":
        done = memberships.cancel_at_period_end(desk, member_id, call.idempotency_key or "")
        if isinstance(done, Refusal):
            return done
        return CancelledView(_entitlements_view(call, done), None)
    ended = membership_ends.end_now(desk, member_id)
    if isinstance(ended, Refusal):
        return ended
    left = memberships.entitlements(call.context, call.here, member_id)
    if isinstance(left, Refusal):
        return left
    refund = RefundView(ended.amount, ended.money, ended.why)
    return CancelledView(_entitlements_view(call, left), refund)


@resource.endpoint("GET", f"{_MEMBERSHIP}/refund", callers=SHOP_AND_MEMBER, answer=RefundView)
def read_refund(call: Call, member_id: str) -> RefundView | Refusal:
    """Read what would be given back if the membership were cancelled now."""
    desk = _desk(call)
    found = membership_ends.foresee_refund(desk, member_id)
    if isinstance(found, Refusal):
        return found
    return RefundView(found.amount, found.money, found.why)


@resource.endpoint(
    "POST",
    f"{_MEMBERSHIP}/promotion",
    callers=SHOP_AND_MEMBER,
    body=PromotionRequest,
    answer=EntitlementsView,
    keyed=True,
    key_required=True,
)
def use_promotion(call: Call, member_id: str) -> EntitlementsView | Refusal:
    """Use a promotion code for a membership that runs: it takes off the next charges.

    It takes the place of any other discount. A code that is good once for all of a period is a
    period for nothing.
    """
    desk = _desk(call)
    key = call.idempotency_key or ""
    done = memberships.use_promotion(desk, member_id, call.body.promotion_code, key)
    return done if isinstance(done, Refusal) else _entitlements_view(call, done)


@resource.endpoint(
    "POST",
    f"{_MEMBERSHIP}/pause",
    callers=SHOP_AND_MEMBER,
    body=PauseRequest,
    answer=EntitlementsView,
    keyed=True,
    key_required=True,
)
def pause(call: Call, member_id: str) -> EntitlementsView | Refusal:
    """Pause a membership: nothing is charged, and benefits go on for as long as was paid."""
    desk = _desk(call)
    until = from_datetime(call.body.resumes_at) if call.body.resumes_at else None
    done = memberships.pause(desk, member_id, until, call.idempotency_key or "")
    return done if isinstance(done, Refusal) else _entitlements_view(call, done)


@resource.endpoint(
    "POST",
    f"{_MEMBERSHIP}/resume",
    callers=SHOP_AND_MEMBER,
    answer=EntitlementsView,
    keyed=True,
    key_required=True,
)
def resume(call: Call, member_id: str) -> EntitlementsView | Refusal:
    """Resume a paused membership, or keep one whose cancellation is not over yet."""
    desk = _desk(call)
    done = memberships.resume(desk, member_id, call.idempotency_key or "")
    return done if isinstance(done, Refusal) else _entitlements_view(call, done)


@resource.endpoint(
    "POST",
    f"{_MEMBERSHIP}/portal",
    callers=SHOP_AND_MEMBER,
    body=PortalRequest,
    answer=PortalView,
    status=HTTPStatus.CREATED,
)
def open_portal(call: Call, member_id: str) -> PortalView | Refusal:
    """Open the page on which the member changes cards and reads invoices."""
    desk = _desk(call)
    back = call.body.return_url or _card_page(call, member_id)
    url = memberships.portal(desk, member_id, back)
    return url if isinstance(url, Refusal) else PortalView(url)


@resource.endpoint(
    "GET",
    "/v1/members/{member_id}/invoices",
    callers=SHOP_AND_MEMBER,
    query=InvoicesQuery,
    answer=InvoicesView,
)
def list_invoices(call: Call, member_id: str) -> InvoicesView | Refusal:
    """List a member's invoices with their receipts."""
    desk = _desk(call)
    purpose = f"invoices {member_id}"
    place = place_of(call, purpose, call.query.cursor)
    if isinstance(place, Refusal):
        return place
    billing = memberships.customer_of(desk, member_id)
    if isinstance(billing, Refusal):
        return billing
    rows, following = desk.payments.invoices(billing.customer_id, place, call.query.limit)
    return InvoicesView([_invoice_view(one) for one in rows], cursor_to(call, purpose, following))


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/benefit_uses",
    callers=SHOP,
    body=UseRequest,
    answer=UseView,
    status=HTTPStatus.CREATED,
)
def use_benefit(call: Call, member_id: str) -> Answer | Refusal:
    """Record that a member used a benefit, once for the id of its source.

    What is given back of a charge depends on it.
    """
    request: UseRequest = call.body
    command = UseBenefit(request.source, request.id, request.benefit, request.worth)
    done = memberships.use_benefit(call.context, call.here, member_id, command)
    if isinstance(done, Refusal):
        return done
    membership = done.entry.snapshot.membership
    uses, worth = (membership.uses, membership.used) if membership else (0, 0)
    pointer = EntryPointer(done.stored.version, done.stored.event_id)
    return Answer(UseView(uses, worth, pointer), replayed=done.replayed)


@resource.endpoint(
    "POST",
    "/v1/memberships/reconcile",
    callers=SHOP,
    body=ReconcileRequest,
    answer=ReconciledView,
    audited=True,
)
def reconcile(call: Call) -> ReconciledView | Refusal:
    """Hold what Stripe says against what is known, a part at a time, and mend what differs."""
    desk = _desk(call)
    place = place_of(call, "reconcile", call.body.cursor)
    if isinstance(place, Refusal):
        return place
    done = reconciliation.reconcile(desk, place)
    rows = [
        ReconciledRow(one.subscription, one.member_id, one.outcome, event_name(one.change))
        for one in done.found
    ]
    return ReconciledView(done.checked, rows, cursor_to(call, "reconcile", done.place))


def _desk(call: Call) -> Desk:
    """Where the program deals with memberships. Raises `Invalid` where payments are not set up."""
    payments = call.runtime.payments(call.here.program_id, call.here.program.mode)
    if payments is None:
        raise Invalid(NOT_CONFIGURED)
    return Desk(call.context, call.here, payments)


def _wish(request: StartRequest) -> Wish:
    return Wish(request.plan, request.price, request.promotion_code)


def _card_page(call: Call, member_id: str) -> str:
    """The page of the member's card."""
    token = passes.link_token(call.context, PassKey(call.here.program_id, member_id))
    return f"{call.base_url}/p/{token}"


def _entitlements_view(call: Call, found: Entitled) -> EntitlementsView:
    program = call.context.catalog.versions(call.here.program).newest()
    return entitlements_view(program, found)


def _invoice_view(one: Invoice) -> InvoiceView:
    return InvoiceView(
        id=one.id,
        number=one.number,
        status=one.status,
        total=one.total,
        paid=one.paid,
        money=one.money,
        made_at=to_rfc3339(one.made_at),
        page=one.page,
        pdf=one.pdf,
        receipt=one.receipt,
    )
