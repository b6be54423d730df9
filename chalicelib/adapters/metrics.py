"""Figures for alarms, as log lines that CloudWatch makes metrics of.

Source: docs.aws.amazon.com/AmazonCloudWatch, "Specification: Embedded metric format".
"""

import json
import sys

from chalicelib.kernel.clock import Clock

NAMESPACE = "Regulars"


class LoggedMetrics:
    """Keeps the port `Metrics`."""

    def __init__(self, clock: Clock, stage: str) -> None:
        self._clock = clock
        self._stage = stage

    def put(self, name: str, value: float) -> None:
        about = {
            "Namespace": NAMESPACE,
            "Dimensions": [["Stage"]],
            "Metrics": [{"Name": name}],
        }
        line = {
            "_aws": {"Timestamp": self._clock.now(), "CloudWatchMetrics": [about]},
            "Stage": self._stage,
            name: value,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
