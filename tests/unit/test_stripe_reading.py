"""Stripe's objects in our words: money, states, disputes, prices that are not ours."""

from typing import Any

import pytest

from chalicelib.adapters.stripe.money import from_stripe, to_stripe
from chalicelib.adapters.stripe.reading import lookup_key, subscription_of
from chalicelib.domain.memberships.membership import PaymentStatus, Subscription

START, END = 1_000, 2_000
WHO = {"regulars_program": "prg_1", "regulars_member": "mem_1", "regulars_plan": "prime"}


def subscription(**changes: Any) -> dict[str, Any]:
    """An active one of a price of ours, whose running period is paid."""
    price = {
        "currency": "usd",
        "unit_amount": 1499,
        "lookup_key": lookup_key("prg_1", "prime", "monthly", 1499, "USD", "month"),
        "metadata": {
            "regulars_program": "prg_1",
            "regulars_plan": "prime",
            "regulars_price": "monthly",
        },
        "recurring": {"interval": "month"},
    } | changes.pop("price", {})
    item = {
        "id": "si_1",
        "price": price,
        "quantity": 1,
        "current_period_start": START,
        "current_period_end": END,
    }
    return {
        "id": "sub_1",
        "customer": "cus_1",
        "status": "active",
        "created": 500,
        "start_date": 500,
        "pause_collection": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "ended_at": None,
        "items": {"data": [item]},
        "latest_invoice": {"status": "paid", "billing_reason": "subscription_cycle"},
        "metadata": WHO,
        **changes,
    }


def read(one: dict[str, Any], *disputes: tuple[str, int, int]) -> Subscription:
    """With disputes by status, when the charge was made, and when it was disputed."""
    charges = [{"id": str(at), "created": made} for at, (_, made, _) in enumerate(disputes)]
    rows = [
        {"charge": str(at), "status": status, "created": created}
        for at, (status, _, created) in enumerate(disputes)
    ]
    return subscription_of(one, charges, rows)


@pytest.mark.parametrize(
    ("money", "minor", "stripes"),
    [
        ("EUR", 1234, 1234),
        ("JPY", 1234, 1234),
        ("KWD", 12340, 12340),
        ("ISK", 1234, 123400),
        ("UGX", 1234, 123400),
    ],
)
def test_money_goes_to_stripe_and_comes_back(money: str, minor: int, stripes: int) -> None:
    assert to_stripe(minor, money) == stripes
    assert from_stripe(stripes, money.lower()) == minor


def test_a_paid_period_is_paid_until_its_end() -> None:
    found = read(subscription())
    assert (found.status, found.paid_until) == (PaymentStatus.ACTIVE, END * 1000)
    assert (found.plan, found.price, found.amount, found.money) == ("prime", "monthly", 1499, "USD")


@pytest.mark.parametrize("status", ["draft", "open"])
def test_a_renewal_whose_invoice_waits_is_not_paid(status: str) -> None:
    latest = {"status": status, "billing_reason": "subscription_cycle"}
    assert read(subscription(latest_invoice=latest)).paid_until == START * 1000


@pytest.mark.parametrize("status", ["void", "uncollectible"])
def test_a_period_that_was_never_charged_is_paused_and_not_paid(status: str) -> None:
    """Else whoever pauses before a renewal and resumes after it would have the period for free."""
    latest = {"status": status, "billing_reason": "subscription_cycle"}
    found = read(subscription(latest_invoice=latest))
    assert (found.status, found.paid_until) == (PaymentStatus.PAUSED, START * 1000)
    noted = {**WHO, "regulars_paid_until": "700"}
    again = read(subscription(latest_invoice=latest, metadata=noted))
    assert again.paid_until == 700_000


def test_a_pause_in_a_paid_period_leaves_it_paid() -> None:
    """Also where the shop paused it in the dashboard, which notes nothing."""
    found = read(subscription(pause_collection={"behavior": "void", "resumes_at": None}))
    assert (found.status, found.paid_until) == (PaymentStatus.PAUSED, END * 1000)


@pytest.mark.parametrize(
    "price",
    [
        {"unit_amount": 1},
        {"unit_amount": None},
        {"lookup_key": None},
        {"metadata": {}},
        {"currency": "eur"},
        {"recurring": {"interval": "year"}},
        {"metadata": {**WHO, "regulars_price": "monthly", "regulars_program": "prg_2"}},
    ],
)
def test_a_price_that_we_did_not_make_so_is_of_no_plan(price: dict[str, Any]) -> None:
    assert read(subscription(price=price)).plan == ""


def test_what_is_disputed_counts_while_it_is_open_and_is_lost_with_its_period() -> None:
    for disputes, disputed_at in (
        ([("needs_response", START + 1, 1500)], 1500),
        ([("needs_response", 600, 1500)], 1500),  # of an earlier period
        ([("needs_response", 400, 1500)], 0),  # of an earlier subscription
        ([("lost", START + 1, 1500)], 1500),
        ([("lost", 600, 1500)], 0),  # a later period was paid since
        ([("won", START + 1, 1500)], 0),
        ([("won", START + 1, 1400), ("under_review", START + 2, 1500)], 1500),
    ):
        assert read(subscription(), *disputes).disputed_at == disputed_at * 1000, disputes
