"""The stand-in of Stripe: what becomes of plans, subscriptions and their money, by the library."""

import urllib.request
from collections.abc import Iterator

import pytest
import stripe

from chalicelib.kernel.clock import SECOND
from local.stripe_stand_in import PUBLISHABLE_KEY, Settings, StripeStandIn
from local.stripe_stand_in.periods import DAY, end_of_period, share
from tests.fakes.shop import SetClock
from tests.fakes.stripe_account import HOUR, START, Account, client_of, local, refusal


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def stand_in(clock: SetClock) -> Iterator[StripeStandIn]:
    with StripeStandIn(clock=clock) as stand_in:
        yield stand_in


@pytest.fixture
def account(stand_in: StripeStandIn) -> Account:
    return Account(stand_in)


# Catalogue


def test_a_lookup_key_moves_to_a_new_price_only_when_it_is_transferred(account: Account) -> None:
    asked = {
        "product": account.product,
        "currency": "eur",
        "unit_amount": 900,
        "recurring": {"interval": "month"},
        "lookup_key": "plus",
    }
    first = account.api.prices.create(asked)
    taken = refusal(lambda: account.api.prices.create(asked))
    second = account.api.prices.create({**asked, "unit_amount": 950, "transfer_lookup_key": True})
    assert (taken.http_status, taken.code) == (400, "resource_already_exists")
    assert account.api.prices.retrieve(first.id).lookup_key is None
    assert [one.id for one in account.api.prices.list({"lookup_keys": ["plus"]})] == [second.id]


def test_three_decimal_currencies_take_amounts_that_end_in_zero(stand_in: StripeStandIn) -> None:
    account = Account(stand_in, "kwd")
    assert account.api.prices.retrieve(account.price(12_340)).unit_amount == 12_340
    error = refusal(lambda: account.price(12_345))
    assert isinstance(error, stripe.InvalidRequestError)
    assert error.param == "unit_amount"


def test_metadata_is_merged_and_an_empty_value_removes_its_key(account: Account) -> None:
    account.api.customers.update(account.customer, {"metadata": {"a": "1", "b": "2"}})
    changed = account.api.customers.update(account.customer, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}


# Begin


def test_an_account_may_have_its_renewals_paid_at_once(clock: SetClock) -> None:
    with StripeStandIn(clock=clock, settings=Settings(draft_seconds=0)) as stand_in:
        account = Account(stand_in)
        account.card()
        subscription = account.subscribe(account.price(999, "week", 2))
        account.advance(subscription["items"].data[0].current_period_end)
        assert account.invoices()[1] == ("subscription_cycle", 999, "paid")
        assert account.get(subscription)["items"].data[0].current_period_end == START + 28 * DAY


def test_a_subscription_is_charged_at_once_and_renewed_an_hour_after_its_period(
    account: Account,
) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    ends = subscription["items"].data[0].current_period_end
    account.advance(ends)
    assert account.invoices() == [
        ("subscription_create", 999, "paid"),
        ("subscription_cycle", 999, "draft"),
    ]
    draft = account.api.invoices.list({"subscription": subscription.id, "status": "draft"}).data[0]
    assert draft.parent.subscription_details.subscription == subscription.id
    account.advance(ends + HOUR)
    assert account.invoices()[1] == ("subscription_cycle", 999, "paid")
    assert account.get(subscription).status == "active"
    assert account.told("invoice.upcoming", "invoice.paid") == [
        "invoice.paid",
        "invoice.upcoming",
        "invoice.paid",
    ]


def test_an_app_pays_with_the_client_secret_of_the_first_invoice(account: Account) -> None:
    subscription = account.subscribe(
        account.price(999),
        payment_behavior="default_incomplete",
        payment_settings={"save_default_payment_method": "on_subscription"},
        expand=["latest_invoice.confirmation_secret", "latest_invoice.payments"],
    )
    secret = subscription.latest_invoice.confirmation_secret.client_secret
    intent = subscription.latest_invoice.payments.data[0].payment.payment_intent
    assert subscription.status == "incomplete"
    app = client_of(account.stand_in, PUBLISHABLE_KEY)
    asked = {"payment_method": "pm_card_visa", "client_secret": "of somebody else"}
    wrong = refusal(lambda: app.payment_intents.confirm(intent, asked))
    assert wrong.http_status == 401
    app.payment_intents.confirm(intent, {**asked, "client_secret": secret})
    after = account.get(subscription, "default_payment_method")
    assert after.status == "active"
    assert after.default_payment_method.customer == account.customer


