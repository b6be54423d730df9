"""Counters that end by themselves, on DynamoDB."""

from chalicelib.adapters.dynamo.faults import translated
from chalicelib.adapters.dynamo.records import Records
from chalicelib.kernel.clock import SECOND, Instant

_COUNTER = "counter"


class DynamoCounters:
    """One item a counter. A retry may count twice: a limit need not be exact."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def hit(self, name: str, expires_at: Instant) -> int:
        model = self._records.model
        item = model(f"{_COUNTER}#{name}", _COUNTER)
        with translated():
            item.update(
                actions=[
                    model.hits.add(1),
                    model.kind.set(_COUNTER),
                    model.expires_at.set(expires_at // SECOND),
                ]
            )
        return int(item.hits)
