"""Deliveries: an entry becomes events, an event a delivery to each endpoint that wants it.

All of it is worked from one queue. A message names an entry that was just written, a delivery that
is due, or deliveries that shall be sent again. Where a delivery has to wait, a message that waits
takes the place of the one that was worked, before the delivery is noted: whoever dies in between
lets the first one come again, and what was noted makes all other messages of that delivery void.
So an event arrives at least once, and two workers that have the same message end in one.
"""

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ledger.entries import LogKey, decode
from chalicelib.domain.ports import Queue, Sent, WebhookSender
from chalicelib.domain.webhooks.delivery import (
    GIVEN_UP_AFTER,
    PROBED_FOR,
    Attempt,
    Delivery,
    Health,
    Status,
    delivery_id,
    spread,
)
from chalicelib.domain.webhooks.endpoint import Disabled, Endpoint
from chalicelib.domain.webhooks.events import Event, events_of, trial
from chalicelib.kernel.clock import SECOND, Instant, from_http_date
from chalicelib.kernel.signatures import sign
from chalicelib.services.context import Context, Here, enter
from chalicelib.services.revising import TRIES
from chalicelib.services.webhook_endpoints import disable, find_endpoint, secrets_of

LONGEST_DELAY_SECONDS = 900  # of a message, the most SQS takes; who waits longer waits again
AT_ONCE = 50  # deliveries that one message sends again
USER_AGENT = "Regulars-Webhooks/1"
NOT_FOUND = Refusal("delivery_not_found", "there is no such delivery")
DISABLED = Refusal("endpoint_disabled", "the endpoint is disabled")

_OK = range(200, 300)
_REDIRECT = range(300, 400)
_MAX_DIGITS = 9


@dataclass(frozen=True)
class Post:
    """What the worker works with."""

    context: Context
    sender: WebhookSender
    queue: Queue


@dataclass(frozen=True)
class Announcement:
    """An entry of the ledger that was just written."""

    program_id: str
    member_id: str
    version: int


@dataclass(frozen=True)
class Due:
    """A delivery that is due; good for one revision of it."""

    program_id: str
    endpoint_id: str
    delivery_id: str
    revision: int
    ticket: str

    @classmethod
    def of(cls, delivery: Delivery) -> "Due":
        return cls(
            delivery.program_id,
            delivery.endpoint_id,
            delivery.id,
            delivery.revision,
            delivery.ticket,
        )


@dataclass(frozen=True)
class Replay:
    """Deliveries that shall be sent again: of events from `start` to, and without, `end`."""

    program_id: str
    endpoint_id: str
    replay_id: str
    start: Instant
    end: Instant
    only_failed: bool
    after: str = ""  # the last delivery that is done


Message = Announcement | Due | Replay
_KINDS: dict[str, type] = {one.__name__: one for one in (Announcement, Due, Replay)}


def to_text(message: Message) -> str:
    """As it lies in the queue."""
    return json.dumps({"kind": type(message).__name__, **vars(message)})


def of_text(text: str) -> Message:
    """What lies in the queue. Raises `KeyError`, `TypeError` or `ValueError`."""
    fields: dict[str, Any] = json.loads(text)
    message: Message = _KINDS[fields.pop("kind")](**fields)
    return message


def work(post: Post, message: Message) -> None:
    """Works one message. What is raised lets it come again."""
    here = enter(post.context, message.program_id)
    if here is None:
        return
    if isinstance(message, Announcement):
        announce(post, here, message)
    elif isinstance(message, Due):
        deliver(post, here, message)
    else:
        send_again(post, message)


def announce(post: Post, here: Here, told: Announcement) -> None:
    """Makes a delivery of the entry's events for each endpoint that wants them."""
    hooks = post.context.store.webhooks
    endpoints = [one for one in hooks.of_program(told.program_id) if one.disabled is None]
    if not endpoints:
        return
    now = post.context.clock.now()
    for event in _events(post.context, here, told):
        for endpoint in endpoints:
            if endpoint.wants(event.type):
                _begin(post, Delivery.of(event, told.program_id, endpoint.id, now))


