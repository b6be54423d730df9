"""What DynamoDB and the way to it can do wrong, as our own faults. The one place that knows."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.domain.errors import Contended, Fault, Unavailable

CONDITION_FAILED = "ConditionalCheckFailedException"
TRANSACTION_CANCELED = "TransactionCanceledException"
TRANSACTION_CONFLICT = "TransactionConflictException"
_CONFLICTS = {TRANSACTION_CONFLICT, "TransactionInProgressException"}
_UNAVAILABLE = {
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
}


@contextmanager
def translated() -> Iterator[None]:
    """Raises `Contended`, `Unavailable` or `Fault` in place of what the libraries raise."""
    try:
        yield
    except (ClientError, PynamoDBException) as error:
        raise _of_code(code_of(error)) from error
    except BotoCoreError as error:
        raise Unavailable("the store cannot be reached") from error


def code_of(error: Exception) -> str:
    """DynamoDB's code of an error, empty where it has none."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    if isinstance(error, PynamoDBException):
        if isinstance(error.cause, ClientError):
            return code_of(error.cause)
        if isinstance(error.cause, BotoCoreError):
            return "ServiceUnavailable"
    return ""


def _of_code(code: str) -> Fault:
    if code in _CONFLICTS:
        return Contended("another transaction holds the item")
    if code in _UNAVAILABLE:
        return Unavailable("the store cannot serve this now")
    return Fault(f"the store refused the request: {code}")
