"""Amounts of money as Stripe writes them.

Source: docs.stripe.com, "Supported currencies": amounts are in the smallest unit, but ISK and UGX,
which have no decimals, are written as if they had two.
"""

_AS_IF_TWO = frozenset({"ISK", "UGX"})


def to_stripe(amount: int, money: str) -> int:
    """Minor units of ISO 4217 as Stripe takes them."""
    return amount * 100 if money in _AS_IF_TWO else amount


def from_stripe(amount: int, money: str) -> int:
    """What Stripe says, in minor units of ISO 4217; `money` in either case."""
    return amount // 100 if money.upper() in _AS_IF_TWO else amount
