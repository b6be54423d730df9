"""Points for what members do: `give` for each activity, or for each `per` of what it says."""

from dataclasses import dataclass

from chalicelib.domain.activities import Activity
from chalicelib.domain.conditions.documents import Identifier
from chalicelib.domain.earning.documents import EarnRuleDocument
from chalicelib.domain.earning.weighing import Cause


class PerActivityDocument(
    EarnRuleDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="per_activity"
):
    """`give` points for each activity of a type, or for each `per` of one of its properties."""

    activity: Identifier
    property: Identifier | None = None


@dataclass(frozen=True)
class Doing:
    """What an activity says of itself in one property; without one, that it was done."""

    activity: str
    property: str | None
    about: type = Activity

    @classmethod
    def of(cls, document: PerActivityDocument) -> "Doing":
        return cls(document.activity, document.property)

    def weigh(self, cause: Cause) -> tuple[int, ...]:
        assert isinstance(cause, Activity)  # noqa: S101 (it is of activities)
        if cause.type != self.activity:
            return (0,)
        if self.property is None:
            return (1,)
        return (max(0, int(cause.properties.get(self.property, 0))),)

    def describe(self, give: int, per: int, weight: int, money: str) -> str:  # noqa: ARG002
        if self.property is None:
            return f"{give} for {self.activity}"
        return f"{give} for each {per} of {weight} {self.property} ({self.activity})"
