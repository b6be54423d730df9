"""Amazon Prime, played over the API against the stand-in of Stripe, with the test clock.

Published terms: 14.99 or 139 US dollars, students 7.49 or 69, 30 days of trial; a charge is given
back in full where no benefit was used, and within 3 business days less the benefits that were.
"""

from collections.abc import Iterator

import pytest

from local.stripe_stand_in import StripeStandIn
from tests.fakes.payments import DECLINED, FAILS_LATER, PlanShop, visit
from tests.fakes.rules import account, earned, quote
from tests.fakes.shop import goods

ALL = ["free_shipping", "same_day_delivery", "video", "early_access"]


@pytest.fixture
def shop() -> Iterator[PlanShop]:
    with StripeStandIn() as stand_in:
        shop = PlanShop(stand_in)
        shop.set_clock("2027-01-04T10:00:00Z")  # a Monday
        assert shop.publish("amazon_prime").status == 201
        yield shop


def buy(shop: PlanShop, member: str, order_id: str) -> int:
    """The points for an order of 10 dollars, placed now."""
    now = shop.entitled(member)["at"]
    return earned(shop.order(member, order_id, goods(1000), currency="USD", placed_at=now))


def test_a_trial_becomes_a_membership_that_renews(shop: PlanShop) -> None:
    ada = shop.enrol(given_name="Ada")
    assert shop.entitled(ada)["state"] is None
    assert buy(shop, ada, "before") == 10
    shop.pays(ada, "monthly")
    trial = shop.entitled(ada)
    assert (trial["state"], trial["benefits"], trial["plan"]) == ("trialing", ALL, "prime")
    assert trial["renews_at"] == "2027-02-03T10:00:00Z"
    assert shop.charged(ada) == (0, 0)
    assert buy(shop, ada, "trial") == 50  # five points for a dollar
    assert account(shop, ada)["balances"]["points"]["available"] == 60  # no welcome yet
    shop.set_clock("2027-02-01T10:00:00Z")
    assert shop.changes(ada) == ["membership.started", "membership.noticed"]
    shop.set_clock("2027-02-03T11:00:00Z")
    assert shop.charged(ada) == (1499, 0)
    paid = shop.entitled(ada)
    assert (paid["state"], paid["renews_at"]) == ("active", "2027-03-03T10:00:00Z")
    assert account(shop, ada)["balances"]["points"]["available"] == 560  # welcome
    shop.set_clock("2027-03-03T11:30:00Z")
    assert shop.charged(ada) == (2998, 0)
    assert account(shop, ada)["balances"]["points"]["available"] == 560  # once only
    assert shop.changes(ada)[2:] == [
        "membership.renewed",
        "membership.noticed",
        "membership.renewed",
    ]


def test_benefits_are_those_of_the_very_instant(shop: PlanShop) -> None:
    ada = shop.enrol()
    shop.pays(ada, "monthly")
    reply = shop.membership(ada, "cancel", {"when": "period_end"})
    assert reply.status == 200, reply.raw
    assert reply.json["membership"]["ends_at"] == "2027-02-03T10:00:00Z"
    stand_in_stays = shop.clock.at
    # Our clock alone moves: no message comes, and no job has run.
    programs = shop.runtime.context.store.programs
    head = programs.head(shop.program_id)
    assert head is not None
    for moment, benefits, state in (
        ("2027-02-03T09:59:59.999Z", ALL, "trialing"),
        ("2027-02-03T10:00:00Z", [], "ended"),
    ):
        set_alone(shop, moment)
        found = shop.entitled(ada)
        assert (found["benefits"], found["state"]) == (benefits, state)
    assert shop.clock.at == stand_in_stays
    past = shop.entitled(ada, at="2027-01-20T00:00:00Z")
    assert (past["benefits"], past["state"]) == (ALL, "trialing")
    assert shop.entitled(ada, at="2027-01-04T09:00:00Z")["state"] is None


