"""Deliveries: one event on its way to one endpoint, when it is tried again, and when it rests.

The waits are those of the Standard Webhooks specification ("Deliverability and reliability"): at
once, then after 5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20 and 24 hours; three days in all.
"""

from dataclasses import dataclass, replace
from enum import Enum
from hashlib import sha256
from http import HTTPStatus

from chalicelib.domain.webhooks.events import Event
from chalicelib.kernel.clock import DAY, HOUR, MINUTE, SECOND, Instant

WAITS = (
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
JITTER = 0.2  # of a wait at most is added, so that what failed together is not tried together
KEPT = 30 * DAY
GIVEN_UP_AFTER = 5 * DAY  # also what waited for its endpoint to come back
LONGEST_WAIT = DAY  # that an endpoint may ask for

STRIKES = 5  # in a row, before an endpoint rests
FIRST_REST = 30 * SECOND
LONGEST_REST = 15 * MINUTE
PROBED_FOR = 30 * SECOND  # for so long others wait for whoever tries whether it is back
SLOW = 5 * SECOND  # an answer that took longer is a strike, though the event arrived
DISABLED_AFTER = 5 * DAY  # of nothing but failures


class Status(Enum):
    """Where a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"  # given up


@dataclass(frozen=True)
class Attempt:
    """One try, and what the endpoint answered to it."""

    at: Instant
    url: str
    took: int  # milliseconds
    status: int | None  # None: there was no answer
    excerpt: str  # the beginning of the answer
    trouble: str | None  # why it did not arrive

    @property
    def arrived(self) -> bool:
        return self.trouble is None

    @property
    def says_gone(self) -> bool:
        """Whether nothing shall be sent there any more."""
        return self.status == HTTPStatus.GONE


@dataclass(frozen=True)
class Delivery:
    """One event for one endpoint.

    A message in the queue is good for one `revision` and `ticket` of it: what was worked by another
    meanwhile, or was asked for anew, makes it void.
    """

    program_id: str
    endpoint_id: str
    event_id: str
    event_type: str
    at: Instant  # of the event
    body: bytes
    created_at: Instant
    status: Status = Status.WAITING
    tries: int = 0
    next_at: Instant | None = None
    last: Attempt | None = None
    trouble: str | None = None  # why it was given up
    revision: int = 1
    ticket: str = ""

    @classmethod
    def of(cls, event: Event, program_id: str, endpoint_id: str, now: Instant) -> "Delivery":
        """The first delivery of an event."""
        return cls(
            program_id,
            endpoint_id,
            event.id,
            event.type,
            event.at,
            event.body,
            now,
            next_at=now,
        )

    @property
    def id(self) -> str:
        """The same for the same event, and in the order of time."""
        return delivery_id(self.at, self.event_id)

    @property
    def expires_at(self) -> Instant:
        """When it may be forgotten."""
        return self.created_at + KEPT

    def after(self, attempt: Attempt, ticket: str, retry_after: int | None = None) -> "Delivery":
        """As it is after an attempt. `retry_after` is what the endpoint asked for, in ms."""
        tried = replace(self, tries=self.tries + 1, last=attempt)
        if attempt.says_gone:
            return tried.given_up("the endpoint is gone")
        wait = None if attempt.arrived else self._wait(retry_after)
        if wait is None and not attempt.arrived:
            return tried.given_up("it was tried to the end")
        return replace(
            tried,
            status=Status.DELIVERED if attempt.arrived else Status.WAITING,
            next_at=None if wait is None else attempt.at + wait,
            revision=self.revision + 1,
            ticket=ticket,
        )

    def given_up(self, why: str) -> "Delivery":
        """As it is when it will not be tried any more."""
        return replace(
            self,
            status=Status.FAILED,
            next_at=None,
            trouble=why,
            revision=self.revision + 1,
        )

    def again(self, ticket: str, now: Instant) -> "Delivery":
        """As it is when it shall be sent once more from the beginning."""
        return replace(
            self,
            status=Status.WAITING,
            tries=0,
            next_at=now,
            created_at=now,
            trouble=None,
            revision=self.revision + 1,
            ticket=ticket,
        )

    def _wait(self, retry_after: int | None) -> int | None:
        if self.tries >= len(WAITS):
            return None
        wait = WAITS[self.tries]
        wait += spread(f"{self.endpoint_id} {self.id} {self.tries}", int(wait * JITTER))
        return max(wait, min(retry_after or 0, LONGEST_WAIT))


def delivery_id(at: Instant, event_id: str) -> str:
    """Of the delivery of an event, at each endpoint."""
    return f"{at:015d}.{event_id}"


@dataclass(frozen=True)
class Health:
    """How an endpoint fares: the circuit that keeps it from holding up the others.

    After some strikes in a row it is tried by one delivery at a time; after failures it rests
    meanwhile, longer and longer.
    """

    program_id: str
    endpoint_id: str
    strikes: int = 0
    rests_until: Instant = 0
    failing_since: Instant | None = None
    revision: int = 0

    @property
    def is_guarded(self) -> bool:
        """Whether one delivery at a time may try it."""
        return self.strikes >= STRIKES

    def probed(self, now: Instant) -> "Health":
        """As it is while one delivery tries it."""
        return replace(self, rests_until=now + PROBED_FOR, revision=self.revision + 1)

    def after(self, attempt: Attempt, now: Instant) -> "Health":
        """As it is after an attempt."""
        if attempt.arrived and attempt.took <= SLOW:
            return replace(
                self, strikes=0, rests_until=0, failing_since=None, revision=self.revision + 1
            )
        if attempt.arrived:
            strikes, rests_until, since = min(self.strikes + 1, STRIKES), now, None
        else:
            strikes = self.strikes + 1
            rests_until = now + _rest(strikes)
            since = now if self.failing_since is None else self.failing_since
        return replace(
            self,
            strikes=strikes,
            rests_until=rests_until,
            failing_since=since,
            revision=self.revision + 1,
        )

    def is_as_well_as(self, other: "Health") -> bool:
        """Whether nothing is to be noted: nearly always, of an endpoint that works."""
        return not (self.strikes or other.strikes or self.failing_since)

    def is_hopeless(self, now: Instant) -> bool:
        """Whether it failed for so long that it is disabled."""
        return self.failing_since is not None and now - self.failing_since >= DISABLED_AFTER


def _rest(strikes: int) -> int:
    if strikes < STRIKES:
        return 0
    return min(LONGEST_REST, FIRST_REST << min(strikes - STRIKES, 10))


def spread(text: str, most: int) -> int:
    """A number from 0 to `most`, the same for the same text."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") % (most + 1)
