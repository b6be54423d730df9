"""Points go from one member to another: two entries, both or none.

They keep the expiry that they had: nobody passes points on to keep them alive.
"""

from collections.abc import Sequence

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import Receive, Transfer
from chalicelib.domain.ledger.entries import SCHEMA, Effect, Entry, Kind, StoredEntry, decode
from chalicelib.domain.ledger.redemptions import NO_RULE, insufficient
from chalicelib.domain.program.program import Program, currency_of
from chalicelib.kernel.clock import Instant


def send(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: Transfer,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Takes the points from the giver, as they are spent."""
    currency = currency_of(program, command.currency)
    if isinstance(currency, Refusal):
        return currency
    account = Account.open(head.snapshot)
    available = account.available(currency.number)
    if available < command.amount:
        return insufficient(currency.name, command.amount, available)
    sent = account.debit(currency.number, command.amount)
    return Entry(
        schema=SCHEMA,
        kind=Kind.TRANSFER_SENT,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=(Effect(NO_RULE, currency.number, -command.amount),),
        moves=account.moved(),
        snapshot=account.snapshot(),
        spent=sent,
    )


def receive(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: Receive,
    program: Program,
    recorded_at: Instant,
) -> Entry:
    """Gives the points to the taker, in the lots they had."""
    sent = decode(command.sent.body)
    account = Account.open(head.snapshot)
    for lot in sent.spent:
        account.credit(lot.bucket, lot.amount)
    return Entry(
        schema=SCHEMA,
        kind=Kind.TRANSFER_RECEIVED,
        recorded_at=recorded_at,
        occurred_at=sent.occurred_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=tuple(Effect(NO_RULE, one.currency, -one.amount) for one in sent.effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
    )
