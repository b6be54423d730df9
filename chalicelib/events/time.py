"""Time: every hour who has something due is sent to a queue, whose worker writes it down.

Once a day the paid memberships are held against the payment service, by the same worker; every
hour the orders that stores changed are pulled, by theirs.
"""

import json
import logging
from typing import Any

from chalicelib import wiring
from chalicelib.events.batches import each
from chalicelib.kernel.clock import DAY, HOUR
from chalicelib.services.context import enter
from chalicelib.services.memberships import Desk
from chalicelib.services.reconciliation import must_look, reconcile_part, schedule
from chalicelib.services.store_work import schedule as schedule_pulls
from chalicelib.services.sweeps import settle_member, sweep

RECONCILED_AT = 3  # the hour of the day, UTC
_LOG = logging.getLogger("regulars")


def on_hour() -> None:
    """Looks who has something due."""
    sent = sweep(wiring.runtime().context, wiring.queues().due)
    _LOG.info("%d members have something due", sent)
    _watch_certificates()
    schedule_pulls(wiring.runtime().context, wiring.queues().stores)
    now = wiring.runtime().context.clock.now()
    if now % DAY // HOUR == RECONCILED_AT:
        schedule(wiring.runtime().context, wiring.queues().due)


def _watch_certificates() -> None:
    """How many days the certificate lasts that ends first: below 30 an alarm says so."""
    runtime = wiring.runtime()
    ends = [one.expires_at for one in runtime.apple_certificates]
    if ends:
        left = (min(ends) - runtime.context.clock.now()) // DAY
        wiring.metrics().put("AppleCertificateDays", left)


def on_due(event: dict[str, Any]) -> dict[str, Any]:
    """Settles every member; those that failed are named and come again."""
    return each(event, "what is due could not be done", _work)


def _work(record: dict[str, Any]) -> None:
    message = json.loads(record["body"])
    if "reconcile" in message:
        _reconcile(message["program_id"], message["reconcile"])
    else:
        context = wiring.runtime().context
        settle_member(context, message["program_id"], message["member_id"])


def _reconcile(program_id: str, place: str | None) -> None:
    runtime = wiring.runtime()
    here = enter(runtime.context, program_id)
    payments = runtime.payments(program_id, here.program.mode) if here else None
    if here is None or payments is None:
        return
    done = reconcile_part(Desk(runtime.context, here, payments), wiring.queues().due, place)
    for one in done.found:
        _LOG.warning("subscription %s: %s", one.subscription, one.outcome)
    unknown = sum(must_look(one) for one in done.found)
    if unknown:
        wiring.metrics().put("MembershipUnknown", unknown)
