"""The stand-in of Stripe: keys, errors, lists, events, pages, and the shape of every object."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe

from chalicelib.kernel.clock import SECOND
from local.stripe_stand_in import WEBHOOK_SECRET, After, Before, Delay, StripeStandIn
from local.stripe_stand_in.pages import money
from local.stripe_stand_in.periods import DAY
from local.stripe_stand_in.shapes import FIXTURES
from tests.fakes.shop import ROOT, SetClock
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


# Calls


def test_a_key_gives_the_same_answer_for_a_day_and_refuses_another_request(
    stand_in: StripeStandIn, clock: SetClock
) -> None:
    api = client_of(stand_in)
    options = {"idempotency_key": "regulars:1"}
    first = api.customers.create({"email": "a@shop.test"}, options)
    again = api.customers.create({"email": "a@shop.test"}, options)
    assert again.id == first.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    other = refusal(lambda: api.customers.create({"email": "b@shop.test"}, options))
    assert isinstance(other, stripe.IdempotencyError)
    clock.at += DAY * SECOND
    assert api.customers.create({"email": "b@shop.test"}, options).id != first.id
    assert len(api.customers.list().data) == 2


def test_a_declined_card_is_declined_again_by_the_same_key(account: Account) -> None:
    asked = {"customer": account.customer}
    options = {"idempotency_key": "attach"}
    token = "pm_card_chargeDeclined"
    for _ in range(2):
        error = refusal(lambda: account.api.payment_methods.attach(token, asked, options))
        assert isinstance(error, stripe.CardError)
    mended = account.api.payment_methods.attach("pm_card_visa", asked, {"idempotency_key": "2"})
    assert mended.customer == account.customer


def test_two_requests_with_one_key_at_once_conflict(stand_in: StripeStandIn) -> None:
    api = client_of(stand_in)
    options = {"idempotency_key": "once"}
    stand_in.fail_next("POST", "/v1/customers", Delay(0.5))
    slow = threading.Thread(target=lambda: api.customers.create({}, options))
    slow.start()
    time.sleep(0.2)
    error = refusal(lambda: client_of(stand_in).customers.create({}, options))
    slow.join()
    assert error.http_status == 409
    assert len(api.customers.list().data) == 1


def test_a_lost_answer_was_done_and_a_refusal_before_was_not(stand_in: StripeStandIn) -> None:
    api = client_of(stand_in)
    options = {"idempotency_key": "lost"}
    stand_in.fail_next("POST", "/v1/customers", Before(503))
    stand_in.fail_next("POST", "/v1/customers", After(500))
    assert refusal(lambda: api.customers.create({}, options)).http_status == 503
    assert api.customers.list().data == []
    assert refusal(lambda: api.customers.create({}, options)).http_status == 500
    done = api.customers.list().data
    assert [one.id for one in done] == [api.customers.create({}, options).id]


def test_errors_have_the_shapes_of_stripe(account: Account) -> None:
    wrong = client_of(account.stand_in, "sk_test_of_nobody")
    missing = refusal(lambda: account.api.customers.retrieve("cus_none"))
    unknown = refusal(lambda: account.api.customers.create({"nickname": "x"}))
    needed = refusal(lambda: account.api.products.create({}))
    forbidden = refusal(wrong.customers.list)
    codes = [(one.http_status, one.code) for one in (missing, unknown, needed)]
    assert codes == [
        (404, "resource_missing"),
        (400, "parameter_unknown"),
        (400, "parameter_missing"),
    ]
    assert isinstance(forbidden, stripe.AuthenticationError)


def test_lists_come_in_pages_newest_first_and_by_time(
    stand_in: StripeStandIn, clock: SetClock
) -> None:
    api = client_of(stand_in)
    made = []
    for _ in range(5):
        made.append(api.products.create({"name": "one"}).id)
        clock.at += SECOND
    page = api.products.list({"limit": 2})
    assert ([one.id for one in page.data], page.has_more) == ([made[4], made[3]], True)
    assert [one.id for one in page.auto_paging_iter()] == made[::-1]
    late = api.products.list({"created": {"gte": START + 3, "lt": START + 4}})
    assert [one.id for one in late.data] == [made[3]]
    before = api.products.list({"limit": 2, "ending_before": made[1]})
    assert [one.id for one in before.data] == [made[3], made[2]]


def test_what_is_expanded_stands_in_the_place_of_its_id(account: Account) -> None:
    account.card()
    account.subscribe(account.price(999))
    asked = {"customer": account.customer, "expand": ["data.latest_invoice.payments"]}
    rows = account.api.subscriptions.list(asked).data
    assert rows[0].latest_invoice.payments.data[0].status == "paid"
    assert "payments" not in account.api.invoices.retrieve(rows[0].latest_invoice.id)
    asked = {"expand": ["nothing"]}
    error = refusal(lambda: account.api.customers.retrieve(account.customer, asked))
    assert error.http_status == 400


def test_customers_and_subscriptions_are_found_by_metadata(account: Account) -> None:
    account.card()
    subscription = account.subscribe(account.price(999), metadata={"member": "mem_1"})
    account.subscribe(account.price(999), metadata={"member": "mem_2"})
    query = "metadata['member']:'mem_1' AND status:'active'"
    found = account.api.subscriptions.search({"query": query}).data
    assert [one.id for one in found] == [subscription.id]
    assert account.api.customers.search({"query": "email:'nobody@shop.test'"}).data == []
    assert refusal(lambda: account.api.customers.search({"query": "x"})).http_status == 400


def test_events_are_listed_by_type_and_say_what_was_before(account: Account) -> None:
    account.api.customers.update(account.customer, {"email": "new@shop.test"})
    event = account.api.events.list({"type": "customer.updated"}).data[0]
    assert event.data.previous_attributes.to_dict() == {"email": None}
    assert account.api.events.retrieve(event.id).data.object.email == "new@shop.test"
    assert account.api.events.list({"types": ["customer.*"]}).data[0].id == event.id


def test_a_restart_goes_on_where_it_ended(tmp_path: Path, clock: SetClock) -> None:
    options = {"idempotency_key": "kept"}
    with StripeStandIn(tmp_path / "stripe", clock=clock) as stand_in:
        account = Account(stand_in)
        account.card()
        subscription = account.subscribe(account.price(999))
        product = account.api.products.create({"name": "One"}, options).id
        events = stand_in.events
    with StripeStandIn(tmp_path / "stripe", clock=clock) as stand_in:
        api = client_of(stand_in)
        assert stand_in.events == events
        assert api.products.create({"name": "One"}, options).id == product
        ends = subscription["items"].data[0].current_period_end
        api.test_helpers.test_clocks.advance(account.clock, {"frozen_time": ends + HOUR})
        assert stand_in.books()[account.customer]["eur"].charged == 2 * 999


# Webhooks


class Receiver:
    """A shop's webhook endpoint: keeps what it got, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.statuses: list[int] = []  # of the next answers; then 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((body, self.headers["stripe-signature"]))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/stripe"
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_events_are_posted_in_their_order_with_a_signature_that_the_library_accepts(
    receiver: Receiver,
) -> None:
    with StripeStandIn(webhook_url=receiver.url, enabled_events=["product.*"]) as stand_in:
        api = client_of(stand_in)
        product = api.products.create({"name": "Plus"})
        api.products.update(product.id, {"name": "More"})
        api.customers.create({})
        stand_in.webhooks.wait()
    assert receiver.types() == ["product.created", "product.updated"]
    body, header = receiver.got[1]
    event = stripe.Webhook.construct_event(body, header, WEBHOOK_SECRET)
    assert event.data.object.name == "More"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", header, WEBHOOK_SECRET)