def test_a_payment_that_needs_approval_waits_for_it(account: Account) -> None:
    account.card("pm_card_authenticationRequired")
    subscription = account.subscribe(account.price(999), expand=["latest_invoice.payments"])
    intent = subscription.latest_invoice.payments.data[0].payment.payment_intent
    assert subscription.status == "incomplete"
    assert account.api.payment_intents.retrieve(intent).next_action.type == "redirect_to_url"
    local(account.stand_in, f"payment_intents/{intent}/authenticate", outcome="refuse")
    refused = account.api.payment_intents.retrieve(intent)
    assert refused.status == "requires_payment_method"
    assert refused.last_payment_error.code == "payment_intent_authentication_failure"
    method = account.card("pm_card_authenticationRequired")
    account.api.payment_intents.confirm(intent, {"payment_method": method})
    local(account.stand_in, f"payment_intents/{intent}/authenticate", outcome="approve")
    assert account.get(subscription).status == "active"


def test_nobody_pays_with_the_card_of_another_customer(account: Account) -> None:
    card = account.card()
    other = account.api.customers.create({"test_clock": account.clock}).id
    asked = {"customer": other, "items": [{"price": account.price(999)}]}
    subscription = account.api.subscriptions.create(
        {**asked, "payment_behavior": "default_incomplete", "expand": ["latest_invoice.payments"]}
    )
    intent = subscription.latest_invoice.payments.data[0].payment.payment_intent
    confirm = {"payment_method": card}
    error = refusal(lambda: account.api.payment_intents.confirm(intent, confirm))
    assert error.http_status == 400
    given = refusal(
        lambda: account.api.subscriptions.create({**asked, "default_payment_method": card})
    )
    assert given.http_status == 400
    assert account.stand_in.books() == {}


def test_what_is_not_paid_in_23_hours_is_over_and_nothing_is_owed(account: Account) -> None:
    subscription = account.subscribe(account.price(999), payment_behavior="default_incomplete")
    account.advance(START + 23 * HOUR - 1)
    assert account.get(subscription).status == "incomplete"
    account.advance(START + 23 * HOUR)
    assert account.get(subscription).status == "incomplete_expired"
    assert account.invoices() == [("subscription_create", 999, "void")]


@pytest.mark.parametrize(
    ("behavior", "statuses"), [("allow_incomplete", ["incomplete"]), ("error_if_incomplete", [])]
)
def test_a_card_that_fails_leaves_an_incomplete_subscription_or_none(
    account: Account, behavior: str, statuses: list[str]
) -> None:
    account.card("pm_card_chargeCustomerFail")
    price = account.price(999)
    if behavior == "error_if_incomplete":
        error = refusal(lambda: account.subscribe(price, payment_behavior=behavior))
        assert isinstance(error, stripe.CardError)
        assert (error.http_status, error.code) == (402, "card_declined")
        assert error.error is not None
        assert error.error.decline_code == "generic_decline"
    else:
        account.subscribe(price, payment_behavior=behavior)
    found = account.api.subscriptions.list({"customer": account.customer})
    assert [one.status for one in found] == statuses
    assert account.stand_in.books() == {}


def test_a_declined_card_is_not_attached(account: Account) -> None:
    error = refusal(lambda: account.card("pm_card_chargeDeclined"))
    assert isinstance(error, stripe.CardError)
    assert account.api.customers.payment_methods.list(account.customer).data == []


# Trials


def test_a_trial_is_free_gives_notice_and_then_charges(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999), trial_period_days=30)
    assert (subscription.status, subscription.trial_end) == ("trialing", START + 30 * DAY)
    assert account.invoices() == [("subscription_create", 0, "paid")]
    account.advance(START + 27 * DAY)
    assert account.told("customer.subscription.trial_will_end") == [
        "customer.subscription.trial_will_end"
    ]
    account.advance(START + 30 * DAY + HOUR)
    assert account.invoices()[1] == ("subscription_cycle", 999, "paid")
    assert account.get(subscription).status == "active"


