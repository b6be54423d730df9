"""What an operator did: who, what, when, and what it was before and after."""

from dataclasses import dataclass
from typing import Any

from chalicelib.kernel.clock import Instant

BEGUN = "begun"  # and never finished: whether it was done is not known
DONE = "done"


@dataclass(frozen=True)
class AuditRow:
    """One call that changes something, by somebody who holds a secret key."""

    program_id: str
    id: str
    at: Instant
    key_id: str
    key_name: str
    action: str  # the operation of the API
    target: str  # its path
    outcome: str  # begun, done, or the code of the refusal
    member_id: str | None = None  # of whom before and after tell
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
