"""The ledger on DynamoDB: one item an entry, one conditional put a change.

Item: `pk` is `<program>#<member>`, `sk` the version in twelve digits, `ref` (with `pk` the index
`by_ref`), `prev` the hash of the entry before, `body` the entry. A head costs 0.5 read units (1
strong), a put 1 write unit a kilobyte and 1 for the index.
"""

import random
import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.dynamo.faults import (
    CONDITION_FAILED,
    TRANSACTION_CONFLICT,
    code_of,
    translated,
)
from chalicelib.adapters.dynamo.inserts import insert_each
from chalicelib.adapters.dynamo.transactions import transact
from chalicelib.adapters.dynamo.vouchers import DynamoVouchers
from chalicelib.domain.errors import Contended, Corrupt
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.domain.ports import Take, Wrote
from chalicelib.domain.rewards.voucher import VoucherChange

DIGITS = 12
CONFLICT_TRIES = 5

Item = dict[str, dict[str, Any]]


class DynamoLedger:
    """The append-only logs."""

    def __init__(
        self, client: Any, table: str, records_table: str, vouchers: DynamoVouchers
    ) -> None:
        self._client = client
        self._vouchers = vouchers
        self._table = table
        self._records_table = records_table

    def head(self, key: LogKey, *, strong: bool) -> Head | None:
        """The newest entry; not `strong`, it may be a moment old."""
        values = {":pk": {"S": str(key)}}
        found = self._query(
            "pk = :pk", values, limit=1, ConsistentRead=strong, ScanIndexForward=False
        )
        return Head.of(_stored(key, found[0])) if found else None

    def story(self, key: LogKey, prefix: str) -> list[StoredEntry]:
        """All entries whose ref starts with `prefix`, oldest first.

        The index holds keys only; a story is short, and mostly empty, so its entries are got one
        by one.
        """
        found = self._query(
            "pk = :pk AND begins_with(#ref, :prefix)",
            {":pk": {"S": str(key)}, ":prefix": {"S": prefix}},
            IndexName="by_ref",
            ConsistentRead=True,
            ExpressionAttributeNames={"#ref": "ref"},
        )
        versions = sorted(int(item["sk"]["S"]) for item in found)
        entries = [self.entry(key, version) for version in versions]
        return [entry for entry in entries if entry is not None]

    def append(self, entry: StoredEntry) -> StoredEntry | None:
        """Puts an entry at its version; the winner where another lies there."""
        for attempt in range(CONFLICT_TRIES):
            with translated():
                try:
                    self._client.put_item(
                        **self.part(entry)["Put"], ReturnValuesOnConditionCheckFailure="ALL_OLD"
                    )
                    return None
                except ClientError as error:
                    code = code_of(error)
                    if code == CONDITION_FAILED:
                        response: dict[str, Any] = dict(error.response)
                        return self._winner(entry, response.get("Item"))
                    if code != TRANSACTION_CONFLICT:
                        raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
        raise Contended("transactions hold the head of the log")

    def append_each(self, entries: Sequence[StoredEntry]) -> list[StoredEntry | None]:
        """Puts entries of different logs in few requests; the winner where another lies there."""
        items = [self.part(one)["Put"]["Item"] for one in entries]
        put = insert_each(self._client, self._table, items)
        return [
            None if is_put else self.append(one) for one, is_put in zip(entries, put, strict=True)
        ]

    def append_all(
        self,
        entries: Sequence[StoredEntry],
        takes: Sequence[Take] = (),
        vouchers: Sequence[VoucherChange] = (),
    ) -> Wrote:
        """Puts entries of several logs, takes, issues and changes vouchers, all or none."""
        parts = [*map(self.part, entries), *map(self._take, takes)]
        counted = len(parts)
        for change in vouchers:
            parts += self._vouchers.parts(change)
        failed = transact(self._client, parts)
        if failed is None:
            return Wrote.STORED
        if any(failed[: len(entries)]):
            mine = all(self.entry(one.key, one.version) == one for one in entries)
            return Wrote.STORED if mine else Wrote.LOST
        return Wrote.EXCEEDED if any(failed[len(entries) : counted]) else Wrote.CHANGED

    def used(self, program_id: str, name: str) -> int:
        """How much of what all members share is taken."""
        with translated():
            answer = self._client.get_item(
                TableName=self._records_table,
                Key={"pk": {"S": f"{program_id}#{name}"}, "sk": {"S": "used"}},
                ConsistentRead=True,
            )
        return int(answer["Item"]["used"]["N"]) if "Item" in answer else 0

    def entry(self, key: LogKey, version: int) -> StoredEntry | None:
        with translated():
            answer = self._client.get_item(
                TableName=self._table, Key=_key(key, version), ConsistentRead=True
            )
        return _stored(key, answer["Item"]) if "Item" in answer else None

    def entries(self, key: LogKey, before: int | None, limit: int) -> list[StoredEntry]:
        """Newest first."""
        values = {":pk": {"S": str(key)}}
        condition = "pk = :pk"
        if before is not None:
            condition += " AND sk < :before"
            values[":before"] = {"S": _version(before)}
        found = self._query(
            condition, values, limit=limit, ConsistentRead=True, ScanIndexForward=False
        )
        return [_stored(key, item) for item in found]

    def part(self, entry: StoredEntry) -> dict[str, Any]:
        """The part of a transaction that puts an entry where there is none."""
        item = {
            **_key(entry.key, entry.version),
            "ref": {"S": entry.ref},
            "prev": {"B": entry.prev},
            "body": {"B": entry.body},
        }
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }

    def _take(self, take: Take) -> Item:
        """The part of a transaction that counts units of what all members share."""
        update: dict[str, Any] = {
            "TableName": self._records_table,
            "Key": {"pk": {"S": f"{take.program_id}#{take.name}"}, "sk": {"S": "used"}},
            "UpdateExpression": "ADD used :amount SET kind = :kind",
            "ExpressionAttributeValues": {
                ":amount": {"N": str(take.amount)},
                ":kind": {"S": "used"},
            },
        }
        if take.limit is not None:
            update["ConditionExpression"] = "attribute_not_exists(used) OR used <= :most"
            update["ExpressionAttributeValues"][":most"] = {"N": str(take.limit - take.amount)}
            if take.amount > take.limit:
                update["ConditionExpression"] = "used <= :most"
        return {"Update": update}

    def _winner(self, entry: StoredEntry, item: Item | None) -> StoredEntry:
        winner = _stored(entry.key, item) if item else self.entry(entry.key, entry.version)
        if winner is None:
            raise Corrupt("an entry of the ledger is gone")
        return winner

    def _query(
        self, condition: str, values: Item, limit: int | None = None, **options: Any
    ) -> list[Item]:
        """All pages of a query, or the first `limit` items."""
        found: list[Item] = []
        if limit is not None:
            options["Limit"] = limit
        with translated():
            while True:
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    **options,
                )
                found += answer["Items"]
                last = answer.get("LastEvaluatedKey")
                if last is None or (limit is not None and len(found) >= limit):
                    return found[:limit]
                options["ExclusiveStartKey"] = last


def _version(version: int) -> str:
    return f"{version:0{DIGITS}d}"


def _key(key: LogKey, version: int) -> Item:
    return {"pk": {"S": str(key)}, "sk": {"S": _version(version)}}


def _stored(key: LogKey, item: Item) -> StoredEntry:
    try:
        return StoredEntry(
            key, int(item["sk"]["S"]), item["ref"]["S"], item["prev"]["B"], item["body"]["B"]
        )
    except (KeyError, ValueError) as error:
        raise Corrupt("an entry of the ledger cannot be read") from error
