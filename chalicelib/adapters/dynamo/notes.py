"""Notes on entries, on DynamoDB."""

from chalicelib.adapters.dynamo.records import Records
from chalicelib.domain.ledger.entries import LogKey

_NOTE = "note"


class DynamoNotes:
    """Free text about entries."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def put(self, key: LogKey, ref: str, text: str) -> None:
        self._records.put(self._records.record(_key(key), ref, _NOTE, text))

    def of(self, key: LogKey, ref: str) -> str | None:
        return self._records.read(_key(key), ref, str)

    def forget(self, key: LogKey) -> None:
        for record in self._records.under(_key(key)):
            self._records.delete(_key(key), record.sk)


def _key(key: LogKey) -> str:
    return f"{key.program_id}#{_NOTE}#{key.member_id}"
