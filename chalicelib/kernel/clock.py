"""Time. An instant is an integer: milliseconds since 1970-01-01T00:00:00Z."""

import random
import time
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Protocol
from zoneinfo import ZoneInfo

Instant = int

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MONTHS = 12  # in a year

EARLIEST = 0
LATEST = 253_402_300_799_000  # 9999-12-31T23:59:59Z, the last year RFC 3339 can write

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    """Where a handler asks the time."""

    def now(self) -> Instant: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        return time.time_ns() // 1_000_000


class Pause(Protocol):
    """How a writer that lost waits before its next try."""

    def before(self, attempt: int) -> None: ...


class FullJitter:
    """Waits a random part of 10 ms, 20 ms, 40 ms, ... up to a second."""

    def before(self, attempt: int) -> None:
        time.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))  # noqa: S311


def to_datetime(instant: Instant) -> datetime:
    """The instant as an aware UTC datetime, exact to the millisecond."""
    return _EPOCH + timedelta(milliseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """An aware datetime as an instant, floored to the millisecond.

    Raises `ValueError` for a datetime without a time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time needs a time zone")
    return (moment - _EPOCH) // _MILLISECOND


def to_rfc3339(instant: Instant) -> str:
    """`2026-11-23T12:00:00Z`, with milliseconds only where there are any."""
    text = to_datetime(instant).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return text.removesuffix(".000") + "Z"


def from_rfc3339(text: str) -> Instant:
    """Reads an RFC 3339 time with a zone. Raises `ValueError` for anything else."""
    if len(text) < 20 or text[10] not in "Tt ":
        raise ValueError("not an RFC 3339 time")
    return from_datetime(datetime.fromisoformat(text))


def to_http_date(instant: Instant) -> str:
    """`Mon, 23 Nov 2026 12:00:00 GMT`: whole seconds (RFC 9110, section 5.6.7)."""
    return format_datetime(to_datetime(instant // SECOND * SECOND), usegmt=True)


def from_http_date(text: str) -> Instant | None:
    """Reads an HTTP date; None for anything else, which a server then ignores."""
    try:
        return from_datetime(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None


def local_date(instant: Instant, zone: ZoneInfo) -> date:
    """The program's business day that holds `instant`."""
    return to_datetime(instant).astimezone(zone).date()


def start_of_day(day: date, zone: ZoneInfo) -> Instant:
    """The first instant of a business day: the earlier reading where the clock is set back."""
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone))


def add_months(start: date, months: int) -> date:
    """The same day some months later, or the last of a month that is too short."""
    year, month = divmod(start.year * MONTHS + start.month - 1 + months, MONTHS)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
