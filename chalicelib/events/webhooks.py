"""The queue of outgoing webhooks: entries become events, and events reach their endpoints.

The messages of a batch are worked at the same time, so that a slow endpoint holds up no other.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalicelib import wiring
from chalicelib.services.webhook_deliveries import Post, of_text, work

AT_ONCE = 10  # a whole batch
_LOG = logging.getLogger("regulars")


def on_webhooks(event: dict[str, Any]) -> dict[str, Any]:
    """Works every message; those that failed are named and come again."""
    runtime = wiring.runtime()
    post = Post(runtime.context, runtime.webhook_sender, wiring.queues().webhooks)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda record: _is_done(post, record), event["Records"]))
    failed = [one for one, is_done in zip(event["Records"], done, strict=True) if not is_done]
    return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in failed]}


def _is_done(post: Post, record: dict[str, Any]) -> bool:
    try:
        work(post, of_text(record["body"]))
    except Exception:
        _LOG.exception("a message of the webhooks could not be worked")
        return False
    return True
