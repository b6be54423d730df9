"""A member takes a reward: its price leaves the account."""

from collections.abc import Sequence

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import Redeem
from chalicelib.domain.ledger.entries import SCHEMA, Effect, Entry, Kind, StoredEntry
from chalicelib.domain.ledger.orders import renew
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant

NO_RULE = 0


def redeem(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: Redeem,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Takes the price as the program says it: it is never the caller's word."""
    reward = program.rewards_by_id.get(command.reward)
    if reward is None:
        error = FieldError("reward", f"the program has no reward {command.reward}")
        return Refusal("unknown_reward", error.reason, (error,))
    account = Account.open(head.snapshot)
    price = reward.cost * command.quantity
    available = account.available(reward.currency)
    if available < price:
        return insufficient(program.currency_names[reward.currency], price, available)
    account.debit(reward.currency, price)
    renew(account, program, recorded_at)
    return Entry(
        schema=SCHEMA,
        kind=Kind.REDEMPTION,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=(Effect(NO_RULE, reward.currency, -price),),
        moves=account.moved(),
        snapshot=account.snapshot(),
        reward=reward.number,
        quantity=command.quantity,
    )


def insufficient(currency: str, needed: int, available: int) -> Refusal:
    """There are not enough points."""
    detail = f"{needed} {currency} are needed, {available} are available"
    return Refusal("insufficient_balance", detail)