@pytest.mark.parametrize(
    ("behavior", "status"),
    [("create_invoice", "past_due"), ("cancel", "canceled"), ("pause", "paused")],
)
def test_a_trial_that_ends_without_a_card_goes_as_its_settings_say(
    account: Account, behavior: str, status: str
) -> None:
    ending = {"end_behavior": {"missing_payment_method": behavior}}
    subscription = account.subscribe(account.price(999), trial_period_days=7, trial_settings=ending)
    account.advance(START + 7 * DAY + HOUR)
    assert account.get(subscription).status == status


def test_a_paused_subscription_resumes_with_a_card(account: Account) -> None:
    ending = {"end_behavior": {"missing_payment_method": "pause"}}
    subscription = account.subscribe(account.price(999), trial_period_days=7, trial_settings=ending)
    account.advance(START + 8 * DAY)
    account.card()
    resumed = account.api.subscriptions.resume(subscription.id)
    assert resumed.status == "active"
    assert resumed["items"].data[0].current_period_start == START + 8 * DAY
    assert account.told("customer.subscription.paused", "customer.subscription.resumed") == [
        "customer.subscription.paused",
        "customer.subscription.resumed",
    ]


def test_a_trial_without_a_card_sets_one_up_by_its_pending_setup_intent(account: Account) -> None:
    subscription = account.subscribe(account.price(999), trial_period_days=7)
    intent = subscription.pending_setup_intent
    account.api.setup_intents.confirm(intent, {"payment_method": "pm_card_visa"})
    account.advance(START + 7 * DAY + HOUR)
    assert account.get(subscription).status == "active"


def test_a_trial_can_end_now(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999), trial_period_days=30)
    account.advance(START + 5 * DAY)
    ended = account.api.subscriptions.update(subscription.id, {"trial_end": "now"})
    assert (ended.status, ended.billing_cycle_anchor) == ("active", START + 5 * DAY)
    assert account.invoices()[1] == ("subscription_update", 999, "paid")


def test_a_trial_can_be_made_longer(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999), trial_period_days=7)
    longer = {"trial_end": START + 20 * DAY}
    assert account.api.subscriptions.update(subscription.id, longer).status == "trialing"
    account.advance(START + 20 * DAY)
    assert account.told("customer.subscription.trial_will_end") == [
        "customer.subscription.trial_will_end"
    ]
    assert account.get(subscription)["items"].data[0].current_period_start == START + 20 * DAY


def test_a_card_that_was_approved_when_it_was_set_up_pays_by_itself(account: Account) -> None:
    intent = account.api.setup_intents.create({"customer": account.customer})
    token = "pm_card_authenticationRequiredOnSetup"
    asked = account.api.setup_intents.confirm(intent.id, {"payment_method": token})
    assert asked.status == "requires_action"
    urllib.request.urlopen(asked.next_action.redirect_to_url.url, b"action=approve").close()
    done = account.api.setup_intents.retrieve(intent.id)
    assert done.status == "succeeded"
    subscription = account.subscribe(account.price(999), default_payment_method=done.payment_method)
    assert subscription.status == "active"
    account.api.payment_methods.detach(done.payment_method)
    account.advance(subscription["items"].data[0].current_period_end + HOUR)
    assert account.get(subscription).status == "past_due"


# Dunning


def test_a_failed_renewal_is_tried_again_after_3_5_and_7_days_and_then_ends(
    account: Account,
) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    account.card("pm_card_chargeCustomerFail")
    first = subscription["items"].data[0].current_period_end + HOUR
    tries = []
    for after in (0, 3, 3 + 5, 3 + 5 + 7):
        account.advance(first + after * DAY)
        now = account.get(subscription, "latest_invoice")
        due = now.latest_invoice.next_payment_attempt
        tries.append((now.status, now.latest_invoice.attempt_count, due and due - first))
    assert tries == [
        ("past_due", 1, 3 * DAY),
        ("past_due", 2, 8 * DAY),
        ("past_due", 3, 15 * DAY),
        ("canceled", 4, None),
    ]
    ended = account.get(subscription)
    assert ended.cancellation_details.reason == "payment_failed"
    assert account.invoices()[1] == ("subscription_cycle", 999, "open")


@pytest.mark.parametrize("setting", ["unpaid", "past_due"])
def test_after_the_last_retry_it_is_as_the_account_says(clock: SetClock, setting: str) -> None:
    settings = Settings(retry_after_days=(1,), after_retries=setting)
    with StripeStandIn(clock=clock, settings=settings) as stand_in:
        account = Account(stand_in)
        account.card()
        subscription = account.subscribe(account.price(999))
        account.card("pm_card_chargeCustomerFail")
        account.advance(subscription["items"].data[0].current_period_end + 2 * DAY)
        assert account.get(subscription).status == setting