def test_a_signature_has_the_time_on_the_wall_whatever_clock_was_moved(
    receiver: Receiver, clock: SetClock
) -> None:
    with StripeStandIn(clock=clock, webhook_url=receiver.url) as stand_in:
        local(stand_in, "clock", now=START + 40 * DAY)
        client_of(stand_in).products.create({"name": "Plus"})
        stand_in.webhooks.wait()
    body, header = receiver.got[0]
    assert header.startswith(f"t={START},v1=")
    assert json.loads(body)["created"] == START + 40 * DAY


def test_an_event_that_nobody_was_sent_can_be_had_signed() -> None:
    with StripeStandIn() as stand_in:
        client_of(stand_in).products.create({"name": "Plus"})
        body, header = stand_in.signed(stand_in.events[0])
        assert stand_in.webhooks.posted == []
    assert stripe.Webhook.construct_event(body, header, WEBHOOK_SECRET).type == "product.created"


def test_an_event_is_sent_again_until_it_is_taken(receiver: Receiver) -> None:
    receiver.statuses = [500, 503]
    with StripeStandIn(webhook_url=receiver.url) as stand_in:
        client_of(stand_in).products.create({"name": "Plus"})
        stand_in.webhooks.wait()
        assert [one.status for one in stand_in.webhooks.posted] == [500, 503, 200]
    assert receiver.types() == ["product.created"] * 3


