"""Order records on DynamoDB: one item an order, its lines compressed.

Item: `pk` is `<program>#order#<source>:<id>`; `member` and `placed` are the index `by_member`. A
refund that comes first makes the item, without a member; the order's claim then takes over what is
parked there. Another content of the same order is an item of its own, `...#content:<fingerprint>`.
"""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DoesNotExist, PutError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from chalicelib.adapters.dynamo.faults import CONDITION_FAILED, code_of, translated
from chalicelib.adapters.dynamo.inserts import insert_each
from chalicelib.adapters.dynamo.records import sharing
from chalicelib.domain.errors import Contended, Corrupt
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.ledger.refs import order_key
from chalicelib.domain.orders import Order, without_free_text
from chalicelib.domain.ports import Latest, OrderRecord, Parked
from chalicelib.kernel.clock import to_rfc3339

TRIES = 10


class OrderItem(Model):
    """One item of the Orders table."""

    pk = UnicodeAttribute(hash_key=True)
    member = UnicodeAttribute(null=True)
    placed = UnicodeAttribute(null=True)
    lines = BinaryAttribute(legacy_encoding=False, null=True)
    fingerprint = BinaryAttribute(legacy_encoding=False, null=True)
    paid = BooleanAttribute(null=True)
    parked = BinaryAttribute(legacy_encoding=False, null=True)
    parks = NumberAttribute(null=True)
    latest_at = NumberAttribute(null=True)
    latest = BinaryAttribute(legacy_encoding=False, null=True)


