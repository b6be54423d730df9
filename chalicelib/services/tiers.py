"""The shop gives a member a tier by hand."""

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import SetTier
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.services.appending import Appended, append
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM


def set_tier(context: Context, here: Here, member_id: str, command: SetTier) -> Appended | Refusal:
    """Sets the tier below which he does not fall, once for ever for one Idempotency-Key."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    return append(context, here, LogKey(here.program_id, member_id), command, program)
