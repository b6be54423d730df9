"""A member takes a reward: its price leaves the account, and comes back where he gives it back."""

from collections import Counter
from collections.abc import Sequence

from chalicelib.domain.counting.counter import Counter as Tallying
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import CancelRedemption, Facts, Redeem
from chalicelib.domain.ledger.entries import (
    SCHEMA,
    Effect,
    Entry,
    Kind,
    Lot,
    Lots,
    StoredEntry,
)
from chalicelib.domain.ledger.orders import renew
from chalicelib.domain.ledger.progress import know
from chalicelib.domain.program.program import Program
from chalicelib.domain.rewards.reward import Asked, Reward
from chalicelib.domain.segments import Person
from chalicelib.kernel.clock import Instant, local_date

NO_RULE = 0
ENDED = Refusal("program_ended", "the last day to redeem is over")


def redeem(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: Facts | None,
    command: Redeem,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Takes the price as the program says it: it is never the caller's word."""
    reward = reward_of(program, command.reward)
    if isinstance(reward, Refusal):
        return reward
    account = Account.open(head.snapshot)
    quantity = command.quantity
    refusal = refuse_reward(head, account, reward, quantity, program, recorded_at, facts)
    if refusal:
        return refusal
    price = reward.price(Asked(quantity, command.amount, command.total))
    if isinstance(price, Refusal):
        return price
    available = account.available(reward.currency)
    if available < price:
        return insufficient(program.currency_names[reward.currency], price, available)
    renew(account, program, recorded_at)
    spent = account.debit(reward.currency, price)
    count_reward(account, program, reward, quantity, recorded_at)
    return Entry(
        schema=SCHEMA,
        kind=Kind.REDEMPTION,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=(Effect(NO_RULE, reward.currency, -price),) if price else (),
        moves=account.moved(),
        snapshot=account.snapshot(),
        reward=reward.number,
        quantity=command.quantity,
        spent=spent,
        stock=command.quantity if reward.stock is not None else 0,
    )


def cancel_redemption(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: Entry,
    command: CancelRedemption,
    program: Program,
    recorded_at: Instant,
) -> Entry:
    """Gives back what was taken, to the lots it came from.

    What would have expired meanwhile does so at once: nobody takes and gives back to keep points
    alive (Oracle Loyalty, "Cancelling transactions", has the same rule).
    """
    account = Account.open(head.snapshot)
    spent = spent_by(facts)
    for lot in spent:
        account.credit(lot.bucket, lot.amount)
    reward = program.rewards_by_number.get(facts.reward)
    if reward is not None:
        count_reward(account, program, reward, -facts.quantity, facts.occurred_at)
    back: Counter[int] = Counter()
    for lot in spent:
        back[lot.currency] += lot.amount
    return Entry(
        schema=SCHEMA,
        kind=Kind.REDEMPTION_CANCELLED,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=tuple(Effect(NO_RULE, of, amount) for of, amount in sorted(back.items())),
        moves=account.moved(),
        snapshot=account.snapshot(),
        reward=facts.reward,
        quantity=facts.quantity,
        stock=facts.stock,
    )


def refuse_reward(
    head: Head,
    account: Account,
    reward: Reward,
    quantity: int,
    program: Program,
    now: Instant,
    facts: Facts | None,
) -> Refusal | None:
    """Why the member cannot have a reward now, None where he can. What is reserved is as taken."""
    if not program.redeems_on(now):
        return ENDED
    person = facts.person if facts else Person()
    known = know(program, account, head.key.member_id, now, now, person)
    day = local_date(now, program.zone)
    held = sum(hold.quantity for hold in head.snapshot.holds if hold.reward == reward.number)

    def taken(counter: Tallying) -> int:
        return held + counter.value(account.tallies, day.toordinal())

    return reward.refuse(day, now, known, taken, quantity)


def count_reward(
    account: Account, program: Program, reward: Reward, quantity: int, at: Instant
) -> None:
    """Counts a reward that was taken, where there is a limit to it."""
    if reward.per_member is not None:
        day = local_date(at, program.zone).toordinal()
        account.count(reward.per_member.counter, day, quantity)


def spent_by(entry: Entry) -> Lots:
    """What a redemption or a captured reservation took for good, by bucket."""
    if entry.spent or entry.schema > 1:
        return entry.spent
    return Lots(Lot(*lot.bucket, -lot.amount) for lot in entry.moves if lot.amount < 0)


def reward_of(program: Program, reward_id: str) -> Reward | Refusal:
    """The reward of this id, or that there is none."""
    reward = program.rewards_by_id.get(reward_id)
    if reward is None:
        error = FieldError("reward", f"the program has no reward {reward_id}")
        return Refusal("unknown_reward", error.reason, (error,))
    return reward


def insufficient(currency: str, needed: int, available: int) -> Refusal:
    """There are not enough points."""
    detail = f"{needed} {currency} are needed, {available} are available"
    return Refusal("insufficient_balance", detail)
