"""When something is due next, on DynamoDB: one item a member, found by its day through an index."""

from chalicelib.adapters.dynamo.records import Records, value_of
from chalicelib.domain.ports import DueRow
from chalicelib.kernel.clock import Instant

_DUE = "due"
_SWEPT = "swept"


class DynamoDues:
    """The rows that sweeps read."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def of(self, program_id: str, member_id: str) -> DueRow | None:
        return self._records.read(_key(program_id, member_id), _DUE, DueRow)

    def put(self, program_id: str, member_id: str, row: DueRow | None) -> None:
        key = _key(program_id, member_id)
        if row is None:
            self._records.delete(key, _DUE)
            return
        record = self._records.record(
            key, _DUE, _DUE, row, gpk=f"{_DUE}#{row.partition}", gsk=_place(row.at, key)
        )
        self._records.put(record)

    def until(self, partition: str, now: Instant, limit: int) -> list[DueRow]:
        """By the index: a row that was just written may be missing, and comes with the next."""
        found = self._records.by_other(f"{_DUE}#{partition}", limit=limit)
        rows = [value_of(record, DueRow) for record in found]
        return [row for row in rows if row.at <= now][:limit]

    def swept_until(self) -> int | None:
        return self._records.read(_SWEPT, _SWEPT, int)

    def mark_swept(self, day: int) -> None:
        self._records.put(self._records.record(_SWEPT, _SWEPT, _SWEPT, day))


def _key(program_id: str, member_id: str) -> str:
    return f"{program_id}#{_DUE}#{member_id}"


def _place(at: Instant, key: str) -> str:
    return f"{at:015d}#{key}"
