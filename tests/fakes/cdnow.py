"""The CDNOW sample (tests/data/README.md): six thousand real orders."""

import csv
import gzip
from dataclasses import dataclass
from typing import Any

from tests.fakes.shop import ROOT

FILE = ROOT / "tests" / "data" / "cdnow.csv.gz"
PROGRAM = b"""
name: CDNOW
time_zone: America/New_York
money: USD
currencies:
  points: {label: Points}
earn:
  - {id: dollars, kind: per_amount, currency: points, give: 1, per: 100, rounding: floor}
"""


@dataclass(frozen=True)
class Purchase:
    """One line of the file; `number` counts them."""

    number: int
    customer: str
    day: str
    discs: int
    cents: int

    @property
    def request(self) -> dict[str, Any]:
        """The order that POST /v1/orders takes, of a member with the customer's number."""
        return {
            "source": "cdnow",
            "id": str(self.number),
            "currency": "USD",
            "placed_at": f"{self.day}T17:00:00Z",
            "lines": [{"id": "1", "quantity": 1, "unit_price": self.cents, "categories": ["cd"]}],
            "member": {"external_id": self.customer},
        }


def purchases() -> list[Purchase]:
    """All of them, customer by customer, each in the order of time."""
    with gzip.open(FILE, "rt", newline="") as text:
        rows = csv.DictReader(text)
        return [
            Purchase(at, row["customer"], row["day"], int(row["discs"]), int(row["cents"]))
            for at, row in enumerate(rows, 1)
        ]
