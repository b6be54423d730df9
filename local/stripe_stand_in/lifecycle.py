"""What time does by itself, and the clocks that move it ("Test clocks", "Subscription invoices").

Whatever is due is played one by one in the order of its time, and it is that time while it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.stripe_stand_in import fields, invoices
from local.stripe_stand_in.changes import advance, upcoming
from local.stripe_stand_in.checkout import expire_session
from local.stripe_stand_in.collect import (
    collect,
    default_method,
    end,
    expire,
    finalize_and_collect,
)
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.lists import page
from local.stripe_stand_in.periods import DAY
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object, made
from local.stripe_stand_in.subscriptions import NOTICE_DAYS, first_lines, notice_trial_end
from local.stripe_stand_in.world import World

INCOMPLETE_SECONDS = 23 * 3600
_NOTICE, _MONEY, _PERIOD = range(3)  # what comes first of what is due at one second


@dataclass(frozen=True)
class Due:
    """Something that time does, and when."""

    at: int
    rank: int
    act: Callable[[World, Object], None]
    thing: Object


def play(world: World, group: str | None, until: int) -> None:
    """Plays what is due up to `until` for the customers of a test clock, or of none."""
    clock = world.get("test_helpers.test_clock", group) if group else None
    now = clock["frozen_time"] if clock else 0
    try:
        while rows := [row for row in _due(world, group) if row.at <= until]:
            first = min(rows, key=lambda row: (row.at, row.rank))
            now = max(now, first.at)
            _set(world, clock, now)
            first.act(world, first.thing)
    finally:
        world.playing_at = None
    if clock:
        clock["frozen_time"] = until


def _set(world: World, clock: Object | None, at: int) -> None:
    if clock:
        clock["frozen_time"] = at
    else:
        world.playing_at = at


def _due(world: World, group: str | None) -> Iterator[Due]:
    for subscription in world.all("subscription", test_clock=group):
        yield from _of_subscription(world, subscription)
    for invoice in world.all("invoice", test_clock=group):
        if invoice["status"] == "draft" and invoice["automatically_finalizes_at"] is not None:
            yield Due(invoice["automatically_finalizes_at"], _MONEY, finalize_and_collect, invoice)
        elif invoice["status"] == "open" and invoice["next_payment_attempt"] is not None:
            yield Due(invoice["next_payment_attempt"], _MONEY, _retry, invoice)
    for session in world.all("checkout.session", status="open", _group=group):
        yield Due(session["expires_at"], _NOTICE, expire_session, session)


def _of_subscription(world: World, subscription: Object) -> Iterator[Due]:
    status, ends = subscription["status"], fields.period_end(subscription)
    if status == "incomplete":
        yield Due(subscription["created"] + INCOMPLETE_SECONDS, _PERIOD, expire, subscription)
    if status not in ("trialing", "active", "past_due", "unpaid"):
        return
    yield from _notices(world, subscription, ends)
    paused, cancel_at = subscription["pause_collection"], subscription["cancel_at"]
    if paused and paused["resumes_at"] is not None:
        yield Due(paused["resumes_at"], _NOTICE, _resume_collection, subscription)
    if cancel_at is not None and cancel_at <= ends:
        yield Due(cancel_at, _PERIOD, _cancel, subscription)
    else:
        yield Due(ends, _PERIOD, _end_trial if status == "trialing" else _renew, subscription)


def _notices(world: World, subscription: Object, ends: int) -> Iterator[Due]:
    noticed, start = subscription["_noticed"], subscription["trial_start"]
    if subscription["status"] == "trialing":
        at = max(start, subscription["trial_end"] - NOTICE_DAYS * DAY)
        if f"trial_end:{subscription['trial_end']}" not in noticed:
            yield Due(at, _NOTICE, notice_trial_end, subscription)
    begins = subscription["items"]["data"][0]["current_period_start"]
    at = ends - world.settings.upcoming_days * DAY
    if at > begins and f"upcoming:{ends}" not in noticed:
        yield Due(at, _NOTICE, _notice_upcoming, subscription)


def _notice_upcoming(world: World, subscription: Object) -> None:
    ends = fields.period_end(subscription)
    invoice = upcoming(world, subscription["id"])
    subscription["_noticed"].append(f"upcoming:{ends}")
    if invoice is not None:
        world.record("upcoming", invoice)


def _resume_collection(world: World, subscription: Object) -> None:
    with world.changing(subscription):
        subscription["pause_collection"] = None


def _cancel(world: World, subscription: Object) -> None:
    """At the end of the period, or at `cancel_at`; pending prorations are still collected."""
    if lines := invoices.pending_lines(world, subscription):
        invoice = invoices.build(world, subscription, "subscription_cycle", lines)
        finalize_and_collect(world, invoice)
    end(world, subscription, "cancellation_requested")


def _end_trial(world: World, subscription: Object) -> None:
    """By "Use trial periods": without a card, as `trial_settings` says."""
    behavior = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if default_method(world, subscription) is None and behavior == "cancel":
        end(world, subscription, "cancellation_requested")
    elif default_method(world, subscription) is None and behavior == "pause":
        subscription["status"] = "paused"
        world.record("paused", subscription)
    else:
        _renew(world, subscription)


def _renew(world: World, subscription: Object) -> None:
    """The next period begins, with a draft of its invoice."""
    now = world.now(subscription["customer"])
    with world.changing(subscription):
        if subscription["status"] == "trialing":
            subscription["status"] = "active"
        advance(subscription)
        lines = invoices.pending_lines(world, subscription) + first_lines(world, subscription)
        paused = subscription["pause_collection"]
        runs = subscription["status"] != "unpaid" and not paused
        invoice = invoices.build(world, subscription, "subscription_cycle", lines, runs)
        if runs:
            invoice["automatically_finalizes_at"] = now + world.settings.draft_seconds
    if paused and paused["behavior"] == "void":
        invoices.void(world, invoice)
    elif paused and paused["behavior"] == "mark_uncollectible":
        invoices.finalize(world, invoice)
        invoices.write_off(world, invoice)


def _retry(world: World, invoice: Object) -> None:
    invoice["next_payment_attempt"] = None
    collect(world, invoice)


@route("POST", "/v1/test_helpers/test_clocks", "frozen_time name")
def create_clock(world: World, params: Params) -> Object:
    """By "Create a test clock"."""
    frozen = params.whole("frozen_time", 0)
    if frozen is None:
        raise invalid("Missing required param: frozen_time.", "frozen_time", "parameter_missing")
    created = world.now()
    clock = world.make(
        "test_helpers.test_clock",
        created=created,
        deletes_after=created + 30 * DAY,
        frozen_time=frozen,
        name=params.text("name"),
    )
    world.record("created", clock)
    return clock


@route("GET", "/v1/test_helpers/test_clocks", PAGED)
def list_clocks(world: World, params: Params) -> Object:
    """By "List all test clocks"."""
    url = "/v1/test_helpers/test_clocks"
    return page(params, url, world.all("test_helpers.test_clock"))


@route("GET", "/v1/test_helpers/test_clocks/{}")
def retrieve_clock(world: World, _: Params, clock_id: str) -> Object:
    """By "Retrieve a test clock"."""
    return world.get("test_helpers.test_clock", clock_id)


@route("POST", "/v1/test_helpers/test_clocks/{}/advance", "frozen_time")
def advance_clock(world: World, params: Params, clock_id: str) -> Object:
    """By "Advance a test clock": all is played when the answer comes, so it is `ready`."""
    clock = world.get("test_helpers.test_clock", clock_id)
    until = params.whole("frozen_time")
    if until is None or until <= clock["frozen_time"]:
        raise invalid("A test clock only moves forward.", "frozen_time")
    world.record("advancing", clock | {"status": "advancing"})
    play(world, clock_id, until)
    world.record("ready", clock)
    return clock


@route("DELETE", "/v1/test_helpers/test_clocks/{}")
def delete_clock(world: World, _: Params, clock_id: str) -> Object:
    """By "Delete a test clock": its customers and subscriptions go with it."""
    world.get("test_helpers.test_clock", clock_id)
    for kind in ("customer", "subscription", "invoice", "invoiceitem"):
        for thing in world.all(kind, test_clock=clock_id):
            del world.objects[kind][thing["id"]]
    del world.objects["test_helpers.test_clock"][clock_id]
    return made("deleted_test_helpers.test_clock", id=clock_id)


@route("POST", "/_local/clock", "now")
def set_clock(world: World, params: Params) -> Object:
    """Moves the time of everybody without a test clock forward. Local only."""
    before, now = world.now(), params.whole("now")
    if now is None or now < before:
        raise invalid("This clock only moves forward.", "now")
    play(world, None, now)
    world.shift += now - before
    return {"now": now}