def test_held_events_go_out_in_any_order_doubled_or_not_at_all(receiver: Receiver) -> None:
    with StripeStandIn(webhook_url=receiver.url) as stand_in:
        api = client_of(stand_in)
        stand_in.webhooks.hold()
        product = api.products.create({"name": "Plus"}).id
        api.products.update(product, {"name": "More"})
        api.products.delete(product)
        assert receiver.got == []
        stand_in.webhooks.release([2, 0, 0])
        stand_in.webhooks.wait()
    assert receiver.types() == ["product.deleted", "product.created", "product.created"]


def test_a_new_start_sends_to_its_own_endpoint_only(tmp_path: Path, receiver: Receiver) -> None:
    with StripeStandIn(tmp_path, webhook_url="http://127.0.0.1:9/gone"):
        pass
    with StripeStandIn(tmp_path, webhook_url=receiver.url) as stand_in:
        client_of(stand_in).products.create({"name": "Plus"})
        stand_in.webhooks.wait()
        assert [one.url for one in stand_in.webhooks.posted] == [receiver.url]


def test_an_endpoint_made_by_the_api_has_a_secret_of_its_own(receiver: Receiver) -> None:
    with StripeStandIn() as stand_in:
        api = client_of(stand_in)
        asked = {"url": receiver.url, "enabled_events": ["*"]}
        endpoint = api.webhook_endpoints.create(asked)
        api.products.create({"name": "Plus"})
        stand_in.webhooks.wait()
        assert "secret" not in api.webhook_endpoints.retrieve(endpoint.id)
    body, header = receiver.got[0]
    assert stripe.Webhook.construct_event(body, header, endpoint.secret).type == "product.created"


