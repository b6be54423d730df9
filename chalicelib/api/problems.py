"""Errors as people and programs read them: RFC 9457 `application/problem+json`.

The one place where refusals and faults become HTTP.
"""

from http import HTTPStatus

import msgspec
from chalice.app import Response

from chalicelib.domain.errors import Contended, FieldError, Refusal, Unavailable

Headers = dict[str, str | list[str]]  # as Chalice types them

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1

_STATUSES: dict[str, HTTPStatus] = {
    "invalid_json": HTTPStatus.BAD_REQUEST,
    "invalid_cursor": HTTPStatus.BAD_REQUEST,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_enrolled": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "member_not_found": HTTPStatus.NOT_FOUND,
    "order_not_found": HTTPStatus.NOT_FOUND,
    "version_not_found": HTTPStatus.NOT_FOUND,
    "key_not_found": HTTPStatus.NOT_FOUND,
    "endpoint_not_found": HTTPStatus.NOT_FOUND,
    "import_not_found": HTTPStatus.NOT_FOUND,
    "export_not_found": HTTPStatus.NOT_FOUND,
    "not_uploaded": HTTPStatus.CONFLICT,
    "file_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "endpoint_disabled": HTTPStatus.CONFLICT,
    "too_many_endpoints": HTTPStatus.CONFLICT,
    "delivery_not_found": HTTPStatus.NOT_FOUND,
    "store_not_found": HTTPStatus.NOT_FOUND,
    "too_many_stores": HTTPStatus.CONFLICT,
    "source_taken": HTTPStatus.CONFLICT,
    "no_access": HTTPStatus.CONFLICT,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "member_exists": HTTPStatus.CONFLICT,
    "order_claimed": HTTPStatus.CONFLICT,
    "order_not_recorded": HTTPStatus.CONFLICT,
    "order_cancelled": HTTPStatus.CONFLICT,
    "member_erased": HTTPStatus.CONFLICT,
    "member_merged": HTTPStatus.CONFLICT,
    "member_restricted": HTTPStatus.CONFLICT,
    "open_reservations": HTTPStatus.CONFLICT,
    "open_membership": HTTPStatus.CONFLICT,
    "no_membership": HTTPStatus.NOT_FOUND,
    "no_customer": HTTPStatus.NOT_FOUND,
    "not_entitled": HTTPStatus.CONFLICT,
    "preview_expired": HTTPStatus.CONFLICT,
    "not_paid": HTTPStatus.CONFLICT,
    "unchanged": HTTPStatus.CONFLICT,
    "payment_failed": HTTPStatus.PAYMENT_REQUIRED,
    "too_many_merged": HTTPStatus.CONFLICT,
    "too_many_reservations": HTTPStatus.CONFLICT,
    "reservation_expired": HTTPStatus.CONFLICT,
    "reservation_resolved": HTTPStatus.CONFLICT,
    "out_of_stock": HTTPStatus.CONFLICT,
    "no_codes_left": HTTPStatus.CONFLICT,
    "member_limit": HTTPStatus.CONFLICT,
    "not_eligible": HTTPStatus.CONFLICT,
    "not_available": HTTPStatus.CONFLICT,
    "program_ended": HTTPStatus.CONFLICT,
    "voucher_not_found": HTTPStatus.NOT_FOUND,
    "referral_not_found": HTTPStatus.NOT_FOUND,
    "referral_not_held": HTTPStatus.CONFLICT,
    "no_referrals": HTTPStatus.NOT_FOUND,
    "use_not_found": HTTPStatus.NOT_FOUND,
    "voucher_used": HTTPStatus.CONFLICT,
    "voucher_expired": HTTPStatus.CONFLICT,
    "voucher_cancelled": HTTPStatus.CONFLICT,
    "voucher_exceeded": HTTPStatus.CONFLICT,
    "redemption_not_found": HTTPStatus.NOT_FOUND,
    "reservation_not_found": HTTPStatus.NOT_FOUND,
    "insufficient_balance": HTTPStatus.CONFLICT,
    "no_program": HTTPStatus.CONFLICT,
    "no_pass": HTTPStatus.CONFLICT,
    "live_program": HTTPStatus.CONFLICT,
    "clock_goes_forward": HTTPStatus.CONFLICT,
    "key_revoked": HTTPStatus.CONFLICT,
    "wrong_generation": HTTPStatus.CONFLICT,
    "contended": HTTPStatus.CONFLICT,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "not_configured": HTTPStatus.NOT_IMPLEMENTED,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
_RETRIED = {"contended", "too_many_requests", "unavailable"}


class ProblemError(msgspec.Struct, omit_defaults=True):
    """One wrong field."""

    field: str
    reason: str
    line: int | None = None


class Problem(msgspec.Struct, omit_defaults=True):
    """What went wrong. `code` is stable; `detail` is for people and may change."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    errors: list[ProblemError] = []


def status_of(code: str) -> HTTPStatus:
    """Everything that is not said otherwise is an input that cannot be taken."""
    return _STATUSES.get(code, HTTPStatus.UNPROCESSABLE_ENTITY)


def problem_of(refusal: Refusal) -> Problem:
    """A refusal as a body."""
    status = status_of(refusal.code)
    return Problem(
        type=f"urn:regulars:problem:{refusal.code}",
        title=status.phrase,
        status=status,
        code=refusal.code,
        detail=refusal.detail,
        errors=[_error(error) for error in refusal.errors],
    )


def refuse(refusal: Refusal) -> Response:
    """A refusal as a response."""
    problem = problem_of(refusal)
    headers: Headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    if refusal.code in _RETRIED:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(problem).decode(), headers, problem.status)


def of_fault(fault: Exception) -> Refusal:
    """What a caller is told of a fault: whether to try again, and nothing of our insides."""
    if isinstance(fault, Contended):
        return Refusal("contended", "others were faster again and again; try once more")
    if isinstance(fault, Unavailable):
        return Refusal("unavailable", "something we depend on cannot be reached; try again later")
    return Refusal("internal_error", "the request could not be processed")


def _error(error: FieldError) -> ProblemError:
    return ProblemError(error.field, error.reason, error.line)