def set_alone(shop: PlanShop, moment: str) -> None:
    """Moves the program's clock without anything else."""
    from dataclasses import replace

    from chalicelib.kernel.clock import from_rfc3339

    programs = shop.runtime.context.store.programs
    was = programs.head(shop.program_id)
    assert was is not None
    now = replace(was, test_now=from_rfc3339(moment), revision=was.revision + 1)
    assert programs.replace_head(now, was)


def test_a_card_that_fails_leaves_some_benefits_until_it_pays(shop: PlanShop) -> None:
    ada = shop.enrol()
    shop.pays(ada, "monthly", card=FAILS_LATER)
    shop.set_clock("2027-02-03T11:00:00Z")
    failed = shop.entitled(ada)
    assert (failed["state"], failed["benefits"]) == ("past_due", ["free_shipping"])
    assert buy(shop, ada, "grace") == 10  # the multiplier is for who paid
    shop.set_clock("2027-02-08T10:00:00Z")  # five days of grace are over
    lapsed = shop.entitled(ada)
    assert (lapsed["state"], lapsed["benefits"]) == ("lapsed", [])
    portal = shop.membership(ada, "portal")
    assert portal.status == 201, portal.raw
    assert visit(portal.json["url"])[0] == 200
    visit(portal.json["url"], action="card", card="4242424242424242")
    shop.set_clock("2027-02-11T12:00:00Z")  # Stripe tries again
    recovered = shop.entitled(ada)
    assert (recovered["state"], recovered["benefits"]) == ("active", ALL)
    assert shop.charged(ada) == (1499, 0)
    assert shop.changes(ada)[-3:] == [
        "membership.past_due",
        "membership.lapsed",
        "membership.renewed",
    ]


def test_students_pay_less_once_the_shop_has_seen_the_proof(shop: PlanShop) -> None:
    ada = shop.enrol(given_name="Ada")
    wish = {"plan": "prime", "price": "student_monthly"}
    assert shop.membership(ada, "checkout", wish).code == "not_eligible"
    shop.call("PATCH", f"/v1/members/{ada}", {"attributes": {"student": True}})
    shop.pays(ada, "student_monthly")
    shop.set_clock("2027-02-03T11:00:00Z")
    assert shop.charged(ada) == (749, 0)
    key = {"kind": "publishable", "name": "page"}
    secret = shop.call("POST", "/v1/keys", key).json["secret"]
    stranger = {"external_id": "x", "attributes": {"student": True}}
    assert shop.call("POST", "/v1/members", stranger, key=secret).code == "invalid_request"


def test_prices_are_for_those_who_live_there(shop: PlanShop) -> None:
    ada, eva = shop.enrol(country="US"), shop.enrol(country="DE")
    wish = {"plan": "prime", "price": "monthly_de"}
    assert shop.membership(ada, "checkout", wish).code == "not_eligible"
    shop.pays(eva, "monthly_de")
    shop.set_clock("2027-02-03T11:00:00Z")
    assert shop.charged(eva) == (899, 0)
    listed = shop.call("GET", "/v1/plans", query={"country": "US"}).json["data"][0]["prices"]
    assert [one["id"] for one in listed] == [
        "monthly",
        "yearly",
        "student_monthly",
        "student_yearly",
    ]


def test_what_no_benefit_was_used_of_is_given_back_in_full(shop: PlanShop) -> None:
    ada = shop.enrol()
    shop.pays(ada, "yearly")
    shop.set_clock("2027-02-03T11:00:00Z")
    shop.set_clock("2027-08-03T11:00:00Z")
    foreseen = shop.call("GET", f"/v1/members/{ada}/membership/refund").json
    assert (foreseen["amount"], foreseen["money"]) == (13900, "USD")
    ended = shop.membership(ada, "cancel", {"when": "now"})
    assert ended.status == 200, ended.raw
    assert ended.json["refund"] == foreseen
    assert ended.json["membership"]["state"] == "ended"
    assert shop.charged(ada) == (13900, 13900)
    again = shop.membership(ada, "cancel", {"when": "now"})
    assert again.json["refund"] == foreseen
    assert shop.charged(ada) == (13900, 13900)


