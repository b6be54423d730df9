"""The worker of exports: each part walks some logs and writes a file of each kind.

The record names what was written, and the place to go on from, in one condition: two workers of the
same part may read different things, since shops go on meanwhile, but only one of them is counted.
What the other wrote has other names, is in no manifest, and ends with the bucket's week.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

import msgspec

from chalicelib.domain.jobs.exports import MANIFEST, Export, File, Kind, Place
from chalicelib.domain.jobs.status import Status
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.domain.members.member import Member
from chalicelib.domain.ports import MEMBER_SHARDS, Files, Queue
from chalicelib.domain.program.program import Program
from chalicelib.domain.webhooks.events import events_of
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.services.accounts import Row, row_of
from chalicelib.services.context import Context, Here
from chalicelib.services.exports import message

ROWS = 10_000  # of a part, counted in entries and members
MEMBERS_AT_ONCE = 100
ENTRIES_AT_ONCE = 500


class Rows(Protocol):
    """Writes rows: their shapes are those of the API."""

    def member_row(self, member: Member) -> bytes: ...

    def entry_row(self, program: Program, row: Row) -> bytes: ...


@dataclass(frozen=True)
class Desk:
    """What the worker works with."""

    context: Context
    here: Here
    files: Files
    queue: Queue
    rows: Rows


@dataclass
class _Part:
    """The lines of a part, by kind, while it is made."""

    kinds: tuple[Kind, ...]
    left: int  # rows until it is full
    lines: dict[Kind, list[bytes]] = field(default_factory=dict)

    def add(self, kind: Kind, line: bytes) -> None:
        if kind in self.kinds:
            self.lines.setdefault(kind, []).append(line)

    @property
    def wants_entries(self) -> bool:
        return Kind.ENTRIES in self.kinds or Kind.EVENTS in self.kinds


def work_export(desk: Desk, export_id: str, part: int, *, again: bool) -> None:
    """Works a part, and sends the message of the next.

    A part that is done is no more; where its message comes `again` the next may be missing.
    """
    found = desk.context.store.exports.get(desk.here.program_id, export_id)
    if found is None or found.status is not Status.RUNNING:
        return
    if found.part == part:
        after = _finished(desk, found) if found.place is None else _worked(desk, found, found.place)
        if not desk.context.store.exports.put(after):
            return  # another worker was faster, and sends the next
        found, again = after, True
    if again and found.status is Status.RUNNING and found.part == part + 1:
        desk.queue.send([message(found)])


def _worked(desk: Desk, one: Export, place: Place) -> Export:
    part = _Part((*one.kinds, Kind.HEADS), ROWS)
    following = _walk(desk, part, place)
    files = [_write(desk, one, kind, lines) for kind, lines in part.lines.items()]
    return one.after(files, following, desk.context.clock.now())


def _finished(desk: Desk, one: Export) -> Export:
    """The manifest says only what the record says: whoever writes it again writes the same."""
    counts = {
        kind.value: sum(file.rows for file in one.files if file.kind is kind)
        for kind in (*one.kinds, Kind.HEADS)
    }
    manifest = {
        "export_id": one.id,
        "program_id": one.program_id,
        "began_at": to_rfc3339(one.created_at),
        "ended_at": to_rfc3339(one.ended_at or one.created_at),
        "rows": counts,
        "files": [
            {
                "name": file.name,
                "kind": file.kind.value,
                "rows": file.rows,
                "bytes": file.size,
                "sha256": file.sha256,
            }
            for file in one.files
        ],
    }
    desk.files.write(one.path(MANIFEST), msgspec.json.encode(manifest))
    return one.done()


def _write(desk: Desk, one: Export, kind: Kind, lines: list[bytes]) -> File:
    content = gzip.compress(b"\n".join([*lines, b""]), mtime=0)
    file = File(kind, one.part, len(lines), len(content), sha256(content).hexdigest())
    desk.files.write(one.path(file.name), content)
    return file


def _walk(desk: Desk, part: _Part, place: Place) -> Place | None:
    """Adds logs to a part until it is full; where to go on, None at the end."""
    shard, after, version = place.shard, place.after, place.version
    while shard < MEMBER_SHARDS:
        members = desk.context.store.members
        page = members.of_program(desk.here.program_id, shard, after, MEMBERS_AT_ONCE)
        for member_id in page:
            if part.left <= 0:
                return Place(shard, after, version)
            version = _add_log(desk, part, LogKey(desk.here.program_id, member_id), version)
            if version:
                return Place(shard, after, version)
            after = member_id
        if not page:
            shard, after = shard + 1, ""
    return None


def _add_log(desk: Desk, part: _Part, key: LogKey, version: int) -> int:
    """Adds a member and the entries above a version; the last one where the part is full before
    the log is at its end, otherwise 0."""
    if not version:
        part.left -= 1
        member = desk.context.store.members.get(key.program_id, key.member_id)
        if member is not None and member.merged_into is None:
            part.add(Kind.MEMBERS, desk.rows.member_row(member))
    if not part.wants_entries:
        head = desk.context.store.ledger.head(key, strong=True)
        if head is not None:
            part.add(Kind.HEADS, _head_row(head.key, head.version, head.hash))
        return 0
    last: StoredEntry | None = None
    for stored in _entries(desk, key, version):
        if part.left <= 0 and last is not None:
            return last.version
        part.left -= 1
        _add_entry(desk, part, stored)
        last = stored
    if last is not None:
        part.add(Kind.HEADS, _head_row(key, last.version, last.hash))
    return 0


def _entries(desk: Desk, key: LogKey, after: int) -> Iterator[StoredEntry]:
    """Oldest first, from the version above `after` on: versions are dense."""
    while True:
        page = desk.context.store.ledger.entries(key, after + ENTRIES_AT_ONCE + 1, ENTRIES_AT_ONCE)
        found = [one for one in page[::-1] if one.version > after]
        yield from found
        if len(found) < ENTRIES_AT_ONCE:
            return
        after = found[-1].version


def _add_entry(desk: Desk, part: _Part, stored: StoredEntry) -> None:
    catalog = desk.context.catalog
    row = row_of(desk.context, stored)
    made_by = catalog.version(stored.key.program_id, row.entry.program_version)
    part.add(Kind.ENTRIES, desk.rows.entry_row(made_by, row))
    names = catalog.current(desk.here.program) or made_by
    for event in events_of(stored, row.entry, made_by, names):
        part.add(Kind.EVENTS, b'{"id":%b,%b' % (msgspec.json.encode(event.id), event.body[1:]))


def _head_row(key: LogKey, version: int, digest: bytes) -> bytes:
    return msgspec.json.encode(
        {"member_id": key.member_id, "version": version, "hash": digest.hex()}
    )
