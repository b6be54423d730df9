"""A member takes a reward."""

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import Redeem
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.kernel.keys import derived_id
from chalicelib.services.appending import Appended, append
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM


def redeem(context: Context, here: Here, member_id: str, command: Redeem) -> Appended | Refusal:
    """Takes the reward's price from the account, once for ever for one Idempotency-Key."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    return append(context, LogKey(here.program_id, member_id), command, program, here.now)


def redemption_id(context: Context, appended: Appended) -> str:
    """The redemption's name, the same whenever it is asked for."""
    key = context.keyring.key("ids")
    return derived_id(key, "red", str(appended.stored.key), appended.stored.ref)
