"""Cash: points pay a part of a bill, in whole steps."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from chalicelib.domain.conditions.documents import Identifier
from chalicelib.domain.earning.documents import Count
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.rewards.reward import Asked, CostDocument


class CashDocument(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="cash"
):
    """Each `cost` pays `worth` minor units of a bill.

    `at_least` is in points; `at_most_percent` is the largest share of the bill that they pay.
    """

    id: Identifier
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    cost: CostDocument
    worth: Count
    at_least: Count | None = None
    at_most_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100


@dataclass(frozen=True)
class Cash:
    """Money off a bill, `worth` for each `cost`."""

    id: str
    number: int
    name: str
    currency: int
    cost: int
    worth: int
    at_least: int
    at_most_percent: int
    stock: None = None

    @classmethod
    def of(cls, document: CashDocument, number: int, currency: int) -> "Cash":
        return cls(
            document.id,
            number,
            document.name,
            currency,
            document.cost.amount,
            document.worth,
            document.at_least or 0,
            document.at_most_percent,
        )

    def price(self, asked: Asked) -> int | Refusal:
        """As many whole steps as were asked for and as the bill's share allows."""
        if asked.amount is None or asked.total is None or asked.quantity != 1:
            missing = FieldError("amount", "say how many points shall pay, and the total they pay")
            return Refusal("invalid_request", missing.reason, (missing,))
        payable = asked.total * self.at_most_percent // 100
        price = min(asked.amount // self.cost, payable // self.worth) * self.cost
        if price == 0 or price < self.at_least:
            reason = f"at least {max(self.at_least, self.cost)} pay, here it would be {price}"
            return Refusal("below_minimum", reason, (FieldError("amount", reason),))
        return price

    def worth_of(self, points: int) -> int:
        """In minor units of the program's money."""
        return points // self.cost * self.worth
