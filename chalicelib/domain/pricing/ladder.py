"""Ladders: the more there is, the more is taken off: of this order, or of what was counted.

The larger of the steps that are reached counts. A step is reached `at` an amount, or only `above`
it: "from 6000 2 %, above 6000 4 %" is a step of each kind.
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from chalicelib.domain.conditions.documents import Identifier, Number
from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.earning.documents import Count
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.pricing.discount import (
    Basket,
    DiscountDocument,
    Percent,
    basis_points,
    share,
)


class StepDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `at` on, or `above` it, so many percent."""

    percent: Percent
    at: Number | None = None
    above: Number | None = None


class GrowthDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Beyond the last step: so many percent more for each further amount, up to the most."""

    percent: Percent
    every: Count
    at_most: Percent


class LadderDocument(
    DiscountDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="ladder"
):
    """Steps of a counter, or, without one, of what the chosen lines of this order cost."""

    steps: Annotated[tuple[StepDocument, ...], msgspec.Meta(min_length=1, max_length=50)]
    counter: Identifier | None = None
    grows: GrowthDocument | None = None


@dataclass(frozen=True)
class Ladder:
    """Percents by what is reached: steps of (the least amount, hundredths of a percent)."""

    counter: Counter | None
    steps: tuple[tuple[int, int], ...]
    grows: tuple[int, int, int] | None  # hundredths of a percent, for each, at most

    @classmethod
    def of(cls, document: LadderDocument, counter: Counter | None) -> "Ladder":
        grows = document.grows
        return cls(
            counter,
            tuple((least(step), basis_points(step.percent)) for step in document.steps),
            None
            if grows is None
            else (basis_points(grows.percent), grows.every, basis_points(grows.at_most)),
        )

    def off(self, basket: Basket, lines: Lines) -> tuple[int, ...] | str:
        prices = basket.chosen(lines)
        reached = basket.counted(self.counter) if self.counter else sum(prices)
        percent = self.percent(reached)
        if not percent:
            return f"{reached} is reached, the first step is at {self.steps[0][0]}"
        return share(prices, percent)

    def percent(self, reached: int) -> int:
        """Hundredths of a percent."""
        last, percent = 0, 0
        for at, one in self.steps:
            if reached >= at:
                last, percent = at, one
        if self.grows and last == self.steps[-1][0] and percent:
            more, every, most = self.grows
            percent = min(most, percent + (reached - last) // every * more)
        return percent


def least(step: StepDocument) -> int:
    """The least amount that reaches a step."""
    return step.at if step.at is not None else (step.above or 0) + 1
