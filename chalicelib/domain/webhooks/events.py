"""The events that webhooks tell of: every entry of the ledger is one.

A change of tier is an event of its own beside that of the entry that brought it. The id of an
event is made of its entry's place in the ledger, so it is the same however often the event is told;
so are its bytes. An event has ids, effects and balances, and no personal data.
"""

from dataclasses import dataclass

import msgspec

from chalicelib.domain.ledger.account import balance_of, currencies_of
from chalicelib.domain.ledger.entries import Entry, Kind, State, StoredEntry
from chalicelib.domain.memberships.membership import Change, Membership
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant, to_rfc3339

TIER_CHANGED = "tier.changed"
TRIAL = "webhook.test"

_BY_KIND = {
    Kind.ENROLLED: "member.enrolled",
    Kind.MERGED: "member.merged",
    Kind.CLOSED: "member.closed",
    Kind.RESTRICTED: "member.restricted",
    Kind.UNRESTRICTED: "member.unrestricted",
    Kind.ERASED: "member.erased",
    Kind.CELEBRATED: "member.celebrated",
    Kind.ORDER: "order.recorded",
    Kind.ORDER_PENDING: "order.pending",
    Kind.ORDER_CONFIRMED: "order.confirmed",
    Kind.ORDER_EDITED: "order.edited",
    Kind.ORDER_CANCELLED: "order.cancelled",
    Kind.REFUND: "order.refunded",
    Kind.ACTIVITY: "activity.recorded",
    Kind.REDEMPTION: "redemption.made",
    Kind.REDEMPTION_CANCELLED: "redemption.cancelled",
    Kind.RESERVED: "reservation.made",
    Kind.CAPTURED: "reservation.captured",
    Kind.VOIDED: "reservation.voided",
    Kind.RELEASED: "reservation.expired",
    Kind.CONFIRMED: "points.confirmed",
    Kind.EXPIRED: "points.expired",
    Kind.ADJUSTMENT: "points.adjusted",
    Kind.TRANSFER_SENT: "points.sent",
    Kind.TRANSFER_RECEIVED: "points.received",
    Kind.EXCHANGED: "points.exchanged",
    Kind.CONVERTED: "points.converted",
    Kind.TIER_ENDED: "tier.ended",
    Kind.TIER_SET: "tier.set",
    Kind.REFERRAL: "referral.rewarded",
    Kind.REFERRAL_REVERSED: "referral.reversed",
}
_OF_MEMBERSHIPS = {change: f"membership.{change.name.lower()}" for change in Change}

# What an endpoint can ask for, each with what it tells.
CATALOGUE = {
    "member.enrolled": "Somebody became a member.",
    "member.merged": "Another member's account was taken over; `other_member_id` is that one.",
    "member.closed": "The account was taken over by that of `other_member_id`.",
    "member.restricted": "Nothing is earned or spent until the restriction is lifted.",
    "member.unrestricted": "The restriction was lifted.",
    "member.erased": "The member was erased, for ever; nothing follows.",
    "member.celebrated": "A birthday, an anniversary or a long absence gave something.",
    "order.recorded": "A paid order.",
    "order.pending": "An order that nobody has paid yet.",
    "order.confirmed": "What an order gave can be spent.",
    "order.edited": "A recorded order has another content; the effects are the difference.",
    "order.cancelled": "An order was cancelled.",
    "order.refunded": "An order was refunded, whole or in part.",
    "activity.recorded": "Something that is no order.",
    "redemption.made": "A reward was taken.",
    "redemption.cancelled": "A reward was given back.",
    "reservation.made": "Points were set aside.",
    "reservation.captured": "Points that were set aside were spent.",
    "reservation.voided": "Points that were set aside are free again.",
    "reservation.expired": "A reservation ran out; its points are free again.",
    "points.confirmed": "Points that waited can be spent.",
    "points.expired": "Points are gone.",
    "points.adjusted": "Points were given or taken by hand.",
    "points.sent": "Points went to another member.",
    "points.received": "Points came from another member.",
    "points.exchanged": "Points of one currency became points of another.",
    "points.converted": "The calendar made points of one currency points of another.",
    TIER_CHANGED: "The member has another tier; sent beside the event that brought it.",
    "tier.ended": "A tier, or a floor, was kept until here.",
    "tier.set": "The shop gave a tier by hand.",
    "referral.rewarded": "An advocate, or a friend, got what a referral brings.",
    "referral.reversed": "What a referral brought was taken back.",
    "membership.started": "A paid membership began.",
    "membership.renewed": "A period was paid.",
    "membership.past_due": "A renewal is not paid; the grace period runs.",
    "membership.recovered": "A charge that had failed was paid.",
    "membership.changed": "The membership has another plan or price.",
    "membership.cancels": "The membership will end.",
    "membership.kept": "The membership will not end after all.",
    "membership.paused": "The membership is paused.",
    "membership.resumed": "The membership goes on.",
    "membership.suspended": "A charge is disputed.",
    "membership.restored": "The dispute is over.",
    "membership.lapsed": "The grace period is over and nothing was paid.",
    "membership.ended": "The membership is over.",
    "membership.noticed": "The next charge is near; the member is told on his card.",
    "membership.used": "A benefit was used.",
    "membership.updated": "Another moment of the membership.",
    TRIAL: "A test that was asked for over the API.",
}


class EventEffect(msgspec.Struct, frozen=True):
    """What one rule gave (above zero) or took; `rule` is null for a reward's price."""

    currency: str
    amount: int
    state: str
    rule: str | None


