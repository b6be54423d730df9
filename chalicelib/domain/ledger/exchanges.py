"""Points of one currency become points of another, in whole steps.

What is left below a step stays, so that no round trip ever makes points: three for two, and two for
three, of 101 leaves 101. What is given ends no later than what was taken for it, and no later than
its own currency says: nobody exchanges to and fro to keep points alive.
"""

from collections import Counter
from collections.abc import Sequence

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import Exchange
from chalicelib.domain.ledger.entries import SCHEMA, Effect, Entry, Kind, Lot, StoredEntry
from chalicelib.domain.ledger.redemptions import NO_RULE, insufficient
from chalicelib.domain.orders import allocate
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.program.program import ExchangeRate, Program
from chalicelib.kernel.clock import Instant, local_date


def exchange(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: Exchange,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Takes as many whole steps as fit into the amount, and gives the program's rate for them."""
    rate = next((one for one in program.exchanges if one.id == command.exchange), None)
    if rate is None:
        reason = f"the program has no exchange {command.exchange}"
        return Refusal("unknown_exchange", reason, (FieldError("exchange", reason),))
    steps = command.amount // rate.take
    if not steps:
        reason = f"{rate.take} are exchanged at a time"
        return Refusal("below_minimum", reason, (FieldError("amount", reason),))
    account = Account.open(head.snapshot)
    available = account.available(rate.source)
    if available < steps * rate.take:
        return insufficient(program.currency_names[rate.source], steps * rate.take, available)
    convert(account, rate, steps, program, recorded_at)
    return Entry(
        schema=SCHEMA,
        kind=Kind.EXCHANGED,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=(
            Effect(NO_RULE, rate.source, -steps * rate.take),
            Effect(NO_RULE, rate.target, steps * rate.give),
        ),
        moves=account.moved(),
        snapshot=account.snapshot(),
    )


def convert(
    account: Account, rate: ExchangeRate, steps: int, program: Program, at: Instant
) -> None:
    """Takes so many steps of one currency out of an account, and gives the other."""
    taken = list(account.debit(rate.source, steps * rate.take))
    given = allocate(steps * rate.give, [lot.amount for lot in taken])
    expiry = program.currencies_by_number[rate.target].expiry
    latest = expiry.day(local_date(at, program.zone)) if expiry else NEVER
    by_day: Counter[int] = Counter()
    for lot, amount in zip(taken, given, strict=True):
        by_day[_sooner(lot, latest)] += amount
    for day, amount in sorted(by_day.items()):
        account.credit((rate.target, day, 0, 0), amount)


def _sooner(lot: Lot, latest: int) -> int:
    """The day on which both are gone at the latest."""
    return min((day for day in (lot.expires_on, latest) if day != NEVER), default=NEVER)
