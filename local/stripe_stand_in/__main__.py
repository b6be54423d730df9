"""Runs the stand-in until it is interrupted or ended."""

import argparse
import signal
import threading
from pathlib import Path

from local.stripe_stand_in import WEBHOOK_SECRET, StripeStandIn

TICK_SECONDS = 1.0


def main() -> None:
    """Serves, and every second plays what has become due."""
    parser = argparse.ArgumentParser(prog="python -m local.stripe_stand_in")
    parser.add_argument("--port", type=int, default=8446)
    parser.add_argument("--folder", type=Path, default=Path(".local/stripe"))
    parser.add_argument("--webhook-url", help="where events go")
    parser.add_argument("--webhook-secret", default=WEBHOOK_SECRET)
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with StripeStandIn(
        options.folder,
        options.port,
        webhook_url=options.webhook_url,
        webhook_secret=options.webhook_secret,
    ) as stand_in:
        print(f"Stripe stands in at {stand_in.url}", flush=True)
        while not ended.wait(TICK_SECONDS):
            stand_in.play_due()


if __name__ == "__main__":
    main()
