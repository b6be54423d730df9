"""Referrals, played over the API: who brings friends has what was promised, once they count."""

from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.events.time import on_due
from chalicelib.kernel.clock import DAY, MINUTE, from_rfc3339, to_rfc3339
from chalicelib.services.sweeps import message, sweep
from tests.fakes.referrals import (
    advocate,
    brings,
    buys,
    code_of,
    joins,
    program,
    referral,
    settle,
    state,
)
from tests.fakes.rules import edited, opened, publish
from tests.fakes.shop import Queued, Shop, goods


@pytest.fixture
def shop() -> Shop:
    return opened(program())


def later(shop: Shop, days: int, *members: str) -> None:
    """So many days pass, and the sweep looks."""
    shop.clock.at += days * DAY
    settle(shop, *members)


def test_a_friend_counts_once_the_order_can_no_longer_come_back(shop: Shop) -> None:
    ada = shop.enrol(email="ada@example.com")
    bob = brings(shop, ada)
    assert advocate(shop, ada)["friends"] == {"enrolled": 1}
    buys(shop, bob, "o-1")
    found = referral(shop, bob)
    assert (found["state"], found["due_at"]) == ("qualified", "2026-12-07T12:00:00Z")
    assert found["order"] == "till:o-1"
    assert (shop.balance(ada, "points"), shop.balance(bob, "points")) == (0, 25)
    due = shop.runtime.context.store.dues.of(shop.program_id, bob)
    assert due is not None and due.at == from_rfc3339("2026-12-07T12:00:00Z")
    later(shop, 13, bob)
    assert state(shop, bob) == ("qualified", [])
    later(shop, 1, bob)
    assert state(shop, bob) == ("rewarded", [])
    assert (shop.balance(ada, "points"), shop.balance(bob, "points")) == (20, 30)
    settle(shop, bob, ada, bob)
    assert (shop.balance(ada, "points"), shop.balance(bob, "points")) == (20, 30)
    [entry] = shop.call("GET", f"/v1/members/{ada}/entries").json["data"][:1]
    assert entry["kind"] == "referral"
    assert entry["ref"] == f"referral:{bob}.2#given"
    assert [one["why"] for one in entry["effects"]] == ["for a referral"]


