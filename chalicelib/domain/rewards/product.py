"""A product: a thing handed over for points."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from chalicelib.domain.conditions.documents import Identifier
from chalicelib.domain.earning.documents import Count
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.rewards.reward import Asked, CostDocument


class ProductDocument(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="product"
):
    """A thing handed over for points; with a `stock`, so often for all members together."""

    id: Identifier
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    cost: CostDocument
    stock: Count | None = None


@dataclass(frozen=True)
class Product:
    """A thing handed over for `cost` of a currency."""

    id: str
    number: int
    name: str
    currency: int
    cost: int
    stock: int | None

    @classmethod
    def of(cls, document: ProductDocument, number: int, currency: int) -> "Product":
        cost = document.cost.amount
        return cls(document.id, number, document.name, currency, cost, document.stock)

    def price(self, asked: Asked) -> int | Refusal:
        """So many of them; what they cost is never the caller's word."""
        if asked.amount is not None or asked.total is not None:
            error = FieldError("amount", "belongs to a reward of kind cash")
            return Refusal("invalid_request", error.reason, (error,))
        return self.cost * asked.quantity

    def worth_of(self, points: int) -> None:  # noqa: ARG002
        """It is a thing."""
        return
