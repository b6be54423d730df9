"""Dropbox's referrals, played over the API with the published figures: 500 MB for each side, 16 GB
at most, so that the 33rd friend gives nothing; twice as much with Plus; only once the friend signs
in on a computer, and never on one's own."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.stripe_stand_in import StripeStandIn
from tests.fakes.payments import PlanShop
from tests.fakes.referrals import advocate, brings, code_of, joins, settle, state
from tests.fakes.rules import account, does


@pytest.fixture
def shop() -> Iterator[PlanShop]:
    with StripeStandIn() as stand_in:
        shop = PlanShop(stand_in)
        shop.set_clock("2027-01-04T10:00:00Z")
        assert shop.publish("dropbox").status == 201
        yield shop


def megabytes(shop: PlanShop, member: str) -> int:
    return int(account(shop, member)["balances"]["megabytes"]["available"])


def signs_in(shop: PlanShop, friend: str, computer: bool = True, number: int = 1) -> None:
    head = shop.runtime.context.store.programs.head(shop.program_id)
    assert head is not None and head.test_now is not None
    shop.clock.at = head.test_now
    assert does(shop, friend, f"in-{number}", "signed_in", computer=computer).status == 201
    settle(shop, friend)


def friend_of(shop: PlanShop, member: str, number: int) -> str:
    """A friend at a computer of his own."""
    address = f"198.51.{number // 250}.{number % 250 + 1}"
    seen = {"device": f"device-{number}", "network_address": address}
    return brings(shop, member, email=f"f{number}@example.com", traces=seen)


def test_both_sides_have_500_mb_once_the_friend_signs_in_on_a_computer(shop: PlanShop) -> None:
    ada = shop.enrol(email="ada@example.com")
    bob = friend_of(shop, ada, 1)
    assert state(shop, bob) == ("enrolled", [])
    signs_in(shop, bob, computer=False)  # on a phone
    assert state(shop, bob) == ("enrolled", [])
    assert (megabytes(shop, ada), megabytes(shop, bob)) == (0, 0)
    signs_in(shop, bob, number=2)
    assert state(shop, bob) == ("rewarded", [])
    signs_in(shop, bob, number=3)
    assert (megabytes(shop, ada), megabytes(shop, bob)) == (500, 500)


def test_the_33rd_friend_gives_nothing(shop: PlanShop) -> None:
    ada = shop.enrol(email="ada@example.com")
    friends = [friend_of(shop, ada, number) for number in range(33)]
    for friend in friends:
        signs_in(shop, friend)
    assert megabytes(shop, ada) == 16_000
    assert all(state(shop, friend) == ("rewarded", []) for friend in friends[:32])
    assert state(shop, friends[32]) == ("refused", ["cap"])
    assert (megabytes(shop, friends[31]), megabytes(shop, friends[32])) == (500, 0)
    found = advocate(shop, ada)
    assert found["caps"] == [{"per": "lifetime", "of": "amount", "limit": 16_000, "left": 0}]
    assert found["earned"] == {"megabytes": 16_000}
    assert found["friends"] == {"refused": 1, "rewarded": 32}


def test_with_plus_each_side_has_twice_as_much_up_to_32_gb(shop: PlanShop) -> None:
    ada = shop.enrol(email="ada@example.com")
    shop.pays(ada, "monthly", plan="plus")
    friends = [friend_of(shop, ada, number) for number in range(33)]
    for friend in friends:
        signs_in(shop, friend)
    assert megabytes(shop, ada) == 32_000
    assert [megabytes(shop, friend) for friend in friends] == [1000] * 32 + [0]


def test_a_friend_on_the_same_computer_or_network_does_not_count(shop: PlanShop) -> None:
    seen: dict[str, Any] = {"device": "home", "network_address": "203.0.113.9"}
    reply = shop.call("POST", "/v1/members", {"email": "ada@example.com", "traces": seen})
    ada = reply.json["id"]
    code = code_of(shop, ada)
    alone = joins(shop, code, email="x@example.com", traces={"device": "home"}).json
    assert alone["referral"] == {"state": "refused", "reasons": ["same_device"]}
    near = {"device": "other", "network_address": "203.0.113.9"}
    assert joins(shop, code, email="y@example.com", traces=near).json["referral"] == {
        "state": "refused",
        "reasons": ["same_network"],
    }
    alias = joins(shop, code, email="A.da+two@example.com").json
    assert alias["referral"]["reasons"] == ["same_email"]
    settle(shop, alias["id"])
    signs_in(shop, alias["id"])
    assert (megabytes(shop, ada), megabytes(shop, alias["id"])) == (0, 0)