def test_the_test_clock_rewards_what_is_due_by_itself(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    reply = shop.call("PUT", "/v1/test_clock", {"now": "2026-12-08T00:00:00Z"})
    assert reply.status == 200, reply.raw
    assert shop.balance(ada, "points") == 20


def test_only_an_order_of_so_much_counts_and_only_in_time(shop: Shop) -> None:
    ada = shop.enrol()
    small, late = brings(shop, ada), brings(shop, ada)
    buys(shop, small, "o-1", 1999)
    assert state(shop, small) == ("enrolled", [])
    shop.clock.at += 61 * DAY
    buys(shop, late, "o-2")
    settle(shop, small)
    assert state(shop, late) == ("refused", ["late"])
    assert state(shop, small) == ("refused", ["late"])


def test_an_order_that_comes_back_in_time_does_not_count_and_the_next_may(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    shop.refund("o-1", "r")
    settle(shop, bob)
    assert state(shop, bob) == ("enrolled", [])
    buys(shop, bob, "o-2")
    later(shop, 14, bob)
    assert state(shop, bob) == ("rewarded", [])
    assert referral(shop, bob)["order"] == "till:o-2"
    assert shop.balance(ada, "points") == 20


def test_a_partial_refund_counts_by_what_is_kept(shop: Shop) -> None:
    ada = shop.enrol()
    keeps, returns = brings(shop, ada), brings(shop, ada)
    for friend, amount in ((keeps, 400), (returns, 600)):
        buys(shop, friend, f"o-{friend}", 2500)
        shop.refund(f"o-{friend}", "r", amount=amount)
        settle(shop, friend)
    assert state(shop, keeps) == ("qualified", [])
    assert state(shop, returns) == ("enrolled", [])


def test_an_order_counts_as_the_store_has_changed_it() -> None:
    shop = opened(program(qualifies={"order": {"min_total": 2000, "return_days": 0}}))
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1", 1900)
    assert state(shop, bob) == ("enrolled", [])
    placed_at = to_rfc3339(shop.clock.at)
    assert edited(shop, bob, "o-1", goods(2000), placed_at=placed_at).status == 200
    settle(shop, bob)
    assert (state(shop, bob), shop.balance(ada, "points")) == (("rewarded", []), 20)
    shop.clock.at += MINUTE
    assert edited(shop, bob, "o-1", goods(1500), placed_at=placed_at).status == 200
    settle(shop, bob)
    assert (state(shop, bob), shop.balance(ada, "points")) == (("reversed", []), 0)


def test_an_unpaid_or_cancelled_order_is_none(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1", status="pending")
    assert state(shop, bob) == ("enrolled", [])
    buys(shop, bob, "o-1")
    assert state(shop, bob) == ("qualified", [])
    assert shop.call("POST", "/v1/orders/till/o-1/cancel").status == 200
    settle(shop, bob)
    assert state(shop, bob) == ("enrolled", [])


@pytest.mark.parametrize(
    ("policy", "ada_keeps", "bob_keeps"), [("both", 0, 0), ("advocate", 0, 5), ("none", 20, 5)]
)
def test_an_order_that_comes_back_later_takes_back_as_the_program_says(
    policy: str, ada_keeps: int, bob_keeps: int
) -> None:
    shop = opened(program(reversed=policy))
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    later(shop, 14, bob)
    shop.refund("o-1", "r")
    settle(shop, bob, bob)
    assert state(shop, bob)[0] == ("rewarded" if policy == "none" else "reversed")
    assert (shop.balance(ada, "points"), shop.balance(bob, "points")) == (ada_keeps, bob_keeps)
    found = advocate(shop, ada)
    assert found["earned"].get("points", 0) == ada_keeps


def test_what_was_spent_is_owed(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    later(shop, 14, bob)
    body = {"currency": "points", "amount": -15, "reason": "spent"}
    path = f"/v1/members/{ada}/adjustments"
    assert shop.call("POST", path, body, headers={"idempotency-key": "k"}).status == 201
    shop.refund("o-1", "r")
    settle(shop, bob)
    assert shop.balance(ada, "points") == -15


def rewarded(shop: Shop, advocate_id: str, count: int, first: int = 0) -> list[str]:
    """So many friends who count."""
    friends = [brings(shop, advocate_id) for _ in range(count)]
    for number, friend in enumerate(friends, first):
        buys(shop, friend, f"f-{number}")
        shop.clock.at += 14 * DAY
        settle(shop, friend)
    return friends


def test_steps_and_milestones_go_with_the_number_of_friends() -> None:
    steps = [{"from": 3, "amount": 30}, {"from": 4, "amount": 40}]
    milestones = [{"at": 2, "currency": "points", "amount": 100}]
    terms = {"order": {"within_days": 365, "return_days": 14}}
    shop = opened(program(qualifies=terms, steps=steps, milestones=milestones))
    ada = shop.enrol()
    seen = []
    friends = []
    for number in range(4):
        friends += rewarded(shop, ada, 1, number)
        seen.append(shop.balance(ada, "points"))
    assert seen == [20, 140, 170, 210]
    entries = shop.call("GET", f"/v1/members/{ada}/entries").json["data"]
    why = [one["why"] for entry in entries for one in entry["effects"]]
    assert why.count("for a referral") == 4
    assert why.count("for a referral: 2 friends") == 1
    for number, left in ((0, 190), (3, 150), (1, 30)):
        shop.refund(f"f-{number}", "r")
        settle(shop, friends[number])
        assert shop.balance(ada, "points") == left, number
    rewarded(shop, ada, 1, 9)
    assert shop.balance(ada, "points") == 150  # the second again: the milestone is back


def test_caps_of_a_month_are_free_again_in_the_next() -> None:
    terms = {"order": {"return_days": 0}}
    shop = opened(program(qualifies=terms, caps=[{"per": "month", "times": 2}]))
    ada = shop.enrol()
    friends = [brings(shop, ada) for _ in range(4)]
    for number, friend in enumerate(friends[:3]):
        buys(shop, friend, f"f-{number}")
    assert [state(shop, friend)[0] for friend in friends[:3]] == ["rewarded", "rewarded", "refused"]
    [cap] = advocate(shop, ada)["caps"]
    assert cap == {"per": "month", "of": "times", "limit": 2, "left": 0}
    shop.clock.at += 10 * DAY  # December
    buys(shop, friends[3], "f-3")
    assert state(shop, friends[3]) == ("rewarded", [])
    assert shop.balance(friends[2], "points") == 25  # nothing for the friend beyond the cap


def test_the_last_points_of_a_cap_are_given_and_a_reversal_frees_them() -> None:
    terms = {"order": {"return_days": 0}}
    shop = opened(program(qualifies=terms, caps=[{"per": "lifetime", "amount": 50}]))
    ada = shop.enrol()
    friends = [brings(shop, ada) for _ in range(5)]
    for number, friend in enumerate(friends[:4]):
        buys(shop, friend, f"f-{number}")
    assert shop.balance(ada, "points") == 50
    assert state(shop, friends[3]) == ("refused", ["cap"])
    shop.refund("f-0", "r")
    settle(shop, friends[0])
    assert shop.balance(ada, "points") == 30
    buys(shop, friends[4], "f-4")
    assert shop.balance(ada, "points") == 50


def test_what_a_friend_gets_at_once_is_given_as_often_as_the_cap_says() -> None:
    friend = {"currency": "points", "amount": 5, "at": "enrolled"}
    terms = {"order": {"return_days": 0}}
    caps = [{"per": "lifetime", "times": 2}]
    shop = opened(program(qualifies=terms, friend=friend, caps=caps))
    ada = shop.enrol()
    friends = [brings(shop, ada) for _ in range(3)]
    assert [shop.balance(one, "points") for one in friends] == [5, 5, 0]
    assert state(shop, friends[0]) == ("enrolled", [])
    buys(shop, friends[2], "f-2")
    assert state(shop, friends[2]) == ("rewarded", [])
    assert (shop.balance(ada, "points"), shop.balance(friends[2], "points")) == (20, 25)
    buys(shop, friends[0], "f-0")
    shop.refund("f-0", "r")
    settle(shop, friends[0])
    assert (shop.balance(ada, "points"), shop.balance(friends[0], "points")) == (20, 0)


def test_a_voucher_is_handed_out_and_withdrawn() -> None:
    shop = opened(program(qualifies={"order": {"return_days": 0}}, advocate={"reward": "mug"}))
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    [voucher] = shop.call("GET", f"/v1/members/{ada}/vouchers").json["data"]
    assert (voucher["reward"], voucher["status"]) == ("mug", "issued")
    shop.refund("o-1", "r")
    settle(shop, bob)
    [voucher] = shop.call("GET", f"/v1/members/{ada}/vouchers").json["data"]
    assert voucher["status"] == "cancelled"
    cyd = brings(shop, ada)
    buys(shop, cyd, "o-2")
    vouchers = shop.call("GET", f"/v1/members/{ada}/vouchers").json["data"]
    used = next(one["code"] for one in vouchers if one["status"] == "issued")
    assert shop.call("POST", f"/v1/vouchers/{used}/uses", {"id": "u-1"}).status == 201
    shop.refund("o-2", "r")
    settle(shop, cyd)
    assert state(shop, cyd) == ("reversed", [])
    assert shop.call("GET", f"/v1/vouchers/{used}").json["status"] == "used"


def test_friends_whose_orders_come_back_bring_no_more_than_the_cap() -> None:
    """A voucher that was used stays used: the next friend must not bring another one."""
    caps = [{"per": "lifetime", "times": 1}]
    terms = {"order": {"return_days": 0}}
    shop = opened(program(qualifies=terms, advocate={"reward": "mug"}, caps=caps))
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    [voucher] = shop.call("GET", f"/v1/members/{ada}/vouchers").json["data"]
    path = f"/v1/vouchers/{voucher['code']}/uses"
    assert shop.call("POST", path, {"id": "u-1"}).status == 201
    shop.refund("o-1", "r")
    settle(shop, bob)
    cyd = brings(shop, ada)
    buys(shop, cyd, "o-2")
    assert (state(shop, bob), state(shop, cyd)) == (("reversed", []), ("refused", ["cap"]))


@pytest.mark.parametrize("cap", [{"times": 1}, {"amount": 20}])
def test_what_was_spent_and_is_forgiven_keeps_its_place_in_the_cap(cap: dict[str, int]) -> None:
    terms = {"order": {"return_days": 0}}
    forgiving = program(qualifies=terms, caps=[{"per": "lifetime", **cap}])
    forgiving["currencies"]["points"]["clawback"] = "clamp"
    shop = opened(forgiving)
    ada = shop.enrol()
    bob, cyd = brings(shop, ada), brings(shop, ada)
    buys(shop, bob, "o-1")
    body = {"currency": "points", "amount": -20, "reason": "spent"}
    path = f"/v1/members/{ada}/adjustments"
    assert shop.call("POST", path, body, headers={"idempotency-key": "k"}).status == 201
    shop.refund("o-1", "r")
    settle(shop, bob)
    buys(shop, cyd, "o-2")
    assert (state(shop, bob), state(shop, cyd)) == (("reversed", []), ("refused", ["cap"]))
    assert shop.balance(ada, "points") == 0


def test_a_milestone_that_was_spent_and_is_forgiven_is_not_given_again() -> None:
    milestones = [{"at": 1, "currency": "points", "amount": 100}]
    forgiving = program(qualifies={"order": {"return_days": 0}}, milestones=milestones)
    forgiving["currencies"]["points"]["clawback"] = "clamp"
    shop = opened(forgiving)
    ada = shop.enrol()
    bob, cyd = brings(shop, ada), brings(shop, ada)
    buys(shop, bob, "o-1")
    body = {"currency": "points", "amount": -110, "reason": "spent"}
    path = f"/v1/members/{ada}/adjustments"
    assert shop.call("POST", path, body, headers={"idempotency-key": "k"}).status == 201
    shop.refund("o-1", "r")
    settle(shop, bob)
    assert shop.balance(ada, "points") == 0
    buys(shop, cyd, "o-2")
    assert shop.balance(ada, "points") == 20
    shop.refund("o-2", "r")
    settle(shop, cyd)
    assert shop.balance(ada, "points") == 0


def test_a_made_up_friend_who_goes_makes_no_room_for_the_next() -> None:
    """What he had at once may be spent: nobody gets it back from him."""
    friend = {"currency": "points", "amount": 5, "at": "enrolled"}
    caps = [{"per": "lifetime", "times": 1}]
    shop = opened(program(qualifies={"order": {"return_days": 0}}, friend=friend, caps=caps))
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    shop.refund("o-1", "r")
    settle(shop, bob)
    assert state(shop, bob) == ("reversed", [])
    assert shop.balance(brings(shop, ada), "points") == 0


def test_a_gift_card_is_money_still_and_makes_nobody_count() -> None:
    shop = opened(program(qualifies={"order": {"return_days": 0}}))
    bob = brings(shop, shop.enrol())
    shop.order(bob, "o-1", goods(2500, gift_card=True))
    settle(shop, bob)
    assert state(shop, bob) == ("enrolled", [])
    buys(shop, bob, "o-2")
    assert state(shop, bob) == ("rewarded", [])


def test_a_program_that_has_ended_gives_nothing_for_friends_of_before(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    ends = {"last_day_to_earn": "2026-11-30", "last_day_to_redeem": "2027-03-31"}
    publish(shop, {**program(), "ends": ends})
    later(shop, 30, bob)
    assert state(shop, bob) == ("refused", ["program_ended"])
    assert shop.balance(ada, "points") == 0


def test_a_brings_b_and_b_brings_c_pays_one_level_only(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    cyd = brings(shop, bob)
    buys(shop, bob, "o-1")
    buys(shop, cyd, "o-2")
    later(shop, 14, bob, cyd)
    assert (shop.balance(ada, "points"), shop.balance(bob, "points")) == (20, 50)


def test_terms_are_those_of_the_day_on_which_the_friend_joined(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    richer = program(advocate={"currency": "points", "amount": 99})
    assert shop.call("POST", "/v1/programs", richer).status == 201
    cyd = brings(shop, ada)
    without = {**richer}
    del without["referrals"]
    assert shop.call("POST", "/v1/programs", without).status == 201
    buys(shop, bob, "o-1")
    buys(shop, cyd, "o-2")
    later(shop, 14, bob, cyd)
    assert shop.balance(ada, "points") == 20 + 99
    assert shop.call("GET", f"/v1/members/{ada}/referrals").code == "no_referrals"


def partnered(**partner: Any) -> Shop:
    terms = {"order": {"return_days": 0}}
    partners = {"ANNA10": {"name": "Anna", **partner}}
    return opened(program(qualifies=terms, partners=partners))


def test_a_partners_friends_have_the_partners_terms_and_are_reported() -> None:
    shop = partnered(friend={"currency": "points", "amount": 50}, most=2)
    friends = [joins(shop, "anna10").json["id"] for _ in range(3)]
    for number, friend in enumerate(friends):
        buys(shop, friend, f"o-{number}")
    assert [shop.balance(one, "points") for one in friends] == [75, 75, 25]
    assert state(shop, friends[2]) == ("refused", ["cap"])
    shop.call("GET", f"/r/{shop.program_id}.ANNA10", key=None)
    [row] = shop.call("GET", "/v1/reports/referrals").json["data"]
    assert row == {
        "member_id": None,
        "partner": "ANNA10",
        "name": "Anna",
        "code": "ANNA10",
        "clicks": 1,
        "friends": {"refused": 1, "rewarded": 2},
        "earned": {},
        "welcomed": {"points": 100},
    }


def test_a_partners_code_is_good_on_its_days_only() -> None:
    shop = partnered(starts="2026-12-01", ends="2026-12-31")
    assert joins(shop, "ANNA10").json["referral"] == {"state": None, "reasons": []}
    shop.clock.at = from_rfc3339("2026-12-31T23:00:00Z")
    assert joins(shop, "ANNA10").json["referral"]["state"] == "enrolled"
    shop.clock.at = from_rfc3339("2027-01-01T00:00:00Z")
    assert joins(shop, "ANNA10").json["referral"]["state"] is None


def test_a_code_that_is_nobodys_or_is_over_brings_nobody(shop: Shop) -> None:
    assert joins(shop, "ABCDEFGH").json["referral"] == {"state": None, "reasons": []}
    ada = shop.enrol()
    code = code_of(shop, ada)
    assert code_of(shop, ada) == code
    spelled = f" {code[:4].lower()}-{code[4:]}".replace("0", "o")
    assert joins(shop, spelled).json["referral"]["state"] == "enrolled"
    assert shop.call("DELETE", f"/v1/members/{ada}").status == 200
    assert joins(shop, code).json["referral"]["state"] is None
    assert "referral" not in shop.call("POST", "/v1/members", {}).json


def test_a_campaign_has_days() -> None:
    shop = opened(program(starts="2026-12-01", ends="2026-12-24"))
    ada = shop.enrol()
    code = code_of(shop, ada)
    assert joins(shop, code).json["referral"]["state"] is None
    shop.clock.at = from_rfc3339("2026-12-24T12:00:00Z")
    bob = joins(shop, code).json["id"]
    shop.clock.at += DAY
    assert joins(shop, code).json["referral"]["state"] is None
    buys(shop, bob, "o-1")
    assert state(shop, bob)[0] == "qualified"  # who joined in time may buy later


def test_the_report_says_what_every_advocate_has_brought(shop: Shop) -> None:
    ada, eve = sorted((shop.enrol(), shop.enrol()))
    bob, _ = brings(shop, ada), brings(shop, eve)
    buys(shop, bob, "o-1")
    later(shop, 14, bob)
    link = advocate(shop, ada)["link"]
    assert link == f"https://shop.test/r/{shop.program_id}.{code_of(shop, ada)}"
    assert shop.call("GET", link.removeprefix("https://shop.test"), key=None).status == 303
    first = shop.call("GET", "/v1/reports/referrals", query={"limit": "1"}).json
    assert first["data"] == [
        {
            "member_id": ada,
            "partner": None,
            "name": None,
            "code": code_of(shop, ada),
            "clicks": 1,
            "friends": {"rewarded": 1},
            "earned": {"points": 20},
            "welcomed": {"points": 5},
        }
    ]
    second = shop.call(
        "GET", "/v1/reports/referrals", query={"limit": "1", "cursor": first["next_cursor"]}
    ).json
    assert [one["member_id"] for one in second["data"]] == [eve]


def test_a_friend_who_is_erased_brings_nothing(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    assert shop.call("DELETE", f"/v1/members/{bob}").status == 200
    later(shop, 14, bob)
    assert state(shop, bob) == ("refused", ["erased"])
    assert referral(shop, bob)["friend"] == {"id": bob, "name": None}
    assert shop.balance(ada, "points") == 0
    assert shop.runtime.context.store.referrals.traces(shop.program_id, bob) == {}


def test_who_is_restricted_has_it_when_the_restriction_is_lifted(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    path = f"/v1/members/{ada}/restriction"
    assert shop.call("PUT", path, {"restricted": True}).status == 200
    later(shop, 14, bob)
    [waits] = shop.call("GET", "/v1/referrals", query={"state": "qualified"}).json["data"]
    assert (waits["friend"]["id"], waits["state"]) == (bob, "qualified")
    assert shop.balance(bob, "points") == 25
    due = shop.runtime.context.store.dues.of(shop.program_id, bob)
    assert due is not None and due.at == shop.clock.at + DAY
    assert shop.call("PUT", path, {"restricted": False}).status == 200
    later(shop, 1, bob)
    assert (shop.balance(ada, "points"), shop.balance(bob, "points")) == (20, 30)


def test_share_texts_have_the_members_own_link() -> None:
    shop = opened(program(share={"text": {"en": "Join: {link} ({code})", "de": "Komm: {link}"}}))
    ada = shop.enrol()
    found = advocate(shop, ada)
    assert found["share"] == {
        "en": f"Join: {found['link']} ({found['code']})",
        "de": f"Komm: {found['link']}",
    }


def test_a_batch_and_an_import_of_old_orders_bring_nothing_twice(shop: Shop) -> None:
    """Orders from before the friend joined: he was a customer already."""
    ada = shop.enrol()
    bob = joins(shop, code_of(shop, ada)).json["id"]
    shop.order(bob, "old", goods(9900), placed_at="2026-01-05T12:00:00Z")
    settle(shop, bob)
    assert state(shop, bob) == ("enrolled", [])
    buys(shop, bob, "o-1")
    assert state(shop, bob) == ("refused", ["not_first_order"])


def test_an_export_says_with_whose_code_somebody_joined(shop: Shop) -> None:
    ada = shop.enrol()
    bob = brings(shop, ada)
    found = shop.call("GET", f"/v1/members/{bob}/export").json
    assert found["referrals"] == [
        {"member_id": bob, "code": code_of(shop, ada), "joined_at": "2026-11-23T12:00:00Z"}
    ]
    assert shop.call("GET", f"/v1/members/{ada}/export").json["referrals"] == []


def test_the_due_queue_of_a_live_program_does_it_all() -> None:
    """Each entry of the friend's tells the queue of him; the sweep does when the time has come."""
    shop = Shop(memory_store(), mode="live")
    publish(shop, program())
    shop.clock.at += MINUTE
    ada = shop.enrol()
    bob = joins(shop, code_of(shop, ada)).json["id"]
    shop.order(bob, "o-1", goods(2500))
    told = {"messageId": "1", "body": message(shop.program_id, bob)}
    assert on_due({"Records": [told, {**told, "messageId": "2"}]}) == {"batchItemFailures": []}
    assert state(shop, bob) == ("qualified", [])
    shop.clock.at += 15 * DAY
    queue = Queued()
    assert sweep(shop.runtime.context, queue) == 1
    rows = [{"messageId": str(at), "body": one} for at, one in enumerate(queue.messages * 2)]
    assert on_due({"Records": rows}) == {"batchItemFailures": []}
    assert (shop.balance(ada, "points"), shop.balance(bob, "points")) == (20, 30)
    assert sweep(shop.runtime.context, queue) == 0
