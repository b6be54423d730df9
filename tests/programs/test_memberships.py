"""Paid memberships at their edges: pauses, changes, disputes, refunds, keys, lost messages.

Played over the API against the stand-in of Stripe, with the test clock.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import yaml

from chalicelib.kernel.clock import SECOND, from_rfc3339
from local.stripe_stand_in import PUBLISHABLE_KEY, StripeStandIn
from tests.fakes.payments import DECLINED, FAILS_LATER, VISA, PlanShop, visit
from tests.fakes.rules import account
from tests.fakes.stripe_account import client_of, local

START = "2027-01-04T10:00:00Z"
CLUB: dict[str, Any] = yaml.safe_load("""
name: Club
time_zone: UTC
money: EUR
currencies:
  points: {label: Points}
plans:
  basic:
    name: Basic
    benefits: [free_shipping]
    promotion_codes: true
    refunds: {unused_in_full: true, less_benefits: {days: 7}}
    grace: {days: 3}
    prices:
      - {id: monthly, every: month, amount: 1000}
      - {id: yearly, every: year, amount: 10000}
      - {id: dollars, every: month, amount: 1100, money: USD}
      - {id: cheap, every: month, amount: 1000, intro: {amount: 100, periods: 2}}
  gold:
    name: Gold
    benefits: [free_shipping, lounge]
    trial_days: 10
    welcome: {currency: points, amount: 500}
    disputed: keep
    prices:
      - {id: monthly, every: month, amount: 3000}
earn:
  - {id: purchases, kind: per_amount, currency: points, per: 100}
""")


def publish(shop: PlanShop, document: dict[str, Any]) -> Any:
    text = yaml.safe_dump(document, sort_keys=False)
    return shop.call("POST", "/v1/programs", text, headers={"content-type": "application/yaml"})


@pytest.fixture
def shop() -> Iterator[PlanShop]:
    with StripeStandIn() as stand_in:
        shop = PlanShop(stand_in)
        shop.set_clock(START)
        assert publish(shop, CLUB).status == 201
        yield shop


def pays(shop: PlanShop, member: str, price: str = "monthly", plan: str = "basic") -> None:
    shop.pays(member, price, plan=plan)


def state(shop: PlanShop, member: str) -> tuple[str, list[str]]:
    found = shop.entitled(member)
    return found["state"], found["benefits"]


def unheard(shop: PlanShop, moment: str) -> None:
    """It is that moment here and at Stripe, and no message has come and no job has run."""
    at = from_rfc3339(moment)
    for clock in shop.stand_in.world.all("test_helpers.test_clock"):
        advance = client_of(shop.stand_in).test_helpers.test_clocks.advance
        advance(clock["id"], {"frozen_time": at // SECOND})
    programs = shop.runtime.context.store.programs
    was = programs.head(shop.program_id)
    assert was is not None
    assert programs.replace_head(replace(was, test_now=at, revision=was.revision + 1), was)


def subscription_of(shop: PlanShop, member: str) -> dict[str, Any]:
    """The newest of a member's, as it lies in the stand-in."""
    [*_, newest] = shop.stand_in.world.all("subscription", customer=customer(shop, member))
    return newest


def customer(shop: PlanShop, member: str) -> str:
    billing = shop.runtime.context.store.billings.of(shop.program_id, member)
    assert billing is not None
    return billing.customer_id


def charge_of(shop: PlanShop, member: str) -> str:
    [*_, newest] = shop.stand_in.world.all("charge", customer=customer(shop, member))
    return str(newest["id"])


def reconcile(shop: PlanShop) -> list[dict[str, Any]]:
    """All of it, part by part: what was not as it was known."""
    found, cursor = [], None
    while True:
        reply = shop.call("POST", "/v1/memberships/reconcile", {"cursor": cursor} if cursor else {})
        assert reply.status == 200, reply.raw
        found += reply.json["found"]
        cursor = reply.json["next_cursor"]
        if cursor is None:
            return found


