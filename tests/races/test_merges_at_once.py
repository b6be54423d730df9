"""Two accounts become one while orders come in for both: each counts once, in one of them."""

from chalicelib.domain.ledger.chain import check
from tests.races.corner import WRITERS, Corner, at_once


def test_orders_that_come_during_a_merge_count_once(corner: Corner) -> None:
    ada, bob = corner.enrol("ada", 100), corner.enrol("bob", 100)

    def work(number: int) -> None:
        if number == 0:
            reply = corner.insist("POST", f"/v1/members/{ada}/merge", {"member_id": bob})
            assert reply.status == 200, reply.raw
            return
        for turn in range(4):
            member = bob if turn % 2 else ada
            for _ in range(2):
                reply = corner.order(member, f"{number}-{turn}")
                assert reply.status == 201, reply.raw

    at_once(work)
    work(1)  # all of it was done before
    assert corner.account(ada) == corner.account(bob) == 200 + 4 * (WRITERS - 1)
    chains = [corner.chain(member) for member in (ada, bob)]
    assert [check(chain[::-1], to_the_first=True) for chain in chains] == [None, None]
    paid = [one.ref for chain in chains for one in chain if one.ref.endswith("#paid")]
    assert len(paid) == len(set(paid)) == 4 * (WRITERS - 1)


def test_transfers_and_a_merge_keep_all_points(corner: Corner) -> None:
    ada, bob, eve = (corner.enrol(name, 100) for name in ("ada", "bob", "eve"))

    def work(number: int) -> None:
        if number == 0:
            reply = corner.insist("POST", f"/v1/members/{ada}/merge", {"member_id": bob})
            assert reply.status == 200, reply.raw
            return
        giver, taker = [(ada, bob), (bob, eve), (eve, ada)][number % 3]
        for _ in range(2):
            reply = corner.transfer(giver, taker, 10, f"k{number}")
            assert reply.status == 201 or reply.code == "unknown_receiver", reply.raw

    at_once(work)
    assert corner.account(bob) == corner.account(ada)
    assert corner.account(ada) + corner.account(eve) == 300
    assert [check(corner.chain(one)[::-1], to_the_first=True) for one in (ada, bob, eve)] == [
        None
    ] * 3
