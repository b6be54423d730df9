"""What a request is refused with ("Errors", docs.stripe.com)."""

from typing import Any


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, kind: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message, **details}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> Refused:
    """400: the request as it stands can not be done."""
    details = {"param": param, "code": code}
    known = {name: value for name, value in details.items() if value is not None}
    return Refused(400, "invalid_request_error", message, **known)


def missing(kind: str, object_id: str, param: str = "id") -> Refused:
    """404: nothing of that id is here."""
    return Refused(
        404,
        "invalid_request_error",
        f"No such {kind.rpartition('.')[2]}: '{object_id}'",
        code="resource_missing",
        param=param,
    )


def required(param: str) -> Refused:
    """400: a parameter is needed."""
    return invalid(f"Missing required param: {param}.", param, "parameter_missing")


def unknown(param: str) -> Refused:
    """400: Stripe, or this stand-in, has no such parameter here."""
    return invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")
