"""Several items written together, or none."""

import random
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from chalicelib.adapters.dynamo.faults import TRANSACTION_CANCELED, code_of, translated
from chalicelib.domain.errors import Contended

TRIES = 4
CONDITION = "ConditionalCheckFailed"

Item = dict[str, dict[str, Any]]


def transact(client: Any, parts: Sequence[Item]) -> list[bool] | None:
    """Writes all parts or none.

    None where they were written, otherwise which parts' conditions failed. One token makes the
    SDK's own retries harmless; a conflict with another transaction is tried again. Raises
    `Contended` where conflicts do not end.
    """
    for attempt in range(TRIES):
        with translated():
            try:
                client.transact_write_items(
                    TransactItems=list(parts), ClientRequestToken=str(uuid4())
                )
                return None
            except ClientError as error:
                if code_of(error) != TRANSACTION_CANCELED:
                    raise
                codes = [one["Code"] for one in error.response["CancellationReasons"]]
        if CONDITION in codes:
            return [code == CONDITION for code in codes]
        time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
    raise Contended("other transactions hold the items")
