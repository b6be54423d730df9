"""Connected stores on DynamoDB.

A connection is found by its id alone, because that is all a store's message names; the index lists
those of all programs in one partition, of which there are few.
"""

import zlib
from itertools import takewhile

import msgspec

from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ledger.refs import order_key
from chalicelib.domain.members.member import Claim
from chalicelib.domain.stores.connection import Connection, Progress, Trouble
from chalicelib.domain.stores.facts import OrderSaid
from chalicelib.kernel.clock import SECOND, Instant

_STORE, _HEARD, _TOPIC, _TROUBLE, _KEPT, _PROGRESS = (
    "store",
    "store_message",
    "store_topic",
    "store_trouble",
    "kept_order",
    "store_progress",
)
_ALL = "stores"


class DynamoStores:
    """Keeps the port `Stores`."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, connection: Connection) -> bool:
        return self._records.put_new(self._record(connection))

    def get(self, store_id: str) -> Connection | None:
        return self._records.read(_pk(store_id), _STORE, Connection)

    def of_program(self, program_id: str) -> list[Connection]:
        prefix = f"{program_id}#"
        found = self._records.by_other(_ALL, prefix)
        mine = takewhile(lambda record: str(record.gsk).startswith(prefix), found)
        return [value_of(record, Connection) for record in mine]

    def all(self) -> list[Connection]:
        return [value_of(record, Connection) for record in self._records.by_other(_ALL)]

    def replace(self, connection: Connection, was: Connection) -> bool:
        return self._records.put_over(self._record(connection), was.revision)

    def remove(self, connection: Connection) -> None:
        for topic in self.counts(connection.id):
            self._records.delete(_topics(connection.id), topic)
        self._records.delete(_pk(connection.id), _PROGRESS)
        self._records.delete(_pk(connection.id), _STORE)

    def heard(self, store_id: str, message_id: str) -> bool:
        return self._records.find(_message(store_id, message_id), _HEARD) is not None

    def mark_heard(self, store_id: str, message_id: str, expires_at: Instant) -> None:
        pk = _message(store_id, message_id)
        until = expires_at // SECOND
        self._records.put(self._records.record(pk, _HEARD, _HEARD, None, expires_at=until))

    def count(self, store_id: str, topic: str) -> None:
        self._records.add_hit(_topics(store_id), topic, _TOPIC)

    def counts(self, store_id: str) -> dict[str, int]:
        return {one.sk: int(one.hits or 0) for one in self._records.under(_topics(store_id))}

    def add_trouble(self, trouble: Trouble) -> None:
        until = trouble.expires_at // SECOND
        pk = _troubles(trouble.store_id)
        self._records.put(self._records.record(pk, trouble.id, _TROUBLE, trouble, expires_at=until))

    def troubles(self, store_id: str, before: str | None, limit: int) -> list[Trouble]:
        found = self._records.newest_under(_troubles(store_id), before, limit)
        return [value_of(record, Trouble) for record in found]

    def keep(self, program_id: str, owner: Claim, said: OrderSaid, expires_at: Instant) -> None:
        key = order_key(said.order.source, said.order.id)
        self._records.put_latest(
            self._records.record(
                _kept(program_id, owner),
                key,
                _KEPT,
                zlib.compress(msgspec.msgpack.encode(said)),
                revision=said.order.updated_at or 0,
                gpk=_kept_of(program_id, said.order.source),
                gsk=f"{owner.kind}#{owner.mark}#{key}",
                expires_at=expires_at // SECOND,
            )
        )

    def kept(self, program_id: str, owner: Claim) -> list[OrderSaid]:
        found = self._records.under(_kept(program_id, owner))
        return [_order_in(record) for record in found]

    def unkeep(self, program_id: str, owner: Claim, said: OrderSaid) -> bool:
        key = order_key(said.order.source, said.order.id)
        return self._records.delete_up_to(_kept(program_id, owner), key, said.order.updated_at or 0)

    def unkeep_some(self, program_id: str, source: str, limit: int) -> int:
        found = self._records.by_other(_kept_of(program_id, source), limit=limit)
        for record in found:
            self._records.delete(record.pk, record.sk)
        return len(found)

    def progress(self, store_id: str) -> Progress | None:
        return self._records.read(_pk(store_id), _PROGRESS, Progress)

    def put_progress(self, progress: Progress) -> bool:
        record = self._records.record(
            _pk(progress.store_id), _PROGRESS, _PROGRESS, progress, revision=progress.revision
        )
        if progress.revision == 1:
            return self._records.put_new(record)
        return self._records.put_over(record, progress.revision - 1)

    def _record(self, connection: Connection) -> Record:
        return self._records.record(
            _pk(connection.id),
            _STORE,
            _STORE,
            connection,
            revision=connection.revision,
            gpk=_ALL,
            gsk=f"{connection.program_id}#{connection.id}",
        )


def _pk(store_id: str) -> str:
    return f"{_STORE}#{store_id}"


def _message(store_id: str, message_id: str) -> str:
    return f"{_pk(store_id)}#{_HEARD}#{message_id}"


def _topics(store_id: str) -> str:
    return f"{_pk(store_id)}#{_TOPIC}"


def _troubles(store_id: str) -> str:
    return f"{_pk(store_id)}#{_TROUBLE}"


def _kept_of(program_id: str, source: str) -> str:
    """Where all orders are listed that are kept of one source."""
    return f"{program_id}#{_KEPT}#{source}"


def _order_in(record: Record) -> OrderSaid:
    """Compressed, since an order of a thousand lines is too large for an item otherwise."""
    try:
        said = zlib.decompress(value_of(record, bytes))
        return msgspec.msgpack.decode(said, type=OrderSaid)
    except (msgspec.DecodeError, zlib.error) as error:
        raise Corrupt("a kept order cannot be read") from error


def _kept(program_id: str, owner: Claim) -> str:
    return f"{program_id}#{_KEPT}#{owner.kind}#{owner.mark}"
