"""Points for a day: a birthday, an anniversary, a long absence."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from chalicelib.domain.earning.documents import EarnRuleDocument
from chalicelib.domain.earning.weighing import Cause
from chalicelib.domain.occasions import Day, Occasion


class OnOccasionDocument(
    EarnRuleDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="on_occasion"
):
    """`give` points on a day of the member's, once: in the program's time zone, at midnight.

    `inactivity` is so many days (`after_days`) after the last order, or after joining. Of
    anniversaries it may be a single one (`year`), else it is every one.
    """

    occasion: Literal["birthday", "joining_anniversary", "first_purchase_anniversary", "inactivity"]
    after_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None
    year: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None


@dataclass(frozen=True)
class OnDay:
    """A day of the member's."""

    day: Day
    nth: int | None  # the year, or the days of the pause; None: every year
    about: type = Occasion

    @classmethod
    def of(cls, document: OnOccasionDocument) -> "OnDay":
        return cls(Day(document.occasion), document.after_days or document.year)

    def weigh(self, cause: Cause) -> tuple[int, ...]:
        assert isinstance(cause, Occasion)  # noqa: S101 (it is of occasions)
        return (int(cause.day is self.day and self.nth in (None, cause.nth)),)

    def describe(self, give: int, per: int, weight: int, money: str) -> str:  # noqa: ARG002
        return f"{give} for {self.day.value.replace('_', ' ')}"
