"""Birthdays: the ledger does not know them, so a sweep asks the profile.

The member's due row lies at his next birthday too, where a rule of the program is about it. A sweep
that is late still celebrates it, for a month.
"""

from datetime import date, timedelta

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import Celebrate
from chalicelib.domain.ledger.entries import Standing
from chalicelib.domain.program.program import Program
from chalicelib.domain.segments import birthday_in
from chalicelib.kernel.clock import Instant, local_date, start_of_day
from chalicelib.services.appending import append
from chalicelib.services.context import Context, Here
from chalicelib.services.order_facts import birthday_of, member_facts

LATE_DAYS = 30


def next_birthday(context: Context, here: Here, head: Head) -> Instant | None:
    """The first moment of the member's next birthday that is not celebrated yet."""
    program, born = _asked(context, here, head)
    if program is None or born is None:
        return None
    today = local_date(here.now, program.zone)
    year = today.year + (birthday_in(born, today.year) <= today)
    return start_of_day(birthday_in(born, year), program.zone) if year < date.max.year else None


def celebrate(context: Context, here: Here, head: Head) -> bool:
    """Gives what the last birthday brings, once a year; whether an entry was written by it."""
    program, born = _asked(context, here, head)
    if program is None or born is None:
        return False
    today = local_date(here.now, program.zone)
    day = birthday_in(born, today.year)
    if not today - timedelta(days=LATE_DAYS) <= day <= today:
        return False
    at = start_of_day(day, program.zone)
    if day < local_date(head.snapshot.joined_at, program.zone):
        return False
    then = context.catalog.in_force(here.program, at) or program
    facts = member_facts(context, here, head.key.member_id, then)
    done = append(context, here, head.key, Celebrate(day.year, at), then, facts)
    return not isinstance(done, Refusal) and not done.replayed


def _asked(context: Context, here: Here, head: Head) -> tuple[Program | None, date | None]:
    """The program, and the member's birthday if a rule is about it."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None or not program.has_birthdays or head.snapshot.standing != Standing.OPEN:
        return program, None
    return program, birthday_of(context, here, head.key.member_id)
