"""Sixteen tills bring one member over the thresholds of tiers at the same moment."""

from collections import Counter

from tests.races.corner import WRITERS, Corner, at_once, program

TIERS = {
    "counters": {"spend": {"of": "spend"}},
    "tiers": {
        "levels": [
            {"id": "bronze", "label": "Bronze", "at_least": {}},
            {"id": "silver", "label": "Silver", "at_least": {"spend": 500}},
            {"id": "gold", "label": "Gold", "at_least": {"spend": 100 * WRITERS}},
        ]
    },
}


def test_fault_30_a_threshold_is_crossed_once_by_the_order_that_reaches_it(corner: Corner) -> None:
    """One euro from every till: the fifth order to be written reaches silver, the last gold; half
    of it comes back, and the member is silver again."""
    assert corner.insist("POST", "/v1/programs", {**program(), **TIERS}).status == 201
    ada = corner.enrol("ada")
    assert set(at_once(lambda number: corner.order(ada, f"o{number}").status)) == {201}
    assert tier(corner, ada) == "gold"
    assert set(at_once(lambda number: corner.refund(ada, f"o{number}").status, 8)) == {201}
    assert tier(corner, ada) == "silver"
    assert crossings(corner, ada) == Counter({"silver": 2, "gold": 1})
    assert corner.mistakes(ada) == []


def tier(corner: Corner, member: str) -> str:
    named: str = corner.insist("GET", f"/v1/members/{member}/account").json["tier"]["id"]
    return named


def crossings(corner: Corner, member: str) -> Counter[str]:
    """How often each tier was reached, from below or from above."""
    rows = corner.insist("GET", f"/v1/members/{member}/entries?limit=100").json["data"]
    return Counter(row["tier_changed"]["to"] for row in rows if row["tier_changed"])
