"""Imports and exports on DynamoDB: one record each, found by its id, and listed by the index
`by_other`, newest first."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.domain.jobs.exports import Export
from chalicelib.domain.jobs.imports import Import, RowError
from chalicelib.kernel.clock import LATEST, SECOND, Instant

_IMPORT, _EXPORT, _ERROR = "import", "export", "import_error"
J = TypeVar("J", Import, Export)


class _Jobs(Generic[J]):
    """Records of one kind."""

    def __init__(self, records: Records, kind: str, wanted: type[J]) -> None:
        self._records = records
        self._kind = kind
        self._wanted: type[J] = wanted

    def create(self, one: J) -> bool:
        return self._records.put_new(self._record(one))

    def get(self, program_id: str, job_id: str) -> J | None:
        return self._records.read(f"{program_id}#{self._kind}#{job_id}", self._kind, self._wanted)

    def newest(self, program_id: str, after: str | None, limit: int) -> tuple[list[J], str | None]:
        found = self._records.by_other(f"{program_id}#{self._kind}", after or "", limit)[:limit]
        following = found[-1].gsk if len(found) == limit else None
        return [value_of(record, self._wanted) for record in found], following

    def put(self, one: J) -> bool:
        return self._records.put_over(self._record(one), one.revision - 1)

    def _record(self, one: J) -> Record:
        return self._records.record(
            f"{one.program_id}#{self._kind}#{one.id}",
            self._kind,
            self._kind,
            one,
            revision=one.revision,
            gpk=f"{one.program_id}#{self._kind}",
            gsk=f"{LATEST - one.created_at:015d}#{one.id}",
        )


class DynamoImports(_Jobs[Import]):
    """Keeps the port `Imports`."""

    def __init__(self, records: Records) -> None:
        super().__init__(records, _IMPORT, Import)

    def add_errors(self, one: Import, errors: Sequence[RowError], expires_at: Instant) -> None:
        for error in errors:
            self._records.put(
                self._records.record(
                    _errors(one.program_id, one.id),
                    f"{error.row:09d}",
                    _ERROR,
                    error,
                    expires_at=expires_at // SECOND,
                )
            )

    def errors(self, program_id: str, import_id: str, after: int, limit: int) -> list[RowError]:
        place = f"{after:09d}"
        found = self._records.after_under(_errors(program_id, import_id), place, limit)
        return [value_of(record, RowError) for record in found]


class DynamoExports(_Jobs[Export]):
    """Keeps the port `Exports`."""

    def __init__(self, records: Records) -> None:
        super().__init__(records, _EXPORT, Export)


def _errors(program_id: str, import_id: str) -> str:
    return f"{program_id}#{_ERROR}#{import_id}"
