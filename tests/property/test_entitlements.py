"""Benefits are those of the very instant, whether or not anybody has written down what is due."""

from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import (
    FIRST_PREV,
    NO_LOTS,
    SCHEMA,
    Entry,
    Kind,
    LogKey,
    Snapshot,
    StoredEntry,
    encode,
)
from chalicelib.domain.ledger.time import settled
from chalicelib.domain.memberships.membership import (
    BRIDGE,
    Membership,
    PaymentStatus,
    Standing,
    Status,
    Subscription,
    benefits_at,
    dues_of,
    holds_plan,
    membership_of,
    standing_at,
)
from chalicelib.domain.memberships.plan import Plan
from chalicelib.domain.program.program import Versions
from chalicelib.kernel.clock import DAY, HOUR
from tests.fakes.shop import START, Shop

BEGUN = [one for one in PaymentStatus if one not in (PaymentStatus.INCOMPLETE, PaymentStatus.NEVER)]
moments = st.integers(-90 * DAY // HOUR, 90 * DAY // HOUR).map(lambda hours: START + hours * HOUR)
maybe = st.one_of(st.just(0), moments)


@cache
def prime() -> tuple[Plan, Versions]:
    shop = Shop(memory_store())
    assert shop.publish("amazon_prime").status == 201
    catalog = shop.runtime.context.catalog
    head = catalog.head(shop.program_id, START)
    assert head is not None
    versions = catalog.versions(head)
    return versions.newest().plans["prime"], versions


@st.composite
def subscriptions(draw: st.DrawFn) -> Subscription:
    """As Stripe may tell of one: periods in their order, whatever else is as it is."""
    started, start, end = sorted(draw(st.lists(moments, min_size=3, max_size=3, unique=True)))
    status = draw(st.sampled_from(BEGUN))
    return Subscription(
        id="sub_1",
        customer_id="cus_1",
        program_id="prg_1",
        member_id="mem_1",
        plan="prime",
        price="monthly",
        amount=1499,
        money="USD",
        status=status,
        started_at=started,
        period_start=start,
        period_end=end,
        paid_until=draw(st.sampled_from([started, start, end])),
        cancels_at=draw(maybe),
        ended_at=draw(moments) if status is PaymentStatus.CANCELED else 0,
        disputed_at=draw(maybe),
    )


def head_of(membership: Membership) -> Head:
    """The newest entry of a log, recorded when this was found out."""
    snapshot = Snapshot(START - 100 * DAY, membership=membership)
    entry = Entry(SCHEMA, Kind.MEMBERSHIP, START, START, 1, b"f" * 16, (), NO_LOTS, snapshot)
    return Head.of(StoredEntry(LogKey("prg_1", "mem_1"), 1, "a:1#b", FIRST_PREV, encode(entry)))


def edges(membership: Membership) -> list[int]:
    """A millisecond before each moment that matters, it, and one after; none before it is known."""
    marks = {
        START,
        membership.period_end,
        membership.paid_until,
        membership.benefits_until,
        membership.cancels_at,
        membership.notice_at,
    }
    return sorted({at + by for at in marks for by in (-1, 0, 1) if at + by >= START})


@settings(max_examples=400, deadline=None)
@given(subscriptions(), st.sampled_from([None, (), ("free_shipping",)]), st.booleans())
def test_what_is_computed_is_what_would_be_written_down(
    found: Subscription, grace_benefits: tuple[str, ...] | None, suspends: bool
) -> None:
    plan, versions = prime()
    plan = replace(plan, grace_benefits=grace_benefits, suspends=suspends)
    membership = membership_of(found, plan, 1, None, START)
    for at in edges(membership):
        after = settled(head_of(membership), versions, at).membership
        assert after is not None
        assert benefits_at(after, plan, at) == benefits_at(membership, plan, at)
        assert holds_plan(after, plan, at) == holds_plan(membership, plan, at)
        assert standing_at(after, at) == standing_at(membership, at)
        assert all(due > at for due, _ in dues_of(after))


@settings(max_examples=400, deadline=None)
@given(subscriptions(), st.booleans())
def test_benefits_have_a_cause_and_end_at_the_very_instant(
    found: Subscription, suspends: bool
) -> None:
    plan, _ = prime()
    plan = replace(plan, suspends=suspends)
    membership = membership_of(found, plan, 1, None, START)
    until = membership.benefits_until
    for at in (until - 1, until, until + 1, *edges(membership)):
        covered = found.started_at <= at < until
        is_awaited = membership.status in (Status.TRIALING, Status.ACTIVE)
        in_grace = at >= found.paid_until + (BRIDGE if is_awaited else 0)
        expected = (plan.benefits if not in_grace else ("free_shipping",)) if covered else ()
        assert benefits_at(membership, plan, at) == expected
    assert until <= found.paid_until + max(plan.grace, BRIDGE)
    for end in (found.cancels_at, found.ended_at, found.disputed_at if suspends else 0):
        assert not end or until <= end


@settings(max_examples=200, deadline=None)
@given(subscriptions())
def test_the_same_again_is_no_news(found: Subscription) -> None:
    plan, versions = prime()
    membership = membership_of(found, plan, 1, None, START)
    assert membership_of(found, plan, 1, membership, START) == membership
    later = START + 3 * DAY
    after = settled(head_of(membership), versions, later).membership
    assert after is not None
    assert membership_of(found, plan, 1, after, later) == after


def test_without_any_grace_only_a_renewal_that_is_awaited_is_bridged() -> None:
    plan = replace(prime()[0], grace=0)
    paid = Subscription(
        *("sub_1", "cus_1", "prg_1", "mem_1", "prime", "monthly", 1499, "USD"),
        status=PaymentStatus.ACTIVE,
        started_at=START - DAY,
        period_start=START - DAY,
        period_end=START + DAY,
        paid_until=START + DAY,
    )
    end = START + DAY
    failed = replace(paid, status=PaymentStatus.PAST_DUE)
    cancels = replace(paid, cancels_at=end)
    for found, until in ((paid, end + BRIDGE), (failed, end), (cancels, end)):
        membership = membership_of(found, plan, 1, None, START)
        assert benefits_at(membership, plan, until - 1) == plan.benefits
        assert benefits_at(membership, plan, until) == ()
        assert holds_plan(membership, plan, until - 1)
    renewing = membership_of(paid, plan, 1, None, START)
    assert standing_at(renewing, end) is Standing.RENEWING


def test_a_pause_is_one_for_as_long_as_was_paid() -> None:
    plan, _ = prime()
    found = Subscription(
        *("sub_1", "cus_1", "prg_1", "mem_1", "prime", "monthly", 1499, "USD"),
        status=PaymentStatus.PAUSED,
        started_at=START - DAY,
        period_start=START - DAY,
        period_end=START + DAY,
        paid_until=START + DAY,
    )
    membership = membership_of(found, plan, 1, None, START)
    assert membership.status == Status.PAUSED
    assert standing_at(membership, START + DAY - 1) is Standing.PAUSED
    assert standing_at(membership, START + DAY) is Standing.LAPSED
