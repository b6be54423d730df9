"""Order records on DynamoDB: one item an order, its lines compressed.

Item: `pk` is `<program>#order#<source>:<id>`; `member` and `placed` are the index `by_member`.
"""

import zlib
from typing import Any

import msgspec
from pynamodb.attributes import BinaryAttribute, UnicodeAttribute
from pynamodb.exceptions import DoesNotExist, PutError
from pynamodb.models import Model

from chalicelib.adapters.dynamo.faults import CONDITION_FAILED, code_of, translated
from chalicelib.adapters.dynamo.records import sharing
from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.ledger.refs import order_key
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import OrderRecord
from chalicelib.kernel.clock import to_rfc3339


class OrderItem(Model):
    """One item of the Orders table."""

    pk = UnicodeAttribute(hash_key=True)
    member = UnicodeAttribute()
    placed = UnicodeAttribute()
    lines = BinaryAttribute(legacy_encoding=False)
    fingerprint = BinaryAttribute(legacy_encoding=False)


class DynamoOrders:
    """The order records."""

    def __init__(self, client: Any, table: str) -> None:
        class Bound(OrderItem):
            class Meta:
                table_name = table

        sharing(client, Bound._get_connection())
        self._model = Bound

    def claim(self, record: OrderRecord) -> OrderRecord:
        """Puts the record if the order has none; the one it has now."""
        order = record.order
        item = self._model(
            _key(record.program_id, order.source, order.id),
            member=str(LogKey(record.program_id, record.member_id)),
            placed=to_rfc3339(order.placed_at),
            lines=zlib.compress(msgspec.msgpack.encode(order)),
            fingerprint=record.fingerprint,
        )
        with translated():
            try:
                item.save(condition=self._model.pk.does_not_exist())
                return record
            except PutError as error:
                if code_of(error) != CONDITION_FAILED:
                    raise
        claimed = self.get(record.program_id, order.source, order.id)
        if claimed is None:
            raise Corrupt("an order record is gone")
        return claimed

    def get(self, program_id: str, source: str, order_id: str) -> OrderRecord | None:
        """Read strongly."""
        with translated():
            try:
                item = self._model.get(_key(program_id, source, order_id), consistent_read=True)
            except DoesNotExist:
                return None
        try:
            order = msgspec.msgpack.decode(zlib.decompress(item.lines), type=Order)
        except (msgspec.DecodeError, zlib.error) as error:
            raise Corrupt("an order record cannot be read") from error
        return OrderRecord(program_id, item.member.split("#")[1], order, item.fingerprint)


def _key(program_id: str, source: str, order_id: str) -> str:
    return f"{program_id}#order#{order_key(source, order_id)}"
