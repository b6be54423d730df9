"""How rewards are written in a program document."""

from typing import Annotated

import msgspec

from chalicelib.domain.earning.documents import Count, Identifier


class CostDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reward costs: `amount` of one of the program's currencies."""

    currency: Identifier
    amount: Count


class ProductRewardDocument(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="product"
):
    """A thing handed over for points; with a `stock`, so often for all members together."""

    id: Identifier
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    cost: CostDocument
    stock: Count | None = None
