"""The kinds of rewards: their documents, and how each is compiled."""

from chalicelib.domain.rewards.cash import Cash, CashDocument
from chalicelib.domain.rewards.product import Product, ProductDocument
from chalicelib.domain.rewards.reward import Reward

RewardDocument = ProductDocument | CashDocument


def compile_reward(document: RewardDocument, number: int, currency: int) -> Reward:
    """The reward that a document says, under its small numbers."""
    if isinstance(document, CashDocument):
        return Cash.of(document, number, currency)
    return Product.of(document, number, currency)
