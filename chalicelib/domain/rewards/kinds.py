"""The kinds of rewards: one line a kind, from its document to its terms."""

from collections.abc import Callable
from typing import Any

from chalicelib.domain.rewards.cash import Cash, CashDocument
from chalicelib.domain.rewards.coupon import Coupon, CouponDocument
from chalicelib.domain.rewards.event import Event, EventDocument
from chalicelib.domain.rewards.gift import Gift, GiftDocument
from chalicelib.domain.rewards.product import Product, ProductDocument
from chalicelib.domain.rewards.reward import Terms

AnyReward = ProductDocument | CashDocument | CouponDocument | GiftDocument | EventDocument
_KINDS: dict[type, Callable[[Any], Terms]] = {
    ProductDocument: lambda _: Product(),
    CashDocument: Cash.of,
    CouponDocument: Coupon.of,
    GiftDocument: Gift.of,
    EventDocument: Event.of,
}


def terms_of(document: AnyReward) -> Terms:
    """The terms of any kind of reward."""
    return _KINDS[type(document)](document)
