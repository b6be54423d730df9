"""Cash: points pay a part of a bill, in whole steps."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from chalicelib.domain.earning.documents import Count
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.rewards.reward import Asked, RewardDocument


class CashDocument(
    RewardDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="cash"
):
    """Each `cost` pays `worth` minor units of a bill; as a voucher, of any bills.

    `at_least` is in points; `at_most_percent` is the largest share of the bill that they pay.
    """

    worth: Count
    at_least: Count | None = None
    at_most_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100


@dataclass(frozen=True)
class Cash:
    """Money off a bill, `worth` for each step of points."""

    worth: int
    at_least: int
    at_most_percent: int
    as_voucher: bool
    kind: str = "cash"
    closes_at: None = None

    @classmethod
    def of(cls, document: CashDocument) -> "Cash":
        return cls(
            document.worth,
            document.at_least or 0,
            document.at_most_percent,
            document.voucher is not None,
        )

    def price(self, cost: int, asked: Asked) -> int | Refusal:
        """As many whole steps as were asked for and as the bill's share allows."""
        if self.as_voucher:
            return self._of_voucher(cost, asked)
        if asked.amount is None or asked.total is None or asked.quantity != 1:
            return _missing("say how many points shall pay, and the total they pay")
        payable = asked.total * self.at_most_percent // 100
        return self._steps(cost, min(asked.amount // cost, payable // self.worth))

    def worth_of(self, cost: int, points: int) -> int:
        """In minor units of the program's money."""
        return points // cost * self.worth

    def _of_voucher(self, cost: int, asked: Asked) -> int | Refusal:
        """The bill is not known yet: the voucher pays whatever it is worth."""
        if asked.amount is None or asked.total is not None:
            return _missing("say how many points the voucher shall cost, and no total")
        return self._steps(cost, asked.amount // cost)

    def _steps(self, cost: int, steps: int) -> int | Refusal:
        price = steps * cost
        if price and price >= self.at_least:
            return price
        reason = f"at least {max(self.at_least, cost)} pay, here it would be {price}"
        return Refusal("below_minimum", reason, (FieldError("amount", reason),))


def _missing(reason: str) -> Refusal:
    return Refusal("invalid_request", reason, (FieldError("amount", reason),))
