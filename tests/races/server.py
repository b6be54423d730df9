"""One process of the application, as API Gateway would call it, at a port.

    python -m tests.races.server --port 9000 --endpoint http://127.0.0.1:4566 --prefix r1-

It answers one request at a time, as a Lambda function does. `--lose` is how often the answer of a
write is lost on its way back: what was written stays written.
"""

import argparse
import json
import random
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib import wiring
from chalicelib.adapters.aws import make_client
from chalicelib.adapters.dynamo.store import dynamo_store
from chalicelib.domain.errors import Unavailable
from chalicelib.wiring import Runtime, Settings
from local.cloud import REGION
from tests.fakes.interference import interfered, is_effect
from tests.fakes.shop import MASTER_KEY, SETTINGS, Queued, invoke


class Handler(BaseHTTPRequestHandler):
    """HTTP in, an event of API Gateway on."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Any method."""
        from app import app

        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(address.query))
        reply = invoke(app, self.command, address.path, body.decode(), headers, query)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.raw)))
        self.end_headers()
        self.wfile.write(reply.raw)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 (their names)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--lose", type=float, default=0.0)
    asked = parser.parse_args()
    drawn = random.Random(asked.port)

    def loses(name: str, call: partial[Any]) -> Any:
        answer = call()
        if is_effect(name) and drawn.random() < asked.lose:
            raise Unavailable("the answer was lost")
        return answer

    client = make_client("dynamodb", REGION, asked.endpoint)
    names = [asked.prefix + name for name in ("Ledger", "Orders", "Records")]
    store = interfered(dynamo_store(client, *names), loses)
    runtime = Runtime(Settings.of_environment(SETTINGS), store, {"master_key": MASTER_KEY})
    wiring.install(runtime, wiring.Queues(Queued(), Queued(), Queued()))
    print(json.dumps({"port": asked.port}), flush=True)  # noqa: T201 (it is ready)
    HTTPServer(("127.0.0.1", asked.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
