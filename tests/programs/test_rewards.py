"""Rewards of every kind: who may have them, as vouchers and without, used, cancelled, expired.

Cases A22 and A25 of OpenLoyalty's tests.
"""

from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.services import appending
from tests.fakes.rules import at, document, opened, publish, quote, rule
from tests.fakes.shop import Reply, Shop, goods

BASE = rule("base", per=100)


def reward(name: str, kind: str = "product", cost: int | None = 10, **more: Any) -> dict[str, Any]:
    price = {"cost": {"currency": "points", "amount": cost}} if cost else {}
    return {"id": name, "kind": kind, "name": name.title(), **price, **more}


def offering(*rewards: dict[str, Any], **parts: Any) -> Shop:
    return opened(document(BASE, rewards=list(rewards), **parts))


def rich(shop: Shop, **fields: Any) -> str:
    member = shop.enrol(**fields)
    assert shop.order(member, f"o-{member}", goods(100000)).status == 201
    return member


def take(shop: Shop, member: str, name: str, key: str, **more: Any) -> Reply:
    body = {"reward": name, **more}
    headers = {"idempotency-key": key}
    return shop.call("POST", f"/v1/members/{member}/redemptions", body, headers=headers)


def give_back(shop: Shop, member: str, taken: Reply) -> Reply:
    return shop.call("POST", f"/v1/members/{member}/redemptions/{taken.json['id']}/cancel")


def use(shop: Shop, code: str, use_id: str, **amount: int) -> Reply:
    return shop.call("POST", f"/v1/vouchers/{code}/uses", {"id": use_id, **amount})


def test_a25_a_limit_per_member_and_period() -> None:
    shop = offering(reward("mug", per_member={"times": 2, "per": "month"}))
    ada, bob = rich(shop), rich(shop, external_id="bob")
    first = take(shop, ada, "mug", "1")
    assert (first.status, take(shop, ada, "mug", "2").status) == (201, 201)
    third = take(shop, ada, "mug", "3")
    assert (third.status, third.code) == (409, "member_limit")
    assert take(shop, bob, "mug", "1b", quantity=2).status == 201
    assert give_back(shop, ada, first).status == 200
    assert take(shop, ada, "mug", "4").status == 201
    at(shop, "2026-12-01T00:00:00Z")
    assert take(shop, ada, "mug", "5").status == 201


def test_what_is_reserved_counts_for_the_limit() -> None:
    shop = offering(reward("mug", per_member={"times": 1}))
    ada = rich(shop)
    headers = {"idempotency-key": "r"}
    path = f"/v1/members/{ada}/reservations"
    held = shop.call("POST", path, {"reward": "mug"}, headers=headers)
    assert held.status == 201
    assert take(shop, ada, "mug", "1").code == "member_limit"
    assert shop.call("POST", f"{path}/{held.json['id']}/capture", {}).status == 200
    assert take(shop, ada, "mug", "2").code == "member_limit"


POOLED = {"codes": "pool", "valid_days": 30}


def test_a22_a_pool_gives_each_code_once_and_then_none() -> None:
    shop = offering(reward("tickets", voucher=POOLED))
    ada = rich(shop)
    path = "/v1/rewards/tickets/codes"
    assert shop.call("POST", path, {"codes": ["AAA-1", "AAA-2"]}).json == {"added": 2}
    assert shop.call("POST", path, {"codes": ["AAA-2"]}).json == {"added": 0}
    codes = {take(shop, ada, "tickets", key).json["voucher"]["code"] for key in "12"}
    assert codes == {"AAA-1", "AAA-2"}
    third = take(shop, ada, "tickets", "3")
    assert (third.status, third.code) == (409, "no_codes_left")
    assert shop.balance(ada, "points") == 980
    again = take(shop, ada, "tickets", "1")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json["voucher"]["code"] in codes
    assert shop.call("POST", path, {"codes": ["AAA-1", "BBB"]}).json == {"added": 1}
    assert shop.call("POST", "/v1/rewards/nothing/codes", {"codes": ["XYZ"]}).status == 422


def test_a_voucher_is_used_once_for_one_order_and_can_be_taken_back() -> None:
    shop = offering(reward("coffee", voucher={"valid_days": 30}))
    ada = rich(shop)
    taken = take(shop, ada, "coffee", "1")
    voucher = taken.json["voucher"]
    assert voucher["status"] == "issued"
    assert voucher["expires_at"] == "2026-12-23T00:00:00Z"
    code = voucher["code"]
    assert shop.call("GET", f"/v1/vouchers/{code.lower()}").json == voucher
    assert use(shop, code, "order-1").json["voucher"]["status"] == "used"
    assert use(shop, code, "order-1").headers["idempotent-replayed"] == "true"
    assert use(shop, code, "order-2").code == "voucher_used"
    assert give_back(shop, ada, taken).code == "voucher_used"
    undo = f"/v1/vouchers/{code}/uses/order-1/cancel"
    assert shop.call("POST", undo).json["voucher"]["status"] == "issued"
    assert shop.call("POST", undo).headers["idempotent-replayed"] == "true"
    assert use(shop, code, "order-2").status == 201
    listed = shop.call("GET", f"/v1/members/{ada}/vouchers").json["data"]
    assert [one["code"] for one in listed] == [code]
    assert shop.call("GET", f"/v1/members/{ada}/export").json["vouchers"] == listed


