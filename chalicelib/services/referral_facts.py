"""What is known of a referral at a moment: what the friend did, and what makes it suspicious."""

from dataclasses import replace

from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import Kind, LogKey, Standing, State, StoredEntry, decode
from chalicelib.domain.ledger.story import OrderStory, fold
from chalicelib.domain.referrals import referral as rules
from chalicelib.domain.referrals.checks import Evidence, failed
from chalicelib.domain.referrals.referral import Cause, Facts, Gone, Referral
from chalicelib.domain.referrals.terms import Terms
from chalicelib.kernel.clock import DAY
from chalicelib.services import traces
from chalicelib.services.appending import strong_head
from chalicelib.services.context import Context, Here
from chalicelib.services.order_facts import facts_of

FIRST_ENTRIES = 100  # of a friend's log: who has not qualified by then is no new customer
FIRST_ORDERS = 20
ABOVE = 20  # members among whom a circle is looked for
_OF_ORDERS = (Kind.ORDER, Kind.ORDER_PENDING, Kind.ORDER_EDITED, Kind.ORDER_CONFIRMED)


def read_facts(context: Context, here: Here, head: Head, one: Referral, terms: Terms) -> Facts:
    """Everything that decides what becomes of a referral now. `head` is the friend's."""
    state = rules.State
    causes = _causes(context, here, head, one, terms)
    if one.state in (state.REWARDING, state.REWARDED, state.REVERSING):
        return Facts(causes=causes)
    counting = next((cause for cause in causes if rules.counts(cause, one, terms)), None)
    merged = bool(head.snapshot.merged)
    if counting is None and not merged and head.snapshot.standing == Standing.OPEN:
        return Facts(causes=causes)
    gone = _gone(context, here, head, one)
    if gone is not None or counting is None:
        return Facts(gone, causes)
    evidence = _evidence(context, here, head, one, terms)
    before = any(cause.kept > 0 for cause in causes[: causes.index(counting)])
    return Facts(None, causes, failed(terms, replace(evidence, bought_before=before)))


def _causes(context: Context, here: Here, head: Head, one: Referral, terms: Terms) -> list[Cause]:
    """What the friend did, in its order; of a referral that has its cause, what became of that."""
    if one.cause and not one.order:
        return [Cause(one.cause, one.at)]
    if one.order and one.state is not rules.State.QUALIFIED:
        found = _order_cause(context, here, head, one.order)
        return [found] if found else []
    entries = [
        stored
        for log in _logs(head)
        for stored in context.store.ledger.entries(log, FIRST_ENTRIES + 1, FIRST_ENTRIES)[::-1]
    ]
    if terms.activity is not None:
        return [_activity_cause(stored) for stored in entries if _qualifies(stored)]
    keys = dict.fromkeys(
        stored.ref.partition("#")[0] for stored in entries if _kind(stored) in _OF_ORDERS
    )
    orders = (_order_cause(context, here, head, key) for key in list(keys)[:FIRST_ORDERS])
    return sorted((one for one in orders if one), key=lambda cause: cause.at)


def _order_cause(context: Context, here: Here, head: Head, key: str) -> Cause | None:
    """A paid order as it stands now."""
    source, order_id = refs.order_named(key)
    record = context.store.orders.get(here.program_id, source, order_id)
    if record is None:
        return None
    ledger = context.store.ledger
    story = [stored for log in _logs(head) for stored in ledger.story(log, f"{key}#")]
    standing = fold(story, facts_of(context, here, record)(story))
    paid = [
        stored.event_id
        for stored in story
        if stored.ref.rpartition("#")[2] in (refs.PAID, refs.CONFIRMED)
    ]
    if standing is None or not paid:
        return None
    return Cause(paid[0], standing.order.placed_at, key, _kept(standing))


def _kept(standing: OrderStory) -> int:
    """What was paid for goods that did not come back; a gift card is money still, and no goods."""
    order = standing.order
    priced = zip(order.lines, order.goods, strict=True)
    goods = [0 if line.gift_card else price for line, price in priced]
    return int(sum(goods) - standing.returned.weight(goods))


def _kind(stored: StoredEntry) -> Kind:
    return Kind(decode(stored.body).kind)


def _qualifies(stored: StoredEntry) -> bool:
    return any(effect.state == State.QUALIFIES for effect in decode(stored.body).effects)


def _activity_cause(stored: StoredEntry) -> Cause:
    return Cause(stored.event_id, decode(stored.body).occurred_at)


def _gone(context: Context, here: Here, head: Head, one: Referral) -> Gone | None:
    if head.snapshot.standing == Standing.ERASED:
        return Gone.ERASED
    if head.snapshot.merged and _comes_second(context, here, head, one):
        return Gone.ANOTHER_ADVOCATE
    if not one.advocate_id:
        return None
    advocate = strong_head(context, LogKey(here.program_id, one.advocate_id))
    if advocate is None or advocate.snapshot.standing == Standing.ERASED:
        return Gone.ERASED
    if advocate.key == head.key:
        return Gone.SAME_MEMBER
    return Gone.LOOP if _brought_by(context, here, advocate, head) else None


def _comes_second(context: Context, here: Here, head: Head, one: Referral) -> bool:
    """Whether the members who are one friend now had another referral before."""
    others = [
        context.store.referrals.of_friend(here.program_id, member_id)
        for member_id in _members(head)
        if member_id != one.friend_id
    ]
    open_ones = [
        other for other in others if other is not None and other.state is not rules.State.REFUSED
    ]
    return any((other.at, other.friend_id) < (one.at, one.friend_id) for other in open_ones)


def _brought_by(context: Context, here: Here, member: Head, wanted: Head) -> bool:
    """Whether somebody was brought by another, by whoever brought that one, and so on."""
    above = _advocates(context, here, member)
    for _ in range(ABOVE):
        if not above:
            return False
        head = strong_head(context, LogKey(here.program_id, above.pop(0)))
        if head is not None and head.key == wanted.key:
            return True
        above += _advocates(context, here, head) if head is not None else []
    return False


def _advocates(context: Context, here: Here, member: Head) -> list[str]:
    """Who brought a member, and those who were merged into him."""
    return [
        found.advocate_id
        for member_id in _members(member)
        if (found := context.store.referrals.of_friend(here.program_id, member_id))
        and found.advocate_id
        and found.state is not rules.State.REFUSED
    ]


def _evidence(context: Context, here: Here, head: Head, one: Referral, terms: Terms) -> Evidence:
    friend = traces.of_members(context, here, _members(head))
    advocate = None
    if one.advocate_id:
        advocate = strong_head(context, LogKey(here.program_id, one.advocate_id))
    velocity = terms.velocity
    since = one.at - velocity.days * DAY
    friends_from = context.store.referrals.friends_from
    counted = [
        friends_from(here.program_id, network, since, one.at, velocity.most + 1)
        for network in friend.get("network", ())
    ]
    return Evidence(
        friend,
        traces.of_members(context, here, _members(advocate)) if advocate else {},
        max(counted, default=0),
    )


def _members(head: Head) -> tuple[str, ...]:
    return (*head.snapshot.merged, head.key.member_id)


def _logs(head: Head) -> list[LogKey]:
    return [LogKey(head.key.program_id, one) for one in _members(head)]
