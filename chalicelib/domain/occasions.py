"""Occasions: what the calendar brings a member by itself."""

from dataclasses import dataclass
from enum import Enum

from chalicelib.kernel.clock import Instant


class Day(Enum):
    """What is celebrated."""

    BIRTHDAY = "birthday"
    JOINING = "joining_anniversary"
    FIRST_PURCHASE = "first_purchase_anniversary"
    INACTIVITY = "inactivity"


@dataclass(frozen=True)
class Occasion:
    """A day that some rules give something for; `nth` is the year, or the days of a pause."""

    day: Day
    placed_at: Instant  # the first moment of the day
    nth: int
