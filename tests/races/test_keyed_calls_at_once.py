"""Redemptions, reservations and adjustments of sixteen tills at once."""

import json
from collections.abc import Callable

import pytest

from tests.fakes.shop import Reply
from tests.races.corner import STOCK, WRITERS, Corner, at_once


@pytest.mark.parametrize(
    ("call", "points"),
    [
        (lambda corner, member: corner.redeem(member, "sticker", "k"), 90),
        (lambda corner, member: corner.redeem(member, "mug", "k"), 90),
        (lambda corner, member: corner.adjust(member, 11, "k"), 111),
        (lambda corner, member: corner.reserve(member, "k", currency="points", amount=30), 70),
    ],
)
def test_fault_05_one_key_has_one_entry_and_one_answer(
    corner: Corner, call: Callable[[Corner, str], Reply], points: int
) -> None:
    ada = corner.enrol("ada", 100)
    replies = at_once(lambda _: call(corner, ada))
    assert {reply.status for reply in replies} == {201}
    assert len({reply.raw for reply in replies}) == 1
    assert corner.account(ada) == points
    assert corner.mistakes(ada) == []


def test_one_key_for_sixteen_requests_has_one_entry(corner: Corner) -> None:
    ada = corner.enrol("ada")
    replies = at_once(lambda number: corner.adjust(ada, 1 + number, "k"))
    done = [number for number, reply in enumerate(replies) if reply.status == 201]
    assert len(done) == 1
    assert {reply.code for reply in replies if reply.status != 201} == {"different_request"}
    assert corner.account(ada) == 1 + done[0]
    assert corner.mistakes(ada) == []


def test_points_are_not_spent_twice(corner: Corner) -> None:
    ada = corner.enrol("ada", 50)
    replies = at_once(lambda number: corner.redeem(ada, "sticker", f"k{number}"))
    assert [reply.status for reply in replies].count(201) == 5
    assert {reply.code for reply in replies if reply.status != 201} == {"insufficient_balance"}
    assert corner.account(ada) == 0
    assert corner.mistakes(ada) == []


def test_fault_29_the_last_of_a_stock_is_handed_out_once(corner: Corner) -> None:
    """Five mugs for sixteen members; two of them bring theirs back, to be handed out again."""
    everybody = at_once(lambda number: corner.enrol(f"m{number}", 100))
    first = at_once(lambda number: corner.redeem(everybody[number], "mug", "first"))
    got = [number for number, reply in enumerate(first) if reply.status == 201]
    assert len(got) == STOCK
    assert {reply.code for reply in first if reply.status != 201} == {"out_of_stock"}

    def bring_back(number: int) -> int:
        member, mug = got[number % 2], first[got[number % 2]].json["id"]
        return corner.cancel(everybody[member], mug).status

    assert set(at_once(bring_back)) == {200}
    second = at_once(lambda number: corner.redeem(everybody[number], "mug", "second"))
    assert [reply.status for reply in second].count(201) == 2
    assert sum(corner.account(member) for member in everybody) == WRITERS * 100 - STOCK * 10
    assert corner.mistakes(*everybody) == []


@pytest.mark.parametrize("what", [{"currency": "points", "amount": 10}, {"reward": "mug"}])
def test_a_reservation_ends_once(corner: Corner, what: dict[str, object]) -> None:
    """Captured by one half of the tills and voided by the other, again and again."""
    ada = corner.enrol("ada", 100)
    captured = 0
    for turn in range(4):
        reservation = corner.reserve(ada, f"k{turn}", **what).json["id"]

        def end(number: int, reservation: str = reservation) -> Reply:
            return corner.resolve(ada, reservation, "void" if number % 2 else "capture")

        replies = at_once(end)
        done = {reply.raw for reply in replies if reply.status == 200}
        assert len(done) == 1
        assert {one.code for one in replies if one.status != 200} == {"reservation_resolved"}
        captured += json.loads(done.pop())["status"] == "captured"
    assert corner.account(ada) == 100 - 10 * captured
    assert corner.mistakes(ada) == []
