"""What is taken back where a member has spent what an order gave."""

from enum import Enum


class Clawback(Enum):
    """What is taken back where a member has spent what an order gave."""

    DEBT = "debt"  # everything: what is missing is owed, and the next points pay it
    CLAMP = "clamp"  # what there is; the rest is forgiven
    ONLY_PENDING = "only_pending"  # what could not be spent yet; the rest stays the member's
