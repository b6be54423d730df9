"""Everything that can happen to points beside earning and taking a reward, over the API."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.kernel.clock import DAY, MINUTE
from tests.fakes.interference import Crash, DiesAfter, interfered
from tests.fakes.shop import Shop, goods

Call = tuple[str, dict[str, Any]]


def program(**currency: Any) -> dict[str, Any]:
    """One point a euro; a mug for 150, of which there are two."""
    mug = {"id": "mug", "kind": "product", "name": "Mug", "stock": 2}
    return {
        "name": "Corner Shop",
        "time_zone": "UTC",
        "money": "EUR",
        "currencies": {"points": {"label": "Points", **currency}},
        "earn": [{"id": "spend", "kind": "per_amount", "currency": "points", "per": 100}],
        "rewards": [{**mug, "cost": {"currency": "points", "amount": 150}}],
    }


def opened(document: dict[str, Any] | None = None) -> Shop:
    shop = Shop(memory_store())
    assert shop.call("POST", "/v1/programs", document or program()).status == 201
    return shop


@pytest.fixture
def corner() -> Shop:
    return opened()


def held(shop: Shop, member: str) -> dict[str, int]:
    reply = shop.call("GET", f"/v1/members/{member}/account")
    balance = dict(reply.json["balances"]["points"])
    del balance["expiring"], balance["label"]
    return {name: amount for name, amount in balance.items() if amount}


def give(shop: Shop, member: str, amount: int, key: str = "give", **more: Any) -> None:
    body = {"currency": "points", "amount": amount, "reason": "x", **more}
    path = f"/v1/members/{member}/adjustments"
    reply = shop.call("POST", path, body, headers={"idempotency-key": key})
    assert reply.status == 201, reply.raw


def reserve(shop: Shop, member: str, key: str, **what: Any) -> Any:
    path = f"/v1/members/{member}/reservations"
    return shop.call("POST", path, what, headers={"idempotency-key": key})


def end(shop: Shop, member: str, reservation: str, how: str, **what: Any) -> Any:
    path = f"/v1/members/{member}/reservations/{reservation}/{how}"
    return shop.call("POST", path, what if how == "capture" else None)


def transfer(shop: Shop, giver: str, taker: str, amount: int, key: str) -> Any:
    body = {"to_member_id": taker, "currency": "points", "amount": amount, "reason": "birthday"}
    path = f"/v1/members/{giver}/transfers"
    return shop.call("POST", path, body, headers={"idempotency-key": key})


# --- Orders that are not paid, confirmed, cancelled -----------------------------------------------


def test_what_a_pending_order_earns_waits_until_it_is_paid(corner: Shop) -> None:
    ada = corner.enrol()
    pending = corner.order(ada, "1", goods(4200), status="pending")
    assert pending.json["status"] == "pending"
    assert pending.json["effects"][0]["state"] == "pending"
    assert held(corner, ada) == {"pending": 42}
    paid = corner.order(ada, "1", goods(4200), status="paid")
    assert [(one["amount"], one["state"]) for one in paid.json["effects"]] == [(42, "confirmed")]
    assert held(corner, ada) == {"available": 42}
    late = corner.order(ada, "1", goods(4200), status="pending")
    assert late.json == pending.json
    assert late.headers["idempotent-replayed"] == "true"
    assert held(corner, ada) == {"available": 42}


def test_a_pending_order_may_be_paid_with_another_content(corner: Shop) -> None:
    ada = corner.enrol()
    corner.order(ada, "1", goods(4200), status="pending")
    paid = corner.order(ada, "1", goods(2000), goods(3000))
    assert held(corner, ada) == {"available": 50}
    assert sum(one["amount"] for one in paid.json["effects"] if one["state"] != "confirmed") == 8
    corner.refund("1", "r", lines=[{"id": "2", "quantity": 1}])
    assert held(corner, ada) == {"available": 20}


def test_points_that_wait_for_a_word_are_confirmed_by_it() -> None:
    document = program()
    document["earn"][0]["pending"] = {}
    shop = opened(document)
    ada = shop.enrol()
    shop.order(ada, "1", goods(1000))
    shop.order(ada, "2", goods(500))
    shop.refund("1", "r", amount=200)
    assert held(shop, ada) == {"pending": 13}
    confirmed = shop.call("POST", "/v1/orders/till/1/confirm")
    assert (confirmed.status, confirmed.json["status"]) == (200, "confirmed")
    assert held(shop, ada) == {"available": 8, "pending": 5}
    again = shop.call("POST", "/v1/orders/till/1/confirm")
    assert again.json == confirmed.json
    assert shop.call("POST", "/v1/orders/till/2/cancel").json["status"] == "cancelled"
    assert held(shop, ada) == {"available": 8}
    assert shop.call("POST", "/v1/orders/till/2/confirm").code == "order_cancelled"


def test_confirming_cuts_the_waiting_days_short() -> None:
    document = program()
    document["earn"][0]["pending"] = {"days": 14}
    shop = opened(document)
    ada = shop.enrol()
    shop.order(ada, "1", goods(1000), status="pending")
    shop.call("POST", "/v1/orders/till/1/confirm")
    assert held(shop, ada) == {"available": 10}
    shop.order(ada, "1", goods(1000))
    assert held(shop, ada) == {"available": 10}
    shop.order(ada, "2", goods(1000))
    assert held(shop, ada) == {"available": 10, "pending": 10}
    shop.clock.at += 15 * DAY
    shop.refund("2", "r")
    assert held(shop, ada) == {"available": 10}


def test_a_cancelled_order_stays_cancelled_whatever_comes(corner: Shop) -> None:
    ada = corner.enrol()
    corner.order(ada, "1", goods(1000))
    cancelled = corner.call("POST", "/v1/orders/till/1/cancel")
    assert held(corner, ada) == {}
    assert corner.call("POST", "/v1/orders/till/1/cancel").json == cancelled.json
    assert corner.refund("1", "r").status == 201
    assert corner.order(ada, "1", goods(1000), status="pending").status == 201
    assert held(corner, ada) == {}


MESSAGES: dict[str, Call] = {
    "created": ("order", {"status": "pending"}),
    "paid": ("order", {}),
    "first": ("refund", {"lines": [{"id": "1", "quantity": 1}]}),
    "second": ("refund", {"amount": 333}),
}


@pytest.mark.parametrize("cancelled", [False, True])
def test_fault_07_the_messages_of_an_order_may_come_in_any_order(cancelled: bool) -> None:
    """Fault 7: refund before order. Every permutation ends in the same account."""
    names = [*MESSAGES, *(["cancel"] if cancelled else [])]
    ends = set()
    for number, order in enumerate(itertools.permutations(names)):
        shop = opened() if number == 0 else shop  # noqa: F821 (bound by the first round)
        member = shop.enrol(external_id=str(number))
        for name in order:
            if name == "cancel":
                reply = shop.call("POST", f"/v1/orders/till/{number}/cancel")
            elif MESSAGES[name][0] == "order":
                reply = shop.order(
                    member, str(number), goods(999, 2), goods(50), **MESSAGES[name][1]
                )
            else:
                reply = shop.refund(str(number), name, **MESSAGES[name][1])
            assert reply.status in (200, 201, 202), (order, name, reply.raw)
        ends.add(tuple(sorted(held(shop, member).items())))
    assert ends == {() if cancelled else (("available", 7),)}


def test_a_refund_that_came_first_is_told_to_wait_and_then_applied_once(corner: Shop) -> None:
    ada = corner.enrol()
    first = corner.refund("1", "r", lines=[{"id": "1", "quantity": 1}], reason="broken")
    assert (first.status, first.json["status"]) == (202, "parked")
    assert corner.refund("1", "r", lines=[{"id": "1", "quantity": 1}]).status == 202
    order = corner.order(ada, "1", goods(1000, 2))
    assert [one["amount"] for one in order.json["effects"]] == [20, -10]
    assert order.json["balances"]["points"]["available"] == 10
    assert corner.order(ada, "1", goods(1000, 2)).json == order.json
    assert corner.refund("1", "r", lines=[{"id": "1", "quantity": 1}]).json["id"] == "r"
    assert held(corner, ada) == {"available": 10}


# --- Clawback, and what was spent -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "after"),
    [("debt", {"debt": 100}), ("clamp", {}), ("only_pending", {"available": 50})],
)
def test_h05_b10_b11_one_history_three_policies(policy: str, after: dict[str, int]) -> None:
    shop = opened(program(clawback=policy))
    ada = shop.enrol()
    shop.order(ada, "1", goods(15_000))
    give(shop, ada, -100)
    reply = shop.refund("1", "r")
    taken = {"debt": -150, "clamp": -50, "only_pending": 0}[policy]
    assert sum(one["amount"] for one in reply.json["effects"]) == taken
    assert held(shop, ada) == after
    assert shop.refund("1", "r").json == reply.json  # B12: one entry
    give(shop, ada, 120, "later")
    owned = {"debt": 20, "clamp": 120, "only_pending": 170}[policy]
    assert held(shop, ada) == {"available": owned}


def test_only_pending_takes_what_could_not_be_spent_yet() -> None:
    document = program(clawback="only_pending")
    document["earn"][0]["pending"] = {"days": 14}
    shop = opened(document)
    ada = shop.enrol()
    shop.order(ada, "1", goods(1000))
    shop.order(ada, "2", goods(2000))
    shop.refund("1", "r")
    assert held(shop, ada) == {"pending": 20}
    shop.clock.at += 15 * DAY
    shop.refund("2", "r")
    assert held(shop, ada) == {"available": 20}


def test_points_that_expired_are_not_taken_a_second_time() -> None:
    shop = opened(program(expires={"days": 30}))
    ada = shop.enrol()
    shop.order(ada, "1", goods(10_000))
    give(shop, ada, -40)
    shop.clock.at += 31 * DAY
    shop.order(ada, "2", goods(7_000))
    assert held(shop, ada) == {"available": 70}
    reply = shop.refund("1", "r")
    effects = [(one["amount"], one["state"]) for one in reply.json["effects"]]
    assert effects == [(-40, "available"), (-60, "lapsed")]
    assert held(shop, ada) == {"available": 30}


def test_c07_a_full_refund_gives_back_what_was_spent_and_takes_what_was_earned(
    corner: Shop,
) -> None:
    ada = corner.enrol()
    give(corner, ada, 200)
    taken = corner.redeem(ada, "mug", "k").json["id"]
    order = corner.order(ada, "1", goods(7_000), redemptions=[taken])
    assert order.status == 201, order.raw
    assert held(corner, ada) == {"available": 120}
    assert corner.refund("1", "half", amount=3_500).status == 201
    assert held(corner, ada) == {"available": 85}
    whole = corner.refund("1", "rest")
    assert [one["amount"] for one in whole.json["effects"]] == [-35, 150]
    assert held(corner, ada) == {"available": 200}
    assert corner.refund("1", "rest").json == whole.json
    cancel = f"/v1/members/{ada}/redemptions/{taken}/cancel"
    assert corner.call("POST", cancel).headers["idempotent-replayed"] == "true"
    assert held(corner, ada) == {"available": 200}


def test_an_order_cannot_name_what_its_member_did_not_redeem(corner: Shop) -> None:
    ada, bob = corner.enrol(external_id="ada"), corner.enrol(external_id="bob")
    give(corner, bob, 200)
    bobs = corner.redeem(bob, "mug", "k").json["id"]
    for wrong in (bobs, "red_x.1", "red_x", "x", bobs.replace(".", ".0")):
        reply = corner.order(ada, "1", goods(100), redemptions=[wrong])
        assert reply.code == "unknown_redemption", wrong
    assert corner.order(ada, "1", goods(100)).status == 201
    cancel = f"/v1/members/{ada}/redemptions/{bobs}/cancel"
    assert corner.call("POST", cancel).code == "redemption_not_found"


def test_a_cancelled_redemption_comes_back_with_its_own_expiry() -> None:
    shop = opened(program(expires={"days": 30}))
    ada = shop.enrol()
    give(shop, ada, 100, "a", expires_on="2026-12-01")
    give(shop, ada, 100, "b", expires_on="2026-12-20")
    taken = shop.redeem(ada, "mug", "k").json["id"]
    shop.clock.at += 10 * DAY  # the third of December: the first lot would have ended
    cancelled = shop.call("POST", f"/v1/members/{ada}/redemptions/{taken}/cancel")
    assert cancelled.json["effects"][0]["amount"] == 150
    assert cancelled.json["balances"]["points"]["available"] == 100
    account = shop.call("GET", f"/v1/members/{ada}/account").json["balances"]["points"]
    assert account["expiring"] == [{"amount": 100, "at": "2026-12-20T00:00:00Z"}]


# --- Reservations ---------------------------------------------------------------------------------


def test_e14_reserved_points_are_locked_then_back_or_gone(corner: Shop) -> None:
    ada = corner.enrol()
    give(corner, ada, 200)
    first = reserve(corner, ada, "a", reward="mug")
    assert (first.status, first.json["status"]) == (201, "reserved")
    assert held(corner, ada) == {"available": 50, "reserved": 150}
    assert reserve(corner, ada, "b", currency="points", amount=51).code == "insufficient_balance"
    voided = end(corner, ada, first.json["id"], "void")
    assert (voided.status, voided.json["status"]) == (200, "voided")
    assert held(corner, ada) == {"available": 200}
    second = reserve(corner, ada, "c", currency="points", amount=100)
    listed = corner.call("GET", f"/v1/members/{ada}/reservations").json["data"]
    assert [(one["id"], one["amount"]) for one in listed] == [(second.json["id"], 100)]
    captured = end(corner, ada, second.json["id"], "capture", amount=60)
    assert captured.json["status"] == "captured"
    assert held(corner, ada) == {"available": 140}
    cancel = f"/v1/members/{ada}/redemptions/{captured.json['redemption']}/cancel"
    assert corner.call("POST", cancel).status == 200
    assert held(corner, ada) == {"available": 200}


def test_fault_22_a_reservation_ends_once(corner: Shop) -> None:
    """Fault 22: capture twice, capture after void, void after capture, capture above it."""
    ada = corner.enrol()
    give(corner, ada, 300)
    ways: list[tuple[str, dict[str, Any]]] = [("capture", {}), ("capture", {"amount": 7})]
    ways.append(("void", {}))
    for number, (first, second) in enumerate(itertools.product(ways, ways)):
        made = reserve(corner, ada, str(number), currency="points", amount=10).json["id"]
        over = end(corner, ada, made, "capture", amount=11)
        assert over.code == "capture_exceeds_reservation"
        one = end(corner, ada, made, first[0], **first[1])
        other = end(corner, ada, made, second[0], **second[1])
        if first == second:
            assert other.json == one.json
            assert other.headers["idempotent-replayed"] == "true"
        else:
            assert other.code == "reservation_resolved"
    assert held(corner, ada) == {"available": 300 - 3 * 10 - 3 * 7}


def test_fault_21_a_reservation_runs_out_with_its_points_own_expiry() -> None:
    """Fault 21: never captured; the points are free again and have not become younger."""
    shop = opened(program(expires={"days": 30}))
    ada = shop.enrol()
    give(shop, ada, 100, "a", expires_on="2026-11-25")
    give(shop, ada, 100, "b", expires_on="2026-12-25")
    made = reserve(shop, ada, "r", currency="points", amount=150, expires_in_seconds=4 * 86_400)
    shop.clock.at += 3 * DAY
    assert held(shop, ada) == {"available": 50, "reserved": 150}
    shop.clock.at += DAY
    assert held(shop, ada) == {"available": 100}
    late = end(shop, ada, made.json["id"], "capture")
    assert (late.status, late.code) == (409, "reservation_expired")
    give(shop, ada, -100, "c")
    assert held(shop, ada) == {}


def test_only_so_many_reservations_are_open_at_once(corner: Shop) -> None:
    ada = corner.enrol()
    give(corner, ada, 300)
    for number in range(8):
        assert reserve(corner, ada, str(number), currency="points", amount=1).status == 201
    ninth = reserve(corner, ada, "9", currency="points", amount=1)
    assert (ninth.status, ninth.code) == (409, "too_many_reservations")
    corner.clock.at += 16 * MINUTE
    assert reserve(corner, ada, "10", currency="points", amount=1).status == 201


def test_a_reservation_is_its_members_own(corner: Shop) -> None:
    ada, bob = corner.enrol(external_id="ada"), corner.enrol(external_id="bob")
    give(corner, ada, 100)
    made = reserve(corner, ada, "r", currency="points", amount=10).json["id"]
    for member, reservation in ((bob, made), (ada, "rsv_x.1"), (ada, "x"), (ada, made + "1")):
        reply = end(corner, member, reservation, "capture")
        assert (reply.status, reply.code) == (404, "reservation_not_found")
    for what in ({}, {"currency": "points"}, {"amount": 5}, {"reward": "mug", "amount": 5}):
        assert reserve(corner, ada, "s", **what).code == "invalid_request"
    assert reserve(corner, ada, "s", currency="stars", amount=5).code == "unknown_currency"


def test_the_last_of_a_stock_is_kept_by_who_reserved_it(corner: Shop) -> None:
    ada, bob = corner.enrol(external_id="ada"), corner.enrol(external_id="bob")
    for member in (ada, bob):
        give(corner, member, 600)
    assert corner.redeem(bob, "mug", "1").status == 201
    kept = reserve(corner, ada, "r", reward="mug").json["id"]
    refused = corner.redeem(bob, "mug", "2")
    assert (refused.status, refused.code) == (409, "out_of_stock")
    assert end(corner, ada, kept, "void").status == 200
    taken = corner.redeem(bob, "mug", "2").json["id"]
    assert reserve(corner, ada, "s", reward="mug").code == "out_of_stock"
    corner.call("POST", f"/v1/members/{bob}/redemptions/{taken}/cancel")
    assert reserve(corner, ada, "s", reward="mug").status == 201
    corner.clock.at += 16 * MINUTE
    give(corner, ada, 1, "settles")
    assert corner.redeem(ada, "mug", "3", quantity=2).code == "out_of_stock"
    assert corner.redeem(ada, "mug", "3").status == 201
    assert held(corner, bob) == {"available": 450}


# --- Two members ----------------------------------------------------------------------------------


def test_points_go_to_another_member_and_keep_their_expiry() -> None:
    shop = opened(program(expires={"days": 30}))
    ada, bob = shop.enrol(external_id="ada"), shop.enrol(external_id="bob")
    give(shop, ada, 50, "a", expires_on="2026-12-01")
    give(shop, ada, 50, "b", expires_on="2027-01-01")
    give(shop, bob, -20, "c", allow_debt=True)
    reply = transfer(shop, ada, bob, 70, "t")
    assert reply.status == 201, reply.raw
    assert held(shop, ada) == {"available": 30}
    assert held(shop, bob) == {"available": 50}
    assert transfer(shop, ada, bob, 70, "t").json == reply.json
    assert transfer(shop, ada, bob, 71, "t").code == "different_request"
    assert transfer(shop, ada, bob, 31, "u").code == "insufficient_balance"
    assert transfer(shop, ada, ada, 1, "v").code == "unknown_receiver"
    assert transfer(shop, ada, "mem_x", 1, "v").code == "unknown_receiver"
    assert transfer(shop, "mem_x", ada, 1, "v").code == "member_not_found"
    entry = shop.call("GET", f"/v1/members/{ada}/entries").json["data"][0]
    assert (entry["kind"], entry["note"]) == ("transfer_sent", "birthday")


def merge(shop: Shop, survivor: str, member: str) -> Any:
    return shop.call("POST", f"/v1/members/{survivor}/merge", {"member_id": member})


def test_two_members_become_one_and_everything_finds_its_way(corner: Shop) -> None:
    ada = corner.enrol(external_id="ada", email="ada@example.com")
    bob = corner.enrol(external_id="bob", email="bob@example.com")
    corner.order(ada, "1", goods(1_050))
    corner.order(bob, "2", goods(2_000))
    give(corner, bob, 10, "gift")
    corner.refund("3", "early")
    reply = merge(corner, ada, bob)
    assert reply.status == 200, reply.raw
    assert merge(corner, ada, bob).json == reply.json
    assert held(corner, ada) == {"available": 40}
    assert held(corner, bob) == {"available": 40}  # asked by the old name
    assert corner.order(bob, "2", goods(2_000)).headers["idempotent-replayed"] == "true"
    assert corner.order(ada, "2", goods(2_000)).headers["idempotent-replayed"] == "true"
    corner.refund("2", "r")
    assert held(corner, ada) == {"available": 20}
    corner.order(bob, "4", goods(500))
    give(corner, bob, 10, "gift")  # given before, under the same key
    assert held(corner, ada) == {"available": 25}
    found = corner.call("GET", "/v1/members", query={"email": "bob@example.com"}).json["data"]
    assert [one["id"] for one in found] == [ada]
    assert corner.call("GET", f"/v1/members/{bob}").json["id"] == ada


def test_a_merge_that_cannot_be_is_refused(corner: Shop) -> None:
    ada, bob, eve = (corner.enrol(external_id=name) for name in ("ada", "bob", "eve"))
    give(corner, bob, 10)
    made = reserve(corner, bob, "r", currency="points", amount=5).json["id"]
    assert merge(corner, ada, bob).code == "open_reservations"
    end(corner, bob, made, "void")
    assert merge(corner, ada, ada).code == "invalid_request"
    assert merge(corner, ada, "mem_x").code == "member_not_found"
    assert merge(corner, ada, bob).status == 200
    assert merge(corner, eve, bob).code == "member_merged"
    assert merge(corner, bob, eve).code == "member_merged"
    assert merge(corner, eve, ada).status == 200  # and with her, bob
    assert held(corner, bob) == {"available": 10}
    for number in range(6):
        other = corner.enrol(external_id=f"m{number}")
        assert merge(corner, eve, other).status == 200
    last = corner.enrol(external_id="last")
    assert merge(corner, eve, last).code == "too_many_merged"


def test_an_order_that_went_through_two_merges_is_folded_in_its_order(corner: Shop) -> None:
    """The simulation found it: its later content stood before its first."""
    ada, bob, eve = (corner.enrol(external_id=name) for name in ("ada", "bob", "eve"))
    assert corner.order(ada, "1", goods(1000)).status == 201
    assert merge(corner, bob, ada).status == 200
    assert corner.refund("1", "r1", amount=400).status == 201
    assert merge(corner, eve, bob).status == 200
    assert corner.refund("1", "r2", amount=601).code == "refund_exceeds_order"
    assert corner.refund("1", "r3", amount=600).status == 201
    assert corner.balance(eve, "points") == 0


@pytest.mark.parametrize("early", [False, True], ids=["another rule", "confirmed early"])
def test_a_refund_takes_no_pending_points_of_another_order(early: bool) -> None:
    """Two orders of one day wait in one lot; what can be spent of the one is taken back there."""
    document = program()
    rule = document["earn"][0]
    document["earn"].append({**rule, "id": "waits", "pending": {"days": 14}})
    if early:
        document["earn"] = document["earn"][1:]
    shop = opened(document)
    ada = shop.enrol()
    shop.order(ada, "1", goods(1000))
    shop.order(ada, "2", goods(1000))
    if early:
        assert shop.call("POST", "/v1/orders/till/2/confirm").status == 200
    shop.refund("2", "r")
    assert held(shop, ada) == {"pending": 10} | ({} if early else {"available": 10})


def test_what_expired_before_a_merge_is_not_taken_a_second_time_after_it() -> None:
    shop = opened(program(expires={"days": 3}))
    ada, bob = shop.enrol(), shop.enrol(external_id="bob")
    shop.order(ada, "1", goods(1000))
    shop.clock.at += 5 * DAY
    shop.order(ada, "2", goods(100))  # what is over is written down
    assert merge(shop, bob, ada).status == 200
    give(shop, bob, 50, "gift")
    assert shop.refund("1", "r").status == 201
    assert shop.balance(bob, "points") == 51


def test_an_order_from_before_the_survivor_joined_counts_as_it_would_have(corner: Shop) -> None:
    ada = corner.enrol()
    corner.clock.at += DAY
    placed = "2026-11-24T00:00:00Z"
    bob = corner.enrol(external_id="bob")
    assert merge(corner, bob, ada).status == 200
    assert corner.order(bob, "1", goods(1000), placed_at=placed).status == 201
    assert corner.balance(bob, "points") == 10


def test_an_order_that_was_claimed_and_cut_off_is_recorded_by_its_refund(corner: Shop) -> None:
    ada = corner.enrol()
    store = corner.runtime.context.store
    dying = interfered(store, DiesAfter(1))  # the claim, and not the entry
    corner.runtime.context = replace(corner.runtime.context, store=dying)
    with pytest.raises(Crash):
        corner.order(ada, "1", goods(1000))
    corner.runtime.context = replace(corner.runtime.context, store=store)
    refund = corner.refund("1", "r", amount=400)
    assert (refund.status, refund.json["effects"][0]["amount"]) == (201, -4)
    kinds = [e["kind"] for e in corner.call("GET", f"/v1/members/{ada}/entries").json["data"]]
    assert kinds == ["refund", "order", "enrolled"]
    assert corner.balance(ada, "points") == 6


def test_a_transfer_that_loses_to_a_sweep_is_decided_anew() -> None:
    """Another worker writes something else between our look and what time did."""
    shop = opened(program(expires={"days": 3}))
    ada, bob = shop.enrol(), shop.enrol(external_id="bob")
    give(shop, ada, 100)
    give(shop, ada, 50, "long", expires_on="2030-01-01")
    shop.clock.at += 4 * DAY
    store = shop.runtime.context.store
    meddled = []

    def meddle(name: str, call: Any) -> Any:
        if name == "ledger.append" and not meddled:
            meddled.append(name)
            shop.runtime.context = replace(shop.runtime.context, store=store)
            shop.clock.at -= 2 * DAY  # by a clock that is behind, to which nothing has expired
            give(shop, ada, 7, "meddled", expires_on="2030-01-01")
            shop.clock.at += 2 * DAY
        return call()

    racing = interfered(store, meddle)
    shop.runtime.context = replace(shop.runtime.context, store=racing)
    assert transfer(shop, ada, bob, 20, "t").status == 201
    assert meddled
    assert (shop.balance(ada, "points"), shop.balance(bob, "points")) == (37, 20)
