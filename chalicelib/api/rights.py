"""A member's rights by law: to see everything, to be left alone, to be forgotten.

GDPR (EU 2016/679): access and portability (Articles 15 and 20), restriction (18), erasure (17).
"""

from typing import Any

import msgspec

from chalicelib.api.audit import AuditView, audit_view
from chalicelib.api.endpoints import SHOP, SHOP_AND_MEMBER, Answer, Call, Resource, Told
from chalicelib.api.paging import cursor_to, place_of
from chalicelib.api.passes import MessageView, message_view
from chalicelib.api.shapes import Cursor, MomentText
from chalicelib.api.views import (
    ConsentView,
    EntryView,
    MemberView,
    VoucherView,
    consent_view,
    entry_view,
    member_view,
    voucher_view,
)
from chalicelib.domain.access.callers import Role
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import Standing
from chalicelib.domain.ports import OrderRecord
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.services import rights

resource = Resource(__name__, "rights")


class ExportQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a long export goes on."""

    cursor: Cursor | None = None


class PassView(msgspec.Struct, frozen=True):
    """A pass that was issued."""

    member_id: str
    modified_at: MomentText
    in_google_wallet: bool


class DeviceView(msgspec.Struct, frozen=True):
    """A phone that shows the pass."""

    device_id: str
    push_token: str
    registered_at: MomentText


class ExportedOrderView(msgspec.Struct, frozen=True):
    """An order as it was sent."""

    member_id: str
    order: dict[str, Any]


class CustomerView(msgspec.Struct, frozen=True):
    """That the member is a customer of Stripe, which keeps cards, invoices and receipts of him."""

    member_id: str
    stripe_customer: str


class BroughtView(msgspec.Struct, frozen=True):
    """With whose code the member joined, and when."""

    member_id: str
    code: str
    joined_at: MomentText


class ExportView(msgspec.Struct, frozen=True):
    """Everything that is held of a person; members who were merged into him included.

    `orders` and `entries` come in pages: go on with `next_cursor` until there is none. What staff
    did (`operations`) is told to the shop only.
    """

    member_id: str
    exported_at: MomentText
    profiles: list[MemberView]
    consents: list[ConsentView]
    passes: list[PassView]
    devices: list[DeviceView]
    messages: list[MessageView]
    vouchers: list[VoucherView]
    customers: list[CustomerView]
    referrals: list[BroughtView]
    operations: list[AuditView]
    orders: list[ExportedOrderView]
    entries: list[EntryView]
    next_cursor: str | None


class RestrictionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the member is restricted from now on."""

    restricted: bool


class StandingView(msgspec.Struct, frozen=True):
    """Whether the member is `open`, `restricted` or `erased`, and since which entry."""

    member_id: str
    standing: str
    version: int


@resource.endpoint(
    "GET",
    "/v1/members/{member_id}/export",
    callers=SHOP_AND_MEMBER,
    query=ExportQuery,
    answer=ExportView,
)
def export(call: Call, member_id: str) -> ExportView | Refusal:
    """Export everything that is held of a member, as JSON."""
    purpose = f"export {member_id}"
    place = place_of(call, purpose, call.query.cursor)
    if isinstance(place, Refusal):
        return place
    held = rights.export(call.context, call.here, member_id)
    if isinstance(held, Refusal):
        return held
    pages = rights.export_pages(call.context, call.here, held, place)
    catalog, program_id = call.context.catalog, call.here.program_id
    return ExportView(
        member_id=held.head.key.member_id,
        exported_at=to_rfc3339(call.here.now),
        profiles=[member_view(one) for one in held.profiles],
        consents=[consent_view(one) for one in held.consents],
        passes=[
            PassView(one.member_id, to_rfc3339(one.modified_at), one.google) for one in held.passes
        ],
        devices=[
            DeviceView(one.device_id, one.push_token, to_rfc3339(one.registered_at))
            for one in held.devices
        ],
        messages=[message_view(one) for one in held.messages],
        vouchers=[voucher_view(one, call.here.now) for one in held.vouchers],
        customers=[CustomerView(one.member_id, one.customer_id) for one in held.billings],
        referrals=[
            BroughtView(one.friend_id, one.code, to_rfc3339(one.at)) for one in held.referrals
        ],
        operations=[audit_view(row) for row in held.operations if _is_shop(call)],
        orders=[_order_view(record) for record in pages.orders],
        entries=[
            entry_view(catalog.version(program_id, row.entry.program_version), row)
            for row in pages.rows
        ],
        next_cursor=cursor_to(call, purpose, pages.following),
    )


@resource.endpoint(
    "PUT",
    "/v1/members/{member_id}/restriction",
    callers=SHOP,
    body=RestrictionRequest,
    answer=StandingView,
    audited=True,
)
def restrict(call: Call, member_id: str) -> Answer | Refusal:
    """Restrict a member, or lift the restriction.

    While it lasts nothing is earned, spent, changed or shown on phones; refunds, cancellations and
    withdrawn consents are still taken.
    """
    wanted = call.body.restricted
    head = rights.restrict(call.context, call.here, member_id, wanted)
    return _standing(head, {"restricted": wanted})


@resource.endpoint(
    "DELETE", "/v1/members/{member_id}", callers=SHOP, answer=StandingView, audited=True
)
def erase(call: Call, member_id: str) -> Answer | Refusal:
    """Erase a member, for ever.

    His profile, identities, consents, devices, passes, notes and the free text of his orders are
    gone, his points are forfeited. His entries stay, without anything that tells who he was. Asked
    again, it finishes whatever was cut off.
    """
    head = rights.erase(call.context, call.here, member_id)
    return _standing(head, {"erased": True})


def _standing(head: Head | Refusal, done: dict[str, Any]) -> Answer | Refusal:
    if isinstance(head, Refusal):
        return head
    standing = Standing(head.snapshot.standing).name.lower()
    view = StandingView(head.key.member_id, standing, head.version)
    return Answer(view, told=Told(None, None, {**done, "version": head.version}))


def _is_shop(call: Call) -> bool:
    """Operations name keys of the shop's staff: the shop decides what it hands on of them."""
    return call.caller is not None and call.caller.role is Role.SECRET_KEY


def _order_view(record: OrderRecord) -> ExportedOrderView:
    order = msgspec.to_builtins(record.order)
    order["placed_at"] = to_rfc3339(record.order.placed_at)
    if record.order.updated_at is not None:
        order["updated_at"] = to_rfc3339(record.order.updated_at)
    return ExportedOrderView(record.member_id, order)