class EventBalance(msgspec.Struct, frozen=True):
    """One currency of the account after the event."""

    available: int
    pending: int
    reserved: int
    debt: int


class EventTier(msgspec.Struct, frozen=True):
    """The tier before and after; null is none."""

    from_: str | None = msgspec.field(name="from")
    to: str | None


class EventMembership(msgspec.Struct, frozen=True):
    """The paid membership after the event; `benefits_until` is when benefits end by themselves."""

    plan: str | None
    price: str | None
    period_ends_at: str
    benefits_until: str


class EventData(msgspec.Struct, frozen=True):
    """What happened to a member's account.

    `version` is the entry's place in the member's log: of two events of a member the one with the
    higher version is newer. `ref` is the natural key of the cause, `<source>:<id>#<event>`.
    """

    member_id: str
    version: int
    occurred_at: str
    ref: str
    effects: list[EventEffect]
    balances: dict[str, EventBalance]
    reward: str | None = None
    quantity: int | None = None
    tier: EventTier | None = None
    membership: EventMembership | None = None
    other_member_id: str | None = None


class WebhookEvent(msgspec.Struct, frozen=True):
    """What a webhook's body is: the type, when it was recorded, and what happened."""

    type: str
    timestamp: str
    data: EventData


class TrialData(msgspec.Struct, frozen=True):
    """Which endpoint is tested."""

    endpoint_id: str


class TrialEvent(msgspec.Struct, frozen=True):
    """What a test sends."""

    type: str
    timestamp: str
    data: TrialData


@dataclass(frozen=True)
class Event:
    """An event ready to be sent."""

    id: str
    type: str
    at: Instant
    body: bytes


def known_patterns() -> frozenset[str]:
    """All that an endpoint can ask for."""
    families = {f"{one.partition('.')[0]}.*" for one in CATALOGUE}
    return frozenset({"*", *families, *CATALOGUE})


def events_of(stored: StoredEntry, entry: Entry, made_by: Program, names: Program) -> list[Event]:
    """The events that an entry is.

    `made_by` is the version of the program that made it, `names` the newest one, which alone knows
    the names of all currencies.
    """
    data = _data(stored, entry, made_by, names)
    types = [(stored.event_id, type_of(entry))]
    if entry.tier is not None:
        types.append((f"{stored.event_id}.tier", TIER_CHANGED))
    timestamp = to_rfc3339(entry.recorded_at)
    return [
        Event(event_id, kind, entry.recorded_at, _body(WebhookEvent(kind, timestamp, data)))
        for event_id, kind in types
    ]


def trial(event_id: str, endpoint_id: str, at: Instant) -> Event:
    """What is sent to try an endpoint."""
    body = _body(TrialEvent(TRIAL, to_rfc3339(at), TrialData(endpoint_id)))
    return Event(event_id, TRIAL, at, body)


def type_of(entry: Entry) -> str:
    """The type of the event that an entry is."""
    kind = Kind(entry.kind)
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    return _OF_MEMBERSHIPS[Change(entry.change or Change.UPDATED)]


def _body(event: WebhookEvent | TrialEvent) -> bytes:
    return msgspec.json.encode(event)


def _data(stored: StoredEntry, entry: Entry, made_by: Program, names: Program) -> EventData:
    reward = made_by.rewards_by_number.get(entry.reward)
    return EventData(
        member_id=stored.key.member_id,
        version=stored.version,
        occurred_at=to_rfc3339(entry.occurred_at),
        ref=stored.ref,
        effects=_effects(entry, made_by, names),
        balances=_balances(entry, made_by, names),
        reward=reward.id if reward else None,
        quantity=entry.quantity if reward else None,
        tier=_tier(entry, made_by),
        membership=_membership(entry.snapshot.membership, names) if entry.change else None,
        other_member_id=_other_member(entry),
    )


def _effects(entry: Entry, made_by: Program, names: Program) -> list[EventEffect]:
    rules = made_by.rules_by_number
    return [
        EventEffect(
            names.currency_names[one.currency],
            one.amount,
            State(one.state).name.lower(),
            rules[one.rule].id if one.rule in rules else None,
        )
        for one in entry.effects
        if one.amount
    ]


def _balances(entry: Entry, made_by: Program, names: Program) -> dict[str, EventBalance]:
    declared = {currency.number for currency in made_by.currencies}
    balances = {}
    for number in sorted(declared | currencies_of(entry.snapshot)):
        held = balance_of(entry.snapshot, number)
        balances[names.currency_names[number]] = EventBalance(
            held.available, held.pending, held.reserved, held.debt
        )
    return balances


def _tier(entry: Entry, made_by: Program) -> EventTier | None:
    if entry.tier is None:
        return None
    was, now = entry.tier
    return EventTier(made_by.tier_names.get(was), made_by.tier_names.get(now))


def _membership(membership: Membership | None, names: Program) -> EventMembership | None:
    if membership is None:
        return None
    plan = names.plans_by_number.get(membership.plan)
    prices = {one.number: one.id for one in plan.prices} if plan else {}
    return EventMembership(
        plan.id if plan else None,
        prices.get(membership.price),
        to_rfc3339(membership.period_end),
        to_rfc3339(membership.benefits_until),
    )


def _other_member(entry: Entry) -> str | None:
    if entry.kind == Kind.MERGED:
        return entry.snapshot.merged[-1]
    return entry.snapshot.merged_into or None
