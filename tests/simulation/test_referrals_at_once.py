"""Whatever comes at once for a referral, late, twice, or cut off, there is one outcome.

Everything runs on the twin, one call to the store after another; whose call is next is drawn.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from chalicelib.kernel.clock import DAY
from chalicelib.services.sweeps import settle_member
from tests.fakes.interference import Crash, DiesAfter
from tests.fakes.referrals import brings, buys, code_of, program, settle, state
from tests.fakes.rules import opened
from tests.fakes.shop import Shop, goods
from tests.simulation.turns import among, at_once

SEEDS = range(40)
AT_ONCE: dict[str, Any] = {"order": {"min_total": 2000, "return_days": 0}}


def settles(shop: Shop, *members: str) -> list[Callable[[], None]]:
    return [
        lambda one=one: settle_member(shop.runtime.context, shop.program_id, one) for one in members
    ]


def points(shop: Shop, *members: str) -> list[int]:
    return [shop.balance(one, "points") for one in members]


@pytest.mark.parametrize("seed", SEEDS)
def test_two_advocates_claim_one_friend_at_once(seed: int) -> None:
    shop = opened(program(qualifies=AT_ONCE))
    ada, eve = shop.enrol(), shop.enrol()
    codes = [code_of(shop, ada), code_of(shop, eve)]

    def enrol(code: str) -> int:
        body = {"email": "bob@example.com", "referral_code": code}
        return shop.call("POST", "/v1/members", body).status

    statuses = at_once(shop, seed, *(partial(enrol, code) for code in codes))
    assert sorted(statuses) in ([201, 201], [201, 409])  # the same profile again is the same
    [bob] = shop.call("GET", "/v1/members", query={"email": "bob@example.com"}).json["data"]
    buys(shop, bob["id"], "o-1")
    assert sorted(points(shop, ada, eve)) == [0, 20]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_reward_of_a_cap_is_given_once(seed: int) -> None:
    shop = opened(program(qualifies=AT_ONCE, caps=[{"per": "lifetime", "times": 2}]))
    ada = shop.enrol()
    friends = [brings(shop, ada) for _ in range(4)]
    for number, friend in enumerate(friends):
        shop.order(friend, f"o-{number}", goods(2500))
    at_once(shop, seed, *settles(shop, *friends))
    settle(shop, *friends)
    assert points(shop, ada) == [40]
    assert sorted(points(shop, *friends)) == [25, 25, 30, 30]
    states = sorted(state(shop, friend)[0] for friend in friends)
    assert states == ["refused", "refused", "rewarded", "rewarded"]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_friends_get_at_once_is_given_as_often_as_the_cap_says(seed: int) -> None:
    friend = {"currency": "points", "amount": 5, "at": "enrolled"}
    shop = opened(program(friend=friend, caps=[{"per": "lifetime", "times": 2}]))
    ada = shop.enrol()
    code = code_of(shop, ada)
    friends = [
        shop.call("POST", "/v1/members", {"referral_code": code}).json["id"] for _ in range(4)
    ]
    at_once(shop, seed, *settles(shop, *friends))
    settle(shop, *friends)
    assert sorted(points(shop, *friends)) == [0, 0, 5, 5]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_refund_and_the_reward_at_once_leave_nobody_anything(seed: int) -> None:
    shop = opened(program(qualifies=AT_ONCE))
    ada = shop.enrol()
    bob = brings(shop, ada)
    shop.order(bob, "o-1", goods(2500))

    def refund() -> None:
        assert shop.refund("o-1", "r").status == 201
        settle(shop, bob)

    at_once(shop, seed, *settles(shop, bob, bob), refund)
    settle(shop, bob)
    assert points(shop, ada, bob) == [0, 0]
    assert state(shop, bob)[0] in ("enrolled", "reversed")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_queue_delivers_twice_and_late(seed: int) -> None:
    shop = opened(program())
    ada = shop.enrol()
    bob = brings(shop, ada)
    shop.order(bob, "o-1", goods(2500))
    at_once(shop, seed, *settles(shop, bob, bob, bob))
    shop.clock.at += 20 * DAY
    at_once(shop, seed, *settles(shop, bob, ada, bob, bob))
    settle(shop, bob)
    assert points(shop, ada, bob) == [20, 30]
    tally = shop.runtime.context.store.referrals.tally(shop.program_id, ada)
    assert tally is not None and (tally.states, tally.earned) == ({"rewarded": 1}, {1: 20})


@pytest.mark.parametrize("seed", SEEDS)
def test_a_merge_and_the_reward_at_once_give_it_to_one_of_them(seed: int) -> None:
    shop = opened(program(qualifies=AT_ONCE))
    ada, eve = shop.enrol(), shop.enrol()
    bob = brings(shop, ada)
    shop.order(bob, "o-1", goods(2500))

    def merge() -> None:
        reply = shop.call("POST", f"/v1/members/{eve}/merge", {"member_id": ada})
        assert reply.status == 200, reply.raw

    at_once(shop, seed, merge, *settles(shop, bob, bob))
    settle(shop, bob)
    assert points(shop, eve, bob) == [20, 30]


def rewarded(shop: Shop) -> tuple[str, str]:
    ada = shop.enrol()
    bob = brings(shop, ada)
    shop.order(bob, "o-1", goods(2500))
    return ada, bob


def reversed_later(shop: Shop) -> tuple[str, str]:
    ada, bob = rewarded(shop)
    settle(shop, bob)
    shop.refund("o-1", "r")
    return ada, bob


@pytest.mark.parametrize(("begin", "expected"), [(rewarded, [20, 30]), (reversed_later, [0, 0])])
def test_whoever_comes_after_a_crash_finishes_it(
    begin: Callable[[Shop], tuple[str, str]], expected: list[int]
) -> None:
    crashes = 0
    for effects in range(40):
        shop = opened(program(qualifies=AT_ONCE, advocate={"currency": "points", "amount": 20}))
        ada, bob = begin(shop)
        try:
            settle_member(among(shop, DiesAfter(effects)), shop.program_id, bob)
        except Crash:
            crashes += 1
        settle(shop, bob)
        assert points(shop, ada, bob) == expected, effects
        tally = shop.runtime.context.store.referrals.tally(shop.program_id, ada)
        assert tally is not None and sum(tally.earned.values()) == expected[0]
        kinds = [
            one["kind"]
            for member in (ada, bob)
            for one in shop.call("GET", f"/v1/members/{member}/entries").json["data"]
        ]
        assert kinds.count("referral") == 2
        assert kinds.count("referral_reversed") == (0 if expected[0] else 2)
        if effects > crashes:
            break
    assert crashes >= 4


def test_a_crash_while_a_friend_joins_leaves_him_whole_or_not_at_all() -> None:
    for effects in range(6):
        shop = opened(program())
        ada = shop.enrol()
        body = {"email": "bob@example.com", "referral_code": code_of(shop, ada)}
        was = shop.runtime.context
        shop.runtime.context = among(shop, DiesAfter(effects))
        with suppress(Crash):
            shop.call("POST", "/v1/members", body)
        shop.runtime.context = was
        bob = shop.call("POST", "/v1/members", body).json["id"]
        assert state(shop, bob) == ("enrolled", [])