# Pages


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Keeps the answer that says where to go."""

    def redirect_request(self, *_: Any) -> None:
        """Goes nowhere."""


BROWSER = urllib.request.build_opener(NoRedirect)


def visit(url: str, **form: str) -> tuple[int, str]:
    """The status, and the page or where it leads. With a form, it is sent."""
    body = urllib.parse.urlencode(form).encode() if form else None
    try:
        with BROWSER.open(url, body) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["location"] or error.read().decode()


def checkout(account: Account, **more: Any) -> Any:
    asked = {
        "mode": "subscription",
        "line_items": [{"price": account.price(999), "quantity": 1}],
        "success_url": "https://shop.test/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.test/back",
        "client_reference_id": "mem_1",
        "subscription_data": {"metadata": {"member": "mem_1"}},
        "customer": account.customer,
    }
    return account.api.checkout.sessions.create({**asked, **more})


def test_a_person_pays_on_the_page_and_is_sent_back(account: Account) -> None:
    session = checkout(account)
    status, page = visit(session.url)
    assert (status, "9.99 EUR" in page, "<script" in page) == (200, True, False)
    status, place = visit(session.url, action="pay", card="4242 4242 4242 4242")
    assert (status, place) == (303, f"https://shop.test/done?session={session.id}")
    done = account.api.checkout.sessions.retrieve(
        session.id, {"expand": ["subscription", "line_items"]}
    )
    assert (done.status, done.payment_status, done.amount_total) == ("complete", "paid", 999)
    assert done.subscription.metadata.to_dict() == {"member": "mem_1"}
    assert done.subscription.status == "active"
    assert done.subscription.default_payment_method is not None
    assert done.line_items.data[0].quantity == 1
    assert account.told("checkout.session.completed") == ["checkout.session.completed"]
    assert visit(session.url or f"{account.stand_in.url}/pay/{session.id}")[0] == 410


@pytest.mark.parametrize("card", ["4000000000000002", "4000000000000341", "1234"])
def test_a_card_that_does_not_pay_leaves_the_page_open(account: Account, card: str) -> None:
    session = checkout(account)
    status, page = visit(session.url, action="pay", card=card)
    assert (status, 'role="alert"' in page) == (200, True)
    assert account.api.checkout.sessions.retrieve(session.id).status == "open"
    assert account.api.subscriptions.list({"status": "all"}).data == []
    assert account.stand_in.books() == {}


def test_a_bank_asks_and_the_person_refuses_then_approves(account: Account) -> None:
    session = checkout(account)
    card = "4000 0025 0000 3155"
    assert "approve" in visit(session.url, action="pay", card=card)[1]
    assert "refused" in visit(session.url, action="refuse", card=card)[1]
    assert visit(session.url, action="approve", card=card)[0] == 303
    done = account.api.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    ends = done.subscription["items"].data[0].current_period_end
    account.advance(ends + HOUR)
    assert account.get(done.subscription).status == "active"


def test_a_new_customer_starts_a_trial_with_a_code(account: Account) -> None:
    coupon = account.api.coupons.create({"percent_off": 50, "duration": "once"}).id
    promotion = {"type": "coupon", "coupon": coupon}
    account.api.promotion_codes.create({"promotion": promotion, "code": "HALF"})
    session = account.api.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": account.price(999), "quantity": 1}],
            "success_url": "https://shop.test/done",
            "subscription_data": {"trial_period_days": 30},
            "allow_promotion_codes": True,
        }
    )
    assert session.amount_total == 0
    assert "invalid" in visit(session.url, action="pay", card="4242424242424242", code="NO")[1]
    form = {"card": "4242424242424242", "code": "half", "email": "ada@shop.test"}
    assert visit(session.url, action="pay", **form)[0] == 303
    done = account.api.checkout.sessions.retrieve(session.id, {"expand": ["customer"]})
    assert (done.payment_status, done.customer.email) == ("no_payment_required", "ada@shop.test")
    subscription = account.api.subscriptions.retrieve(done.subscription)
    assert (subscription.status, len(subscription.discounts)) == ("trialing", 1)


def test_a_session_expires_after_a_day_or_when_it_is_told_to(account: Account) -> None:
    late, taken_back = checkout(account), checkout(account)
    account.api.checkout.sessions.expire(taken_back.id)
    assert visit(taken_back.url)[0] == 410
    account.advance(START + DAY)
    assert account.api.checkout.sessions.retrieve(late.id).status == "expired"
    assert account.told("checkout.session.expired") == ["checkout.session.expired"] * 2


def test_the_portal_ends_resumes_and_changes_the_card(account: Account) -> None:
    account.card("pm_card_visa")
    subscription = account.subscribe(account.price(999))
    asked = {"customer": account.customer, "return_url": "https://shop.test/account"}
    portal = account.api.billing_portal.sessions.create(asked).url
    assert "https://shop.test/account" in visit(portal)[1]
    assert visit(portal, action="cancel", subscription=subscription.id)[0] == 303
    assert account.get(subscription).cancel_at_period_end
    visit(portal, action="resume", subscription=subscription.id)
    assert account.get(subscription).cancel_at is None
    visit(portal, action="card", card="5555 5555 5555 4444")
    expanded = account.get(subscription, "default_payment_method")
    assert expanded.default_payment_method.card.last4 == "4444"


def test_an_open_invoice_is_paid_on_its_page_and_has_a_receipt(account: Account) -> None:
    subscription = account.subscribe(
        account.price(999), payment_behavior="default_incomplete", expand=["latest_invoice"]
    )
    page = subscription.latest_invoice.hosted_invoice_url
    assert "declined" in visit(page, action="pay", card="4000000000000341")[1]
    assert "Receipt" in visit(page, action="pay", card="4242424242424242")[1]
    assert account.get(subscription).status == "active"
    charges = account.api.charges.list({"customer": account.customer}).data
    assert "Paid 9.99 EUR" in visit(charges[0].receipt_url)[1]
    assert [one.status for one in charges] == ["succeeded", "failed"]


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (5, "eur", "0.05 EUR"),
        (-1299, "usd", "-12.99 USD"),
        (500, "jpy", "500 JPY"),
        (1230, "kwd", "1.230 KWD"),
    ],
)
def test_money_is_shown_with_the_decimals_of_its_currency(
    amount: int, currency: str, text: str
) -> None:
    assert money(amount, currency) == text


def test_the_page_of_the_bank_approves_a_payment(account: Account) -> None:
    account.card("pm_card_authenticationRequired")
    subscription = account.subscribe(account.price(999), expand=["latest_invoice.payments"])
    intent = subscription.latest_invoice.payments.data[0].payment.payment_intent
    action = account.api.payment_intents.retrieve(intent).next_action
    assert "approve" in visit(action.redirect_to_url.url)[1]
    visit(action.redirect_to_url.url, action="approve")
    assert account.get(subscription).status == "active"


def test_it_runs_as_a_program_and_keeps_its_state(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.stripe_stand_in", "--port", "0", "--folder", tmp_path]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = re.search(r"http://\S+", process.stdout.readline())
        assert url is not None
        assert visit(url[0] + "/nowhere")[0] == 404
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.close()
        assert process.wait(10) == 0
    assert (tmp_path / "state.json").exists()


# Shapes


def lacks(ours: Any, published: Any, path: str = "") -> list[str]:
    """The keys of a published fixture that an object of ours has not, also inside."""
    if not isinstance(ours, dict) or not isinstance(published, dict):
        return []
    if ours.get("object") != published.get("object"):
        return []  # an event of another object
    missing = [f"{path}{name}" for name in published if name not in ours]
    for name in set(ours) & set(published) - {"metadata", "evidence", "payment_method_options"}:
        missing += lacks(ours[name], published[name], f"{path}{name}.")
    return missing


def test_every_object_has_all_keys_of_its_published_fixture(account: Account) -> None:
    play_everything(account)
    sessions = account.api.checkout.sessions
    items = [sessions.line_items.list(one.id).to_dict() for one in sessions.list().data]
    seen = list(inside([list(account.stand_in.world.objects.values()), items]))
    missing = {
        f"{one['object']}: {lacks(one, published(one))}"
        for one in seen
        if lacks(one, published(one))
    }
    assert missing == set()
    assert {one["object"] for one in seen} >= {
        "product", "price", "customer", "payment_method", "setup_intent", "checkout.session",
        "subscription", "subscription_item", "plan", "invoice", "line_item", "payment_intent",
        "charge", "refund", "coupon", "promotion_code", "discount", "billing_portal.session",
        "test_helpers.test_clock", "dispute", "event", "invoice_payment", "invoiceitem",
        "webhook_endpoint", "customer_balance_transaction", "item",
    }  # fmt: skip


def published(thing: Any) -> Any:
    """The fixture of its type; an upcoming invoice has no id ("invoice.upcoming")."""
    fixture = dict(FIXTURES[thing["object"]])
    if thing["object"] == "invoice" and thing["billing_reason"] == "upcoming":
        del fixture["id"]
    return fixture


def inside(thing: Any) -> Iterator[Any]:
    """All objects in something, at any depth; lists have no fixture."""
    if (
        isinstance(thing, dict)
        and isinstance(thing.get("object"), str)
        and thing["object"] != "list"
    ):
        yield thing
    if isinstance(thing, dict | list):
        for value in thing.values() if isinstance(thing, dict) else thing:
            yield from inside(value)


def play_everything(account: Account) -> None:
    """A history in which every kind of object is made."""
    api = account.api
    api.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["none.at_all"]})
    local(account.stand_in, "clock", now=START + 60)
    coupon = api.coupons.create({"percent_off": 10, "duration": "forever"}).id
    promotion = {"type": "coupon", "coupon": coupon}
    code = api.promotion_codes.create({"promotion": promotion, "code": "TEN"}).id
    api.billing_portal.sessions.create({"customer": account.customer})
    account.card()
    session = checkout(account, discounts=[{"promotion_code": code}])
    visit(session.url, action="pay", card="4242424242424242")
    account.subscribe(account.price(500), trial_period_days=7)
    subscription = account.api.subscriptions.retrieve(
        api.checkout.sessions.retrieve(session.id).subscription
    )
    account.advance(START + 15 * DAY)
    account.change(subscription, account.price(100), proration_behavior="always_invoice")
    account.advance(START + 40 * DAY)
    account.card("pm_card_chargeCustomerFail")
    account.advance(START + 90 * DAY)
    charge = api.charges.list({"customer": account.customer}).data[-1].id
    api.refunds.create({"charge": charge, "amount": 1})
    local(account.stand_in, "disputes", charge=charge)
    api.setup_intents.create({"customer": account.customer})
