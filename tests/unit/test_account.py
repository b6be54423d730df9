"""Where points come from and go to, and what names an entry."""

from chalicelib.domain.ledger import refs
from chalicelib.domain.ledger.account import Account, balance_of
from chalicelib.domain.ledger.entries import NEVER, Debt, Lot, Snapshot

SOON, LATE, FOREVER = (1, 100, 0, 0), (1, 200, 0, 0), (1, NEVER, 0, 0)


def account(*lots: Lot, debt: int = 0) -> Account:
    return Account.open(Snapshot(0, lots, (Debt(1, debt),) if debt else ()))


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
    held.debit(1, 130, first=[LATE])
    assert amounts(held) == {100: 70}
    assert held.moved() == (Lot(*LATE, -100), Lot(*SOON, -30))


def test_b07_b11_what_is_missing_is_debt_and_the_next_points_pay_it() -> None:
    held = account(Lot(*FOREVER, 50))
    held.debit(1, 80)
    assert balance_of(held.snapshot(), 1).debt == 30
    held.credit(FOREVER, 100)
    assert held.snapshot() == Snapshot(0, (Lot(*FOREVER, 70),))
    assert held.moved() == (Lot(*FOREVER, 20),)


def test_other_currencies_are_left_alone() -> None:
    held = account(Lot(1, NEVER, 0, 0, 5), Lot(2, NEVER, 0, 0, 5))
    held.debit(1, 7, first=[(2, NEVER, 0, 0)])
    snapshot = held.snapshot()
    assert (balance_of(snapshot, 1).debt, balance_of(snapshot, 2).available) == (2, 5)


def test_no_identifier_can_be_mistaken_for_anothers_story() -> None:
    story = refs.story_of("shop", "1")
    for other in ("1#2", "1#refund:1", "12", "1%23", "%31"):
        assert not refs.paid("shop", other).startswith(story)
        assert refs.order_key("shop", other) != refs.order_key("shop", "1")
    assert refs.order_key("shop", "1#2") != refs.order_key("shop", "1%232")
    assert refs.keyed("a#redeem", "x") != refs.keyed("a", "redeem#x")
