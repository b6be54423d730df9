"""A gift with a purchase: a line of the order that costs nothing."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from chalicelib.domain.conditions.documents import Name
from chalicelib.domain.rewards.product import Product
from chalicelib.domain.rewards.reward import RewardDocument


class GiftDocument(
    RewardDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="gift"
):
    """`quantity` units of a SKU, added to the order for nothing."""

    sku: Name
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1


@dataclass(frozen=True)
class Gift(Product):
    """A line that a quote adds."""

    kind: str = "gift"
    sku: str = ""
    quantity: int = 1

    @classmethod
    def of(cls, document: GiftDocument) -> "Gift":
        return cls(sku=document.sku, quantity=document.quantity)
