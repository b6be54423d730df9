"""Programs and their versions on DynamoDB: one partition a program."""

from chalicelib.adapters.dynamo.records import Record, Records
from chalicelib.domain.program.program import ProgramHead, PublishedVersion

_HEAD = "head"


class DynamoPrograms:
    """Programs and their immutable versions."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, head: ProgramHead) -> bool:
        return self._records.put_new(self._head(head))

    def head(self, program_id: str) -> ProgramHead | None:
        return self._records.read(_key(program_id), _HEAD, ProgramHead)

    def replace_head(self, head: ProgramHead, was: ProgramHead) -> bool:
        return self._records.put_over(self._head(head), was.revision)

    def publish(self, version: PublishedVersion, head: ProgramHead, was: ProgramHead) -> bool:
        """The version and the head that names it, both or none."""
        record = self._records.record(
            _key(version.program_id), _version(version.version), "version", version
        )
        changed = self._head(head)
        parts = [self._records.new(record), self._records.over(changed, was.revision)]
        return self._records.transact(parts) is None or self._records.holds(record)

    def version(self, program_id: str, version: int) -> PublishedVersion | None:
        return self._records.read(_key(program_id), _version(version), PublishedVersion)

    def _head(self, head: ProgramHead) -> Record:
        return self._records.record(
            _key(head.program_id), _HEAD, "program", head, revision=head.revision
        )


def _key(program_id: str) -> str:
    return f"program#{program_id}"


def _version(version: int) -> str:
    return f"version#{version:09d}"
