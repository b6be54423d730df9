"""When a period ends, and what a part of it is worth ("Billing cycle", "Prorations")."""

from datetime import UTC, datetime, time

from chalicelib.kernel.clock import add_months
from local.stripe_stand_in.shapes import Object

DAY = 86_400
_SECONDS = {"day": DAY, "week": 7 * DAY}
_MONTHS = {"month": 1, "year": 12}


def step(start: int, interval: str, count: int) -> int:
    """`count` intervals after `start`; the last of a month that is too short."""
    if interval in _SECONDS:
        return start + count * _SECONDS[interval]
    moment = datetime.fromtimestamp(start, UTC)
    day = add_months(moment.date(), count * _MONTHS[interval])
    at = time(moment.hour, moment.minute, moment.second, tzinfo=UTC)
    return int(datetime.combine(day, at).timestamp())


def end_of_period(anchor: int, recurring: Object, after: int) -> int:
    """The first end of a period, counted from the anchor, that lies after `after`.

    Counted from the anchor, a subscription of the 31st comes back to the 31st after a short month.
    """
    interval, count = recurring["interval"], recurring["interval_count"]
    number = 1
    while step(anchor, interval, number * count) <= after:
        number += 1
    return step(anchor, interval, number * count)


def share(amount: int, part: int, whole: int, unit: int = 1) -> int:
    """`amount * part / whole`, to the nearest multiple of `unit`, halves away from zero.

    Exact: no floating point comes near it. Prorations go down to the second ("Prorations").
    """
    if whole <= 0:
        return 0
    sign = -1 if amount < 0 else 1
    whole *= unit
    return sign * unit * ((2 * abs(amount) * part + whole) // (2 * whole))
