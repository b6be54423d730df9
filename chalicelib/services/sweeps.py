"""Facts of time are written down: each once, also when a sweep is late, dies or runs twice.

Every member for whom something is due some day has one row, at that day. A sweep reads the rows of
the days until now and sends their members to a queue, whose worker settles each account and moves
its row to what is due next. Nothing is decided here: an account that nobody swept is settled by
whoever reads or changes it, with the same entries.
"""

import json
from hashlib import sha256

from chalicelib.domain.errors import Contended
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import LogKey, Standing
from chalicelib.domain.ledger.time import FAR, next_due
from chalicelib.domain.ports import DueRow, Queue
from chalicelib.domain.program.program import Mode
from chalicelib.kernel.clock import DAY, HOUR, Instant
from chalicelib.services.appending import TRIES, settle_down
from chalicelib.services.birthdays import celebrate, next_birthday
from chalicelib.services.context import Context, Here, enter
from chalicelib.services.referrals import advance, next_referral_look
from chalicelib.services.rights import forget

SHARDS = 4  # of a day, so that a busy midnight is spread
LOOK_BACK_DAYS = 40  # how far the first sweep looks
FORGOTTEN_AGAIN = HOUR  # after the tombstone, when every call that was under way has ended
AT_ONCE = 10_000  # rows of one shard that one sweep sends; the next hour sends the rest


def settle_member(context: Context, program_id: str, member_id: str) -> None:
    """Writes down what is due of one member, and when the next is. Raises `Contended`.

    Another worker may write the row for an older or a newer state at the same time: whoever wrote
    it looks again, until his is that of the newest entry.
    """
    here = enter(context, program_id)
    key = LogKey(program_id, member_id)
    for attempt in range(TRIES):
        head = context.store.ledger.head(key, strong=True)
        if here is None or head is None:
            return
        settled = settle_down(context, here, head)
        if settled is not None and _goes_on(context, here, settled):
            continue
        if settled is not None:
            if not _move_row(context, here, settled, _next_look(context, here, settled)):
                return
            newest = context.store.ledger.head(key, strong=True)
            if newest is not None and newest.version == settled.version:
                return
        context.pause.before(attempt)
    raise Contended(f"{TRIES} writers were faster")


def _goes_on(context: Context, here: Here, head: Head) -> bool:
    """What is no fact of time and still comes about when somebody looks; whether it was written
    down in this log."""
    return celebrate(context, here, head) or advance(context, here, head)


def sweep(context: Context, queue: Queue) -> int:
    """Sends every member of whom something is due to the queue; how many there were.

    A day is done with once none of its rows is left; until then every sweep looks at it again.
    """
    now = context.clock.now()
    today = now // DAY
    dues = context.store.dues
    swept = dues.swept_until()
    first = today - LOOK_BACK_DAYS if swept is None else swept
    open_days = []
    sent = 0
    for day in range(first, today + 1):
        for shard in range(SHARDS):
            rows = dues.until(_live(day, shard), now, AT_ONCE)
            queue.send([message(row.program_id, row.member_id) for row in rows])
            sent += len(rows)
            if rows:
                open_days.append(day)
    dues.mark_swept(min([*open_days, today]))
    return sent


def sweep_test_program(context: Context, here: Here) -> None:
    """Settles what is due by a test program's own clock, which was just set."""
    rows = context.store.dues.until(_test(here.program_id), here.now, AT_ONCE)
    for row in rows:
        settle_member(context, row.program_id, row.member_id)


def message(program_id: str, member_id: str) -> str:
    """What the queues are told: whose account changed or is due."""
    return json.dumps({"program_id": program_id, "member_id": member_id})


def _next_look(context: Context, here: Here, head: Head) -> Instant | None:
    """When something is due next; of an erased member, the second look at what may be left."""
    if head.snapshot.standing == Standing.ERASED:
        again = head.recorded_at + FORGOTTEN_AGAIN
        if here.now < again:
            return again
        forget(context, here, head)
        return None
    due = next_due(head, context.catalog.versions(here.program))
    dues = [due.at] if due is not None and due.at < FAR else []
    others = (next_birthday(context, here, head), next_referral_look(context, here, head))
    return min([*dues, *(one for one in others if one is not None)], default=None)


def _move_row(context: Context, here: Here, head: Head, at: Instant | None) -> bool:
    """Keeps the member's one row where his next due fact lies; whether it had to be written."""
    program_id, member_id = head.key.program_id, head.key.member_id
    row = None
    if at is not None:
        partition = _test(program_id)
        if here.program.mode is Mode.LIVE:
            partition = _live(at // DAY, _shard(member_id))
        row = DueRow(program_id, member_id, at, partition)
    if context.store.dues.of(program_id, member_id) == row:
        return False
    context.store.dues.put(program_id, member_id, row)
    return True


def _live(day: int, shard: int) -> str:
    return f"{day}#{shard}"


def _test(program_id: str) -> str:
    return f"test#{program_id}"


def _shard(member_id: str) -> int:
    return sha256(member_id.encode()).digest()[0] % SHARDS
