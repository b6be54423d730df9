"""Points go round between members (Jepsen's bank): none are made, none are lost."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.races.corner import Corner, at_once

POINTS_EACH = 20


def bank(corner: Corner, everybody: list[str], turns: int, writers: int = 16) -> None:
    """So many writers send points to and fro."""

    def send(number: int) -> None:
        chance = random.Random(number)
        for turn in range(turns):
            giver, taker = chance.sample(everybody, 2)
            reply = corner.transfer(giver, taker, chance.randint(1, 15), f"{number}-{turn}")
            assert reply.status == 201 or reply.code == "insufficient_balance", reply.raw

    at_once(send, writers)


def sums_seen(corner: Corner, everybody: list[str], ended: threading.Event) -> list[int]:
    """What all had together, whenever nothing changed while everybody was read once more."""
    sums: list[int] = []
    before = corner.heads(everybody)
    while not (sums and ended.is_set()):
        after = corner.heads(everybody)
        if before == after:
            sums.append(sum(points for _, points in after))
        before = after
    return sums


def test_fault_31_points_that_go_round_stay_as_many(corner: Corner) -> None:
    everybody = [corner.enrol(f"m{number}", POINTS_EACH) for number in range(4)]
    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(sums_seen, corner, everybody, ended)
        try:
            bank(corner, everybody, turns=5)
        finally:
            ended.set()
        sums = seen.result()
    assert set(sums) == {len(everybody) * POINTS_EACH}
    assert sum(corner.account(member) for member in everybody) == len(everybody) * POINTS_EACH
    assert corner.mistakes(*everybody) == []


def test_two_who_give_each_other_all_they_have(corner: Corner) -> None:
    ada, bob = (corner.enrol(name, POINTS_EACH) for name in ("ada", "bob"))

    def give(number: int) -> int:
        pair = (ada, bob) if number % 2 else (bob, ada)
        return corner.transfer(*pair, POINTS_EACH, f"k{number}").status

    assert 201 in at_once(give)
    assert corner.account(ada) + corner.account(bob) == 2 * POINTS_EACH
    assert corner.mistakes(ada, bob) == []
