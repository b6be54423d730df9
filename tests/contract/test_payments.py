"""What the port `Payments` promises, on the stand-in of Stripe, and on Stripe itself.

With STRIPE_TEST_KEY, a secret key of a test mode, the same is played against Stripe; only then may
a test reach it. Nothing is charged there, and what is made stays in the test mode.
"""

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import stripe

from chalicelib.adapters.stripe.payments import StripePayments
from chalicelib.domain.errors import Refusal
from chalicelib.domain.memberships.documents import RefundTermsDocument
from chalicelib.domain.memberships.membership import PaymentStatus, Subscription
from chalicelib.domain.memberships.payments import Begun, Buyer, Preview, Sale
from chalicelib.domain.memberships.plan import Plan, Price
from chalicelib.kernel.clock import SECOND, SystemClock
from local.stripe_stand_in import SECRET_KEY, StripeStandIn

PROGRAM = f"prg_{secrets.token_hex(6)}"
MONTHLY = Price("monthly", 1, "month", 1499, "USD")
YEARLY = Price("yearly", 2, "year", 13900, "USD")
PLAN = Plan(
    id="prime",
    number=1,
    name="Prime",
    prices=(MONTHLY, YEARLY),
    benefits=("free_shipping",),
    trial_days=0,
    welcome=None,
    grace=0,
    grace_benefits=None,
    notice=0,
    suspends=True,
    refunds=RefundTermsDocument(),
)


@dataclass
class Account:
    """An account of Stripe, as we use it and as a customer's bank does."""

    payments: StripePayments
    api: Any

    def sale(self, member: str, price: Price = MONTHLY, trial_days: int = 0) -> Sale:
        return Sale(PROGRAM, member, PLAN, price, "Prime", trial_days)

    def begin(self, member: str) -> tuple[str, Subscription]:
        """A member who has paid for a month."""
        customer = self.payments.make_customer(f"{PROGRAM}:{member}", Buyer(PROGRAM, member))
        begun = self.payments.subscribe(
            f"{PROGRAM}:{member}:begin", customer.customer_id, self.sale(member)
        )
        assert isinstance(begun, Begun) and begun.kind == "payment"
        intent = (begun.client_secret or "").partition("_secret_")[0]
        asked = {"payment_method": "pm_card_visa", "return_url": "https://shop.example"}
        self.api.payment_intents.confirm(intent, asked)
        return customer.customer_id, self.until(begun.subscription, PaymentStatus.ACTIVE)

    def until(self, subscription: str, status: PaymentStatus) -> Subscription:
        """Waits until Stripe has made up its mind."""
        for _ in range(40):
            found = self.payments.subscription(subscription)
            if found is not None and found.status is status:
                return found
            time.sleep(0.25)
        raise AssertionError(f"{subscription} was never {status}")


@pytest.fixture(params=["stand-in", "stripe"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    if request.param == "stand-in":
        with StripeStandIn() as stand_in:
            payments = StripePayments(SECRET_KEY, ("whsec_x",), stand_in.url)
            yield Account(payments, payments._api)
        return
    key = os.environ.get("STRIPE_TEST_KEY", "")
    if not key:
        pytest.skip("STRIPE_TEST_KEY is not set: Stripe itself is not asked")
    assert key.startswith(("sk_test_", "rk_test_")), "only a key of a test mode may be used"
    payments = StripePayments(key, ("whsec_x",))
    yield Account(payments, payments._api)


def member() -> str:
    return f"mem_{secrets.token_hex(6)}"


def test_a_subscription_begins_changes_and_ends(account: Account) -> None:
    who = member()
    customer, found = account.begin(who)
    assert (found.program_id, found.member_id) == (PROGRAM, who)
    assert (found.plan, found.price, found.amount, found.money) == ("prime", "monthly", 1499, "USD")
    assert found.paid_until == found.period_end
    assert [one.id for one in account.payments.subscriptions_of(customer)] == [found.id]
    now = SystemClock().now() // SECOND * SECOND
    preview = account.payments.preview(found, account.sale(who, YEARLY), now)
    assert isinstance(preview, Preview)
    assert any(line.is_proration for line in preview.lines)
    refused = account.payments.change(f"{who}:change", found, account.sale(who, YEARLY), now)
    assert refused is None
    charged = account.payments.last_charge(account.until(found.id, PaymentStatus.ACTIVE))
    assert charged is not None and charged.amount == preview.due_now
    account.payments.cancel_at_period_end(f"{who}:cancel", found.id, cancels=True)
    cancels = account.payments.subscription(found.id)
    assert cancels is not None and cancels.cancels_at == cancels.period_end
    account.payments.cancel_at_period_end(f"{who}:keep", found.id, cancels=False)
    kept = account.payments.subscription(found.id)
    assert kept is not None and kept.cancels_at == 0
    for _ in range(2):
        account.payments.cancel_now(f"{who}:end", found.id)
    assert account.until(found.id, PaymentStatus.CANCELED).ended_at


def test_money_comes_back_once(account: Account) -> None:
    who = member()
    _, found = account.begin(who)
    charge = account.payments.last_charge(found)
    assert charge is not None
    assert (charge.amount, charge.refunded, charge.is_first) == (1499, 0, True)
    assert charge.period_start == found.period_start
    for _ in range(2):
        account.payments.refund(f"{who}:back", charge.payment, 500, "USD")
    after = account.payments.last_charge(found)
    assert after is not None and after.refunded == 500


def test_a_pause_keeps_what_was_paid_for(account: Account) -> None:
    who = member()
    _, found = account.begin(who)
    account.payments.pause(f"{who}:pause", found, None)
    paused = account.until(found.id, PaymentStatus.PAUSED)
    assert paused.paid_until == found.paid_until
    account.payments.resume(f"{who}:resume", found.id, anew=False)
    assert account.until(found.id, PaymentStatus.ACTIVE).paid_until == found.paid_until


def test_the_same_key_is_the_same_call_and_no_other(account: Account) -> None:
    who = member()
    customer = account.payments.make_customer(who, Buyer(PROGRAM, who))
    assert account.payments.make_customer(who, Buyer(PROGRAM, who)) == customer
    pages = ("https://shop.example/paid", "https://shop.example/back")
    sale = account.sale(who)
    first = account.payments.checkout(f"{who}:c", customer.customer_id, sale, *pages)
    assert account.payments.checkout(f"{who}:c", customer.customer_id, sale, *pages) == first
    other = account.sale(who, YEARLY)
    refused = account.payments.checkout(f"{who}:c", customer.customer_id, other, *pages)
    assert isinstance(refused, Refusal) and refused.code == "different_request"


def test_who_is_forgotten_pays_no_more(account: Account) -> None:
    who = member()
    customer, found = account.begin(who)
    rows, _ = account.payments.invoices(customer, None, 10)
    assert [(one.status, one.paid) for one in rows] == [("paid", 1499)]
    assert rows[0].receipt
    for _ in range(2):
        account.payments.forget_customer(customer)
    assert account.until(found.id, PaymentStatus.CANCELED).ended_at


def test_what_is_not_there_is_nothing(account: Account) -> None:
    assert account.payments.subscription("sub_nobody") is None
    assert account.payments.customer_of_charge("ch_nobody") is None
    assert account.payments.promotion(f"NO{secrets.token_hex(4)}") is None
    assert stripe.enable_telemetry is False
