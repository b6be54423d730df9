"""Vouchers: codes that stores take, and the pools they come from."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, SHOP_AND_MEMBER, Answer, Call, Resource
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import Identifier, MomentText, PositiveAmount
from chalicelib.api.views import VoucherView, voucher_view
from chalicelib.domain.errors import Refusal
from chalicelib.domain.rewards.voucher import Code
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.services import vouchers
from chalicelib.services.vouchers import Used

resource = Resource(__name__, "vouchers")


class UseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it is used for (the order's id, say); of one that pays money, how much of it."""

    id: Identifier
    amount: PositiveAmount | None = None


class UseView(msgspec.Struct, frozen=True):
    """One use of a voucher, and the voucher after it."""

    id: str
    amount: int | None
    used_at: MomentText
    undone: bool
    voucher: VoucherView


class VouchersView(msgspec.Struct, frozen=True):
    """Vouchers, by code."""

    data: list[VoucherView]
    next_cursor: str | None


class CodesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Codes for a reward's pool: capital letters, digits and dashes."""

    codes: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=500)]


class CodesView(msgspec.Struct, frozen=True):
    """How many of the codes were new."""

    added: int


@resource.endpoint("GET", "/v1/vouchers/{code}", callers=SHOP, answer=VoucherView)
def read_voucher(call: Call, code: str) -> VoucherView | Refusal:
    """Read a voucher, or a public code: what it is for and whether it is still good."""
    found = vouchers.read(call.context, call.here, code)
    return found if isinstance(found, Refusal) else voucher_view(found, call.here.now)


@resource.endpoint(
    "POST",
    "/v1/vouchers/{code}/uses",
    callers=SHOP,
    body=UseRequest,
    answer=UseView,
    status=HTTPStatus.CREATED,
)
def use_voucher(call: Call, code: str) -> Answer | Refusal:
    """Use a voucher, whole or a part of its money: once for ever for one id."""
    request: UseRequest = call.body
    used = vouchers.use(call.context, call.here, code, request.id, request.amount)
    return used if isinstance(used, Refusal) else _answer(call, used)


@resource.endpoint("POST", "/v1/vouchers/{code}/uses/{use_id}/cancel", callers=SHOP, answer=UseView)
def undo_use(call: Call, code: str, use_id: str) -> Answer | Refusal:
    """Take a use of a voucher back: it can be used again."""
    undone = vouchers.undo(call.context, call.here, code, use_id)
    return undone if isinstance(undone, Refusal) else _answer(call, undone)


@resource.endpoint(
    "GET",
    "/v1/members/{member_id}/vouchers",
    callers=SHOP_AND_MEMBER,
    query=PageQuery,
    answer=VouchersView,
)
def list_vouchers(call: Call, member_id: str) -> VouchersView | Refusal:
    """List a member's vouchers: used, expired and cancelled ones too."""
    purpose = f"vouchers {member_id}"
    place = place_of(call, purpose, call.query.cursor)
    if isinstance(place, Refusal):
        return place
    limit = call.query.limit
    found = vouchers.of_member(call.context, call.here, member_id, place, limit)
    following = cursor_to(call, purpose, found[-1].code) if len(found) == limit else None
    return VouchersView([voucher_view(one, call.here.now) for one in found], following)


@resource.endpoint(
    "POST",
    "/v1/rewards/{reward}/codes",
    callers=SHOP,
    body=CodesRequest,
    answer=CodesView,
    status=HTTPStatus.CREATED,
)
def add_codes(call: Call, reward: str) -> CodesView | Refusal:
    """Add codes to a reward's pool. What is in it already, or was taken, is not added again."""
    added = vouchers.add_codes(call.context, call.here, reward, call.body.codes)
    return added if isinstance(added, Refusal) else CodesView(added)


def _answer(call: Call, used: Used) -> Answer:
    use = used.use
    voucher = voucher_view(used.voucher, call.here.now)
    view = UseView(use.id, use.amount, to_rfc3339(use.at), use.undone, voucher)
    return Answer(view, replayed=used.replayed)