def test_a_new_card_recovers_a_subscription_that_is_past_due(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    account.card("pm_card_chargeCustomerFail")
    account.advance(subscription["items"].data[0].current_period_end + HOUR)
    owed = account.get(subscription).latest_invoice
    again = refusal(lambda: account.api.invoices.pay(owed))
    assert isinstance(again, stripe.CardError)
    paid = account.api.invoices.pay(owed, {"payment_method": account.card()})
    assert (paid.status, paid.attempt_count, paid.amount_paid) == ("paid", 1, 999)
    assert account.get(subscription).status == "active"


def test_a_voided_invoice_is_owed_no_more(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    account.card("pm_card_chargeCustomerFail")
    account.advance(subscription["items"].data[0].current_period_end + HOUR)
    account.api.invoices.void_invoice(account.get(subscription).latest_invoice)
    assert account.get(subscription).status == "active"


def test_credit_that_a_voided_invoice_used_comes_back(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(3000))
    ends = subscription["items"].data[0].current_period_end
    account.advance((START + ends) // 2)
    account.change(subscription, account.price(2000), proration_behavior="always_invoice")
    account.card("pm_card_chargeCustomerFail")
    account.advance(ends + HOUR)
    owed = account.get(subscription, "latest_invoice").latest_invoice
    assert (owed.amount_due, account.api.customers.retrieve(account.customer).balance) == (1500, 0)
    account.api.invoices.void_invoice(owed.id)
    assert account.api.customers.retrieve(account.customer).balance == -500
    moves = account.api.customers.balance_transactions.list(account.customer).data[::-1]
    assert [(one.type, one.amount) for one in moves] == [
        ("applied_to_invoice", -500),
        ("applied_to_invoice", 500),
        ("unapplied_from_invoice", -500),
    ]


def test_a_renewal_that_needs_approval_is_past_due_until_it_is_given(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    account.card("pm_card_authenticationRequired")
    account.advance(subscription["items"].data[0].current_period_end + HOUR)
    owed = account.get(subscription, "latest_invoice.payments")
    assert owed.status == "past_due"
    assert account.told("invoice.payment_action_required") == ["invoice.payment_action_required"]
    intent = owed.latest_invoice.payments.data[0].payment.payment_intent
    local(account.stand_in, f"payment_intents/{intent}/authenticate", outcome="approve")
    assert account.get(subscription).status == "active"


# Changes


def test_an_upgrade_halfway_costs_half_of_the_difference_and_the_preview_said_so(
    account: Account,
) -> None:
    account.card()
    subscription = account.subscribe(account.price(1000))
    item = subscription["items"].data[0]
    half = (item.current_period_start + item.current_period_end) // 2
    account.advance(half)
    price = account.price(2000)
    asked = {"items": [{"id": item.id, "price": price}], "proration_date": half}
    asked["proration_behavior"] = "always_invoice"
    preview = account.api.invoices.create_preview(
        {"subscription": subscription.id, "subscription_details": asked}
    )
    assert [
        (row.amount, row.parent.subscription_item_details.proration) for row in preview.lines
    ] == [
        (-500, True),
        (1000, True),
    ]
    assert account.get(subscription)["items"].data[0].price.id == item.price.id
    account.advance(half + 60)
    changed = account.api.subscriptions.update(
        subscription.id, {**asked, "expand": ["latest_invoice"]}
    )
    assert changed.latest_invoice.total == preview.total == 500
    assert changed.latest_invoice.status == "paid"
    assert changed["items"].data[0].current_period_end == item.current_period_end


def test_a_preview_without_a_change_is_the_next_renewal_and_so_is_the_notice_of_it(
    account: Account,
) -> None:
    account.card()
    subscription = account.subscribe(account.price(1000))
    ends = subscription["items"].data[0].current_period_end
    preview = account.api.invoices.create_preview({"subscription": subscription.id})
    assert (preview.total, preview.lines.data[0].period.start) == (1000, ends)
    account.advance(ends - 7 * DAY)
    notice = account.api.events.list({"type": "invoice.upcoming"}).data[0].data.object
    assert (notice.total, notice.lines.data[0].period.start) == (1000, ends)
    assert "id" not in notice
    assert len(account.invoices()) == 1


def test_prorations_wait_for_the_renewal_unless_they_are_invoiced(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(1000))
    ends = subscription["items"].data[0].current_period_end
    account.advance((START + ends) // 2)
    account.change(subscription, account.price(2000))
    assert len(account.invoices()) == 1
    account.advance(ends + HOUR)
    assert account.invoices()[1] == ("subscription_cycle", 2500, "paid")


def test_without_prorations_the_new_price_counts_from_the_renewal(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(1000))
    ends = subscription["items"].data[0].current_period_end
    account.advance((START + ends) // 2)
    account.change(subscription, account.price(500), proration_behavior="none")
    account.advance(ends + HOUR)
    assert account.invoices()[1] == ("subscription_cycle", 500, "paid")


def test_a_downgrade_leaves_credit_that_pays_the_next_invoice(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(3000))
    ends = subscription["items"].data[0].current_period_end
    account.advance((START + ends) // 2)
    account.change(subscription, account.price(1000), proration_behavior="always_invoice")
    assert account.invoices()[1] == ("subscription_update", -1000, "paid")
    assert account.api.customers.retrieve(account.customer).balance == -1000
    account.advance(ends + HOUR)
    renewed = account.get(subscription, "latest_invoice").latest_invoice
    assert (renewed.total, renewed.amount_due, renewed.ending_balance) == (1000, 0, 0)
    books = account.stand_in.books()[account.customer]["eur"]
    assert (books.charged, books.credit, books.paid_invoices) == (3000, 0, 3000)


def test_going_from_a_month_to_a_year_starts_a_new_period_at_once(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(1000))
    half = (START + subscription["items"].data[0].current_period_end) // 2
    account.advance(half)
    changed = account.change(subscription, account.price(9000, "year"))
    item = changed["items"].data[0]
    assert item.current_period_start == changed.billing_cycle_anchor == half
    assert account.invoices()[1] == ("subscription_update", 9000 - 500, "paid")


def test_what_changes_nothing_costs_nothing(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(1000))
    yearly = account.price(9000, "year")
    account.change(subscription, yearly)
    account.advance(START + 30 * DAY)
    account.change(subscription, yearly, proration_behavior="always_invoice")
    account.api.subscriptions.update(subscription.id, {"metadata": {"a": "b"}})
    assert [total for _, total, _ in account.invoices()] == [1000, 8000]
    assert [one.amount for one in account.api.invoice_items.list({"pending": True})] == []


def test_two_changes_in_one_period_credit_what_was_really_billed(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(1000))
    ends = subscription["items"].data[0].current_period_end
    span = ends - START
    dear = account.price(4000)
    account.advance(START + span // 4)
    account.change(subscription, dear, proration_behavior="always_invoice")
    account.advance(START + span // 2)
    account.change(subscription, account.price(1000), proration_behavior="always_invoice")
    totals = [total for _, total, _ in account.invoices()]
    assert totals == [1000, 3000 - 750, 500 - 2000]


def test_a_change_whose_payment_fails_is_undone_when_asked(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(1000))
    account.card("pm_card_chargeCustomerFail")
    dear = account.price(9000)
    how = {"proration_behavior": "always_invoice", "payment_behavior": "error_if_incomplete"}
    assert isinstance(refusal(lambda: account.change(subscription, dear, **how)), stripe.CardError)
    assert account.get(subscription)["items"].data[0].price.unit_amount == 1000
    assert account.get(subscription).status == "active"


def test_the_31st_comes_back_after_a_short_month() -> None:
    anchor = 1_769_860_800  # 2026-01-31T12:00:00Z
    monthly = {"interval": "month", "interval_count": 1}
    february = end_of_period(anchor, monthly, anchor)
    march = end_of_period(anchor, monthly, february)
    assert (february - anchor, march - february) == (28 * DAY, 31 * DAY)


def test_a_share_is_exact_and_rounds_halves_away_from_zero() -> None:
    assert share(999, 1, 2) == 500
    assert share(-999, 1, 2) == -500
    assert share(10**9, 1, 3) == 333_333_333
    assert share(12_340, 1, 3, unit=10) == 4_110


# Ends


def test_cancelling_at_the_end_of_the_period_can_be_taken_back(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    ends = subscription["items"].data[0].current_period_end
    stopping = account.api.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    assert (stopping.status, stopping.cancel_at) == ("active", ends)
    going = account.api.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    assert (going.cancel_at, going.canceled_at) == (None, None)
    account.api.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    account.advance(ends)
    ended = account.get(subscription)
    assert (ended.status, ended.ended_at) == ("canceled", ends)
    assert account.told("customer.subscription.deleted") == ["customer.subscription.deleted"]
    assert len(account.invoices()) == 1


def test_cancelling_now_with_proration_gives_credit(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(1000))
    ends = subscription["items"].data[0].current_period_end
    account.advance((START + ends) // 2)
    asked = {"subscription_details": {"cancel_now": True}, "subscription": subscription.id}
    assert account.api.invoices.create_preview(asked).total == -500
    ended = account.api.subscriptions.cancel(
        subscription.id, {"prorate": True, "invoice_now": True}
    )
    assert ended.status == "canceled"
    assert account.api.customers.retrieve(account.customer).balance == -500
    error = refusal(lambda: account.api.subscriptions.cancel(subscription.id))
    assert error.http_status == 400


def test_a_paused_collection_makes_invoices_that_nobody_pays(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    ends = subscription["items"].data[0].current_period_end
    pause = {"pause_collection": {"behavior": "void", "resumes_at": ends + DAY}}
    assert account.api.subscriptions.update(subscription.id, pause).status == "active"
    account.advance(ends + 2 * DAY)
    assert account.invoices()[1] == ("subscription_cycle", 999, "void")
    assert account.get(subscription).pause_collection is None


@pytest.mark.parametrize(
    ("behavior", "status"), [("keep_as_draft", "draft"), ("mark_uncollectible", "uncollectible")]
)
def test_while_collection_is_paused_an_invoice_becomes(
    account: Account, behavior: str, status: str
) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    pause = {"pause_collection": {"behavior": behavior}}
    account.api.subscriptions.update(subscription.id, pause)
    account.advance(subscription["items"].data[0].current_period_end + DAY)
    assert account.invoices()[1] == ("subscription_cycle", 999, status)
    resumed = account.api.subscriptions.update(subscription.id, {"pause_collection": ""})
    assert (resumed.pause_collection, resumed.status) == (None, "active")


def test_a_subscription_ends_at_the_time_that_was_set(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999), cancel_at=START + 50 * DAY)
    account.advance(START + 50 * DAY - 1)
    assert account.get(subscription).status == "active"
    account.advance(START + 50 * DAY)
    ended = account.get(subscription)
    assert (ended.status, ended.ended_at) == ("canceled", START + 50 * DAY)
    assert [total for _, total, _ in account.invoices()] == [999, 999]


def test_an_ended_subscription_changes_no_more_but_in_its_metadata(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    account.api.subscriptions.cancel(subscription.id, {"cancellation_details": {"comment": "Bye"}})
    changed = account.api.subscriptions.update(subscription.id, {"metadata": {"a": "b"}})
    assert changed.cancellation_details.comment == "Bye"
    again = {"cancel_at_period_end": False}
    assert (
        refusal(lambda: account.api.subscriptions.update(subscription.id, again)).http_status == 400
    )


def test_a_deleted_customer_pays_no_more(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999))
    account.api.customers.delete(account.customer)
    assert account.api.customers.retrieve(account.customer).deleted
    assert account.get(subscription).status == "canceled"


# Discounts


def test_a_promotion_code_takes_off_once_and_is_then_used_up(account: Account) -> None:
    account.card()
    api = account.api
    coupon = api.coupons.create({"percent_off": 25, "duration": "once"}).id
    code = api.promotion_codes.create(
        {
            "promotion": {"type": "coupon", "coupon": coupon},
            "code": "SPRING",
            "max_redemptions": 1,
        }
    )
    subscription = account.subscribe(account.price(999), discounts=[{"promotion_code": code.id}])
    assert account.invoices() == [("subscription_create", 749, "paid")]
    assert api.promotion_codes.list({"code": "spring"}).data[0].active is False
    account.advance(subscription["items"].data[0].current_period_end + HOUR)
    assert account.invoices()[1] == ("subscription_cycle", 999, "paid")
    again = refusal(
        lambda: account.subscribe(account.price(999), discounts=[{"promotion_code": code.id}])
    )
    assert again.http_status == 400


def test_a_repeating_amount_off_ends_after_its_months(account: Account) -> None:
    account.card()
    coupon = account.api.coupons.create(
        {"amount_off": 300, "currency": "eur", "duration": "repeating", "duration_in_months": 2}
    )
    account.subscribe(account.price(999), discounts=[{"coupon": coupon.id}])
    account.advance(START + 100 * DAY)
    assert [total for _, total, _ in account.invoices()] == [699, 699, 999, 999]


def test_a_lasting_discount_is_in_the_prorations_too(account: Account) -> None:
    account.card()
    coupon = account.api.coupons.create({"percent_off": 50, "duration": "forever"}).id
    subscription = account.subscribe(account.price(1000), discounts=[{"coupon": coupon}])
    ends = subscription["items"].data[0].current_period_end
    account.advance((START + ends) // 2)
    account.change(subscription, account.price(2000), proration_behavior="always_invoice")
    invoice = account.get(subscription, "latest_invoice").latest_invoice
    assert [row.amount for row in invoice.lines] == [-250, 500]
    account.advance(ends + HOUR)
    assert account.invoices()[2] == ("subscription_cycle", 1000, "paid")


def test_a_code_for_first_transactions_is_not_for_who_has_paid(account: Account) -> None:
    coupon = account.api.coupons.create({"percent_off": 50, "duration": "once"}).id
    code = account.api.promotion_codes.create(
        {
            "promotion": {"type": "coupon", "coupon": coupon},
            "restrictions": {"first_time_transaction": True},
        }
    ).id
    account.card()
    price, discounts = account.price(1000), [{"promotion_code": code}]
    account.subscribe(price, discounts=discounts)
    again = refusal(lambda: account.subscribe(price, discounts=discounts))
    assert again.http_status == 400
    assert account.api.coupons.retrieve(coupon).times_redeemed == 1


# Refunds and disputes


def test_refunds_never_come_to_more_than_was_paid(account: Account) -> None:
    account.card()
    account.subscribe(account.price(999))
    charge = account.api.charges.list({"customer": account.customer}).data[0]
    account.api.refunds.create({"charge": charge.id, "amount": 400})
    much = refusal(lambda: account.api.refunds.create({"charge": charge.id, "amount": 600}))
    rest = account.api.refunds.create({"payment_intent": charge.payment_intent})
    none = refusal(lambda: account.api.refunds.create({"charge": charge.id}))
    assert (much.http_status, none.code) == (400, "charge_already_refunded")
    assert rest.amount == 599
    assert account.api.charges.retrieve(charge.id).refunded
    assert account.stand_in.books()[account.customer]["eur"].refunded == 999


def test_a_dispute_is_opened_and_decided(account: Account) -> None:
    account.card()
    account.subscribe(account.price(999))
    charge = account.api.charges.list({"customer": account.customer}).data[0].id
    dispute = local(account.stand_in, "disputes", charge=charge)["id"]
    assert account.api.charges.retrieve(charge).disputed
    blocked = refusal(lambda: account.api.refunds.create({"charge": charge}))
    assert blocked.code == "charge_disputed"
    local(account.stand_in, f"disputes/{dispute}/close", outcome="lost")
    assert account.api.disputes.retrieve(dispute).status == "lost"
    assert account.stand_in.books()[account.customer]["eur"].disputed == 999
    assert account.told("charge.dispute.created", "charge.dispute.closed") == [
        "charge.dispute.created",
        "charge.dispute.closed",
    ]


# Time without a test clock


def test_without_a_test_clock_the_clock_of_the_stand_in_plays_what_is_due(
    stand_in: StripeStandIn, clock: SetClock
) -> None:
    api = client_of(stand_in)
    product = api.products.create({"name": "Plus"}).id
    price = api.prices.create(
        {
            "product": product,
            "currency": "jpy",
            "unit_amount": 500,
            "recurring": {"interval": "month"},
        }
    ).id
    customer = api.customers.create({"payment_method": "pm_card_visa"}).id
    method = api.customers.payment_methods.list(customer).data[0].id
    asked = {"customer": customer, "items": [{"price": price}], "default_payment_method": method}
    subscription = api.subscriptions.create(asked)
    clock.at += 31 * DAY * SECOND
    now = api.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert now.latest_invoice.billing_reason == "subscription_cycle"
    assert now.latest_invoice.status == "paid"
    local(stand_in, "clock", now=START + 62 * DAY)
    assert stand_in.books()[customer]["jpy"].charged == 1500
    created = [event["created"] for event in stand_in.events]
    assert created == sorted(created)
