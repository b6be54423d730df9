"""The Lambda functions of Regulars. Rules live in `chalicelib/domain`, HTTP in `chalicelib/api`.

The ARNs below only have the right shape: `infra/` puts the real ones in their place.
"""

from typing import Any

from chalicelib.api import rows
from chalicelib.api.application import RegularsApp
from chalicelib.api.resources import RESOURCES
from chalicelib.events import google, jobs, router, stores, time, wallet, webhooks
from chalicelib.events import operator as operations

app = RegularsApp(RESOURCES)

_STREAM = "arn:aws:dynamodb:eu-west-1:123456789012:table/{}/stream/placeholder"
_QUEUE = "arn:aws:sqs:eu-west-1:123456789012:placeholder"


@app.on_dynamodb_record(_STREAM.format("Ledger"), batch_size=100, starting_position="TRIM_HORIZON")
def on_ledger(event: Any) -> None:
    """Entries of the ledger."""
    router.on_ledger(event.to_dict())


@app.on_dynamodb_record(_STREAM.format("Records"), batch_size=100, starting_position="TRIM_HORIZON")
def on_records(event: Any) -> None:
    """Changed profiles."""
    router.on_records(event.to_dict())


@app.on_sqs_message(queue_arn=_QUEUE, batch_size=10)
def on_wallet(event: Any) -> dict[str, Any]:
    """Members whose cards may have changed."""
    return wallet.on_wallet(event.to_dict())


@app.on_sqs_message(queue_arn=_QUEUE, batch_size=5)
def on_google(event: Any) -> dict[str, Any]:
    """Members whose cards changed for Google Wallet."""
    return google.on_google(event.to_dict())


@app.on_sqs_message(queue_arn=_QUEUE, batch_size=10)
def on_due(event: Any) -> dict[str, Any]:
    """Members of whom something may be due."""
    return time.on_due(event.to_dict())


@app.on_sqs_message(queue_arn=_QUEUE, batch_size=10)
def on_webhooks(event: Any) -> dict[str, Any]:
    """Outgoing webhooks."""
    return webhooks.on_webhooks(event.to_dict())


@app.on_sqs_message(queue_arn=_QUEUE, batch_size=1)
def on_stores(event: Any) -> dict[str, Any]:
    """What takes its time of connected stores."""
    return stores.on_stores(event.to_dict())


@app.on_sqs_message(queue_arn=_QUEUE, batch_size=1)
def on_jobs(event: Any) -> dict[str, Any]:
    """Parts of imports and exports, whose rows are as the API says them."""
    return jobs.on_jobs(event.to_dict(), rows)


@app.schedule("rate(1 hour)")
def on_hour(event: Any) -> None:  # noqa: ARG001
    """Once an hour."""
    time.on_hour()


@app.lambda_function()
def operator(event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Actions of the operator."""
    return operations.on_operator(event)
