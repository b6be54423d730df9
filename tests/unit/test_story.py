"""What of an order has come back, when the order itself changes."""

from chalicelib.domain.ledger.entries import Refunded
from chalicelib.domain.ledger.story import Returned
from chalicelib.domain.orders import Order, OrderLine


def order(*lines: tuple[str, int, int]) -> Order:
    made = tuple(OrderLine(name, quantity, price) for name, quantity, price in lines)
    return Order("till", "1", "EUR", 0, made)


def test_what_came_back_of_a_line_that_became_smaller_is_all_of_it_and_no_more() -> None:
    before = Returned(order(("a", 4, 100), ("b", 1, 100))).and_then(Refunded(lines=((0, 3),)))
    after = before.of(order(("b", 1, 100), ("a", 2, 100)))
    assert after.money == 200
    assert after.weight((100, 200)) == 200
    assert not after.everything


def test_what_came_back_of_a_line_that_is_gone_is_gone_with_it() -> None:
    before = Returned(order(("a", 4, 100), ("b", 1, 100))).and_then(Refunded(lines=((0, 3),)))
    after = before.of(order(("b", 1, 100)))
    assert (after.money, after.weight((100,))) == (0, 0)
