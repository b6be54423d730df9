"""A queue as Lambda sees one: delays, visibility time-out, most receives; on a set clock."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from chalicelib.kernel.clock import SECOND, Instant
from infra.template import merge_template
from tests.fakes.interference import Crash
from tests.fakes.shop import SetClock

Handler = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Message:
    """One message, and how often it was handed out."""

    id: str
    body: str
    received: int = 0


@dataclass
class TimedQueue:
    """Hands out what is due. What was not worked comes again, and at last lies in `dead`."""

    clock: SetClock
    visibility_seconds: int
    most_receives: int
    batch: int
    dead: list[str] = field(default_factory=list)
    _waiting: list[tuple[Instant, int, Message]] = field(default_factory=list)
    _numbers: Any = field(default_factory=count)

    @classmethod
    def deployed(cls, name: str, clock: SetClock, batch: int) -> "TimedQueue":
        """As `infra/resources.yaml` has it."""
        queue = merge_template("prod")["Resources"][name]["Properties"]
        receives = queue["RedrivePolicy"]["maxReceiveCount"]
        return cls(clock, queue["VisibilityTimeout"], receives, batch)

    def send(self, messages: Sequence[str], after_seconds: int = 0) -> None:
        """Keeps them until they are due."""
        for body in messages:
            self._put(Message(str(next(self._numbers)), body), after_seconds)

    @property
    def next_at(self) -> Instant | None:
        """When something is due."""
        return self._waiting[0][0] if self._waiting else None

    def work(self, handler: Handler) -> int:
        """Hands one batch of what is due to a handler; how many that were.

        A handler that dies loses nothing: its batch comes again.
        """
        taken = self._take()
        if not taken:
            return 0
        records = [{"messageId": one.id, "body": one.body} for one in taken]
        try:
            answer = handler({"Records": records})
            failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        except Crash:
            failed = {one.id for one in taken}
        for one in taken:
            if one.id in failed:
                self._put(replace(one, received=one.received + 1), self.visibility_seconds)
        return len(taken)

    def _take(self) -> list[Message]:
        taken: list[Message] = []
        while self._waiting and self._waiting[0][0] <= self.clock.at and len(taken) < self.batch:
            message = heapq.heappop(self._waiting)[2]
            if message.received < self.most_receives:
                taken.append(message)
            else:
                self.dead.append(message.body)
        return taken

    def _put(self, message: Message, after_seconds: int) -> None:
        due = self.clock.at + after_seconds * SECOND
        heapq.heappush(self._waiting, (due, next(self._numbers), message))


def work_all(clock: SetClock, until: Instant, *queues: tuple[TimedQueue, Handler]) -> None:
    """Works what is due, and lets the time pass to what is due next, until a moment."""
    while True:
        if sum(queue.work(handler) for queue, handler in queues):
            continue
        times = [queue.next_at for queue, _ in queues if queue.next_at is not None]
        if not times or min(times) > until:
            return
        clock.at = max(clock.at, min(times))
