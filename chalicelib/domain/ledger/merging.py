"""Two members turn out to be one: the survivor takes over the other's account, whole.

The other's log is closed and names the survivor; the survivor's snapshot names the other, so that
whatever still comes for the one finds the story in the log of both.
"""

from collections.abc import Sequence

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Account, Head, balance_of, currencies_of
from chalicelib.domain.ledger.commands import Close, TakeOver
from chalicelib.domain.ledger.entries import (
    NO_LOTS,
    SCHEMA,
    Effect,
    Entry,
    Kind,
    Snapshot,
    Standing,
    StoredEntry,
)
from chalicelib.domain.ledger.progress import take_progress, tier_change, tier_of
from chalicelib.domain.ledger.redemptions import NO_RULE
from chalicelib.domain.memberships.membership import Membership
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant

MAX_MERGED = 8  # members in one, beside the survivor


def take_over(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: TakeOver,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Adds everything that the other has: lots as they are, debts, what rules left over."""
    other = command.account
    if other.holds or head.snapshot.holds:
        return Refusal("open_reservations", "reservations must be captured or voided before")
    mine = head.snapshot.membership
    if _is_live(mine) and _is_live(other.membership):
        return Refusal("open_membership", "both have a paid membership: one must end before")
    # Who was merged into the other comes before him: the story of an order is read in this order.
    merged = (*head.snapshot.merged, *other.merged, command.member_id)
    if len(merged) > MAX_MERGED:
        return Refusal("too_many_merged", f"at most {MAX_MERGED} members are merged into one")
    account = Account.open(head.snapshot)
    for debt in other.debts:
        account.debit(debt.currency, debt.amount)
    for lot in other.lots:
        account.credit(lot.bucket, lot.amount)
    for lot in other.expired:
        account.expired[lot.bucket] = account.expired.get(lot.bucket, 0) + lot.amount
    for remainder in other.remainders:
        account.remainders[remainder.rule] = (
            account.remainders.get(remainder.rule, 0) + remainder.amount
        )
    was = tier_of(program, account, recorded_at)
    take_progress(account, program, other, recorded_at)
    joined_at = min(head.snapshot.joined_at, other.joined_at)
    return Entry(
        schema=SCHEMA,
        kind=Kind.MERGED,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=_effects(other, 1),
        moves=account.moved(),
        snapshot=account.snapshot(
            joined_at=joined_at,
            merged=merged,
            membership=mine if _is_live(mine) else other.membership or mine,
            welcomed=tuple(sorted({*head.snapshot.welcomed, *other.welcomed})),
        ),
        tier=tier_change(was, tier_of(program, account, recorded_at)),
    )


def close(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: Close,
    program: Program,
    recorded_at: Instant,
) -> Entry:
    """Ends the log: nothing is left in it, and it says who has it now."""
    was = head.snapshot
    return Entry(
        schema=SCHEMA,
        kind=Kind.CLOSED,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=_effects(was, -1),
        moves=NO_LOTS,
        snapshot=Snapshot(was.joined_at, standing=Standing.CLOSED, merged_into=command.survivor_id),
    )


def _is_live(membership: Membership | None) -> bool:
    return membership is not None and membership.is_live


def _effects(account: Snapshot, sign: int) -> tuple[Effect, ...]:
    return tuple(
        Effect(NO_RULE, currency, sign * balance_of(account, currency).owned)
        for currency in sorted(currencies_of(account))
    )