class DynamoOrders:
    """The order records."""

    def __init__(self, client: Any, table: str) -> None:
        class Bound(OrderItem):
            class Meta:
                table_name = table

        sharing(client, Bound._get_connection())
        self._client = client
        self._table = table
        self._model = Bound

    def claim(self, record: OrderRecord) -> OrderRecord:
        """Puts the record if the order has none; the one it has now."""
        key = _key(record.program_id, record.order.source, record.order.id)
        if self._put(self._item(key, record), self._model.pk.does_not_exist()):
            return record
        for _ in range(TRIES):
            found = self._find(key)
            if found is None:
                raise Corrupt("an order record is gone")
            if found.member is not None:
                return _record(record.program_id, found)
            with_parked = replace(record, parked=_parked(found))
            item = self._item(key, with_parked)
            if self._put(item, self._still_parking(found)):
                return with_parked
        raise Contended("refunds of the order come in again and again")

    def claim_each(self, records: Sequence[OrderRecord]) -> list[OrderRecord]:
        """Claims many orders in few requests."""
        items = [
            self._item(_key(one.program_id, one.order.source, one.order.id), one).serialize()
            for one in records
        ]
        put = insert_each(self._client, self._table, items)
        return [
            one if is_put else self.claim(one) for one, is_put in zip(records, put, strict=True)
        ]

    def get(self, program_id: str, source: str, order_id: str) -> OrderRecord | None:
        """Read strongly."""
        found = self._find(_key(program_id, source, order_id))
        return _record(program_id, found) if found and found.member is not None else None

    def park(
        self, program_id: str, source: str, order_id: str, parked: Parked
    ) -> OrderRecord | None:
        """Keeps a refund until its order comes."""
        key = _key(program_id, source, order_id)
        for _ in range(TRIES):
            found = self._find(key)
            if found is not None and found.member is not None:
                return _record(program_id, found)
            already: tuple[Parked, ...] = _parked(found) if found is not None else ()
            if any(one.refund == parked.refund for one in already):
                return None
            item = self._model(
                key,
                parked=msgspec.msgpack.encode((*already, parked)),
                parks=len(already) + 1,
            )
            absent = self._model.pk.does_not_exist()
            if self._put(item, self._still_parking(found) if found else absent):
                return None
        raise Contended("the order comes in again and again")

    def put_content(self, record: OrderRecord) -> None:
        """Another content, under its own fingerprint: the same again is the same item."""
        with translated():
            self._item(_content_key(record), record).save()

    def content(
        self, program_id: str, source: str, order_id: str, fingerprint: bytes
    ) -> Order | None:
        found = self._find(f"{_key(program_id, source, order_id)}#content:{fingerprint.hex()}")
        return _record(program_id, found).order if found else None

    def put_latest(self, record: OrderRecord, latest: Latest) -> bool:
        model = self._model
        item = model(_key(record.program_id, record.order.source, record.order.id))
        was = record.latest
        condition = model.latest_at == was.at if was else model.latest_at.does_not_exist()
        if was is not None:
            condition &= model.latest == was.fingerprint
        actions: list[Action] = [
            model.latest_at.set(latest.at),
            model.latest.set(latest.fingerprint),
        ]
        with translated():
            try:
                item.update(actions=actions, condition=condition & model.member.exists())
                return True
            except UpdateError as error:
                if code_of(error) != CONDITION_FAILED:
                    raise
        return False

    def of_member(
        self, program_id: str, member_id: str, after: str | None, limit: int
    ) -> tuple[list[OrderRecord], str | None]:
        """Oldest first, by the index; each record itself is then read strongly."""
        condition = "#member = :member"
        values = {":member": {"S": str(LogKey(program_id, member_id))}}
        options: dict[str, Any] = {}
        if after is not None:
            placed, _, pk = after.partition(" ")
            options["ExclusiveStartKey"] = {
                "pk": {"S": pk},
                "member": values[":member"],
                "placed": {"S": placed},
            }
        with translated():
            answer = self._client.query(
                TableName=self._table,
                IndexName="by_member",
                KeyConditionExpression=condition,
                ExpressionAttributeNames={"#member": "member"},
                ExpressionAttributeValues=values,
                Limit=limit,
                **options,
            )
        found = [self._find(item["pk"]["S"]) for item in answer["Items"]]
        last = answer.get("LastEvaluatedKey")
        following = f"{last['placed']['S']} {last['pk']['S']}" if last else None
        return [_record(program_id, one) for one in found if one and one.member], following

    def forget_customer(self, record: OrderRecord) -> None:
        """Writes the content anew, without free text and what was parked."""
        order = record.order
        key = _key(record.program_id, order.source, order.id)
        first = self._find(key)
        if first is None or first.fingerprint != record.fingerprint:
            key = _content_key(record)
        plain = replace(record, order=without_free_text(order), parked=())
        with translated():
            self._item(key, plain).save()

    def _item(self, key: str, record: OrderRecord) -> OrderItem:
        order = record.order
        return self._model(
            key,
            member=str(LogKey(record.program_id, record.member_id)),
            placed=to_rfc3339(order.placed_at),
            lines=zlib.compress(msgspec.msgpack.encode(order)),
            fingerprint=record.fingerprint,
            paid=record.paid,
            parked=msgspec.msgpack.encode(record.parked) if record.parked else None,
            latest_at=record.latest.at if record.latest else None,
            latest=record.latest.fingerprint if record.latest else None,
        )

    def _still_parking(self, found: OrderItem) -> Condition:
        same: Condition = self._model.parks == found.parks
        unclaimed: Condition = same & self._model.member.does_not_exist()
        return unclaimed

    def _put(self, item: OrderItem, condition: Condition) -> bool:
        with translated():
            try:
                item.save(condition=condition)
                return True
            except PutError as error:
                if code_of(error) != CONDITION_FAILED:
                    raise
        return False

    def _find(self, pk: str) -> OrderItem | None:
        with translated():
            try:
                return self._model.get(pk, consistent_read=True)
            except DoesNotExist:
                return None


def _record(program_id: str, item: OrderItem) -> OrderRecord:
    try:
        order = msgspec.msgpack.decode(zlib.decompress(item.lines), type=Order)
    except (msgspec.DecodeError, zlib.error) as error:
        raise Corrupt("an order record cannot be read") from error
    paid = True if item.paid is None else item.paid
    return OrderRecord(
        program_id,
        item.member.split("#")[1],
        order,
        item.fingerprint,
        paid,
        _parked(item),
        Latest(int(item.latest_at), item.latest) if item.latest_at is not None else None,
    )


def _parked(item: OrderItem) -> tuple[Parked, ...]:
    if item.parked is None:
        return ()
    parked: tuple[Parked, ...] = msgspec.msgpack.decode(item.parked, type=tuple[Parked, ...])
    return parked


def _key(program_id: str, source: str, order_id: str) -> str:
    return f"{program_id}#order#{order_key(source, order_id)}"


def _content_key(record: OrderRecord) -> str:
    key = _key(record.program_id, record.order.source, record.order.id)
    return f"{key}#content:{record.fingerprint.hex()}"
