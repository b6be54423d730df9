"""What every kind of reward is: something that costs points.

A new kind is one file beside this one (its document, and a frozen dataclass with `price` and
`worth_of`) and one line in `kinds.py`.
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from chalicelib.domain.conditions.documents import Identifier
from chalicelib.domain.earning.documents import Count
from chalicelib.domain.errors import Refusal


class CostDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reward costs: `amount` of one of the program's currencies."""

    currency: Identifier
    amount: Count


@dataclass(frozen=True)
class Asked:
    """What a caller wants of a reward."""

    quantity: int = 1
    amount: int | None = None  # of points
    total: int | None = None  # of the bill that it pays, in minor units


class Reward(Protocol):
    """A compiled reward of one version of a program."""

    @property
    def id(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def currency(self) -> int: ...
    @property
    def cost(self) -> int: ...
    @property
    def stock(self) -> int | None:
        """How many there are, for all members together; None: any number."""

    def price(self, asked: Asked) -> int | Refusal:
        """The points that it takes."""

    def worth_of(self, points: int) -> int | None:
        """The money that so many points are worth, in minor units; None where it is no money."""