def test_a_pause_over_a_renewal_gives_no_period_for_nothing(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    shop.set_clock("2027-02-03T10:00:00Z")
    assert shop.membership(ada, "pause").json["state"] == "paused"
    shop.set_clock("2027-02-05T10:00:00Z")  # its renewal was on the fourth, and is void
    assert state(shop, ada) == ("lapsed", [])
    resumed = shop.membership(ada, "resume")
    assert resumed.status == 200, resumed.raw
    assert (resumed.json["state"], resumed.json["benefits"]) == ("active", ["free_shipping"])
    assert resumed.json["renews_at"] == "2027-03-05T10:00:00Z"
    assert shop.charged(ada) == (2000, 0)
    shop.hear()
    assert shop.charged(ada) == (2000, 0)


def test_a_pause_that_ends_by_itself_gives_nothing_until_the_next_charge(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    pause = {"resumes_at": "2027-02-05T10:00:00Z"}
    assert shop.membership(ada, "pause", pause).json["benefits"] == ["free_shipping"]
    shop.set_clock("2027-02-06T10:00:00Z")
    assert state(shop, ada) == ("lapsed", [])
    assert shop.charged(ada) == (1000, 0)
    shop.set_clock("2027-03-04T12:00:00Z")
    assert state(shop, ada) == ("active", ["free_shipping"])
    assert shop.charged(ada) == (2000, 0)


def test_a_card_that_fails_resumes_nothing(shop: PlanShop) -> None:
    ada = shop.enrol()
    shop.pays(ada, "monthly", plan="gold", card=FAILS_LATER)  # a trial: nothing is charged yet
    assert shop.membership(ada, "pause").status == 200
    shop.set_clock("2027-01-20T10:00:00Z")
    reply = shop.membership(ada, "resume")
    assert (reply.status, reply.code) == (402, "payment_failed")
    assert state(shop, ada) == ("lapsed", [])
    assert subscription_of(shop, ada)["pause_collection"] is not None


def test_what_is_not_paid_for_cannot_be_changed(shop: PlanShop) -> None:
    """Else unused time that nobody paid would be given back, or a change of a pause be free."""
    ada = shop.enrol()
    pays(shop, ada)
    shop.membership(ada, "pause")
    wish = {"plan": "basic", "price": "yearly"}
    assert shop.membership(ada, "preview", wish).code == "not_paid"
    at = shop.entitled(ada)["at"]
    assert shop.membership(ada, "change", {**wish, "previewed_at": at}).code == "not_paid"
    shop.membership(ada, "resume")
    assert shop.membership(ada, "preview", wish).json["due_now"] == 9000


def test_a_change_costs_what_was_previewed(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    shop.set_clock("2027-01-20T10:00:00Z")
    wish = {"plan": "gold", "price": "monthly"}
    preview = shop.membership(ada, "preview", wish).json
    shop.set_clock("2027-01-20T10:30:00Z")
    change = {**wish, "previewed_at": preview["previewed_at"]}
    changed = shop.membership(ada, "change", change, key="k")
    assert changed.json["benefits"] == ["free_shipping", "lounge"], changed.raw
    assert shop.charged(ada) == (1000 + preview["due_now"], 0)
    again = shop.membership(ada, "change", change, key="k")
    assert (again.status, again.json["plan"]) == (200, "gold")
    assert shop.charged(ada) == (1000 + preview["due_now"], 0)
    assert sum(one["amount"] for one in preview["lines"]) == preview["due_now"]
    assert shop.changes(ada)[-1] == "membership.changed"


def test_a_preview_of_the_period_before_is_none_of_this_one(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    shop.set_clock("2027-02-04T09:50:00Z")
    wish = {"plan": "basic", "price": "yearly"}
    preview = shop.membership(ada, "preview", wish).json
    shop.stand_in.world.settings = type(shop.stand_in.world.settings)(draft_seconds=60)
    shop.set_clock("2027-02-04T10:10:00Z")
    reply = shop.membership(ada, "change", {**wish, "previewed_at": preview["previewed_at"]})
    assert (reply.status, reply.code) == (409, "preview_expired")
    assert shop.charged(ada) == (2000, 0)


def test_a_membership_stays_in_the_money_it_is_paid_in(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    reply = shop.membership(ada, "preview", {"plan": "basic", "price": "dollars"})
    assert (reply.status, reply.code) == (409, "not_eligible")


@pytest.mark.parametrize("what", ["cancel", "pause", "resume", "preview"])
def test_what_ended_at_stripe_is_told_so_whatever_is_asked(shop: PlanShop, what: str) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    client_of(shop.stand_in).subscriptions.cancel(subscription_of(shop, ada)["id"])
    body = {"plan": "basic", "price": "yearly"} if what == "preview" else None
    reply = shop.membership(ada, what, body)
    assert (reply.status, reply.code) == (404, "no_membership")
    if what != "preview":
        assert state(shop, ada) == ("ended", [])


def test_an_idempotency_key_is_the_members_own_and_means_one_thing(shop: PlanShop) -> None:
    ada, bob = shop.enrol(), shop.enrol()
    for member in (ada, bob):
        wish = {"plan": "basic", "price": "monthly"}
        reply = shop.membership(member, "checkout", wish, key="same")
        assert reply.status == 201, reply.raw
        visit(reply.json["url"], action="pay", card=VISA)
    shop.hear()
    for member in (ada, bob):
        assert shop.membership(member, "cancel", key="same").status == 200
    first = {"resumes_at": "2027-01-20T10:00:00Z"}
    assert shop.membership(ada, "pause", first, key="k").status == 200
    client_of(shop.stand_in).subscriptions.update(
        subscription_of(shop, ada)["id"], {"pause_collection": ""}
    )
    other = {"resumes_at": "2027-01-21T10:00:00Z"}
    reply = shop.membership(ada, "pause", other, key="k")
    assert (reply.status, reply.code) == (422, "different_request")


def test_a_long_key_keeps_what_is_asked_apart(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    long = "%" * 128  # three characters each, once escaped
    assert shop.membership(ada, "cancel", key=long).json["membership"]["ends_at"]
    assert shop.membership(ada, "pause", key=long).json["state"] == "paused"
    resumed = shop.membership(ada, "resume", key=long)
    assert resumed.status == 200, resumed.raw
    assert (resumed.json["state"], resumed.json["ends_at"]) == ("active", None)


def test_a_welcome_is_given_when_the_plan_is_paid_and_not_before(shop: PlanShop) -> None:
    ada, bob = shop.enrol(), shop.enrol()
    shop.pays(ada, "monthly", plan="gold", card=FAILS_LATER)
    shop.pays(bob, "monthly", plan="gold")
    shop.set_clock("2027-01-14T10:30:00Z")  # the trial is over, its invoice still a draft
    for member in (ada, bob):
        assert account(shop, member)["balances"]["points"]["available"] == 0
    shop.set_clock("2027-01-14T12:00:00Z")
    assert account(shop, ada)["balances"]["points"]["available"] == 0
    assert account(shop, bob)["balances"]["points"]["available"] == 500


def test_the_trial_is_for_those_who_never_had_a_plan(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada, plan="gold")
    assert shop.charged(ada) == (0, 0)
    shop.membership(ada, "cancel", {"when": "now"})
    assert state(shop, ada) == ("ended", [])
    pays(shop, ada, plan="gold")
    assert state(shop, ada)[0] == "active"
    assert shop.charged(ada) == (3000, 0)


def test_who_bought_and_nobody_told_us_of_it_does_not_buy_again(shop: PlanShop) -> None:
    ada = shop.enrol()
    wish = {"plan": "basic", "price": "monthly"}
    reply = shop.membership(ada, "checkout", wish)
    assert visit(reply.json["url"], action="pay", card=VISA)[0] == 303
    assert shop.entitled(ada)["state"] is None  # the message is lost
    for what in ("checkout", "subscription"):
        assert shop.membership(ada, what, wish).code == "open_membership"
    assert state(shop, ada) == ("active", ["free_shipping"])
    assert shop.charged(ada) == (1000, 0)


def second_subscription(shop: PlanShop, member: str) -> str:
    """One more, as two payment pages at once would make it."""
    first = subscription_of(shop, member)
    asked = {
        "customer": first["customer"],
        "items": [{"price": first["items"]["data"][0]["price"]["id"]}],
        "metadata": first["metadata"],
        "default_payment_method": first["default_payment_method"],
    }
    return str(client_of(shop.stand_in).subscriptions.create(asked).id)


def test_a_second_subscription_is_ended_and_given_back_once(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    first = subscription_of(shop, ada)["id"]
    second = second_subscription(shop, ada)
    for _ in range(2):
        assert set(shop.hear()) == {200}
        reconcile(shop)
    assert shop.charged(ada) == (2000, 1000)
    assert shop.stand_in.world.get("subscription", second)["status"] == "canceled"
    assert shop.stand_in.world.get("subscription", first)["status"] == "active"
    assert state(shop, ada) == ("active", ["free_shipping"])


def test_a_new_subscription_counts_once_the_old_one_has_ended_unheard(shop: PlanShop) -> None:
    ada, eva = shop.enrol(), shop.enrol()
    for member in (ada, eva):
        pays(shop, member)
    api = client_of(shop.stand_in)
    api.subscriptions.cancel(subscription_of(shop, ada)["id"])
    shop.hear()
    assert shop.call("POST", f"/v1/members/{ada}/merge", {"member_id": eva}).status == 200
    assert state(shop, ada) == ("active", ["free_shipping"])  # hers is that of Eva
    api.subscriptions.cancel(subscription_of(shop, eva)["id"])
    second_subscription(shop, ada)
    reconcile(shop)
    assert state(shop, ada) == ("active", ["free_shipping"])
    assert shop.charged(ada) == (2000, 0)


def test_what_is_over_is_not_given_back_though_nobody_noted_its_end(shop: PlanShop) -> None:
    """A membership that was cancelled and has run out: unused, and paid for all the same."""
    ada = shop.enrol()
    pays(shop, ada)
    shop.membership(ada, "cancel")
    unheard(shop, "2027-02-06T10:00:00Z")
    reply = shop.membership(ada, "cancel", {"when": "now"})
    assert (reply.status, reply.code) == (404, "no_membership")
    assert shop.charged(ada) == (1000, 0)


def test_a_new_period_is_not_paid_back_by_the_charge_of_the_old_one(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    unheard(shop, "2027-02-04T10:10:00Z")  # the invoice of the new period is a draft
    ended = shop.membership(ada, "cancel", {"when": "now"})
    assert ended.json["refund"]["amount"] == 0
    assert shop.charged(ada) == (1000, 0)


def test_what_the_shop_gave_back_by_hand_is_not_given_back_again(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    asked = {"charge": charge_of(shop, ada), "amount": 400}
    client_of(shop.stand_in).refunds.create(asked)
    ended = shop.membership(ada, "cancel", {"when": "now"})
    assert ended.json["refund"]["amount"] == 600
    assert shop.charged(ada) == (1000, 1000)
    assert state(shop, ada) == ("ended", [])


def test_a_disputed_charge_is_not_given_back_beside(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    local(shop.stand_in, "disputes", charge=charge_of(shop, ada))
    ended = shop.membership(ada, "cancel", {"when": "now"})
    assert ended.status == 200, ended.raw
    assert ended.json["membership"]["state"] == "ended"
    assert shop.charged(ada) == (1000, 0)
    assert shop.runtime.context.store.billings.open_terminations(shop.program_id) == []


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_benefits_wait_while_a_charge_is_disputed(shop: PlanShop, outcome: str) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    dispute = local(shop.stand_in, "disputes", charge=charge_of(shop, ada))["id"]
    shop.hear()
    assert state(shop, ada) == ("suspended", [])
    shop.set_clock("2027-01-08T10:00:00Z")
    local(shop.stand_in, f"disputes/{dispute}/close", outcome=outcome)
    shop.hear()
    won = outcome == "won"
    assert state(shop, ada) == (("active", ["free_shipping"]) if won else ("suspended", []))
    assert shop.changes(ada) == [
        "membership.started",
        "membership.suspended",
        *(["membership.restored"] if won else []),
    ]
    shop.set_clock("2027-02-04T12:00:00Z")  # another period, which was paid
    assert state(shop, ada) == ("active", ["free_shipping"])


def test_a_plan_may_keep_its_benefits_while_a_charge_is_disputed(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada, plan="gold")
    shop.set_clock("2027-01-14T12:00:00Z")
    local(shop.stand_in, "disputes", charge=charge_of(shop, ada))
    shop.hear()
    assert state(shop, ada) == ("active", ["free_shipping", "lounge"])


def test_a_dispute_of_an_earlier_membership_is_none_of_a_new_one(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    dispute = local(shop.stand_in, "disputes", charge=charge_of(shop, ada))["id"]
    local(shop.stand_in, f"disputes/{dispute}/close", outcome="lost")
    shop.membership(ada, "cancel", {"when": "now"})
    shop.set_clock("2027-01-05T10:00:00Z")
    pays(shop, ada)
    assert state(shop, ada) == ("active", ["free_shipping"])


def test_a_subscription_on_a_price_of_somebody_else_is_told_to_a_person(
    shop: PlanShop, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = shop.enrol()
    pays(shop, ada)
    ours = subscription_of(shop, ada)
    api = client_of(shop.stand_in)
    price = ours["items"]["data"][0]["price"]
    cheaper = api.prices.create(
        {
            "product": price["product"],
            "currency": "eur",
            "unit_amount": 1,
            "recurring": {"interval": "month"},
            "metadata": price["metadata"],  # as if it were ours
        }
    )
    item = {"id": ours["items"]["data"][0]["id"], "price": cheaper.id}
    api.subscriptions.update(ours["id"], {"items": [item], "proration_behavior": "none"})
    assert set(shop.hear()) == {200}
    assert "MembershipUnknown" in capsys.readouterr().out
    assert shop.entitled(ada)["price"] == "monthly"  # as it was known last
    assert [one["outcome"] for one in reconcile(shop)] == ["unknown_plan"] * 1
    api.subscriptions.cancel(ours["id"])
    shop.hear()
    assert state(shop, ada) == ("ended", [])
    pays(shop, ada)
    assert state(shop, ada) == ("active", ["free_shipping"])


def test_one_that_cannot_be_dealt_with_keeps_nobody_else_from_it(
    shop: PlanShop, capsys: pytest.CaptureFixture[str]
) -> None:
    ada, bob = shop.enrol(), shop.enrol()
    for member in (ada, bob):
        reply = shop.membership(member, "checkout", {"plan": "basic", "price": "monthly"})
        visit(reply.json["url"], action="pay", card=VISA)
    real = shop.runtime.payments(shop.program_id, head_mode(shop))
    broken = subscription_of(shop, ada)["id"]
    shop.runtime._payments["stripe"] = Refusing(real, broken)  # type: ignore[assignment]
    found = {one["subscription"]: one["outcome"] for one in reconcile(shop)}
    assert found.pop(broken) == "failed"
    assert set(found.values()) == {"changed"}
    assert state(shop, bob)[0] == "active"


def head_mode(shop: PlanShop) -> Any:
    head = shop.runtime.context.store.programs.head(shop.program_id)
    assert head is not None
    return head.mode


class Refusing:
    """Stripe, which refuses us one subscription for ever."""

    def __init__(self, real: Any, broken: str) -> None:
        self._real = real
        self._broken = broken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def subscription(self, subscription_id: str) -> Any:
        from chalicelib.domain.errors import Fault

        if subscription_id == self._broken:
            raise Fault("Stripe refuses us")
        return self._real.subscription(subscription_id)


def test_a_plan_that_was_sold_is_retired_and_not_removed(shop: PlanShop) -> None:
    ada, bob = shop.enrol(), shop.enrol()
    pays(shop, ada)
    without = deepcopy(CLUB)
    del without["plans"]["basic"]
    refused = publish(shop, without)
    assert (refused.status, refused.code) == (422, "invalid_program")
    assert refused.json["errors"][0]["field"] == "plans.basic"
    retired = deepcopy(CLUB)
    retired["plans"]["basic"]["retired"] = True
    assert publish(shop, retired).status == 201
    assert state(shop, ada) == ("active", ["free_shipping"])
    wish = {"plan": "basic", "price": "monthly"}
    assert shop.membership(bob, "checkout", wish).code == "unknown_plan"
    sold = shop.call("GET", "/v1/plans").json["data"]
    assert [one["id"] for one in sold] == ["gold"]
    shop.set_clock("2027-02-04T12:00:00Z")
    assert state(shop, ada) == ("active", ["free_shipping"])
    assert shop.charged(ada) == (2000, 0)


def test_another_amount_is_another_price_and_who_has_the_old_one_keeps_it(shop: PlanShop) -> None:
    ada, bob = shop.enrol(), shop.enrol()
    pays(shop, ada)
    dearer = deepcopy(CLUB)
    dearer["plans"]["basic"]["prices"][0]["amount"] = 1200
    assert publish(shop, dearer).status == 201
    pays(shop, bob)
    shop.set_clock("2027-02-04T12:00:00Z")
    assert (shop.charged(ada), shop.charged(bob)) == ((2000, 0), (2400, 0))
    assert state(shop, ada) == state(shop, bob) == ("active", ["free_shipping"])


def test_promotion_codes_take_off_where_the_plan_takes_them(shop: PlanShop) -> None:
    api = client_of(shop.stand_in)
    coupon = api.coupons.create({"percent_off": 50, "duration": "once"}).id
    promotion = {"type": "coupon", "coupon": coupon}
    api.promotion_codes.create({"promotion": promotion, "code": "HALF"})
    api.promotion_codes.create(
        {
            "promotion": promotion,
            "code": "FIRST",
            "restrictions": {"first_time_transaction": True},
        }
    )
    ada, bob = shop.enrol(), shop.enrol()
    wish = {"plan": "basic", "price": "monthly"}
    for code in ("NOPE", ""):
        reply = shop.membership(ada, "checkout", {**wish, "promotion_code": code or "x"})
        assert (reply.status, reply.code) == (422, "unknown_promotion_code")
    gold = {"plan": "gold", "price": "monthly", "promotion_code": "HALF"}
    assert shop.membership(bob, "checkout", gold).code == "unknown_promotion_code"
    reply = shop.membership(ada, "checkout", {**wish, "promotion_code": "HALF"})
    visit(reply.json["url"], action="pay", card=VISA)
    shop.hear()
    assert shop.charged(ada) == (500, 0)
    shop.membership(ada, "cancel", {"when": "now"})
    for what in ("checkout", "subscription"):
        reply = shop.membership(ada, what, {**wish, "promotion_code": "FIRST"})
        assert (reply.status, reply.code) == (422, "unknown_promotion_code"), reply.raw


def test_an_intro_price_is_for_its_periods(shop: PlanShop) -> None:
    ada = shop.enrol()
    pays(shop, ada, "cheap")
    assert shop.charged(ada) == (100, 0)
    for moment, charged in (
        ("2027-02-04T12:00:00Z", 200),
        ("2027-03-04T12:00:00Z", 1200),
        ("2027-04-04T12:00:00Z", 2200),
    ):
        shop.set_clock(moment)
        assert shop.charged(ada) == (charged, 0)


def begin(shop: PlanShop, member: str, key: str = "", plan: str = "basic") -> Any:
    wish = {"plan": plan, "price": "monthly"}
    reply = shop.membership(member, "subscription", wish, key=key)
    assert reply.status == 201, reply.raw
    return reply.json


def test_an_app_starts_a_membership_that_the_bank_asks_about(shop: PlanShop) -> None:
    ada = shop.enrol()
    begun = begin(shop, ada, key="k")
    assert begun["kind"] == "payment"
    assert begin(shop, ada, key="k") == begun
    assert shop.entitled(ada)["state"] is None
    app = client_of(shop.stand_in, PUBLISHABLE_KEY)
    intent = begun["client_secret"].partition("_secret_")[0]
    asked = {
        "payment_method": "pm_card_authenticationRequired",
        "client_secret": begun["client_secret"],
    }
    assert app.payment_intents.confirm(intent, asked).status == "requires_action"
    shop.hear()
    assert shop.entitled(ada)["state"] is None
    local(shop.stand_in, f"payment_intents/{intent}/authenticate", outcome="approve")
    shop.hear()
    assert state(shop, ada) == ("active", ["free_shipping"])
    assert shop.charged(ada) == (1000, 0)
    other = shop.membership(ada, "subscription", {"plan": "basic", "price": "monthly"})
    assert other.code == "open_membership"


def test_another_try_gives_the_first_up(shop: PlanShop) -> None:
    ada = shop.enrol()
    first, second = begin(shop, ada), begin(shop, ada)
    world = shop.stand_in.world
    assert world.get("subscription", first["subscription"])["status"] == "incomplete_expired"
    assert world.get("subscription", second["subscription"])["status"] == "incomplete"
    shop.hear()
    assert shop.entitled(ada)["state"] is None


def test_a_trial_in_an_app_asks_for_a_card_only(shop: PlanShop) -> None:
    ada = shop.enrol()
    begun = begin(shop, ada, plan="gold")
    assert begun["kind"] == "setup"
    shop.set_clock("2027-01-14T12:00:00Z")  # nobody gave a card
    assert state(shop, ada) == ("ended", [])
    assert shop.charged(ada) == (0, 0)


def test_taxes_are_left_to_stripe(shop: PlanShop) -> None:
    document = shop.call("GET", "/v1/programs/1").json["document"]
    document["plans"]["basic"]["automatic_tax"] = True
    publish(shop, document)
    wish = {"plan": "basic", "price": "monthly"}
    assert shop.membership(shop.enrol(), "checkout", wish).status == 201
    [session] = shop.stand_in.world.all("checkout.session")
    assert session["automatic_tax"]["enabled"] is True


def test_a_card_that_is_declined_starts_nothing(shop: PlanShop) -> None:
    ada = shop.enrol()
    reply = shop.membership(ada, "checkout", {"plan": "basic", "price": "monthly"})
    assert visit(reply.json["url"], action="pay", card=DECLINED)[0] != 303
    shop.hear()
    assert shop.entitled(ada)["state"] is None
    assert shop.charged(ada) == (0, 0)