def test_a_cancelled_redemption_takes_its_voucher_along() -> None:
    shop = offering(reward("coffee", voucher={}))
    ada = rich(shop)
    taken = take(shop, ada, "coffee", "1")
    assert give_back(shop, ada, taken).status == 200
    assert shop.balance(ada, "points") == 1000
    code = taken.json["voucher"]["code"]
    assert use(shop, code, "o").code == "voucher_cancelled"
    assert shop.call("GET", f"/v1/vouchers/{code}").json["status"] == "cancelled"
    assert give_back(shop, ada, taken).headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    ("terms", "last", "over"),
    [
        ({"valid_days": 1}, "2026-11-23T23:59:59Z", "2026-11-24T00:00:00Z"),
        ({"valid_until": "2026-12-25"}, "2026-12-24T23:59:59Z", "2026-12-25T00:00:00Z"),
        (
            {"valid_days": 90, "valid_until": "2026-12-25"},
            "2026-12-24T23:00:00Z",
            "2026-12-25T00:00:00Z",
        ),
    ],
)
def test_a_voucher_expires(terms: dict[str, Any], last: str, over: str) -> None:
    shop = offering(reward("coffee", voucher={"uses": 2, **terms}))
    ada = rich(shop)
    code = take(shop, ada, "coffee", "1").json["voucher"]["code"]
    at(shop, last)
    assert use(shop, code, "o1").status == 201
    at(shop, over)
    assert use(shop, code, "o2").code == "voucher_expired"


def test_a_voucher_of_money_is_used_up_by_amounts() -> None:
    shop = offering(reward("money", "cash", 500, worth=1000, voucher={}))
    ada = rich(shop)
    assert take(shop, ada, "money", "0").status == 422
    taken = take(shop, ada, "money", "1", amount=1000)
    assert taken.json["worth"] == {"amount": 2000, "currency": "EUR"}
    code = taken.json["voucher"]["code"]
    assert use(shop, code, "o1").status == 422
    assert use(shop, code, "o1", amount=1500).json["voucher"]["value_left"] == 500
    assert use(shop, code, "o1", amount=1400).code == "different_request"
    assert use(shop, code, "o2", amount=501).code == "voucher_exceeded"
    quoted = quote(shop, goods(100), member_id=ada, vouchers=[code]).json["vouchers"]
    told = {"code": code, "applied": True, "why": "can be used", "gift": None, "pays": 500}
    assert quoted == [told]
    assert use(shop, code, "o2", amount=500).json["voucher"]["status"] == "used"


HALF = {"id": "half", "kind": "percent", "percent": 50, "by_code": True, "at_most": 3000}


def test_a_discount_as_a_reward_is_given_to_whoever_has_the_voucher() -> None:
    coupon = reward("coupon", "discount", discount="half", voucher={})
    shop = offering(coupon, discounts=[HALF])
    ada, bob = rich(shop), rich(shop, external_id="bob")
    code = take(shop, ada, "coupon", "1").json["voucher"]["code"]

    def pays(**more: Any) -> int:
        return int(quote(shop, goods(4000), **more).json["prices"]["total"])

    assert pays(member_id=ada) == 4000
    assert pays(member_id=ada, vouchers=[code]) == 2000
    assert pays(member_id=bob, vouchers=[code]) == 4000
    assert pays(vouchers=["NOTHING"]) == 4000
    use(shop, code, "o")
    told = quote(shop, goods(4000), member_id=ada, vouchers=[code]).json["vouchers"][0]
    assert (told["applied"], told["why"]) == (False, "the voucher was used")


def test_a_public_code_is_for_guests_too_so_many_times() -> None:
    codes = {"WELCOME10": {"discount": "half", "uses": 2, "valid_until": "2027-01-01"}}
    shop = offering(discounts=[HALF], codes=codes)
    found = quote(shop, goods(10000), vouchers=["welcome10"]).json
    assert found["prices"]["total"] == 7000
    assert found["vouchers"][0]["why"] == "gives half"
    uses = [use(shop, "WELCOME10", one).status for one in ("o1", "o2", "o1", "o3")]
    assert uses == [201, 201, 201, 409]
    assert quote(shop, goods(10000), vouchers=["WELCOME10"]).json["prices"]["total"] == 10000
    at(shop, "2027-01-01T00:00:00Z")
    assert quote(shop, goods(10000), vouchers=["WELCOME10"]).json["prices"]["total"] == 10000


