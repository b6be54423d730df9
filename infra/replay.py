"""Tells the queues of every member, as the stream would have: after it was down for over a day.

    python -m infra.replay --stage prod

The stream forgets after 24 hours. Cards and due rows are then brought up to date from the ledger
itself: the messages only name a member, so that any number of them, in any order, is right.
"""

import argparse
from collections.abc import Sequence
from itertools import islice
from typing import Any

import boto3

from chalicelib.adapters.sqs import SqsQueue
from chalicelib.domain.ports import Queue
from chalicelib.services.sweeps import message
from infra.deploy import deployed
from infra.package import DEPLOYED_STAGES
from infra.progress import say
from infra.verify import log_names

AT_ONCE = 100


def replay(client: Any, table: str, queues: Sequence[Queue]) -> int:
    """Sends every member of the table to every queue; how many there are."""
    count = 0
    names = log_names(client, table)
    while messages := [message(*name.split("#")) for name in islice(names, AT_ONCE)]:
        for queue in queues:
            queue.send(messages)
        count += len(messages)
    return count


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Tells the queues of every member.")
    parser.add_argument("--stage", choices=DEPLOYED_STAGES, required=True)
    outputs = deployed(parser.parse_args().stage)
    client = boto3.client("dynamodb")
    region = client.meta.region_name
    queues = [SqsQueue(outputs[name], region) for name in ("WalletQueueUrl", "DueQueueUrl")]
    say(f"{replay(client, outputs['LedgerTable'], queues)} members are told of")


if __name__ == "__main__":
    main()
