"""A place at an event: as many as its stock says, until it begins."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from chalicelib.domain.errors import Refusal
from chalicelib.domain.pricing.access import MomentText
from chalicelib.domain.rewards.reward import Asked, RewardDocument, plain_price
from chalicelib.kernel.clock import from_rfc3339


class EventDocument(
    RewardDocument, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="event"
):
    """Places at something that begins at a moment, somewhere."""

    begins_at: MomentText
    place: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


@dataclass(frozen=True)
class Event:
    """A place at something."""

    closes_at: int | None
    place: str
    kind: str = "event"

    @classmethod
    def of(cls, document: EventDocument) -> "Event":
        return cls(from_rfc3339(document.begins_at), document.place)

    def price(self, cost: int, asked: Asked) -> int | Refusal:
        return plain_price(cost, asked)

    def worth_of(self, cost: int, points: int) -> None:  # noqa: ARG002
        """It is no money."""
        return
