"""Referrals on each engine: one for a friend, written with him; a change and its tally are one."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from chalicelib.domain.ports import Origin, Store
from chalicelib.domain.referrals.referral import Referral, ReferralChange, State, Tally
from chalicelib.kernel.clock import DAY
from tests.contract.samples import EMAIL, NOW, entry, member

FIRST = Referral("prg_1", "mem_1", "mem_9", "", "ABCD2345", NOW, 1, 0)
NOBODY = Tally("prg_1", "mem_9")


def moved(was: Referral, now: Referral, tally: Tally | None) -> ReferralChange:
    return ReferralChange(now, was, (tally or NOBODY).after(was, now, {1: 5}, {}), tally)


def test_a_referral_is_written_with_the_friend_or_not_at_all(store: Store) -> None:
    origin = Origin({"device": ("d1",)}, FIRST, "n1", NOW + 7 * DAY)
    ada = replace(member("mem_1", EMAIL), joined_at=NOW)
    assert store.members.enrol(ada, entry(1, "enrol:mem_1#enrolled"), (), origin)
    assert store.members.enrol(ada, entry(1, "enrol:mem_1#enrolled"), (), origin)  # a retry
    assert store.referrals.of_friend("prg_1", "mem_1") == FIRST
    assert store.referrals.of_friend("prg_2", "mem_1") is None
    assert store.referrals.traces("prg_1", "mem_1") == {"device": ("d1",)}
    assert store.referrals.friends_from("prg_1", "n1", NOW, NOW, 9) == 1
    assert store.referrals.friends_from("prg_1", "n1", NOW - DAY, NOW - 1, 9) == 0
    assert store.referrals.friends_from("prg_1", "n1", NOW + 1, NOW + DAY, 9) == 0
    another = replace(FIRST, friend_id="mem_2")
    bob = replace(member("mem_2", EMAIL), joined_at=NOW)
    key = replace(entry(1, "x").key, member_id="mem_2")
    first = replace(entry(1, "enrol:mem_2#enrolled"), key=key)
    assert not store.members.enrol(bob, first, (), Origin({}, another))
    assert store.referrals.of_friend("prg_1", "mem_2") is None


def test_a_change_and_its_tally_are_written_together_or_not_at_all(store: Store) -> None:
    ada = member("mem_1", EMAIL)
    store.members.enrol(ada, entry(1, "enrol:mem_1#enrolled"), (), Origin({}, FIRST))
    held = FIRST.to(State.HELD, "velocity")
    change = moved(FIRST, held, None)
    assert store.referrals.move(change)
    assert store.referrals.move(change)  # a retry
    assert store.referrals.of_friend("prg_1", "mem_1") == held
    assert store.referrals.tally("prg_1", "mem_9") == change.tally
    assert change.tally.states == {"held": 1} and change.tally.earned == {1: 5}
    refused = FIRST.to(State.REFUSED)
    assert not store.referrals.move(moved(FIRST, refused, change.tally))
    assert not store.referrals.move(moved(held, held.to(State.REFUSED), None))
    assert store.referrals.of_friend("prg_1", "mem_1") == held
    assert store.referrals.in_state("prg_1", State.HELD, None, 5) == ([held], None)
    assert store.referrals.in_state("prg_1", State.ENROLLED, None, 5) == ([], None)
    rows, following = store.referrals.in_state("prg_1", State.HELD, None, 1)
    assert rows == [held]
    assert store.referrals.in_state("prg_1", State.HELD, following, 1) == ([], None)
    rewarding = held.to(State.REWARDING)
    assert store.referrals.move(moved(held, rewarding, change.tally))
    assert store.referrals.in_state("prg_1", State.QUALIFIED, None, 5) == ([rewarding], None)
    [tally] = store.referrals.tallies("prg_1", None, 5)
    assert tally == store.referrals.tally("prg_1", "mem_9")
    assert store.referrals.tallies("prg_1", "mem_9", 5) == []


def test_a_code_is_one_members_for_ever(store: Store) -> None:
    assert store.referrals.owner("prg_1", "ABCD2345") is None
    assert store.referrals.take_code("prg_1", "ABCD2345", "mem_1")
    assert store.referrals.take_code("prg_1", "ABCD2345", "mem_1")
    assert not store.referrals.take_code("prg_1", "ABCD2345", "mem_2")
    assert store.referrals.owner("prg_1", "ABCD2345") == "mem_1"
    assert store.referrals.owner("prg_2", "ABCD2345") is None
    store.referrals.count_click("prg_1", "ABCD2345")
    store.referrals.count_click("prg_1", "ABCD2345")
    assert store.referrals.clicks("prg_1", "ABCD2345") == 2
    assert store.referrals.clicks("prg_1", "other") == 0


def test_traces_are_added_and_forgotten(store: Store) -> None:
    store.referrals.remember("prg_1", "mem_1", {"card": ("c1",)})
    store.referrals.remember("prg_1", "mem_1", {"card": ("c2",), "device": ("d1",)})
    known = store.referrals.traces("prg_1", "mem_1")
    assert known == {"card": ("c1", "c2"), "device": ("d1",)}
    many = tuple(f"c{number}" for number in range(3, 20))
    store.referrals.remember("prg_1", "mem_1", {"card": many})
    assert store.referrals.traces("prg_1", "mem_1")["card"] == many[-10:]
    store.referrals.forget("prg_1", "mem_1")
    assert store.referrals.traces("prg_1", "mem_1") == {}


def test_sixteen_at_once_move_one_tally_and_none_is_lost(emulated: Store) -> None:
    """Friends of one advocate, whose workers all count in the same row."""
    friends = [replace(FIRST, friend_id=f"mem_{number}") for number in range(16)]
    for one in friends:
        key = replace(entry(1, "x").key, member_id=one.friend_id)
        first = replace(entry(1, f"enrol:{one.friend_id}#enrolled"), key=key)
        assert emulated.members.enrol(
            replace(member(one.friend_id), claims=()), first, (), Origin({}, one)
        )

    def count(one: Referral) -> bool:
        now = replace(one.to(State.REWARDED), counted=True)
        for attempt in range(60):
            was = emulated.referrals.tally("prg_1", "mem_9")
            tally = (was or NOBODY).after(one, now, {1: 5}, {})
            if emulated.referrals.move(ReferralChange(now, one, tally, was)):
                return True
            time.sleep(random.uniform(0, 0.01 * min(attempt + 1, 20)))
        raise AssertionError("starved")

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(count, friends))
    tally = emulated.referrals.tally("prg_1", "mem_9")
    assert tally is not None
    assert (tally.states, tally.earned) == ({"rewarded": 16}, {1: 80})
