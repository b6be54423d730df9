"""Membership time for who brings a friend: a voucher whose code is a promotion code of Stripe, with
which a month costs nothing."""

from collections.abc import Iterator

import pytest

from chalicelib.kernel.clock import from_rfc3339
from local.stripe_stand_in import StripeStandIn
from tests.fakes.payments import PlanShop, visit
from tests.fakes.referrals import brings, buys, program, settle, state
from tests.fakes.rules import publish
from tests.fakes.stripe_account import client_of

PLUS = {
    "name": "Plus",
    "promotion_codes": True,
    "prices": [{"id": "monthly", "every": "month", "amount": 999}],
}
MONTH = {"id": "month", "kind": "product", "name": "A month of Plus", "voucher": {"codes": "pool"}}


@pytest.fixture
def shop() -> Iterator[PlanShop]:
    with StripeStandIn() as stand_in:
        shop = PlanShop(stand_in)
        terms = program(qualifies={"order": {"return_days": 0}}, advocate={"reward": "month"})
        publish(shop, {**terms, "plans": {"plus": PLUS}, "rewards": [MONTH]})
        yield shop


def stock(shop: PlanShop, code: str) -> None:
    """The shop makes a code at Stripe that is good once, and adds it to the reward's pool."""
    api = client_of(shop.stand_in)
    coupon = api.coupons.create({"percent_off": 100, "duration": "once"}).id
    promotion = {"type": "coupon", "coupon": coupon}
    api.promotion_codes.create({"promotion": promotion, "code": code, "max_redemptions": 1})
    reply = shop.call("POST", "/v1/rewards/month/codes", {"codes": [code]})
    assert reply.status == 201, reply.raw


def test_who_brings_a_friend_has_a_month_for_nothing(shop: PlanShop) -> None:
    stock(shop, "FREE-MONTH-1")
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    assert state(shop, bob) == ("rewarded", [])
    [voucher] = shop.call("GET", f"/v1/members/{ada}/vouchers").json["data"]
    asked = {"plan": "plus", "price": "monthly", "promotion_code": voucher["code"]}
    reply = shop.membership(ada, "checkout", asked)
    assert reply.status == 201, reply.raw
    assert visit(reply.json["url"], action="pay", card="4242424242424242")[0] == 303
    shop.hear()
    settle(shop, ada)
    assert (shop.entitled(ada)["state"], shop.charged(ada)) == ("active", (0, 0))
    again = shop.membership(bob, "checkout", asked)
    assert again.code == "unknown_promotion_code"  # it was used


def test_without_a_code_left_there_is_nothing_to_give(shop: PlanShop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    assert state(shop, bob) == ("refused", ["out_of_stock"])
    assert shop.balance(bob, "points") == 25


def test_who_pays_already_has_the_next_month_for_nothing(shop: PlanShop) -> None:
    shop.set_clock("2027-01-04T10:00:00Z")
    stock(shop, "FREE-MONTH-1")
    ada = shop.enrol()
    shop.pays(ada, "monthly", plan="plus")
    assert shop.charged(ada) == (999, 0)
    shop.clock.at = from_rfc3339("2027-01-04T10:00:00Z")
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    [voucher] = shop.call("GET", f"/v1/members/{ada}/vouchers").json["data"]
    body = {"promotion_code": voucher["code"]}
    used = shop.membership(ada, "promotion", body, key="once")
    assert (used.status, used.json["state"]) == (200, "active")
    assert shop.membership(ada, "promotion", body, key="once").json == used.json
    assert shop.membership(ada, "promotion", body).code == "unknown_promotion_code"
    shop.set_clock("2027-02-04T12:00:00Z")
    paid = shop.entitled(ada)
    assert (paid["state"], paid["renews_at"]) == ("active", "2027-03-04T10:00:00Z")
    assert shop.charged(ada) == (999, 0)
    shop.set_clock("2027-03-04T12:00:00Z")
    assert shop.charged(ada) == (2 * 999, 0)


def test_a_code_is_of_no_use_where_nothing_will_be_charged(shop: PlanShop) -> None:
    shop.set_clock("2027-01-04T10:00:00Z")
    stock(shop, "FREE-MONTH-1")
    ada = shop.enrol()
    body = {"promotion_code": "FREE-MONTH-1"}
    assert shop.membership(ada, "promotion", body).code == "no_membership"
    shop.pays(ada, "monthly", plan="plus")
    assert shop.membership(ada, "promotion", {"promotion_code": "NO"}).status == 422
    assert shop.membership(ada, "cancel", {"when": "period_end"}).status == 200
    assert shop.membership(ada, "promotion", body).code == "unknown_promotion_code"
