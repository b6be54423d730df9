"""Orders of sixteen tills at once: each earns once, nobody starves, the books are right."""

import random

from tests.races.corner import WRITERS, Corner, at_once


def test_fault_13_sixteen_tills_serve_one_member(corner: Corner) -> None:
    """Each sends orders of its own, one of them twice, and one that all the others send too."""
    ada = corner.enrol("ada")

    def serve(number: int) -> None:
        for order_id in ("everybodys", f"{number}-1", f"{number}-2", f"{number}-1"):
            assert corner.order(ada, order_id).status == 201
            corner.account(ada)

    at_once(serve)
    assert corner.account(ada) == 1 + 2 * WRITERS
    assert corner.mistakes(ada) == []


def test_sixteen_tills_serve_fifty_members(corner: Corner) -> None:
    everybody = at_once(lambda number: corner.enrol(f"m{number}"), 50)

    def serve(number: int) -> None:
        chance = random.Random(number)
        for index in range(10):
            assert corner.order(chance.choice(everybody), f"{number}-{index}").status == 201

    at_once(serve)
    assert sum(corner.account(member) for member in everybody) == 10 * WRITERS
    assert corner.mistakes(*everybody) == []


def test_an_order_that_all_members_claim_has_one_owner(corner: Corner) -> None:
    everybody = [corner.enrol(f"m{number}") for number in range(4)]
    replies = at_once(lambda number: corner.order(everybody[number % 4], "1"))
    assert {reply.code for reply in replies if reply.status != 201} == {"order_claimed"}
    assert sum(corner.account(member) for member in everybody) == 1
    assert corner.mistakes(*everybody) == []


def test_an_order_and_its_refund_meet_whoever_comes_first(corner: Corner) -> None:
    ada = corner.enrol("ada")

    def buy_or_bring_back(number: int) -> int:
        order_id = str(number // 2)
        if number % 2:
            return corner.refund(ada, order_id).status
        return corner.order(ada, order_id, euros=7).status

    statuses = at_once(buy_or_bring_back)
    assert set(statuses[::2]) == {201}
    assert set(statuses[1::2]) <= {201, 202}
    assert corner.account(ada) == 0
    assert corner.mistakes(ada) == []
    assert len(corner.chain(ada)) == 1 + WRITERS