def deliver(post: Post, here: Here, due: Due) -> None:
    """Tries a delivery that is due; one that is not waits on."""
    hooks = post.context.store.webhooks
    delivery = hooks.delivery(due.program_id, due.endpoint_id, due.delivery_id)
    endpoint = hooks.get(due.program_id, due.endpoint_id)
    if delivery is None or endpoint is None or not _is_good(due, delivery):
        return
    now = post.context.clock.now()
    if endpoint.disabled is not None:
        hooks.put(delivery.given_up("the endpoint is disabled"))
    elif delivery.next_at is not None and delivery.next_at > now:
        _wait(post, due, delivery.next_at, now)
    elif now - delivery.created_at > GIVEN_UP_AFTER:
        hooks.put(delivery.given_up("its endpoint did not come back in time"))
    else:
        health = hooks.health(due.program_id, due.endpoint_id)
        if health.is_guarded and not _may_probe(post.context, health, now):
            _wait_for_endpoint(post, due, health, now)
        else:
            _try(post, here, endpoint, delivery)


def replay_one(
    context: Context, here: Here, queue: Queue, endpoint_id: str, wanted: str
) -> Delivery | Refusal:
    """Sends one delivery once more, from the beginning.

    Its message is sent before it is noted, as everywhere, and waits a second for the note.
    """
    endpoint = find_endpoint(context, here, endpoint_id)
    if isinstance(endpoint, Refusal):
        return endpoint
    if endpoint.disabled is not None:
        return DISABLED
    for _ in range(TRIES):
        was = context.store.webhooks.delivery(here.program_id, endpoint_id, wanted)
        if was is None:
            return NOT_FOUND
        now = was.again(context.ids.new("rpl"), context.clock.now())
        queue.send([to_text(Due.of(now))], 1)
        if context.store.webhooks.put(now):
            return now
    raise Contended("the delivery was changed again and again")


def replay_range(
    context: Context,
    here: Here,
    queue: Queue,
    endpoint_id: str,
    period: tuple[Instant, Instant],
    *,
    only_failed: bool,
) -> Endpoint | Refusal:
    """Sends the deliveries of a period once more, a part after the other."""
    endpoint = find_endpoint(context, here, endpoint_id)
    if isinstance(endpoint, Refusal):
        return endpoint
    if endpoint.disabled is not None:
        return DISABLED
    replay_id = context.ids.new("rpl")
    queue.send([to_text(Replay(here.program_id, endpoint_id, replay_id, *period, only_failed))])
    return endpoint


def send_again(post: Post, replay: Replay) -> None:
    """One part of a replay. A part that comes again finds what it did and does the rest."""
    hooks = post.context.store.webhooks
    after = replay.after or delivery_id(replay.start, "")
    page = hooks.oldest(replay.program_id, replay.endpoint_id, after, AT_ONCE)
    wanted = [one for one in page if one.at < replay.end]
    for one in wanted:
        _send_again(post, replay, one)
    if len(wanted) == AT_ONCE:
        post.queue.send([to_text(Replay(**{**vars(replay), "after": wanted[-1].id}))])


def send_trial(context: Context, here: Here, queue: Queue, endpoint_id: str) -> Delivery | Refusal:
    """Sends an event that says nothing, to try an endpoint."""
    endpoint = find_endpoint(context, here, endpoint_id)
    if isinstance(endpoint, Refusal):
        return endpoint
    if endpoint.disabled is not None:
        return DISABLED
    now = context.clock.now()
    event = trial(context.ids.new("test"), endpoint_id, now)
    delivery = Delivery.of(event, here.program_id, endpoint_id, now)
    context.store.webhooks.add(delivery)
    queue.send([to_text(Due.of(delivery))])
    return delivery


def _events(context: Context, here: Here, told: Announcement) -> list[Event]:
    key = LogKey(told.program_id, told.member_id)
    stored = context.store.ledger.entry(key, told.version)
    names = context.catalog.current(here.program)
    if stored is None or names is None:
        return []
    entry = decode(stored.body)
    made_by = context.catalog.version(told.program_id, entry.program_version)
    return events_of(stored, entry, made_by, names)


def _begin(post: Post, delivery: Delivery) -> None:
    """Its first message. Told again it is sent again: the first may never have been."""
    hooks = post.context.store.webhooks
    known: Delivery | None = delivery
    if not hooks.add(delivery):
        known = hooks.delivery(delivery.program_id, delivery.endpoint_id, delivery.id)
    if known is not None and known.revision == delivery.revision:
        post.queue.send([to_text(Due.of(known))])


