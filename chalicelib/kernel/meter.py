"""What a call costs the store: read and write units of DynamoDB, counted by ourselves.

A read unit is 4 KB read strongly, or 8 KB read as it may have been a moment ago; a write unit is
1 KB written (docs.aws.amazon.com/amazondynamodb, "On-demand mode": read and write request units).
Reads are counted in halves, so that everything stays an integer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

READ_UNIT_BYTES = 4096
WRITE_UNIT_BYTES = 1024


@dataclass
class Units:
    """What was used so far."""

    half_reads: int = 0
    writes: int = 0

    @property
    def reads(self) -> float:
        return self.half_reads / 2

    def add(self, other: "Units") -> None:
        """What a part of the work used, which was measured for itself."""
        self.half_reads += other.half_reads
        self.writes += other.writes

    def count_read(self, size: int, *, strong: bool) -> None:
        """One read of so many bytes in all; what was not found is paid for too."""
        self.half_reads += max(1, -(-size // READ_UNIT_BYTES)) * (2 if strong else 1)

    def count_write(self, size: int, times: int = 1) -> None:
        """One write of an item; `times` is 2 in a transaction."""
        self.writes += max(1, -(-size // WRITE_UNIT_BYTES)) * times


_CURRENT: ContextVar[Units | None] = ContextVar("units", default=None)


def current() -> Units:
    """Where to count; what nobody measures is counted into nothing."""
    return _CURRENT.get() or Units()


@contextmanager
def measured() -> Iterator[Units]:
    """Counts everything that happens inside, in this thread and in those that copy its context."""
    units = Units()
    token = _CURRENT.set(units)
    try:
        yield units
    finally:
        _CURRENT.reset(token)
