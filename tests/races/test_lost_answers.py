"""All of it at once, while answers are lost between DynamoDB, the application and the tills."""

import random

from chalicelib.domain.ledger.entries import decode
from tests.races.corner import STOCK, WRITERS, Corner, at_once
from tests.races.history import Outcome


def test_whatever_is_lost_is_done_once(shaky_corner: Corner) -> None:
    corner = shaky_corner
    everybody = [corner.enrol(f"m{number}", 100) for number in range(4)]

    def work(number: int) -> None:
        chance = random.Random(number)
        for turn in range(4):
            member, other = chance.sample(everybody, 2)
            key = f"{number}-{turn}"
            assert corner.order(member, key).status == 201
            corner.account(member)
            corner.transfer(member, other, chance.randint(1, 30), key)
            redeemed = corner.redeem(member, "mug", key)
            if redeemed.status == 201 and chance.random() < 0.5:
                assert corner.cancel(member, redeemed.json["id"]).status == 200
            reserved = corner.reserve(member, key, currency="points", amount=5)
            if reserved.status == 201:
                corner.resolve(member, reserved.json["id"], chance.choice(["capture", "void"]))

    at_once(work)
    corner.adjust(everybody[0], 10 * STOCK, "enough-for-all")
    for number in range(STOCK):
        corner.redeem(everybody[0], "mug", f"last-{number}")
    assert corner.mistakes(*everybody) == []
    entries = [decode(stored.body) for one in everybody for stored in corner.chain(one)]
    assert sum(entry.stock_taken for entry in entries) == STOCK
    assert any(call.outcome is Outcome.UNKNOWN for call in corner.history)
    orders = [call for call in corner.history if call.ref and call.ref.endswith("#paid")]
    assert len({call.ref for call in orders}) == 4 * WRITERS
