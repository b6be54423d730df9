"""Exports: everything that a program knows, as files, a part of its members after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from chalicelib.domain.jobs.status import Status
from chalicelib.kernel.clock import Instant


class Kind(Enum):
    """What a file holds."""

    MEMBERS = "members"
    ENTRIES = "entries"
    EVENTS = "events"
    HEADS = "heads"  # the last entry of each log: always there


ASKED = (Kind.MEMBERS, Kind.ENTRIES, Kind.EVENTS)


@dataclass(frozen=True)
class File:
    """One file. Its name has its digest, so that no other content is ever found under it."""

    kind: Kind
    part: int
    rows: int
    size: int  # in bytes, compressed
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.kind.value}-{self.part:05d}-{self.sha256[:16]}.ndjson.gz"


@dataclass(frozen=True)
class Place:
    """Where the walk through all logs goes on."""

    shard: int = 0
    after: str = ""  # the last member of the shard who is done
    version: int = 0  # of the next member's entries, the last that is done


@dataclass(frozen=True)
class Export:
    """One export of a program.

    The record names its files: 400 KB of it are about 3,000, and every part of up to 10,000 rows
    has at most four.
    """

    program_id: str
    id: str
    kinds: tuple[Kind, ...]
    created_at: Instant
    status: Status = Status.RUNNING
    ended_at: Instant | None = None
    revision: int = 1
    part: int = 1  # the next
    place: Place | None = Place()  # None: every log was walked, and only the manifest is missing
    files: tuple[File, ...] = ()

    def path(self, name: str) -> str:
        """Where a file of it lies."""
        return f"exports/{self.program_id}/{self.id}/{name}"

    def after(self, files: Sequence[File], place: Place | None, now: Instant) -> "Export":
        """After one more part; the last says when everything was read."""
        return replace(
            self,
            files=(*self.files, *files),
            place=place,
            part=self.part + 1,
            ended_at=now if place is None else None,
            revision=self.revision + 1,
        )

    def done(self) -> "Export":
        """After the manifest was written."""
        return replace(self, status=Status.DONE, part=self.part + 1, revision=self.revision + 1)


MANIFEST = "manifest.json"
