"""An activity as every rule sees it: something a member did that is no order."""

from dataclasses import asdict, dataclass, field
from functools import cached_property

from chalicelib.kernel.canonical import fingerprint
from chalicelib.kernel.clock import Instant

Property = str | int | bool


@dataclass(frozen=True)
class Activity:
    """What somebody did, once: a stay, a run, a review, a visit."""

    source: str
    id: str
    type: str  # one of the program's
    occurred_at: Instant
    properties: dict[str, Property] = field(default_factory=dict)

    @property
    def placed_at(self) -> Instant:
        """When it happened, as an order says it."""
        return self.occurred_at

    @cached_property
    def fingerprint(self) -> bytes:
        """16 bytes over everything that the activity says."""
        return fingerprint(asdict(self))
