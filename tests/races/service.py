"""The application as AWS runs it: many processes behind one address, each with one call at a time.

python -m tests.races.service <port> <DynamoDB> <prefix of its tables> <share of lost answers>
"""

import os
import random
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.exceptions import ReadTimeoutError

from app import app
from chalicelib import wiring
from chalicelib.adapters.aws import make_client
from chalicelib.adapters.dynamo.store import dynamo_store
from chalicelib.wiring import Queues, Runtime, Settings
from local.cloud import REGION
from local.processes import LOOPBACK
from tests.fakes.shop import MASTER_KEY, SETTINGS, Queued, invoke

PROCESSES = 16


def install(endpoint: str, prefix: str) -> Any:
    """Makes this process one of the application's; gives its DynamoDB client."""
    client = make_client("dynamodb", REGION, endpoint)
    tables = [prefix + name for name in ("Ledger", "Orders", "Records")]
    store = dynamo_store(client, *tables)
    runtime = Runtime(Settings.of_environment(SETTINGS), store, {"master_key": MASTER_KEY})
    wiring.install(runtime, Queues(*(Queued() for _ in range(7))))
    return client


def lose_answers(client: Any, share: float, chance: random.Random) -> None:
    """Loses answers of writes that were done.

    Half of them so that the SDK sends the write again, half so that the application never knows.
    """

    def send_again(**_: Any) -> int | None:
        return 0 if chance.random() < share / 2 else None  # after so many seconds

    def never_came(**_: Any) -> None:
        if chance.random() < share / 2:
            raise ReadTimeoutError(endpoint_url="http://lost")

    for operation in ("PutItem", "TransactWriteItems"):
        client.meta.events.register_first(f"needs-retry.dynamodb.{operation}", send_again)
        client.meta.events.register(f"after-call.dynamodb.{operation}", never_came)


class _Server(HTTPServer):
    request_queue_size = 128
    share = 0.0
    chance = random.Random()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        query = dict(parse_qsl(url.query))
        reply = invoke(app, self.command, url.path, body, dict(self.headers), query)
        if self.server.chance.random() < self.server.share:
            return  # the connection ends without an answer
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.raw)

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815


def main(port: str, endpoint: str, prefix: str, share: str) -> None:
    server = _Server((LOOPBACK, int(port)), _Handler)
    for number in range(PROCESSES):
        if os.fork() == 0:
            server.share, server.chance = float(share), random.Random(number)
            lose_answers(install(endpoint, prefix), server.share, server.chance)
            while True:
                server.handle_request()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
