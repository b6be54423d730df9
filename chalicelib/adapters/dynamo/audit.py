"""What operators did, on DynamoDB: one partition a program, newest last.

What a row says of a member lies in a partition of the member's, under the same sort key.
"""

from dataclasses import replace

from chalicelib.adapters.dynamo.records import Records, value_of
from chalicelib.domain.access.audit import AuditRow

_AUDIT, _OF_MEMBER = "audit", "audit_of"


class DynamoAudit:
    """The rows of the audit log."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def put(self, row: AuditRow) -> None:
        place = f"{row.at:015d}#{row.id}"
        if row.member_id is not None and (row.before or row.after):
            key = _member_key(row.program_id, row.member_id)
            self._records.put(self._records.record(key, place, _OF_MEMBER, row))
            row = replace(row, before=None, after=None)
        self._records.put(self._records.record(_key(row.program_id), place, _AUDIT, row))

    def of_program(
        self, program_id: str, before: str | None, limit: int
    ) -> tuple[list[AuditRow], str | None]:
        found = self._records.newest_under(_key(program_id), before, limit)
        rows = []
        for record in found:
            row = value_of(record, AuditRow)
            if row.member_id is not None:
                key = _member_key(program_id, row.member_id)
                row = self._records.read(key, record.sk, AuditRow) or row
            rows.append(row)
        return rows, found[-1].sk if len(found) == limit else None

    def of_member(self, program_id: str, member_id: str) -> list[AuditRow]:
        found = self._records.under(_member_key(program_id, member_id))
        return [value_of(record, AuditRow) for record in found]

    def forget(self, program_id: str, member_id: str) -> None:
        key = _member_key(program_id, member_id)
        for record in self._records.under(key):
            self._records.delete(key, record.sk)


def _key(program_id: str) -> str:
    return f"{program_id}#{_AUDIT}"


def _member_key(program_id: str, member_id: str) -> str:
    return f"{program_id}#{_OF_MEMBER}#{member_id}"