def test_benefits_that_were_used_are_deducted_within_three_business_days(shop: PlanShop) -> None:
    ada = shop.enrol()
    shop.pays(ada, "yearly")
    shop.set_clock("2027-02-03T11:00:00Z")  # charged on a Wednesday
    use = {"source": "shop", "id": "o1", "benefit": "free_shipping", "worth": 599}
    path = f"/v1/members/{ada}/benefit_uses"
    for replayed in (False, True):
        used = shop.call("POST", path, use)
        assert used.status == 201, used.raw
        assert (used.json["uses"], used.json["worth"]) == (1, 599)
        assert (used.headers.get("idempotent-replayed") == "true") is replayed
    assert shop.call("POST", path, {**use, "benefit": "drones"}).status == 422
    refund = f"/v1/members/{ada}/membership/refund"
    shop.set_clock("2027-02-08T12:00:00Z")  # the Monday after: the third business day
    assert shop.call("GET", refund).json["amount"] == 13900 - 599
    shop.set_clock("2027-02-09T12:00:00Z")
    assert shop.call("GET", refund).json["amount"] == 0
    ended = shop.membership(ada, "cancel", {"when": "now"})
    assert ended.json["refund"]["amount"] == 0
    assert shop.charged(ada) == (13900, 0)
    assert shop.call("POST", path, {**use, "id": "o2"}).code == "not_entitled"


def test_germans_withdraw_within_fourteen_days(shop: PlanShop) -> None:
    eva = shop.enrol(country="DE")
    shop.pays(eva, "monthly_de")
    shop.set_clock("2027-02-03T11:00:00Z")
    use = {"source": "shop", "id": "o1", "benefit": "free_shipping", "worth": 100}
    assert shop.call("POST", f"/v1/members/{eva}/benefit_uses", use).status == 201
    refund = f"/v1/members/{eva}/membership/refund"
    shop.set_clock("2027-02-17T12:00:00Z")
    assert shop.call("GET", refund).json["amount"] == 799
    shop.set_clock("2027-02-18T12:00:00Z")
    assert shop.call("GET", refund).json["amount"] == 0


def test_the_price_list_early_access_and_the_gift_are_for_members(shop: PlanShop) -> None:
    ada, bob = shop.enrol(), shop.enrol()
    shop.pays(ada, "monthly")
    line = {"id": "1", "sku": "tv", "quantity": 1, "unit_price": 10000, "labels": ["prime_deal"]}
    now = shop.entitled(ada)["at"]
    for member, price in ((ada, 9000), (bob, 10000)):
        found = quote(shop, line, member_id=member, currency="USD", placed_at=now).json
        assert found["prices"]["total"] == price
    headers = {"idempotency-key": "gift"}
    for member, code in ((ada, "insufficient_balance"), (bob, "not_eligible")):
        path = f"/v1/members/{member}/redemptions"
        reply = shop.call("POST", path, {"reward": "prime_gift"}, headers=headers)
        assert reply.code == code
    deal = {"id": "1", "quantity": 1, "unit_price": 1, "labels": ["lightning"]}
    shop.set_clock("2027-07-12T14:45:00Z")  # a quarter to eight in Los Angeles
    for member, is_open in ((ada, True), (bob, False)):
        at = shop.entitled(member)["at"]
        found = quote(shop, deal, member_id=member, currency="USD", placed_at=at).json
        assert found["access"][0]["open"] is is_open


def test_a_refused_card_starts_nothing(shop: PlanShop) -> None:
    ada = shop.enrol()
    reply = shop.membership(ada, "checkout", {"plan": "prime", "price": "yearly"})
    status, _ = visit(reply.json["url"], action="pay", card=DECLINED)
    shop.hear()
    assert status != 303
    assert shop.entitled(ada)["state"] is None
