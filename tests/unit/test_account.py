"""Where points come from and go to, and what names an entry."""

from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Account, Clawback, Taken, balance_of
from chalicelib.domain.ledger.entries import Debt, Lot, Lots, Snapshot
from chalicelib.domain.program.expiry import NEVER

SOON, LATE, FOREVER = (1, 100, 0, 0), (1, 200, 0, 0), (1, NEVER, 0, 0)


def account(*lots: Lot, debt: int = 0) -> Account:
    return Account.open(Snapshot(0, Lots(lots), (Debt(1, debt),) if debt else ()))


def amounts(of: Account) -> dict[int, int]:
    return {lot.expires_on: lot.amount for lot in of.snapshot().lots}


def test_b03_b04_points_are_spent_soonest_expiry_first_and_the_lasting_ones_last() -> None:
    held = account(Lot(*FOREVER, 50), Lot(*LATE, 100), Lot(*SOON, 100))
    assert [lot.bucket for lot in held.snapshot().lots] == [SOON, LATE, FOREVER]
    held.debit(1, 150)
    assert amounts(held) == {200: 50, NEVER: 50}
    held.debit(1, 90)
    assert amounts(held) == {NEVER: 10}


def test_what_is_taken_back_leaves_the_bucket_it_came_from_first() -> None:
    held = account(Lot(*SOON, 100), Lot(*LATE, 100))
    assert held.claw_back(1, 130, [LATE], Clawback.DEBT) == Taken(130)
    assert amounts(held) == {100: 70}
    assert held.moved() == Lots([Lot(*LATE, -100), Lot(*SOON, -30)])


def test_h05_what_was_spent_is_owed_or_forgiven_or_never_taken() -> None:
    waiting = (1, 200, 150, 0)
    expected = {
        Clawback.DEBT: (Taken(120, owed=30), {}),
        Clawback.CLAMP: (Taken(120), {}),
        Clawback.ONLY_PENDING: (Taken(70), {100: 50}),
    }
    for policy, (taken, left) in expected.items():
        held = account(Lot(*waiting, 70), Lot(*SOON, 50))
        assert held.claw_back(1, 150, [waiting], policy, waits=150) == taken
        assert amounts(held) == left


def test_what_expired_is_not_taken_a_second_time() -> None:
    held = account(Lot(*SOON, 100), Lot(*LATE, 100))
    held.debit(1, 40)
    assert held.expire(SOON) == 60
    assert held.claw_back(1, 100, [SOON], Clawback.DEBT) == Taken(40, lapsed=60)
    assert amounts(held) == {200: 60}
    assert held.claw_back(1, 100, [SOON], Clawback.DEBT) == Taken(60, owed=40)


def test_b07_b11_what_is_missing_is_debt_and_the_next_points_pay_it() -> None:
    held = account(Lot(*FOREVER, 50))
    held.debit(1, 80)
    assert balance_of(held.snapshot(), 1).debt == 30
    held.credit(FOREVER, 100)
    assert held.snapshot() == Snapshot(0, Lots([Lot(*FOREVER, 70)]))
    assert held.moved() == Lots([Lot(*FOREVER, 20)])


def test_other_currencies_are_left_alone() -> None:
    held = account(Lot(1, NEVER, 0, 0, 5), Lot(2, NEVER, 0, 0, 5))
    held.claw_back(1, 7, [(2, NEVER, 0, 0)], Clawback.DEBT)
    snapshot = held.snapshot()
    assert (balance_of(snapshot, 1).debt, balance_of(snapshot, 2).available) == (2, 5)


def test_no_identifier_can_be_mistaken_for_anothers_story() -> None:
    story = refs.story_of("shop", "1")
    for other in ("1#2", "1#refund:1", "12", "1%23", "%31"):
        assert not refs.of_order("shop", other, refs.PAID).startswith(story)
        assert refs.order_key("shop", other) != refs.order_key("shop", "1")
    assert refs.order_key("shop", "1#2") != refs.order_key("shop", "1%232")
    assert refs.keyed("a#redeem", "x") != refs.keyed("a", "redeem#x")
