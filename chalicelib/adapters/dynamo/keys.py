"""Keys on DynamoDB: a key, and the ways to it from its secrets and from its source."""

from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.domain.access.keys import ApiKey

_KEY = "key"
_SECRET = "secret"
_SOURCE = "source"


class DynamoKeys:
    """The keys of programs."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, key: ApiKey) -> bool:
        """The key and the ways to it, all or none."""
        record = self._key(key)
        parts = [self._records.new(record)]
        parts += [self._records.new(way) for way in self._ways(key)]
        return self._records.transact(parts) is None or self._records.holds(record)

    def get(self, key_id: str) -> ApiKey | None:
        return self._records.read(f"{_KEY}#{key_id}", _KEY, ApiKey)

    def of_secret(self, secret_hash: str) -> ApiKey | None:
        key_id = self._records.read(f"{_SECRET}#{secret_hash}", _SECRET, str)
        return None if key_id is None else self.get(key_id)

    def replace(self, key: ApiKey, was: ApiKey) -> bool:
        """A way that is there already is left as it is: it never leads elsewhere."""
        record = self._key(key)
        known = {way.pk for way in self._ways(was)}
        parts = [self._records.over(record, was.revision)]
        parts += [self._records.new(way) for way in self._ways(key) if way.pk not in known]
        return self._records.transact(parts) is None or self._records.holds(record)

    def of_source(self, source: str) -> list[ApiKey]:
        ways = self._records.under(f"{_SOURCE}#{source}")
        return [key for way in ways if (key := self.get(way.sk))]

    def of_program(self, program_id: str, after: str | None, limit: int) -> list[ApiKey]:
        found = self._records.by_other(_program(program_id), after or "", limit)
        return [value_of(record, ApiKey) for record in found[:limit]]

    def _key(self, key: ApiKey) -> Record:
        return self._records.record(
            f"{_KEY}#{key.id}",
            _KEY,
            _KEY,
            key,
            revision=key.revision,
            gpk=_program(key.program_id),
            gsk=key.id,
        )

    def _ways(self, key: ApiKey) -> list[Record]:
        ways = [
            self._records.record(f"{_SECRET}#{one.hash}", _SECRET, _SECRET, key.id)
            for one in key.secrets
            if one.hash
        ]
        if key.source is not None:
            ways.append(self._records.record(f"{_SOURCE}#{key.source}", key.id, _SOURCE, key.id))
        return ways


def _program(program_id: str) -> str:
    return f"{program_id}#keys"
