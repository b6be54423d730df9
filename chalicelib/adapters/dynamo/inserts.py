"""Many items put in few requests, each where there is none, and each for itself.

A BatchWriteItem knows no condition, and a transaction costs twice and is all or nothing. A batch of
PartiQL inserts is neither: an INSERT fails where an item lies (docs.aws.amazon.com/amazondynamodb,
"PartiQL insert statements" and "Running batch operations with PartiQL": 25 statements at most).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.adapters.dynamo.faults import translated
from chalicelib.adapters.dynamo.meter import count_insert

AT_ONCE = 25

Item = Mapping[str, Mapping[str, Any]]


def insert_each(client: Any, table: str, items: Sequence[Item]) -> list[bool]:
    """Which of them are known to have been put just now.

    The others may be there, even by an earlier try of this very request whose answer was lost, or
    may have been throttled: whoever wants to know puts them once more by themselves.
    """
    put: list[bool] = []
    for start in range(0, len(items), AT_ONCE):
        part = items[start : start + AT_ONCE]
        with translated():
            answer = client.batch_execute_statement(
                Statements=[_insert(table, item) for item in part]
            )
        done = ["Error" not in one for one in answer["Responses"]]
        for item, is_put in zip(part, done, strict=True):
            count_insert(item, is_put=is_put)
        put += done
    return put


def _insert(table: str, item: Item) -> dict[str, Any]:
    fields = ", ".join(f"'{name}': ?" for name in item)
    return {
        "Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}',
        "Parameters": list(item.values()),
    }