def test_a_gift_is_a_line_of_the_quote_that_costs_nothing() -> None:
    shop = offering(reward("tote", "gift", None, sku="TOTE", quantity=2, voucher={}))
    ada = shop.enrol()
    code = take(shop, ada, "tote", "1").json["voucher"]["code"]
    found = quote(shop, goods(500), member_id=ada, vouchers=[code]).json
    assert found["prices"]["total"] == 500
    assert found["vouchers"][0]["gift"] == {"line": f"gift-{code}", "sku": "TOTE", "quantity": 2}
    assert found["prices"]["lines"][1]["total"] == 0


def test_places_at_an_event_until_it_begins() -> None:
    evening = {"begins_at": "2026-12-01T19:00:00+01:00", "place": "The cellar"}
    tasting = reward("tasting", "event", 1, stock=3, **evening)
    shop = offering(tasting)
    ada = rich(shop)
    assert take(shop, ada, "tasting", "1", quantity=2).status == 201
    assert take(shop, ada, "tasting", "2", quantity=2).code == "out_of_stock"
    at(shop, "2026-12-01T17:59:59Z")
    assert take(shop, ada, "tasting", "3").status == 201
    shop = offering({**tasting, "stock": 9})
    ada = rich(shop)
    at(shop, "2026-12-01T18:00:00Z")
    assert take(shop, ada, "tasting", "4").code == "not_available"


def test_gates_of_tiers_segments_and_days() -> None:
    shop = offering(
        reward("gold", tiers=["gold"]),
        reward("staff", segments=["staff"]),
        reward("summer", available={"from": "2027-06-01", "to": "2027-08-31"}),
        counters={"spend": {"of": "spend"}},
        tiers={"levels": [{"id": "gold", "label": "Gold", "at_least": {"spend": 150000}}]},
        segments={"staff": {"attributes": {"staff": [True]}}},
    )
    ada = rich(shop)
    bob = rich(shop, external_id="bob", attributes={"staff": True})
    assert take(shop, ada, "gold", "1").code == "not_eligible"
    shop.order(ada, "more", goods(50000))
    assert take(shop, ada, "gold", "1").status == 201
    assert take(shop, ada, "staff", "2").code == "not_eligible"
    assert take(shop, bob, "staff", "2b").status == 201
    assert take(shop, ada, "summer", "3").code == "not_available"
    at(shop, "2027-08-31T23:59:59Z")
    assert take(shop, ada, "summer", "4").status == 201
    at(shop, "2027-09-01T00:00:00Z")
    assert take(shop, ada, "summer", "5").code == "not_available"


def test_a_program_ends_with_its_announced_days() -> None:
    ends = {"last_day_to_earn": "2026-12-31", "last_day_to_redeem": "2027-03-31"}
    shop = offering(reward("mug"), ends=ends)
    ada = rich(shop)
    at(shop, "2026-12-31T23:59:59Z")
    assert shop.order(ada, "1", goods(100)).json["effects"][0]["amount"] == 1
    at(shop, "2027-01-01T00:00:00Z")
    assert shop.order(ada, "2", goods(100)).json["effects"] == []
    at(shop, "2027-03-31T23:59:59Z")
    assert take(shop, ada, "mug", "1").status == 201
    at(shop, "2027-04-01T00:00:00Z")
    assert take(shop, ada, "mug", "2").code == "program_ended"


def test_a_code_of_the_pool_that_another_took_is_not_given_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two callers look at the pool at once: the one who is late gets another code."""
    shop = Shop(memory_store())
    publish(shop, document(BASE, rewards=[reward("t", voucher=POOLED)]))
    ada, bob = rich(shop), rich(shop, external_id="bob")
    shop.call("POST", "/v1/rewards/t/codes", {"codes": ["AAA", "BBB"]})
    real = appending.changes_with
    meddled: list[str] = []

    def meddle(*asked: Any) -> Any:
        wanted = real(*asked)
        if not meddled:
            meddled.append("once")
            store = shop.runtime.context.store.vouchers
            code = wanted[0].now.code
            monkeypatch.setattr(store, "free", lambda *_: [code])
            meddled.append(take(shop, bob, "t", "b").json["voucher"]["code"])
            monkeypatch.undo()
        return wanted

    monkeypatch.setattr(appending, "changes_with", meddle)
    taken = take(shop, ada, "t", "a")
    assert {taken.json["voucher"]["code"], meddled[1]} == {"AAA", "BBB"}
    assert (shop.balance(ada, "points"), shop.balance(bob, "points")) == (990, 990)
