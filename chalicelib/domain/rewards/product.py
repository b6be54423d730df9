"""A product: a thing handed over for points."""

from dataclasses import dataclass

from chalicelib.domain.errors import Refusal
from chalicelib.domain.rewards.reward import Asked, RewardDocument, plain_price


class ProductDocument(
    RewardDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="product"
):
    """A thing handed over."""


@dataclass(frozen=True)
class Product:
    """A thing."""

    kind: str = "product"
    closes_at: None = None

    def price(self, cost: int, asked: Asked) -> int | Refusal:
        return plain_price(cost, asked)

    def worth_of(self, cost: int, points: int) -> None:  # noqa: ARG002
        """It is a thing."""
        return
