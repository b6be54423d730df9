"""The local cloud: ministack, an emulator of AWS (docs/decisions/ministack.md)."""

import json
import os
import re
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.package import ROOT
from local.processes import LOOPBACK, free_port, refuse_taken, running

REGION = "eu-west-1"
ACCOUNT = "123456789012"
_PROGRAM = ROOT / ".venv-cloud" / "bin" / "ministack"


@dataclass(frozen=True)
class Cloud:
    """A running local cloud."""

    endpoint: str

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of the local cloud; `options` as those of `boto3.client`."""
        import boto3  # takes a while, and not every caller needs it

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="local",
            **options,
        )


@contextmanager
def running_cloud(folder: Path, port: int = 0) -> Iterator[Cloud]:
    """The local cloud at a port (0: any), with its state in `folder`.

    The state is written at a clean stop and found again by the next start.
    """
    if port:
        refuse_taken(port, "the local cloud")
    port = port or free_port()
    endpoint = f"http://{LOOPBACK}:{port}"
    folder = folder.resolve()
    shutil.rmtree(folder / "tmp", ignore_errors=True)  # code that Lambdas of the last run unpacked
    (folder / "tmp").mkdir(parents=True)
    _forget_stream_positions(folder / "state" / "lambda.json")
    _move_queues(folder / "state", endpoint)
    with running(
        "The local cloud",
        [str(_PROGRAM)],
        folder / "cloud.log",
        lambda: _healthy(endpoint),
        _environment(folder, port),
    ):
        yield Cloud(endpoint)


def _environment(folder: Path, port: int) -> dict[str, str]:
    """All that the emulator and its Lambdas see of this machine's environment."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        "BIND_HOST": LOOPBACK,
        "MINISTACK_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AUTH": "true",  # every function may do what its own role allows, and nothing else
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "LAMBDA_EXECUTOR": "local",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        # There is no Docker to ask, and asking takes seconds where there is one.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
    }


def _forget_stream_positions(file: Path) -> None:
    """The emulator keeps how far each stream was read, but begins the streams anew.

    Without this it would skip as many changes after a restart as there were before.
    """
    if file.exists():
        state = json.loads(file.read_text())
        state["payload"]["dynamodb_stream_positions"]["data"] = {}
        file.write_text(json.dumps(state))


def _move_queues(state: Path, endpoint: str) -> None:
    """The emulator keeps the addresses of queues with the port at which they were made."""
    for file in state.glob("*.json"):
        was = file.read_text()
        now = re.sub(rf"http://{re.escape(LOOPBACK)}:\d+/{ACCOUNT}/", f"{endpoint}/{ACCOUNT}/", was)
        if now != was:
            file.write_text(now)


def _healthy(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2) as answer:
            return bool(json.load(answer)["services"])
    except (OSError, ValueError, KeyError):
        return False
