"""What takes its time of a connected store: it is worked from a queue, one message after the other.

An order is fetched, a member erased, a page of changed orders pulled. A message may come twice and
late: each of them brings the ledger to what is, and a pull goes on where its record says.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from chalicelib.domain.errors import Contended, Fault, Refusal, Unavailable
from chalicelib.domain.ports import Queue, StoreApi
from chalicelib.domain.stores.connection import Connection, Progress, Trouble
from chalicelib.domain.stores.facts import Fact, OrderSaid, OrdersChanged, Unreadable
from chalicelib.kernel.clock import DAY, MINUTE, Instant
from chalicelib.services import rights, store_discounts
from chalicelib.services.context import Context, Here, enter
from chalicelib.services.store_orders import (
    RECORDED,
    TO_ERASE,
    TO_FETCH,
    TO_FORGET,
    Counter,
    Took,
    take,
)

TOLD_WITHIN = 10 * MINUTE  # by messages: what is younger may still be on its way
OVERLAP = 10 * MINUTE  # of one pull with the next: stores list what changed a moment late
TROUBLES_KEPT = 30 * DAY
FORGOTTEN_AT_ONCE = 500
LONGEST_TEXT = 300  # characters of a trouble: some repeat what a store sent
MISSED = "missed_message"
NO_ACCESS = Refusal("no_access", "the store's API is needed: give its token as `access`")
_LOG = logging.getLogger("regulars")

ApiOf = Callable[[Connection], StoreApi | None]


@dataclass(frozen=True)
class Desk:
    """What the worker works with."""

    context: Context
    api_of: ApiOf
    queue: Queue


def receive(counter: Counter, queue: Queue, topic: str, facts: Iterable[Fact]) -> list[Took]:
    """Takes what a message said: what needs time goes to the queue, what needs somebody is kept."""
    done = [one for fact in facts for one in take(counter, fact)]
    store_id = counter.connection.id
    later = [_text(store_id, fetch=one.order_id) for one in done if one.outcome == TO_FETCH]
    later += [_text(store_id, erase=one.member_id) for one in done if one.outcome == TO_ERASE]
    if any(one.outcome == TO_FORGET for one in done):
        later.append(_forget_text(counter.here.program_id, counter.connection.source))
    if later:
        queue.send(later)
    for one in done:
        if one.needs_somebody:
            report(counter, topic, one)
    return done


def report(counter: Counter, topic: str, took: Took) -> None:
    """Keeps for the shop what could not be done; the same once a day, for every pull finds the
    last orders again."""
    stores, store_id = counter.context.store.stores, counter.connection.id
    now = counter.context.clock.now()
    what = f"{topic}\0{took.about}\0{took.outcome}\0{took.detail}"
    digest = sha256(what.encode()).hexdigest()[:16]
    told = f"trouble.{now // DAY}.{digest}"
    if stores.heard(store_id, told):
        return
    stores.add_trouble(
        Trouble(
            counter.here.program_id,
            store_id,
            f"{now:020d}.{digest}",
            now,
            topic,
            took.about[:LONGEST_TEXT],
            took.outcome,
            took.detail[:LONGEST_TEXT],
            now + TROUBLES_KEPT,
        )
    )
    stores.mark_heard(store_id, told, now + DAY)


def schedule(context: Context, queue: Queue) -> None:
    """Has the orders of every store pulled whose API we may ask."""
    stores = [one for one in context.store.stores.all() if one.access is not None]
    queue.send([_text(one.id, pull=True) for one in stores])


def pull_now(queue: Queue, store: Connection) -> Refusal | None:
    """Has the orders of one store pulled."""
    if store.access is None:
        return NO_ACCESS
    queue.send([_text(store.id, pull=True)])
    return None


def voucher_changed(program_id: str, code: str) -> str:
    """The message that a voucher was issued or changed."""
    return json.dumps({"program": program_id, "voucher": code})


def work(desk: Desk, text: str) -> None:
    """Works one message. What is raised lets it come again."""
    message: dict[str, Any] = json.loads(text)
    if "voucher" in message:
        return _bring(desk, message["program"], message["voucher"])
    if "forget" in message:
        return _forget(desk, message["program"], message["forget"])
    connection = desk.context.store.stores.get(message["store"])
    here = enter(desk.context, connection.program_id) if connection else None
    if connection is None or here is None:
        return None
    counter = Counter(desk.context, here, connection)
    if "fetch" in message:
        _fetch(desk, counter, message["fetch"])
    elif "erase" in message:
        rights.erase(desk.context, here, message["erase"])
    else:
        _pull(desk, counter)
    return None


def _bring(desk: Desk, program_id: str, code: str) -> None:
    """Brings the code of a voucher to its store. What the store refuses is told to the shop."""
    here = enter(desk.context, program_id)
    connection = store_discounts.store_of(desk.context, here, code) if here else None
    if here is None or connection is None:
        return
    counter = Counter(desk.context, here, connection)
    api = desk.api_of(connection)
    try:
        if api is None:
            raise Fault(NO_ACCESS.detail)
        store_discounts.bring(desk.context, here, api, code)
    except (Unavailable, Contended):
        raise
    except (Fault, Unreadable) as fault:
        report(counter, "discount", Took("a code of a reward", "discount_failed", str(fault)))


def _forget(desk: Desk, program_id: str, source: str) -> None:
    """Removes what is kept of a store that gave us up, some at a time."""
    stores = desk.context.store.stores
    if stores.unkeep_some(program_id, source, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE:
        desk.queue.send([_forget_text(program_id, source)])


def _fetch(desk: Desk, counter: Counter, order_id: str) -> None:
    api = desk.api_of(counter.connection)
    if api is None:
        took = Took(f"order {order_id}", NO_ACCESS.code, NO_ACCESS.detail)
        return report(counter, "fetch", took)
    try:
        said = api.order(order_id)
    except (Unavailable, Contended):
        raise
    except (Fault, Unreadable) as fault:
        took = Took(f"order {order_id}", "fetch_failed", str(fault))
        return report(counter, "fetch", took)
    if said is not None:
        receive(counter, desk.queue, "fetch", [said])
    return None


def _pull(desk: Desk, counter: Counter) -> None:
    """Pulls one page, and sends the message of the next. Whoever loses to another stops."""
    stores, connection = desk.context.store.stores, counter.connection
    api = desk.api_of(connection)
    if api is None:
        return
    was = _begun(desk.context, here=counter.here, connection=connection)
    try:
        page = api.changed(was.since, was.cursor)
    except (Unavailable, Contended):
        raise
    except (Fault, Unreadable) as fault:
        _LOG.exception("the orders of a store cannot be pulled")
        report(counter, "pull", Took("orders", "pull_failed", str(fault)))
        stores.put_progress(replace(was, cursor=None, began_at=None))
        return
    found = sum(_was_missed(desk, counter, one) for one in page.orders)
    for text in page.unreadable:
        report(counter, "pull", Took("an order", "unreadable", text))
    if stores.put_progress(_after(desk, was, page, found)) and page.cursor is not None:
        desk.queue.send([_text(connection.id, pull=True)])


def _begun(context: Context, here: Here, connection: Connection) -> Progress:
    """The running pull, or a new one: as it will be written with the next page."""
    now = context.clock.now()
    known = context.store.stores.progress(connection.id)
    if known is None:
        return Progress(here.program_id, connection.id, connection.created_at, began_at=now)
    following = replace(known, revision=known.revision + 1)
    if known.cursor is not None:
        return following
    return replace(following, began_at=now, newest=0, checked=0, found=0)


def _after(desk: Desk, was: Progress, page: OrdersChanged, found: int) -> Progress:
    changed = [one.order.updated_at or 0 for one in page.orders]
    newest = max([was.newest, *changed])
    now = replace(
        was,
        cursor=page.cursor,
        newest=newest,
        checked=was.checked + len(page.orders) + len(page.unreadable),
        found=was.found + found,
    )
    if page.cursor is not None:
        return now
    # Orders are listed live: what changed while the pull ran may lie on a page that was read.
    since = max(was.since, min(newest, was.began_at or newest) - OVERLAP)
    return replace(now, since=since, began_at=None, ended_at=desk.context.clock.now())


def _was_missed(desk: Desk, counter: Counter, said: OrderSaid) -> bool:
    """Takes an order; whether it says what no message had told."""
    about = f"order {said.order.id}"
    try:
        done = receive(counter, desk.queue, "pull", [said])
    except (Unavailable, Contended):
        raise
    except Fault as fault:  # one order must not hold up the others
        report(counter, "pull", Took(about, "order_failed", str(fault)))
        return False
    is_news = any(one.outcome == RECORDED for one in done)
    if not is_news or _is_young(desk.context, said.order.updated_at):
        return False
    report(counter, "pull", Took(about, MISSED, "no message had told of it; it counts now"))
    return True


def _is_young(context: Context, changed_at: Instant | None) -> bool:
    return (changed_at or 0) > context.clock.now() - TOLD_WITHIN


def _forget_text(program_id: str, source: str) -> str:
    return json.dumps({"program": program_id, "forget": source})


def _text(store_id: str, **what: Any) -> str:
    return json.dumps({"store": store_id, **what})
