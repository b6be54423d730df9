"""Calls of Stripe: their errors as ours, lists page by page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http import HTTPStatus
from typing import Any, TypeVar

import stripe

from chalicelib.adapters.stripe.reading import Object
from chalicelib.domain.errors import Fault, FieldError, Refusal, Unavailable

T = TypeVar("T")

PAGE = 100  # rows of one list, the most that Stripe gives
LONGEST_KEY = 255  # characters ("Idempotent requests")
_MISSING = "resource_missing"
_DISCOUNT = ("promotion_code", "coupon", "discounts")  # parameters that may not fit a customer


class _NotThere(Fault):
    """There is no such thing at Stripe."""


class _AlreadyThere(Fault):
    """The id is taken."""


class _Declined(Fault):
    """The payment failed."""


class _OtherRequest(Fault):
    """The idempotency key was used for something else."""


class _NoDiscount(Fault):
    """The discount is not for this customer, or not any more."""


def pages(ask: Callable[..., Any], **asked: Any) -> Iterator[Object]:
    """All rows of a list."""
    more: Object = {}
    while True:
        page = do(ask, {**asked, "limit": PAGE, **more})
        yield from page["data"]
        if not page["has_more"]:
            return
        more = {"starting_after": page["data"][-1]["id"]}


def make_once(ask: Callable[..., Any], asked: Object, key: str) -> None:
    """Makes something with an id of ours, which another process may just have made."""
    try:
        do(ask, asked, key)
    except _AlreadyThere:
        return


def found(ask: Callable[[], T]) -> T | None:
    """What is there, None where nothing is."""
    try:
        return ask()
    except _NotThere:
        return None


def asked(ask: Callable[[], T]) -> T | Refusal:
    """What the member's bank, or Stripe, would not do is a refusal."""
    try:
        return ask()
    except _Declined as declined:
        return Refusal("payment_failed", str(declined))
    except _OtherRequest as other:
        return Refusal("different_request", str(other))
    except _NoDiscount as refused:
        error = FieldError("promotion_code", str(refused))
        return Refusal("unknown_promotion_code", error.reason, (error,))


def do(ask: Callable[..., Any], *given: Any) -> Object:
    """One call; a text after the parameters is its idempotency key.

    Raises `Unavailable` for what passes by itself, `Fault` for what does not.
    """
    *positional, last = given
    arguments = [*positional, last]
    options: Object = {}
    if len(given) > 1 and isinstance(last, str):
        arguments = positional
        options["options"] = {"idempotency_key": _key(last)}
    with _translated():
        answer = ask(*arguments, **options)
    found: Object = answer.to_dict()
    return found


def _key(text: str) -> str:
    """Itself, or its digest where it is too long: what differs at the end stays different."""
    return text if len(text) <= LONGEST_KEY else sha256(text.encode()).hexdigest()


@contextmanager
def _translated() -> Iterator[None]:
    """Stripe's errors as ours ("Error handling"); their texts never hold a key or a card."""
    try:
        yield
    except stripe.CardError as error:
        raise _Declined(error.user_message or "the payment was refused") from error
    except (stripe.RateLimitError, stripe.APIConnectionError) as error:
        raise Unavailable("Stripe cannot be reached") from error
    except stripe.InvalidRequestError as error:
        raise _invalid(error) from error
    except stripe.IdempotencyError as error:
        if error.http_status == HTTPStatus.CONFLICT:
            raise Unavailable("the same call is being answered") from error
        raise _OtherRequest("the Idempotency-Key was used for something else") from error
    except stripe.APIError as error:
        raise Unavailable("Stripe cannot answer") from error
    except stripe.StripeError as error:
        raise Fault(f"Stripe refuses us: {type(error).__name__}") from error


def _invalid(error: stripe.InvalidRequestError) -> Fault:
    if error.code == _MISSING:
        return _NotThere("there is no such thing at Stripe")
    if error.code == "resource_already_exists":
        return _AlreadyThere("it is there already")
    if error.param and error.param.startswith(_DISCOUNT):
        return _NoDiscount("is no code that can be used here")
    return Fault(f"Stripe refuses a call: {error.code} {error.param}")
