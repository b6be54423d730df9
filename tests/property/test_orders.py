"""Sharing an amount over weights."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.orders import allocate

WEIGHTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=20)


@given(st.integers(0, 10**12), WEIGHTS)
def test_shares_sum_to_the_total_and_are_within_one_of_their_due(
    total: int, weights: list[int]
) -> None:
    shares = allocate(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    if whole:
        for share, weight in zip(shares, weights, strict=True):
            assert total * weight // whole <= share <= -(-total * weight // whole)


def test_r01_the_largest_remainder_comes_first() -> None:
    assert allocate(24, [999, 50, 1449]) == (10, 0, 14)


def test_a_tie_goes_to_the_earlier_one() -> None:
    assert allocate(1, [1, 1]) == (1, 0)
    assert allocate(5, [0, 0]) == (5, 0)
    assert allocate(5, []) == ()
