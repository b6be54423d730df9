"""When points end: some days, months or years after they were earned, or after the last activity.

The day of expiry is the first on which they are gone. Validity that is counted to the end of a
month or year ends with the month or year that holds its last day: twelve months from 2020-07-06 to
the end of the month end on 2021-08-01 (Square Loyalty, "expiration policy").
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from chalicelib.kernel.clock import add_months

NEVER = 0  # the day on which points end that do not
SHORTEST_MONTH, LONGEST_MONTH, SHORTEST_YEAR = 28, 31, 365


class EndOf(Enum):
    """Up to the end of what validity is counted."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True)
class Expiry:
    """How long points of one currency live."""

    days: int = 0
    months: int = 0
    end_of: EndOf = EndOf.DAY
    since_activity: bool = False  # every activity starts it anew, for all points of the currency
    not_in_tiers: frozenset[int] = frozenset()  # points earned in one of them never end

    @property
    def buckets(self) -> int:
        """On how many days, at most, the points of one account can end."""
        if self.since_activity:
            return 1
        days = self.days + self.months * LONGEST_MONTH
        if self.end_of is EndOf.MONTH:
            return days // SHORTEST_MONTH + 2
        if self.end_of is EndOf.YEAR:
            return days // SHORTEST_YEAR + 2
        return days + 1

    def day(self, start: date) -> int:
        """The day on which points of `start` are gone, as `date.toordinal()`.

        What would outlive the calendar never ends.
        """
        try:
            end = add_months(start, self.months) + timedelta(days=self.days)
            if self.end_of is EndOf.MONTH:
                end = add_months(end.replace(day=1), 1)
            elif self.end_of is EndOf.YEAR:
                end = date(end.year + 1, 1, 1)
        except (ValueError, OverflowError):
            return NEVER
        return end.toordinal()
