"""What is no referral: Smile.io's checks (similar e-mail, ten from one address in a week, not the
first order, the advocate's own order, the same name), and ours; held ones wait for a decision."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.domain.ledger.entries import LogKey
from chalicelib.kernel.clock import DAY, HOUR
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
from tests.fakes.rules import opened
from tests.fakes.shop import Shop

ADA = {
    "email": "ada.l@example.com",
    "phone": "+4915112345678",
    "given_name": "Ada",
    "family_name": "Lovelace",
}
HOME = {
    "card_fingerprint": "card-1",
    "device": "phone-1",
    "network_address": "2001:db8:1:2::1",
    "postal_address": "1 Mill Lane, London",
}
EVERY = (
    "same_email",
    "same_phone",
    "same_name",
    "same_name_and_address",
    "same_card",
    "same_device",
    "same_network",
    "own_order",
    "not_first_order",
)


def strict(**checks: Any) -> Shop:
    """A shop in which every check is hard, but those that are named."""
    terms = {"order": {"min_total": 2000, "return_days": 0}}
    return opened(program(qualifies=terms, checks={**dict.fromkeys(EVERY, "hard"), **checks}))


def ada_at_home(shop: Shop) -> str:
    reply = shop.call("POST", "/v1/members", {**ADA, "traces": HOME})
    assert reply.status == 201, reply.raw
    return str(reply.json["id"])


def friend(shop: Shop, ada: str, **fields: Any) -> tuple[str | None, list[str]]:
    """What becomes of a friend with these fields as he joins."""
    found = joins(shop, code_of(shop, ada), **fields).json["referral"]
    return found["state"], found["reasons"]


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"email": "adal@example.com"}, ["same_email"]),
        ({"email": "A.D.A.L+friend@Example.com"}, ["same_email"]),
        ({"email": "ada.l@example.org"}, []),
        ({"given_name": "ADA", "family_name": "Lovélace"}, ["same_name"]),
        ({"given_name": "Ada"}, []),
        ({"traces": {"card_fingerprint": "card-1"}}, ["same_card"]),
        ({"traces": {"device": "phone-1"}}, ["same_device"]),
        ({"traces": {"network_address": "2001:db8:1:2:ffff::9"}}, ["same_network"]),
        ({"traces": {"network_address": "2001:db8:1:3::1"}}, []),
        ({"traces": {"network_address": "no address"}}, []),
        ({"traces": {"postal_address": "1, MILL LANE london"}}, []),
        (
            {
                "given_name": "Ada",
                "family_name": "Lovelace",
                "traces": {"postal_address": "1, MILL LANE london"},
            },
            ["same_name", "same_name_and_address"],
        ),
    ],
)
def test_f07_who_joins_with_what_the_advocate_has_is_no_friend(
    fields: dict[str, Any], reasons: list[str]
) -> None:
    shop = strict()
    ada = ada_at_home(shop)
    assert friend(shop, ada, **fields) == ("refused" if reasons else "enrolled", reasons)


def test_a_phone_that_is_the_advocates_is_seen_though_no_two_members_can_have_it() -> None:
    """On the page to join such a visitor becomes a member without it."""
    shop = strict()
    ada = ada_at_home(shop)
    bob = join_on_page(shop, code_of(shop, ada), phone="+49 151 12345678")
    assert state(shop, bob) == ("refused", ["same_phone"])


def test_f07_an_order_that_the_advocate_placed_brings_nothing() -> None:
    shop = strict()
    ada = ada_at_home(shop)
    for number, buyer in enumerate(
        ({"email": "adal+x@example.com"}, {"phone": "+49 151 12345678"}, {"device": "phone-1"})
    ):
        bob = brings(shop, ada)
        buys(shop, bob, f"o-{number}", buyer=buyer)
        expected = "same_device" if "device" in buyer else "own_order"
        assert state(shop, bob) == ("refused", [expected])
    own = buys(shop, ada, "own", buyer=HOME)
    assert own.status == 201
    assert shop.balance(ada, "points") == 25  # what the order itself gives


def test_what_the_friend_shows_only_later_is_seen_when_he_counts() -> None:
    shop = strict()
    ada = ada_at_home(shop)
    bob = brings(shop, ada)
    path = f"/v1/members/{bob}"
    assert shop.call("PATCH", path, {"email": "a.dal@example.com"}).status == 200
    buys(shop, bob, "o-1")
    assert state(shop, bob) == ("refused", ["same_email"])


def test_f07_not_the_friends_first_order() -> None:
    shop = strict()
    ada = ada_at_home(shop)
    bob, cyd = brings(shop, ada), brings(shop, ada)
    buys(shop, bob, "small", 500)
    buys(shop, bob, "large")
    assert state(shop, bob) == ("refused", ["not_first_order"])
    buys(shop, cyd, "wrong", 500)
    shop.refund("wrong", "r")
    buys(shop, cyd, "right")  # what came back whole was no purchase
    assert state(shop, cyd) == ("rewarded", [])


def test_f07_the_tenth_friend_from_one_address_within_a_week_is_held() -> None:
    shop = strict(same_network="off", velocity={"check": "soft", "most": 9, "days": 7})
    advocates = [ada_at_home(shop), shop.enrol()]
    cafe = {"network_address": "198.51.100.7"}
    states = []
    for number in range(10):
        states.append(friend(shop, advocates[number % 2], traces=cafe))
        shop.clock.at += HOUR
    assert states == [("enrolled", [])] * 9 + [("held", ["velocity"])]
    shop.clock.at += 8 * DAY
    assert friend(shop, advocates[0], traces=cafe) == ("enrolled", [])


def test_a_check_is_off_soft_or_hard() -> None:
    for strictness, expected in (("off", "enrolled"), ("soft", "held"), ("hard", "refused")):
        shop = strict(same_device=strictness)
        ada = ada_at_home(shop)
        assert friend(shop, ada, traces={"device": "phone-1"})[0] == expected


def decide(shop: Shop, friend_id: str, decision: str, **more: Any) -> Any:
    path = f"/v1/referrals/{friend_id}/decision"
    return shop.call("POST", path, {"decision": decision, **more})


def test_what_is_held_waits_for_a_decision_and_goes_on_after_it() -> None:
    shop = strict(same_device="soft", same_card="hard")
    ada = ada_at_home(shop)
    fields = {"given_name": "Bob", "family_name": "Babbage", "traces": {"device": "phone-1"}}
    bob, cyd = brings(shop, ada, **fields), brings(shop, ada, **fields)
    buys(shop, bob, "o-1")
    assert (state(shop, bob), shop.balance(bob, "points")) == (("held", ["same_device"]), 25)
    queue = shop.call("GET", "/v1/referrals").json
    assert {one["friend"]["id"] for one in queue["data"]} == {bob, cyd}
    assert {one["friend"]["name"] for one in queue["data"]} == {"Bob B."}
    assert queue["data"][0]["advocate"] == {"id": ada, "name": "Ada L."}
    done = decide(shop, bob, "approve", note="they are sisters")
    assert (done.status, done.json["state"]) == (200, "rewarded")
    assert shop.balance(ada, "points") == 20
    assert decide(shop, bob, "approve").json["state"] == "rewarded"
    assert decide(shop, bob, "refuse").code == "referral_not_held"
    assert decide(shop, cyd, "refuse").json["reasons"] == ["same_device", "review"]
    assert decide(shop, cyd, "refuse").status == 200
    assert decide(shop, cyd, "approve").code == "referral_not_held"
    buys(shop, cyd, "o-2")
    assert shop.balance(ada, "points") == 20
    assert shop.call("GET", "/v1/referrals").json["data"] == []
    told = shop.call("GET", "/v1/audit_log").json["data"]
    notes = [one["after"] for one in told if one["action"] == "referrals.decide" and one["after"]]
    assert {"decision": "approve", "note": "they are sisters", "state": "rewarded"} in notes


def test_what_was_approved_is_still_refused_by_a_hard_check() -> None:
    shop = strict(same_device="soft")
    ada = ada_at_home(shop)
    bob = brings(shop, ada, traces={"device": "phone-1"})
    assert decide(shop, bob, "approve").json["state"] == "enrolled"
    buys(shop, bob, "o-1", buyer={"card_fingerprint": "card-1"})
    assert state(shop, bob) == ("refused", ["same_card"])


def test_a_decision_about_nobody_is_refused() -> None:
    shop = strict()
    reply = decide(shop, shop.enrol(), "approve")
    assert (reply.status, reply.code) == (404, "referral_not_found")
    assert shop.call("GET", f"/v1/referrals/{shop.enrol()}").code == "referral_not_found"


def test_nothing_is_decided_about_who_was_erased_and_no_note_of_him_is_kept() -> None:
    shop = strict(same_device="soft")
    ada = ada_at_home(shop)
    bob, cyd = (brings(shop, ada, traces={"device": "phone-1"}) for _ in range(2))
    assert decide(shop, cyd, "refuse").status == 200
    for friend_id, decision in ((bob, "approve"), (cyd, "refuse")):
        assert shop.call("DELETE", f"/v1/members/{friend_id}").status == 200
        reply = decide(shop, friend_id, decision, note="Bob Babbage is fine")
        assert reply.code == "member_erased"
        key = LogKey(shop.program_id, friend_id)
        assert shop.runtime.context.store.notes.of(key, f"referral:{friend_id}") is None
    assert "Babbage" not in shop.call("GET", "/v1/audit_log").raw.decode()


def test_the_farmer_learns_nothing_of_what_was_refused() -> None:
    shop = strict()
    ada = ada_at_home(shop)
    brings(shop, ada, traces={"device": "phone-1"})
    brings(shop, ada)
    assert advocate(shop, ada)["friends"] == {"enrolled": 1, "refused": 1}
    token = shop.call("POST", f"/v1/members/{ada}/tokens").json["token"]
    found = shop.call("GET", f"/v1/members/{ada}/referrals", key=token)
    assert found.json["friends"] == {"joined": 2, "rewarded": 0}
    assert "same_device" not in found.raw.decode()
    for path in ("/v1/referrals", "/v1/reports/referrals"):
        assert shop.call("GET", path, key=token).status == 403


def test_a_publishable_key_learns_nothing_and_cannot_speak_for_the_shop() -> None:
    shop = strict()
    ada = ada_at_home(shop)
    page = shop.call("POST", "/v1/keys", {"kind": "publishable", "name": "page"}).json["secret"]
    answers = set()
    for code in (code_of(shop, ada), "ABCDEFGH", "x"):
        reply = shop.call("POST", "/v1/members", {"referral_code": code}, key=page)
        answers.add((reply.status, reply.raw))
    assert answers == {(202, b'{"status":"accepted"}')}
    reply = shop.call("POST", "/v1/members", {"traces": {"device": "d"}}, key=page)
    assert reply.json["errors"][0]["field"] == "traces"
    [held] = shop.call("GET", "/v1/referrals", query={"state": "enrolled"}).json["data"]
    assert held["advocate"]["id"] == ada


def test_nothing_of_a_person_is_in_the_ledger_or_in_the_referral() -> None:
    shop = strict()
    ada = ada_at_home(shop)
    bob = brings(shop, ada, email="bob@example.com", traces={**HOME, "device": "secret-device"})
    store = shop.runtime.context.store
    kept = repr(store.referrals.of_friend(shop.program_id, bob))
    kept += repr(store.referrals.traces(shop.program_id, bob))
    kept += repr(store.referrals.traces(shop.program_id, ada))
    for secret in ("bob@", "adal", "secret-device", "2001:db8", "Mill", "card-1", "Lovelace"):
        assert secret not in kept
    assert shop.call("DELETE", f"/v1/members/{ada}").status == 200
    assert store.referrals.traces(shop.program_id, ada) == {}


def test_nothing_is_kept_of_the_orders_of_who_is_restricted() -> None:
    shop = strict()
    ada = shop.enrol()
    path = f"/v1/members/{ada}/restriction"
    assert shop.call("PUT", path, {"restricted": True}).status == 200
    assert buys(shop, ada, "o-1", buyer={"device": "d"}).code == "member_restricted"
    assert shop.runtime.context.store.referrals.traces(shop.program_id, ada) == {}


def test_members_who_turn_out_to_be_one_bring_nothing() -> None:
    shop = opened(program())
    ada = shop.enrol()
    bob = brings(shop, ada)
    buys(shop, bob, "o-1")
    assert shop.call("POST", f"/v1/members/{ada}/merge", {"member_id": bob}).status == 200
    shop.clock.at += 14 * DAY
    settle(shop, ada)
    assert state(shop, bob) == ("refused", ["same_member"])
    assert shop.balance(ada, "points") == 25


def test_a_circle_that_a_merge_closes_is_broken() -> None:
    shop = opened(program())
    ada = shop.enrol()
    bob = brings(shop, ada)
    cyd = brings(shop, bob)
    assert shop.call("POST", f"/v1/members/{cyd}/merge", {"member_id": ada}).status == 200
    buys(shop, bob, "o-1")  # bob was brought by ada, who is cyd now, whom bob has brought
    assert state(shop, bob) == ("refused", ["loop"])
    buys(shop, cyd, "o-2")
    shop.clock.at += 14 * DAY
    settle(shop, bob, cyd)
    assert state(shop, cyd) == ("rewarded", [])
    assert (shop.balance(bob, "points"), shop.balance(cyd, "points")) == (25 + 20, 25 + 5)


def test_a_circle_is_seen_behind_another_advocate_of_who_was_merged() -> None:
    shop = opened(program(qualifies={"order": {"return_days": 0}}))
    ada = brings(shop, shop.enrol())
    bob = brings(shop, ada)
    cyd = brings(shop, bob)
    buys(shop, cyd, "o-1")
    assert state(shop, cyd) == ("rewarded", [])
    assert shop.call("POST", f"/v1/members/{cyd}/merge", {"member_id": ada}).status == 200
    buys(shop, bob, "o-2")
    assert state(shop, bob) == ("refused", ["loop"])


def test_of_two_friends_who_are_one_the_first_referral_counts() -> None:
    shop = opened(program())
    ada, eve = shop.enrol(), shop.enrol()
    bob = brings(shop, ada)
    shop.clock.at += HOUR
    again = brings(shop, eve)
    assert shop.call("POST", f"/v1/members/{again}/merge", {"member_id": bob}).status == 200
    buys(shop, again, "o-1")
    shop.clock.at += 14 * DAY
    settle(shop, again)
    assert state(shop, bob) == ("rewarded", [])
    assert state(shop, again) == ("refused", ["another_advocate"])
    assert (shop.balance(ada, "points"), shop.balance(eve, "points")) == (20, 0)


def join_on_page(shop: Shop, code: str, **fields: str) -> str:
    """A visitor follows a member's link and fills in the form; his id."""
    followed = shop.call("GET", f"/r/{shop.program_id}.{code}", key=None)
    location = followed.headers["location"].removeprefix("https://shop.test")
    path, _, query = location.partition("?")
    name, _, value = query.partition("=")
    page = shop.call("GET", path, key=None, query={name: value})
    hidden = re.findall(r'type="hidden" name="([a-z_]+)" value="([^"]*)"', page.raw.decode())
    shop.clock.at += 5_000
    form = urlencode({**dict(hidden), **fields})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    sent = shop.call("POST", path, form, key=None, headers=headers)
    assert sent.status == 303, sent.raw
    return sent.headers["location"].rpartition("/")[2].split(".")[1]


def test_the_link_leads_to_the_form_and_the_friend_is_attributed() -> None:
    shop = opened(program())
    ada = shop.enrol()
    bob = join_on_page(shop, code_of(shop, ada), given_name="Bob")
    found = referral(shop, bob)
    assert (found["state"], found["advocate"]["id"]) == ("enrolled", ada)
    assert found["friend"]["name"] == "Bob"
