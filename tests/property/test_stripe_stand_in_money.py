"""Over any history, the books of Stripe's stand-in add up to the minor unit."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from local.stripe_stand_in import StripeStandIn
from local.stripe_stand_in.catalog import smallest
from tests.fakes.shop import SetClock
from tests.fakes.stripe_account import START, Account

CURRENCIES = ("eur", "jpy", "kwd")
BEHAVIORS = ("create_prorations", "always_invoice", "none")
CARDS = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
INTERVALS = (("month", 1), ("month", 3), ("year", 1))

amounts = st.integers(0, 9_999).map(lambda tens: tens * 10)
changes = st.tuples(
    st.just("change"), amounts, st.sampled_from(INTERVALS), st.sampled_from(BEHAVIORS)
)
steps = st.one_of(
    changes,
    changes,
    st.tuples(st.just("advance"), st.integers(1, 50 * 86_400)),
    st.tuples(st.just("card"), st.sampled_from(CARDS)),
    st.tuples(st.just("refund"), st.integers(0, 100)),
    st.tuples(st.just("coupon"), st.integers(1, 1000).map(lambda tenths: tenths / 10)),
    st.tuples(st.just("pay")),
    st.tuples(st.just("cancel"), st.booleans(), st.booleans()),
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CURRENCIES), amounts, st.lists(steps, max_size=12), st.booleans())
def test_what_was_charged_is_what_paid_invoices_come_to_and_credit_is_the_rest(
    currency: str, amount: int, history: list[tuple[Any, ...]], trial: bool
) -> None:
    with StripeStandIn(clock=SetClock()) as stand_in:
        account = Account(stand_in, currency)
        account.card()
        more = {"trial_period_days": 14} if trial else {}
        story = Story(account, account.subscribe(account.price(amount), **more).id)
        for name, *values in history:
            getattr(story, name)(*values)
            check(account)


class Story:
    """What a subscriber and a shop do; what Stripe would refuse is not tried."""

    def __init__(self, account: Account, subscription_id: str) -> None:
        self.account = account
        self.api = account.api
        self.id = subscription_id
        self.now = START

    def change(self, amount: int, interval: tuple[str, int], behavior: str) -> None:
        subscription = self.api.subscriptions.retrieve(self.id)
        if subscription.status == "canceled":
            return
        item = subscription["items"].data[0].id
        details = {
            "items": [{"id": item, "price": self.account.price(amount, *interval)}],
            "proration_behavior": behavior,
        }
        known = len(self.account.invoices())
        asked = {"subscription": self.id, "subscription_details": details}
        preview = self.api.invoices.create_preview(asked)
        changed = self.api.subscriptions.update(self.id, {**details, "expand": ["latest_invoice"]})
        if len(self.account.invoices()) > known:
            assert changed.latest_invoice.total == preview.total
            assert changed.latest_invoice.amount_due == preview.amount_due

    def advance(self, seconds: int) -> None:
        self.now += seconds
        self.account.advance(self.now)

    def card(self, token: str) -> None:
        self.account.card(token)

    def refund(self, percent: int) -> None:
        for charge in self.api.charges.list({"customer": self.account.customer}).data:
            left = charge.amount - charge.amount_refunded
            part = left * percent // 100
            if charge.paid and part:
                self.api.refunds.create({"charge": charge.id, "amount": part})

    def coupon(self, percent: float) -> None:
        if self.api.subscriptions.retrieve(self.id).status != "canceled":
            asked = {"percent_off": percent, "duration": "once"}
            discounts = [{"coupon": self.api.coupons.create(asked).id}]
            self.api.subscriptions.update(self.id, {"discounts": discounts})

    def pay(self) -> None:
        asked = {"customer": self.account.customer, "status": "open"}
        for invoice in self.api.invoices.list(asked).data:
            self.api.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})

    def cancel(self, prorate: bool, invoice_now: bool) -> None:
        if self.api.subscriptions.retrieve(self.id).status != "canceled":
            asked = {"prorate": prorate, "invoice_now": invoice_now}
            self.api.subscriptions.cancel(self.id, asked)


def check(account: Account) -> None:
    """Invoices come to their lines, payments to invoices, refunds to no more than payments."""
    for invoice in account.stand_in.world.all("invoice"):
        lines = invoice["lines"]["data"]
        off = sum(one["amount"] for row in lines for one in row["discount_amounts"])
        assert invoice["total"] == sum(row["amount"] for row in lines) - off
        assert all(row["amount"] % smallest(account.currency) == 0 for row in lines)
        assert invoice["amount_paid"] + invoice["amount_remaining"] == invoice["amount_due"]
    for books in account.stand_in.books().get(account.customer, {}).values():
        owed = open_credit(account)
        assert books.charged == books.paid_invoices + books.credit + owed
        assert 0 <= books.refunded <= books.charged
        assert books.credit >= 0


def open_credit(account: Account) -> int:
    """Credit that open invoices have used and that is not paid for otherwise yet."""
    return sum(
        invoice["ending_balance"] - invoice["starting_balance"]
        for invoice in account.stand_in.world.all("invoice", status="open")
    )
