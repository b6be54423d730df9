"""Points by hand."""

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import Adjust
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.services.appending import Appended, append
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.notes import keep_note


def adjust(context: Context, here: Here, member_id: str, command: Adjust) -> Appended | Refusal:
    """Gives or takes points, once for ever for one Idempotency-Key; the reason lies beside it."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    key = LogKey(here.program_id, member_id)
    appended = append(context, here, key, command, program)
    if not isinstance(appended, Refusal):
        keep_note(context, appended, command.reason)
    return appended
