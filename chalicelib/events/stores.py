"""The queue of connected stores: what their messages asked for and takes its time."""

from typing import Any

from chalicelib import wiring
from chalicelib.events.batches import each
from chalicelib.services.store_work import Desk, work


def on_stores(event: dict[str, Any]) -> dict[str, Any]:
    """Works every message; those that failed are named and come again."""
    runtime = wiring.runtime()
    desk = Desk(runtime.context, runtime.store_api, wiring.queues().stores)
    what = "what a store needs could not be done"
    return each(event, what, lambda record: work(desk, record["body"]))
