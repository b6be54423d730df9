"""What a command does to an account: the one place where entries are made.

`decide` is pure: the same inputs give the same bytes. It returns the next entry, or a refusal that
says why there is none, or the earlier entry that has overtaken the command. A
new command is a frozen dataclass in `commands.py`, a function beside the others here, and one line
in `_DECISIONS`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger import (
    activities,
    adjustments,
    calendar,
    enrolment,
    exchanges,
    memberships,
    merging,
    orders,
    redemptions,
    referrals,
    refunds,
    reservations,
    standing,
    tiers,
    transfers,
)
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import (
    Adjust,
    CancelOrder,
    CancelRedemption,
    Capture,
    Celebrate,
    ChangeStanding,
    Close,
    Command,
    ConfirmOrder,
    EditOrder,
    Enrol,
    Exchange,
    FollowSubscription,
    Receive,
    RecordActivity,
    RecordOrder,
    Redeem,
    RefundOrder,
    Reserve,
    ReverseReferral,
    RewardAdvocate,
    SetTier,
    TakeOver,
    Transfer,
    UseBenefit,
    Void,
    WelcomeFriend,
)
from chalicelib.domain.ledger.entries import Entry, Snapshot, StoredEntry, encode
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant

MAX_BALANCE = 10**15  # of one lot or debt; far inside what every language can count

Decision = Entry | Refusal | StoredEntry

_DECISIONS: dict[type, Callable[..., Decision]] = {
    Enrol: enrolment.enrol,
    RecordOrder: orders.record_order,
    EditOrder: orders.edit_order,
    ConfirmOrder: orders.confirm_order,
    RefundOrder: refunds.refund_order,
    CancelOrder: refunds.cancel_order,
    RecordActivity: activities.record_activity,
    SetTier: tiers.set_tier,
    Celebrate: calendar.celebrate,
    Redeem: redemptions.redeem,
    CancelRedemption: redemptions.cancel_redemption,
    Adjust: adjustments.adjust,
    Exchange: exchanges.exchange,
    Reserve: reservations.reserve,
    Capture: reservations.capture,
    Void: reservations.void,
    Transfer: transfers.send,
    Receive: transfers.receive,
    TakeOver: merging.take_over,
    Close: merging.close,
    ChangeStanding: standing.change_standing,
    FollowSubscription: memberships.follow_subscription,
    UseBenefit: memberships.use_benefit,
    RewardAdvocate: referrals.reward_advocate,
    WelcomeFriend: referrals.welcome_friend,
    ReverseReferral: referrals.reverse_referral,
}


def decide(
    head: Head,
    story: Sequence[StoredEntry],
    facts: Any,
    command: Command,
    program: Program,
    now: Instant,
) -> Decision:
    """The entry that follows `head` when `command` is obeyed.

    `story` are the earlier entries of the same cause, `facts` what else the command's rules may
    know. `program` is the version in force when the command's cause occurred. The entry is recorded
    at `now`, and never before the one it follows.
    """
    refusal = standing.refuse(head, command)
    if refusal:
        return refusal
    recorded_at = max(now, head.recorded_at)
    made = _DECISIONS[type(command)](head, story, facts, command, program, recorded_at)
    if isinstance(made, Entry) and _above_limit(made.snapshot):
        return Refusal("balance_limit", f"no balance may be above {MAX_BALANCE}")
    return made


def follow(head: Head, ref: str, entry: Entry) -> StoredEntry:
    """The entry as it will lie in the table, chained to the one before."""
    return StoredEntry(head.key, head.version + 1, ref, head.hash, encode(entry))


def _above_limit(snapshot: Snapshot) -> bool:
    amounts = [lot.amount for lot in snapshot.lots] + [debt.amount for debt in snapshot.debts]
    return max(amounts, default=0) > MAX_BALANCE
