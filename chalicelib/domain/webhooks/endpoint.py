"""Webhook endpoints: where a program's events are sent to, and which of them."""

from dataclasses import dataclass
from enum import Enum

from chalicelib.domain.access.keys import Secret
from chalicelib.kernel.clock import Instant

MAX_ENDPOINTS = 20  # of a program
ALL = "*"


class Disabled(Enum):
    """Why nothing is sent to an endpoint."""

    BY_HAND = "by_hand"
    GONE = "gone"  # it answered 410
    FAILING = "failing"  # nothing it was sent arrived for days


@dataclass(frozen=True)
class Endpoint:
    """One receiver. Its secrets are derived from the master secret; their `hash` is empty."""

    program_id: str
    id: str
    url: str
    description: str
    event_types: tuple[str, ...]  # `*`, `order.*`, `order.recorded`
    secrets: tuple[Secret, ...]  # newest first
    created_at: Instant
    disabled: Disabled | None = None
    disabled_at: Instant | None = None
    revision: int = 1

    @property
    def generation(self) -> int:
        """Of the newest secret."""
        return self.secrets[0].generation

    def good_secrets(self, now: Instant) -> tuple[Secret, ...]:
        """Those that sign at `now`: two for a day after a rotation."""
        return tuple(one for one in self.secrets if one.good_until is None or now < one.good_until)

    def wants(self, event_type: str) -> bool:
        """Whether it asked for events of this type."""
        family = f"{event_type.partition('.')[0]}.{ALL}"
        return not {ALL, family, event_type}.isdisjoint(self.event_types)