def _is_good(due: Due, delivery: Delivery) -> bool:
    """Whether a message is that which the delivery waits for. Raises where it is not yet noted."""
    if due.revision > delivery.revision:
        raise Contended("the delivery is not noted yet")
    same = (due.revision, due.ticket) == (delivery.revision, delivery.ticket)
    return same and delivery.status is Status.WAITING


def _wait(post: Post, due: Due, until: Instant, now: Instant) -> None:
    seconds = -(-(until - now) // SECOND)
    post.queue.send([to_text(due)], min(max(seconds, 1), LONGEST_DELAY_SECONDS))


def _wait_for_endpoint(post: Post, due: Due, health: Health, now: Instant) -> None:
    """Each for another while, so that they come one after the other."""
    more = spread(f"{due.delivery_id} {now}", PROBED_FOR)
    _wait(post, due, max(health.rests_until, now) + more, now)


def _may_probe(context: Context, health: Health, now: Instant) -> bool:
    """Whether this delivery is the one that tries an endpoint that failed."""
    return health.rests_until <= now and context.store.webhooks.put_health(health.probed(now))


def _try(post: Post, here: Here, endpoint: Endpoint, delivery: Delivery) -> None:
    context = post.context
    began = context.clock.now()
    headers = _headers(context, endpoint, delivery, began)
    sent = post.sender.send(endpoint.url, headers, delivery.body)
    attempt = Attempt(began, endpoint.url, sent.took, sent.status, sent.excerpt, _trouble(sent))
    now = context.clock.now()
    noted = delivery.after(attempt, context.ids.new("tkt"), _asked_to_wait(sent, now))
    if attempt.says_gone:
        disable(context, here, endpoint.id, Disabled.GONE)
    if noted.next_at is not None:
        _wait(post, Due.of(noted), noted.next_at, now)
    context.store.webhooks.put(noted)
    if _note_health(context, attempt, delivery, now).is_hopeless(now):
        disable(context, here, endpoint.id, Disabled.FAILING)


def _headers(
    context: Context, endpoint: Endpoint, delivery: Delivery, now: Instant
) -> dict[str, str]:
    """Those of the Standard Webhooks specification."""
    secrets = secrets_of(context, endpoint, now)
    marks = [sign(secret, delivery.event_id, now, delivery.body) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(now // SECOND),
        "webhook-signature": " ".join(marks),
    }


def _trouble(sent: Sent) -> str | None:
    """Why it did not arrive; None where it did."""
    if sent.status is None:
        return sent.trouble or "no answer"
    if sent.status in _OK:
        return None
    if sent.status in _REDIRECT:
        return f"it answered {sent.status}, and redirects are not followed"
    return f"it answered {sent.status}"


def _asked_to_wait(sent: Sent, now: Instant) -> int | None:
    """How long the endpoint asks us to wait, in ms (RFC 9110, section 10.2.3)."""
    text = (sent.retry_after or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text) * SECOND
    until = from_http_date(text) if text else None
    return None if until is None else max(until - now, 0)


def _note_health(context: Context, attempt: Attempt, of: Delivery, now: Instant) -> Health:
    """How the endpoint fares now. Others may note it at the same time; one of many may be lost."""
    hooks = context.store.webhooks
    noted = known = hooks.health(of.program_id, of.endpoint_id)
    for _ in range(TRIES):
        noted = known.after(attempt, now)
        if known.is_as_well_as(noted) or hooks.put_health(noted):
            break
        known = hooks.health(of.program_id, of.endpoint_id)
    return noted


def _send_again(post: Post, replay: Replay, delivery: Delivery) -> None:
    hooks = post.context.store.webhooks
    if delivery.ticket == replay.replay_id:  # done before, but perhaps its message was not sent
        post.queue.send([to_text(Due.of(delivery))])
    elif delivery.status is Status.FAILED or not replay.only_failed:
        again = delivery.again(replay.replay_id, post.context.clock.now())
        if not hooks.put(again):
            raise Contended("the delivery was changed meanwhile")
        post.queue.send([to_text(Due.of(again))])
