"""A member did something that is no order."""

from chalicelib.domain.activities import Activity
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import RecordActivity
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.services.appending import Appended, append
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.order_facts import member_facts


def record_activity(
    context: Context, here: Here, member_id: str, activity: Activity
) -> Appended | Refusal:
    """Gives the member what the activity earns, once for ever for one source and id."""
    program = context.catalog.in_force(here.program, activity.occurred_at)
    if program is None:
        return NO_PROGRAM
    key = LogKey(here.program_id, member_id)
    facts = member_facts(context, here, member_id, program)
    return append(context, here, key, RecordActivity(activity), program, facts)
