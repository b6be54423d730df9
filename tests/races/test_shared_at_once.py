"""What all members share, taken by sixteen tills at once: budgets, codes, the last of a stock."""

from collections import Counter

from tests.races.corner import BUDGET, CODES, WRITERS, Corner, at_once


def test_a_budget_is_spent_to_its_last_point_and_never_over(corner: Corner) -> None:
    everybody = [corner.enrol(f"m{number}") for number in range(WRITERS)]
    replies = at_once(lambda number: corner.order(everybody[number], f"{number}", label="fair"))
    assert {reply.status for reply in replies} == {201}
    gave = [
        sum(one["amount"] for one in reply.json["effects"] if one["rule"] == "fair")
        for reply in replies
    ]
    assert sum(gave) == BUDGET
    assert Counter(gave) == {10: 3, 5: 1, 0: WRITERS - 4}
    back = gave.index(10)
    assert corner.refund(everybody[back], f"{back}").status == 201
    last = gave.index(0)
    again = corner.order(everybody[last], "again", label="fair")
    assert sum(one["amount"] for one in again.json["effects"] if one["rule"] == "fair") == 10
    assert corner.mistakes(*everybody) == []


def test_each_code_of_a_pool_goes_to_one_member(corner: Corner) -> None:
    everybody = [corner.enrol(f"c{number}", 20) for number in range(WRITERS)]
    added = corner.insist("POST", "/v1/rewards/ticket/codes", {"codes": list(CODES)})
    assert added.json == {"added": len(CODES)}
    replies = at_once(lambda number: corner.redeem(everybody[number], "ticket", f"k{number}"))
    codes = [reply.json["voucher"]["code"] for reply in replies if reply.status == 201]
    assert sorted(codes) == sorted(CODES)
    assert {reply.code for reply in replies if reply.status != 201} == {"no_codes_left"}
    left = [corner.account(member) for member in everybody]
    assert Counter(left) == {10: len(CODES), 20: WRITERS - len(CODES)}
    assert corner.mistakes(*everybody) == []
