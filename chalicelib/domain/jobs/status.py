"""How far work has come that is done in parts."""

from enum import Enum


class Status(Enum):
    """Of an import or an export."""

    WAITING = "waiting"  # for its file
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # the file cannot be read at all

    @property
    def has_ended(self) -> bool:
        return self in (Status.DONE, Status.FAILED)
