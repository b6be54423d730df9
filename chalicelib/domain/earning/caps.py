"""Caps: the most that one member gets of a rule, in an order or in a period.

What he got is counted, in points or in times, and what a refund takes back is free again.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cap:
    """At most `limit` of something; `counter` is the number of what counts it, 0 in each order."""

    per: str
    limit: int
    counts_points: bool  # else it counts how often the rule paid
    counter: int = 0

    def clip(self, points: int, used: int) -> int:
        """What of so many points is still allowed."""
        if self.counts_points:
            return max(0, min(points, self.limit - used))
        return points if used < self.limit else 0

    @property
    def reason(self) -> str:
        """Why less was given, in a sentence for the shop."""
        what = "points" if self.counts_points else "times"
        return f"at most {self.limit} {what} per {self.per}"
