"""How earn rules are written in a program document, one struct a kind.

Amounts of money are integers in minor units of the program's currency.
"""

from typing import Annotated, Literal

import msgspec

from chalicelib.kernel.money import MAX_AMOUNT
from chalicelib.kernel.patterns import whole

Identifier = Annotated[str, msgspec.Meta(pattern=whole(r"[a-z][a-z0-9_]{0,39}"))]
Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT)]
Names = Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=128)], ...],
                  msgspec.Meta(min_length=1, max_length=1000)]  # fmt: skip


class SelectionDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines that carry any of these."""

    skus: Names | None = None
    categories: Names | None = None
    labels: Names | None = None


class BasisDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which parts of a bill earn."""

    tax: Literal["included", "excluded"] = "excluded"
    shipping: Literal["included", "excluded"] = "excluded"
    discounts: Literal["deducted", "ignored"] = "deducted"
    gift_cards_bought: Literal["included", "excluded"] = "excluded"
    gift_card_payments: Literal["included", "excluded"] = "included"


class PendingDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points that cannot be spent yet: for some days; without days, until they are confirmed."""

    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None


class EarnRuleDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every kind of earn rule says."""

    id: Identifier
    currency: Identifier
    give: Count = 1
    per: Count = 1
    rounding: Literal["floor", "half_up", "ceiling"] = "floor"
    carry_remainder: bool = False
    pending: PendingDocument | None = None
    include: SelectionDocument | None = None
    exclude: SelectionDocument | None = None


class PerAmountDocument(
    EarnRuleDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="per_amount"
):
    """`give` points for each `per` minor units of the basis."""

    basis: BasisDocument = BasisDocument()


class PerUnitDocument(
    EarnRuleDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="per_unit"
):
    """`give` points for each `per` units bought."""
