"""Points are set aside while something is decided, and are then spent, or free again.

A reservation ends once: captured, voided, or by time. What comes back goes to the lots it came
from, with their own expiry; what expired meanwhile is gone then.
"""

from collections.abc import Sequence

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import Capture, Facts, Reserve, Void
from chalicelib.domain.ledger.entries import (
    NO_LOTS,
    SCHEMA,
    Effect,
    Entry,
    Hold,
    Kind,
    Lots,
    State,
    StoredEntry,
)
from chalicelib.domain.ledger.redemptions import (
    ENDED,
    NO_RULE,
    count_reward,
    insufficient,
    refuse_reward,
    reward_of,
)
from chalicelib.domain.program.program import Program, currency_of
from chalicelib.domain.rewards.reward import Asked, Reward
from chalicelib.kernel.clock import Instant

MAX_OPEN = 8  # reservations of one member at once
EXPIRED = Refusal("reservation_expired", "the reservation ran out before")


def reserve(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: Facts | None,
    command: Reserve,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Takes points out of their lots and keeps them apart until the reservation ends."""
    found = _price(command, program)
    if isinstance(found, Refusal):
        return found
    currency, amount, reward = found
    if not program.redeems_on(recorded_at):
        return ENDED
    number = reward.number if reward else 0
    quantity = command.quantity if reward else 0
    stock = quantity if reward and reward.stock is not None else 0
    account = Account.open(head.snapshot)
    refusal = reward and refuse_reward(head, account, reward, quantity, program, recorded_at, facts)
    if refusal:
        return refusal
    if len(account.holds) >= MAX_OPEN:
        return Refusal("too_many_reservations", f"{MAX_OPEN} reservations are open already")
    available = account.available(currency)
    if available < amount:
        return insufficient(program.currency_names[currency], amount, available)
    lots = account.debit(currency, amount)
    expires_at = recorded_at + command.lasts_milliseconds
    account.hold(Hold(head.version + 1, expires_at, lots, number, quantity, stock))
    return Entry(
        schema=SCHEMA,
        kind=Kind.RESERVED,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=(Effect(NO_RULE, currency, -amount, state=State.RESERVED),),
        moves=account.moved(),
        snapshot=account.snapshot(),
        reward=number,
        quantity=quantity,
        stock=stock,
    )


def capture(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: int,
    command: Capture,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Spends what was reserved, or a part of it. `facts` is the reservation's number."""
    hold = _open_hold(head, facts)
    if isinstance(hold, Refusal):
        return hold
    amount = hold.amount if command.amount is None else command.amount
    if amount > hold.amount:
        error = FieldError("amount", f"only {hold.amount} are reserved")
        return Refusal("capture_exceeds_reservation", error.reason, (error,))
    if hold.reward and amount != hold.amount:
        error = FieldError("amount", "a reward is captured whole")
        return Refusal("invalid_request", error.reason, (error,))
    return _end(head, hold, Kind.CAPTURED, amount, command.fingerprint, program, recorded_at)


def void(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: int,
    command: Void,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Frees what was reserved. `facts` is the reservation's number."""
    hold = _open_hold(head, facts)
    if isinstance(hold, Refusal):
        return hold
    return _end(head, hold, Kind.VOIDED, 0, command.fingerprint, program, recorded_at)


def _price(command: Reserve, program: Program) -> tuple[int, int, Reward | None] | Refusal:
    """The currency, the amount, and the reward if it is one."""
    if command.reward is not None:
        reward = reward_of(program, command.reward)
        if isinstance(reward, Refusal):
            return reward
        if reward.voucher is not None or not reward.cost:
            error = FieldError("reward", "a voucher, or what costs nothing, is not reserved")
            return Refusal("invalid_request", error.reason, (error,))
        price = reward.price(Asked(command.quantity))
        return price if isinstance(price, Refusal) else (reward.currency, price, reward)
    currency = currency_of(program, command.currency or "")
    if isinstance(currency, Refusal):
        return currency
    return currency.number, command.amount, None


def _open_hold(head: Head, number: int) -> Hold | Refusal:
    found = (hold for hold in head.snapshot.holds if hold.number == number)
    return next(found, EXPIRED)


def _end(
    head: Head,
    hold: Hold,
    kind: Kind,
    amount: int,
    fingerprint: bytes,
    program: Program,
    recorded_at: Instant,
) -> Entry:
    account = Account.open(head.snapshot)
    back, gone = account.free(hold.number, hold.amount - amount)
    reward = program.rewards_by_number.get(hold.reward)
    if kind is Kind.CAPTURED and reward is not None:
        count_reward(account, program, reward, hold.quantity, recorded_at)
    effects = []
    if amount:
        effects.append(Effect(NO_RULE, hold.currency, -amount))
    if len(back):
        effects.append(Effect(NO_RULE, hold.currency, _sum(back), state=State.RESERVED))
    return Entry(
        schema=SCHEMA,
        kind=kind,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=fingerprint,
        effects=tuple(effects),
        moves=account.moved(),
        snapshot=account.snapshot(),
        reward=hold.reward,
        quantity=hold.quantity,
        spent=gone if kind is Kind.CAPTURED else NO_LOTS,
        stock=hold.stock,
    )


def _sum(lots: Lots) -> int:
    return sum(lot.amount for lot in lots)
