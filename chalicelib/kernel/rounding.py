"""What becomes of a part of a whole number."""

from enum import Enum


class Rounding(Enum):
    """Down, to the nearest (a half goes up), or up."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    CEILING = "ceiling"

    def divide(self, amount: int, by: int) -> int:
        """`amount / by` (both at least 0, `by` above 0), rounded."""
        if self is Rounding.FLOOR:
            return amount // by
        if self is Rounding.CEILING:
            return -(-amount // by)
        return (2 * amount + by) // (2 * by)
