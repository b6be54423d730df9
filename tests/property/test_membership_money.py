"""Over any history of a paid membership the money adds up, to the minor unit, by Stripe's books."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.memberships.documents import LessBenefitsDocument, RefundTermsDocument
from chalicelib.domain.memberships.membership import Membership, Status
from chalicelib.domain.memberships.plan import Plan
from chalicelib.domain.memberships.refunding import Charge, refundable
from chalicelib.kernel.clock import DAY, SECOND, from_rfc3339, to_rfc3339
from chalicelib.kernel.money import step_of
from local.stripe_stand_in import StripeStandIn
from tests.fakes.payments import DECLINED, FAILS_LATER, VISA, PlanShop, visit

START = from_rfc3339("2027-01-04T10:00:00Z")
MONEYS = ("EUR", "JPY", "KWD", "ISK")
PLANS = [(plan, price) for plan in ("basic", "gold") for price in ("monthly", "yearly")]


def document(money: str, amounts: list[int]) -> str:
    """Two plans of two prices each; amounts are whole steps of the money."""
    step = step_of(money)
    prices = [amount * step for amount in amounts]
    terms = {"unused_in_full": True, "less_benefits": {"days": 10}}
    return json.dumps(
        {
            "name": "Club",
            "time_zone": "UTC",
            "money": money,
            "currencies": {"points": {"label": "Points"}},
            "plans": {
                plan: {
                    "name": plan,
                    "benefits": ["lounge"],
                    "refunds": terms,
                    "prices": [
                        {"id": "monthly", "every": "month", "amount": prices[at]},
                        {"id": "yearly", "every": "year", "amount": prices[at + 1]},
                    ],
                }
                for plan, at in (("basic", 0), ("gold", 2))
            },
        }
    )


acts = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 45 * 24 * 60)),
    st.tuples(st.just("wait"), st.integers(1, 45 * 24 * 60)),
    st.tuples(st.just("change"), st.sampled_from(PLANS)),
    st.tuples(st.just("change"), st.sampled_from(PLANS)),
    st.tuples(st.just("card"), st.sampled_from([VISA, FAILS_LATER])),
    st.tuples(st.just("use"), st.integers(0, 3000)),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("resume")),
    st.tuples(st.just("pause")),
    st.tuples(st.just("end")),
    st.tuples(st.just("start"), st.sampled_from(PLANS), st.sampled_from([VISA, DECLINED])),
)


class Story:
    """What one member does; what is refused changes no money."""

    def __init__(self, shop: PlanShop, money: str) -> None:
        self.shop = shop
        self.money = money
        self.now = START
        self.ada = shop.enrol()
        self.uses = 0

    def asked(self, what: str, body: Any = None) -> Any:
        reply = self.shop.membership(self.ada, what, body)
        assert reply.status in (200, 201, 402, 404, 409), reply.raw
        return reply

    def wait(self, minutes: int) -> None:
        self.now += minutes * 60 * SECOND
        self.shop.set_clock(to_rfc3339(self.now))

    def start(self, wish: tuple[str, str], card: str) -> None:
        reply = self.asked("checkout", {"plan": wish[0], "price": wish[1]})
        if reply.status == 201:
            visit(reply.json["url"], action="pay", card=card)
            self.shop.hear()

    def change(self, wish: tuple[str, str]) -> None:
        body = {"plan": wish[0], "price": wish[1]}
        preview = self.asked("preview", body)
        if preview.status != 200:
            return
        found, before = preview.json, self.shop.charged(self.ada)
        assert found["money"] == self.money
        reply = self.asked("change", {**body, "previewed_at": found["previewed_at"]})
        due = found["due_now"] if reply.status == 200 else 0
        assert self.shop.charged(self.ada) == (before[0] + self.stripes(due), before[1])

    def stripes(self, amount: int) -> int:
        """As Stripe writes it."""
        return amount * 100 if self.money == "ISK" else amount

    def card(self, number: str) -> None:
        reply = self.asked("portal")
        if reply.status == 201:
            visit(reply.json["url"], action="card", card=number)

    def use(self, worth: int) -> None:
        self.uses += 1
        body = {"source": "shop", "id": str(self.uses), "benefit": "lounge", "worth": worth}
        reply = self.shop.call("POST", f"/v1/members/{self.ada}/benefit_uses", body)
        assert reply.status in (201, 409), reply.raw

    def cancel(self) -> None:
        self.asked("cancel")

    def resume(self) -> None:
        self.asked("resume")

    def pause(self) -> None:
        self.asked("pause")

    def end(self) -> None:
        before = self.shop.charged(self.ada)
        path = f"/v1/members/{self.ada}/membership/refund"
        foreseen = self.shop.call("GET", path)
        was_over = self.shop.entitled(self.ada)["state"] in (None, "ended")
        ended = self.asked("cancel", {"when": "now"})
        assert (ended.status == 200) is (foreseen.status == 200)
        if ended.status == 200:
            assert ended.json["refund"] == foreseen.json
            amount = 0 if was_over else foreseen.json["amount"]
            assert self.shop.charged(self.ada) == (before[0], before[1] + self.stripes(amount))
            assert ended.json["membership"]["benefits"] == []

    def check(self) -> None:
        world = self.shop.stand_in.world
        for books in self.shop.stand_in.books().values():
            for one in books.values():
                assert 0 <= one.refunded <= one.charged
        charges = world.all("charge", status="succeeded")
        assert all(one["amount_refunded"] <= one["amount"] for one in charges)
        assert all(one["amount"] % self.stripes(step_of(self.money)) == 0 for one in charges)
        listed = self.shop.call("GET", f"/v1/members/{self.ada}/invoices", query={"limit": "100"})
        if listed.status == 200:
            paid = sum(one["paid"] for one in listed.json["data"])
            assert self.stripes(paid) == self.shop.charged(self.ada)[0]
        live = [one for one in world.all("subscription") if not one["ended_at"]]
        assert len(live) <= 1


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(MONEYS),
    st.lists(st.integers(1, 9_999), min_size=4, max_size=4),
    st.sampled_from(PLANS),
    st.lists(acts, max_size=8),
)
def test_the_books_add_up(
    money: str, amounts: list[int], first: tuple[str, str], history: list[tuple[Any, ...]]
) -> None:
    with StripeStandIn() as stand_in:
        shop = PlanShop(stand_in)
        shop.set_clock(to_rfc3339(START))
        headers = {"content-type": "application/json"}
        reply = shop.call("POST", "/v1/programs", document(money, amounts), headers=headers)
        assert reply.status == 201, reply.raw
        story = Story(shop, money)
        story.start(first, VISA)
        for name, *values in history:
            getattr(story, name)(*values)
            story.check()


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(MONEYS),
    st.integers(0, 10**6),
    st.integers(0, 100),
    st.integers(0, 2 * 10**6),
    st.integers(0, 20),
    st.booleans(),
    st.integers(0, 40),
)
def test_a_refund_is_what_can_be_given_back_and_never_above_the_charge(
    money: str, steps: int, percent: int, used: int, uses: int, same: bool, days: int
) -> None:
    step = step_of(money)
    amount = steps * step
    refunded = amount * percent // 100 // step * step
    charge = Charge("pi_1", amount, refunded, money, START, True, START)
    terms = RefundTermsDocument(
        unused_in_full=True,
        less_benefits=LessBenefitsDocument(days=10),
        withdrawal_days={"DE": 14},
    )
    membership = Membership(
        *(1, 1, Status.ACTIVE, "sub_1", START, START if same else START - DAY),
        *(START + 30 * DAY, START + 30 * DAY, START + 30 * DAY),
        uses=uses,
        used=used if uses else 0,
    )
    plan = Plan("p", 1, "P", (), (), 0, None, 0, None, 0, True, refunds=terms)
    back = refundable(plan, membership, charge, "DE", START + days * DAY, ZoneInfo("UTC"))
    assert 0 <= back.amount <= amount - refunded
    assert back.amount % step == 0
    assert back.money == money
    if days > 14 and (uses or not same):
        assert back.amount == 0
    if same and not uses:
        assert back.amount == amount - refunded
    if days <= 10 and same and uses:
        assert back.amount >= min(amount - used, amount - refunded)


@pytest.mark.parametrize("money", MONEYS)
def test_used_benefits_are_deducted_in_every_money(money: str) -> None:
    with StripeStandIn() as stand_in:
        shop = PlanShop(stand_in)
        shop.set_clock(to_rfc3339(START))
        headers = {"content-type": "application/json"}
        text = document(money, [500, 5000, 900, 9000])
        assert shop.call("POST", "/v1/programs", text, headers=headers).status == 201
        story = Story(shop, money)
        story.start(("basic", "monthly"), VISA)
        story.use(123)
        amount = 500 * step_of(money)
        left = amount - 123 if money != "KWD" else amount - 120  # of KWD whole hundredths
        ended = shop.membership(story.ada, "cancel", {"when": "now"})
        assert ended.json["refund"] == {
            "amount": left,
            "money": money,
            "why": "within 10 days of the charge, less benefits used",
        }
        assert shop.charged(story.ada) == (story.stripes(amount), story.stripes(left))
