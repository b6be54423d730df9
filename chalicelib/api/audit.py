"""The audit log: what people with a secret key did to the program and its members."""

from typing import Any

import msgspec

from chalicelib.api.endpoints import SHOP, Call, Resource
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import MomentText
from chalicelib.domain.access.audit import AuditRow
from chalicelib.domain.errors import Refusal
from chalicelib.kernel.clock import to_rfc3339

resource = Resource(__name__, "audit")


class AuditView(msgspec.Struct, frozen=True):
    """One operation. `outcome` is `done`, the code of a refusal, or `begun` if it was cut off.

    `before` and `after` are the fields that changed; of an erased member they are gone.
    """

    id: str
    at: MomentText
    key_id: str
    key_name: str
    action: str
    target: str
    outcome: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditPageView(msgspec.Struct, frozen=True):
    """Operations, newest first."""

    data: list[AuditView]
    next_cursor: str | None


@resource.endpoint("GET", "/v1/audit_log", callers=SHOP, query=PageQuery, answer=AuditPageView)
def list_operations(call: Call) -> AuditPageView | Refusal:
    """List who did what, newest first, with what it was before and after.

    Told of are published programs, keys, webhook endpoints, adjustments, transfers, and every
    change of a member's profile, consents and rights.
    """
    place = place_of(call, "audit", call.query.cursor)
    if isinstance(place, Refusal):
        return place
    rows, following = call.context.store.audit.of_program(
        call.here.program_id, place, call.query.limit
    )
    return AuditPageView([audit_view(row) for row in rows], cursor_to(call, "audit", following))


def audit_view(row: AuditRow) -> AuditView:
    """One row of the audit log."""
    return AuditView(
        id=row.id,
        at=to_rfc3339(row.at),
        key_id=row.key_id,
        key_name=row.key_name,
        action=row.action,
        target=row.target,
        outcome=row.outcome,
        before=row.before,
        after=row.after,
    )
