"""What the commands of an order must know beside its entries: its contents, and who decides it."""

from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ledger.commands import OrderFacts
from chalicelib.domain.ledger.entries import StoredEntry, decode
from chalicelib.domain.ledger.story import CONTENTS
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import OrderRecord
from chalicelib.services.appending import FactsOf
from chalicelib.services.context import Context


def facts_of(context: Context, record: OrderRecord) -> FactsOf:
    """The facts of an order, once its story was read."""

    def read(story: list[StoredEntry]) -> OrderFacts | None:
        entries = [decode(stored.body) for stored in story]
        contents = [entry for entry in entries if entry.kind in CONTENTS]
        if not contents:
            return None
        return OrderFacts(
            {entry.fingerprint: _content(context, record, entry.fingerprint) for entry in contents},
            context.catalog.version(record.program_id, contents[0].program_version),
        )

    return read


def _content(context: Context, record: OrderRecord, fingerprint: bytes) -> Order:
    if fingerprint == record.fingerprint:
        return record.order
    source, order_id = record.order.source, record.order.id
    found = context.store.orders.content(record.program_id, source, order_id, fingerprint)
    if found is None:
        raise Corrupt("a content of an order is gone")
    return found
