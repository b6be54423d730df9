"""A discount as a reward: one of the program's discounts, for whoever has the voucher."""

from dataclasses import dataclass

from chalicelib.domain.conditions.documents import Identifier
from chalicelib.domain.rewards.product import Product
from chalicelib.domain.rewards.reward import RewardDocument


class CouponDocument(
    RewardDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="discount"
):
    """A discount of the program that is given `by_code` alone."""

    discount: Identifier


@dataclass(frozen=True)
class Coupon(Product):
    """A discount of this id."""

    kind: str = "discount"
    discount: str = ""

    @classmethod
    def of(cls, document: CouponDocument) -> "Coupon":
        return cls(discount=document.discount)
