"""Proves the ledger of a stage: every chain of hashes and every sum, read from the table itself.

    python -m infra.verify --stage prod --member prg_x#mem_y

Without `--member` all logs are proved. Reading the table costs half a read unit for each 4 KB once,
and one for each 4 KB again. The exit status is 0 where everything is right and 1 where it is not.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import boto3

from chalicelib.adapters.dynamo.store import dynamo_store
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.ports import Ledger
from chalicelib.services.accounts import prove_stretch
from infra.deploy import deployed
from infra.package import DEPLOYED_STAGES
from infra.progress import say

EVERY = 10_000  # logs, between two lines that say how far it is


def verify(client: Any, table: str, member: str | None = None) -> bool:
    """Whether all logs, or the one of `<program>#<member>`, are right; says what is not."""
    ledger = dynamo_store(client, table, table, table).ledger
    logs, entries, broken = 0, 0, 0
    for name in [member] if member else log_names(client, table):
        count, wrong = _prove(ledger, name)
        logs += 1
        entries += count
        if wrong:
            broken += 1
            say(f"{name}: {wrong}")
        if logs % EVERY == 0:
            say(f"  {logs} logs so far")
    say(f"{logs} logs, {entries} entries: {f'{broken} logs are broken' if broken else 'all right'}")
    return not broken


def _prove(ledger: Ledger, name: str) -> tuple[int, str | None]:
    """How many entries a log has, and what is wrong with it."""
    program_id, _, member_id = name.partition("#")
    key = LogKey(program_id, member_id)
    count, before = 0, None
    while True:
        stretch = prove_stretch(ledger, key, before)
        count += stretch.proved
        if stretch.broken:
            return count, f"entry {stretch.broken.version}: {stretch.broken.reason}"
        if stretch.before is None:
            return count, None if count else "there is no such log"
        before = stretch.before


def log_names(client: Any, table: str) -> Iterator[str]:
    """Every partition key of the table, once."""
    seen: set[str] = set()
    pages: Iterable[Any] = client.get_paginator("scan").paginate(
        TableName=table, ProjectionExpression="pk"
    )
    for page in pages:
        for item in page["Items"]:
            name = item["pk"]["S"]
            if name not in seen:
                seen.add(name)
                yield name


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Proves the ledger of a stage.")
    parser.add_argument("--stage", choices=DEPLOYED_STAGES, required=True)
    parser.add_argument("--member", help="<program>#<member>; without it, all")
    asked = parser.parse_args()
    table = deployed(asked.stage)["LedgerTable"]
    right = verify(boto3.client("dynamodb"), table, asked.member)
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
