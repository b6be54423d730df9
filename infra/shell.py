"""Other programs, and what they say when they fail."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.progress import Failed


def run(
    command: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Runs a program to its end and returns what it printed.

    Raises `Failed` with its output where it is missing or says that it failed.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the commands are written in this folder
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is missing; run `make setup`") from error
    said = f"{done.stdout}{done.stderr}".strip()
    if done.returncode:
        raise Failed(f"{' '.join(command[:4])} ... failed:\n{said}")
    return said
