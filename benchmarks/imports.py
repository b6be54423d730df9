"""The time to import `app.py` over that of what nobody can do without: Chalice and a client."""

import os
import statistics
import subprocess
import sys
import tempfile

from infra.package import ROOT

ROUNDS = 9
OURS = "import app"
BARE = (
    "import chalice, botocore.session\n"
    "botocore.session.get_session().create_client('dynamodb', region_name='eu-west-1')"
)
# What a cold start of ours does before the first request: the client is part of both sides.
OURS_WITH_CLIENT = (
    "import app\n"
    "from chalicelib.adapters.aws import make_client\n"
    "from chalicelib.adapters.dynamo.store import dynamo_store\n"
    "dynamo_store(make_client('dynamodb', 'eu-west-1'), 'Ledger', 'Orders', 'Records')"
)


def run() -> list[str]:
    """The lines to show."""
    with tempfile.TemporaryDirectory() as cache:
        bare = _measure(BARE, cache)
        lines = []
        for title, code, aim in (
            ("import of app.py", OURS, " (aim <= 1.3)"),
            ("import of app.py and its store on a client", OURS_WITH_CLIENT, ""),
        ):
            ours = _measure(code, cache)
            lines.append(
                f"{title} over chalice and a botocore DynamoDB client: {ours / bare:.2f}{aim}; "
                f"{ours * 1e3:.0f} ms over {bare * 1e3:.0f} ms, median of {ROUNDS}"
            )
        return lines


def _measure(code: str, cache: str) -> float:
    """Seconds that the code takes in a new interpreter, its start not counted, .pyc at hand."""
    timed = f"import time\nbegan = time.perf_counter()\n{code}\nprint(time.perf_counter() - began)"
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": cache,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    command = [sys.executable, "-c", timed]
    taken = []
    for number in range(-1, ROUNDS):  # the first writes the .pyc
        done = subprocess.run(
            command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
        if number >= 0:
            taken.append(float(done.stdout))
    return statistics.median(taken)
