"""Proves the ledger of `make run`, while it runs: `make verify STAGE=local`."""

import argparse
import os
import sys

from infra.verify import verify
from local.cloud import Cloud
from local.deploy import physical_names
from local.processes import LOOPBACK
from local.run import Ports


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Proves the ledger of make run.")
    parser.add_argument("--member", help="<program>#<member>; without it, all")
    asked = parser.parse_args()
    port = Ports.from_(int(os.environ.get("REGULARS_PORT", "8000"))).cloud
    cloud = Cloud(f"http://{LOOPBACK}:{port}")
    right = verify(cloud.client("dynamodb"), physical_names(cloud)["Ledger"], asked.member)
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
