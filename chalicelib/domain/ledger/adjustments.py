"""The shop gives or takes points by hand, and says why."""

from collections.abc import Sequence

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import Adjust
from chalicelib.domain.ledger.entries import SCHEMA, Effect, Entry, Kind, StoredEntry
from chalicelib.domain.ledger.redemptions import NO_RULE, insufficient
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.program.program import Currency, Program, currency_of
from chalicelib.kernel.clock import Instant, local_date


def adjust(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: Adjust,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Gives points their own day of expiry, or the program's; takes them as they are spent."""
    currency = currency_of(program, command.currency)
    if isinstance(currency, Refusal):
        return currency
    account = Account.open(head.snapshot)
    available = account.available(currency.number)
    if command.amount < 0 and available < -command.amount and not command.allow_debt:
        return insufficient(currency.name, -command.amount, available)
    if command.amount < 0:
        account.debit(currency.number, -command.amount)
    else:
        expires_on = _expires_on(command, program, currency, recorded_at)
        account.credit((currency.number, expires_on, 0, 0), command.amount)
    return Entry(
        schema=SCHEMA,
        kind=Kind.ADJUSTMENT,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=(Effect(NO_RULE, currency.number, command.amount),),
        moves=account.moved(),
        snapshot=account.snapshot(),
    )


def _expires_on(command: Adjust, program: Program, currency: Currency, now: Instant) -> int:
    if command.expires_on is not None:
        return command.expires_on.toordinal()
    return currency.expiry.day(local_date(now, program.zone)) if currency.expiry else NEVER
