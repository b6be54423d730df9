"""The tables of plain records, as PynamoDB models that share one client.

A record is its key, the kind of thing it is, a revision, and the thing itself as MessagePack. What
else is there is for the index `by_other`, the expiry, and counters.
"""

import time
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.connection.table import TableConnection
from pynamodb.exceptions import DeleteError, DoesNotExist, PutError
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model

from chalicelib.adapters.dynamo.faults import CONDITION_FAILED, code_of, translated
from chalicelib.adapters.dynamo.transactions import Item, transact
from chalicelib.domain.errors import Corrupt, Unavailable

T = TypeVar("T")
AT_ONCE = 100  # docs.aws.amazon.com/amazondynamodb, BatchGetItem: keys of a request
TRIES = 5
PAUSE_SECONDS = 0.05  # before what was left over is asked for again


def sharing(client: Any, connection: TableConnection) -> TableConnection:
    """Gives a model's connection our client: its own would cost half a second a model."""
    connection.connection._client = client
    return connection


class Record(Model):
    """One item of the Records table; `table_of` binds it to a client."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    revision = NumberAttribute(null=True)
    body = BinaryAttribute(null=True, legacy_encoding=False)
    gpk = UnicodeAttribute(null=True)
    gsk = UnicodeAttribute(null=True)
    expires_at = NumberAttribute(null=True)
    hits = NumberAttribute(null=True)


class Records:
    """What the stores of plain records do with their table."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

        class Bound(Record):
            class Meta:
                table_name = table

        sharing(client, Bound._get_connection())
        self.model: type[Bound] = Bound

    def record(self, pk: str, sk: str, kind: str, value: Any, **more: Any) -> Record:
        """A record of `value`, not yet stored."""
        return self.model(pk, sk, kind=kind, body=msgspec.msgpack.encode(value), **more)

    def read(self, pk: str, sk: str, wanted: type[T]) -> T | None:
        """The value at a key, read strongly."""
        record = self.find(pk, sk)
        return None if record is None else value_of(record, wanted)

    def read_each(self, pks: Sequence[str], sk: str, wanted: type[T]) -> dict[str, T]:
        """The values at many different keys, read strongly, by `pk`. Raises `Unavailable`."""
        found: dict[str, T] = {}
        for start in range(0, len(pks), AT_ONCE):
            left: Item = {
                self._table: {
                    "Keys": [{"pk": {"S": pk}, "sk": {"S": sk}} for pk in pks[start:][:AT_ONCE]],
                    "ConsistentRead": True,
                }
            }
            for _ in range(TRIES):
                with translated():
                    answer = self._client.batch_get_item(RequestItems=left)
                for item in answer["Responses"].get(self._table, []):
                    found[item["pk"]["S"]] = value_of(self.model.from_raw_data(item), wanted)
                left = answer.get("UnprocessedKeys") or {}
                if not left:
                    break
                time.sleep(PAUSE_SECONDS)
            else:
                raise Unavailable("the store does not answer for every key")
        return found

    def find(self, pk: str, sk: str) -> Record | None:
        """The record at a key, read strongly."""
        with translated():
            try:
                return self.model.get(pk, sk, consistent_read=True)
            except DoesNotExist:
                return None

    def newest_under(self, pk: str, before: str | None, limit: int) -> list[Record]:
        """Records of one partition, last sort key first, from the one below `before` on."""
        condition = self.model.sk < before if before is not None else None
        with translated():
            return list(
                self.model.query(
                    pk, condition, consistent_read=True, scan_index_forward=False, limit=limit
                )
            )

    def after_under(self, pk: str, after: str, limit: int) -> list[Record]:
        """Records of one partition in their order, from the one above `after` on."""
        condition = self.model.sk > after if after else None
        with translated():
            return list(self.model.query(pk, condition, consistent_read=True, limit=limit))

    def under(self, pk: str, prefix: str = "") -> list[Record]:
        """All records of one partition whose sort key starts so, read strongly."""
        condition = self.model.sk.startswith(prefix) if prefix else None
        with translated():
            return list(self.model.query(pk, condition, consistent_read=True))

    def by_other(self, gpk: str, after: str = "", limit: int | None = None) -> list[Record]:
        """The records of one partition of the index, in its order; a moment old perhaps."""
        options: dict[str, Any] = {} if limit is None else {"Limit": limit}
        found: list[Record] = []
        with translated():
            while True:
                answer = self._client.query(
                    TableName=self._table,
                    IndexName="by_other",
                    KeyConditionExpression="gpk = :gpk AND gsk > :after",
                    ExpressionAttributeValues={":gpk": {"S": gpk}, ":after": {"S": after or " "}},
                    **options,
                )
                found += [self.model.from_raw_data(item) for item in answer["Items"]]
                last = answer.get("LastEvaluatedKey")
                if last is None or (limit is not None and len(found) >= limit):
                    return found
                options["ExclusiveStartKey"] = last

    def put(self, record: Record) -> None:
        """Writes a record over whatever is there."""
        with translated():
            record.save()

    def change(self, was: Record, now: Record) -> bool:
        """Writes a record over just that other one."""
        return self._put(now, self.model.body == was.body)

    def put_new(self, record: Record) -> bool:
        """Writes a record where there is none. A retry of a put that did commit is True too."""
        return self._put(record, self.model.pk.does_not_exist())

    def put_over(self, record: Record, revision: int) -> bool:
        """Writes a record over that of one revision. A retry of a put that did commit is True."""
        return self._put(record, self.model.revision == revision)

    def _put(self, record: Record, condition: Condition) -> bool:
        with translated():
            try:
                record.save(condition=condition)
                return True
            except PutError as error:
                if code_of(error) != CONDITION_FAILED:
                    raise
        return self.holds(record)

    def holds(self, record: Record) -> bool:
        """Whether just this record lies in the table."""
        found = self.find(record.pk, record.sk)
        return found is not None and found.serialize() == record.serialize()

    def new(self, record: Record) -> Item:
        """The part of a transaction that puts a record where there is none."""
        return self._part(record, "attribute_not_exists(pk)", {})

    def over(self, record: Record, revision: int) -> Item:
        """The part of a transaction that puts a record over that of one revision."""
        values = {":revision": {"N": str(revision)}}
        return self._part(record, "revision = :revision", values)

    def _part(self, record: Record, condition: str, values: Item) -> Item:
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": record.serialize(),
            "ConditionExpression": condition,
        }
        if values:
            put["ExpressionAttributeValues"] = values
        return {"Put": put}

    def put_latest(self, record: Record) -> bool:
        """Writes a record where none of a later revision is."""
        model = self.model
        return self._put(record, model.pk.does_not_exist() | (model.revision <= record.revision))

    def add_hit(self, pk: str, sk: str, kind: str) -> None:
        """Counts one more. A retry may count twice."""
        model = self.model
        with translated():
            model(pk, sk).update(actions=[model.hits.add(1), model.kind.set(kind)])

    def delete(self, pk: str, sk: str) -> None:
        """Removes whatever lies at a key."""
        with translated():
            self.model(pk, sk).delete()

    def delete_up_to(self, pk: str, sk: str, revision: int) -> bool:
        """Removes a record unless it is of a later revision."""
        model = self.model
        condition = model.pk.does_not_exist() | (model.revision <= revision)
        with translated():
            try:
                model(pk, sk).delete(condition=condition)
                return True
            except DeleteError as error:
                if code_of(error) != CONDITION_FAILED:
                    raise
        return False

    def put_part(self, record: Record) -> Item:
        """The part of a transaction that puts a record over whatever is there."""
        return {"Put": {"TableName": self._table, "Item": record.serialize()}}

    def removal_of(self, record: Record) -> Item:
        """The part of a transaction that removes a record if it still is just this one."""
        return {
            "Delete": {
                "TableName": self._table,
                "Key": {"pk": {"S": record.pk}, "sk": {"S": record.sk}},
                "ConditionExpression": "body = :body",
                "ExpressionAttributeValues": {":body": {"B": record.body}},
            }
        }

    def transact(self, parts: Sequence[Item]) -> list[bool] | None:
        """Writes all parts or none; which parts' conditions failed (`transactions.py`)."""
        return transact(self._client, parts)


def value_of(record: Record, wanted: type[T]) -> T:
    """The value in a record. Raises `Corrupt`."""
    try:
        return msgspec.msgpack.decode(record.body, type=wanted)
    except (msgspec.DecodeError, TypeError) as error:
        raise Corrupt("a record cannot be read") from error
