"""Sixteen at once over HTTP, with answers that get lost: one serial history, and nothing twice."""

import random
from collections import Counter

from chalicelib.domain.ledger.account import Head, balance_of
from chalicelib.domain.ledger.entries import Kind, decode
from tests.races.conftest import WRITERS, Fleet, at_once


def test_fault_13_sixteen_writers_on_one_member_all_get_through(fleet: Fleet) -> None:
    ada = fleet.enrol("hot")
    shared = 4

    def write(writer: int) -> None:
        for number in range(4):
            fleet.order(ada, f"hot-{writer}-{number}", euros=1)
        for number in range(shared):
            fleet.order(ada, f"hot-shared-{number}", euros=2)

    at_once(write)
    fleet.check(ada)
    assert fleet.balance(ada) == WRITERS * 4 + 2 * shared
    assert len(fleet.log(ada)) == 1 + WRITERS * 4 + shared


def test_sixteen_writers_on_fifty_members(fleet: Fleet) -> None:
    members = [fleet.enrol(f"many-{number}") for number in range(50)]
    earned: Counter[str] = Counter()
    drawn = [random.Random(writer) for writer in range(WRITERS)]
    plans = [[(one.choice(members), one.randint(1, 9)) for _ in range(10)] for one in drawn]

    def write(writer: int) -> None:
        for number, (member_id, euros) in enumerate(plans[writer]):
            fleet.order(member_id, f"many-{writer}-{number}", euros)

    at_once(write)
    for plan in plans:
        for member_id, euros in plan:
            earned[member_id] += euros
    fleet.check(*members)
    for member_id in members:
        log = fleet.log(member_id)
        assert balance_of(Head.of(log[-1]).snapshot, 1).available == earned[member_id]


def test_fault_05_one_idempotency_key_of_sixteen_callers_is_one_entry(fleet: Fleet) -> None:
    ada = fleet.enrol("keyed")
    fleet.give(ada, 100)
    redeemed = at_once(lambda _: fleet.keyed(ada, "redemptions", {"reward": "mug"}, "one-key"))
    gift = {"currency": "points", "amount": 5, "reason": "r"}
    given = at_once(lambda _: fleet.keyed(ada, "adjustments", gift, "another-key"))
    for answers in (redeemed, given):
        assert {call.status for call in answers} == {201}
        assert len({str(call.body) for call in answers}) == 1
    fleet.check(ada)
    assert fleet.balance(ada) == 95


def test_fault_31_transfers_in_all_directions_conserve_the_sum(fleet: Fleet) -> None:
    members = [fleet.enrol(f"bank-{number}") for number in range(5)]
    for member_id in members:
        fleet.give(member_id, 100)

    def move(writer: int) -> None:
        drawn = random.Random(writer)
        for number in range(4):
            giver, taker = drawn.sample(members, 2)
            body = {"currency": "points", "amount": drawn.randint(1, 60), "to_member_id": taker}
            call = fleet.keyed(giver, "transfers", body, f"move-{writer}-{number}")
            assert call.done or call.body["code"] == "insufficient_balance"

    at_once(move)
    fleet.check(*members)
    assert sum(fleet.balance(member_id) for member_id in members) == 500
    refs = {one.ref: one for member_id in members for one in fleet.log(member_id)}
    sent = [one for one in refs.values() if decode(one.body).kind == Kind.TRANSFER_SENT]
    received = [one for one in refs.values() if decode(one.body).kind == Kind.TRANSFER_RECEIVED]
    assert len(sent) == len(received) > 0
    for one in sent:
        other = refs[f"transfer:{one.event_id}#received"]
        amounts = [
            effect.amount for stored in (one, other) for effect in decode(stored.body).effects
        ]
        assert sum(amounts) == 0


def test_fault_29_the_last_of_a_stock_goes_to_exactly_one(fleet: Fleet) -> None:
    members = [fleet.enrol(f"stock-{number}") for number in range(WRITERS)]
    for member_id in members:
        fleet.give(member_id, 100)

    def take(key: str) -> list[str]:
        calls = at_once(
            lambda n: fleet.keyed(members[n], "redemptions", {"reward": "last"}, f"{key}-{n}")
        )
        assert {call.body["code"] for call in calls if not call.done} <= {"out_of_stock"}
        return [call.body["id"] for call in calls if call.done]

    taken = take("first")
    assert len(taken) == 5
    for redemption in taken[:2]:
        owner = next(one for one in members if one[4:] in redemption)
        path = f"/v1/members/{owner}/redemptions/{redemption}/cancel"
        assert fleet.call(f"cancel-{redemption}", "POST", path).done
    assert len(take("second")) == 2
    assert take("third") == []
    fleet.check(*members)


def test_captures_and_voids_of_one_reservation_end_it_once(fleet: Fleet) -> None:
    ada = fleet.enrol("hold")
    fleet.give(ada, 100)
    spent = 0
    for number in range(4):
        body = {"currency": "points", "amount": 10}
        made = fleet.keyed(ada, "reservations", body, f"hold-{number}").body["id"]
        path = f"/v1/members/{ada}/reservations/{made}"

        def end(writer: int, path: str = path, number: int = number) -> str:
            how = ("capture", "void")[writer % 2]
            call = fleet.call(
                f"{how}-{number}", "POST", f"{path}/{how}", {} if how == "capture" else None
            )
            assert call.done or call.body["code"] == "reservation_resolved"
            return how if call.done else ""

        [ended] = {how for how in at_once(end) if how}
        spent += 10 * (ended == "capture")
    fleet.check(ada)
    assert fleet.balance(ada) == 100 - spent


def test_one_email_has_one_member_and_one_new_owner(fleet: Fleet) -> None:
    spelt = ["ada@races.example", "Ada@Races.Example", "ADA@RACES.EXAMPLE"]

    def enrol(writer: int) -> str | None:
        body = {"email": spelt[writer % 3], "given_name": f"n{writer}"}
        call = fleet.call(f"enrol-{writer}", "POST", "/v1/members", body)
        fleet.calls.remove(call)
        assert call.done or call.body["code"] == "member_exists"
        return call.body["id"] if call.done else None

    owners = {one for one in at_once(enrol) if one}
    assert len(owners) == 1
    two = [fleet.enrol("wants-1"), fleet.enrol("wants-2")]

    def want(writer: int) -> bool:
        member_id = two[writer % 2]
        body = {"email": "new@races.example"}
        call = fleet.call(f"want-{writer}", "PATCH", f"/v1/members/{member_id}", body)
        fleet.calls.remove(call)
        assert call.done or call.body["code"] == "member_exists"
        return call.done

    winners = {writer % 2 for writer, won in enumerate(at_once(want)) if won}
    assert len(winners) == 1
