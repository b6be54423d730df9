"""Whether an account can change: it may be restricted for a while, merged, or erased for ever."""

from collections.abc import Sequence

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Account, Head, balance_of, currencies_of
from chalicelib.domain.ledger.commands import (
    CancelOrder,
    CancelRedemption,
    ChangeStanding,
    Command,
    FollowSubscription,
    RefundOrder,
    ReverseReferral,
    Void,
)
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
from chalicelib.domain.ledger.redemptions import NO_RULE
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant

RESTRICTED, UNRESTRICTED, ERASED = "restricted", "unrestricted", "erased"
_KINDS = {RESTRICTED: Kind.RESTRICTED, UNRESTRICTED: Kind.UNRESTRICTED, ERASED: Kind.ERASED}
_STILL_ALLOWED = (
    ChangeStanding,
    RefundOrder,
    CancelOrder,
    CancelRedemption,
    ReverseReferral,
    Void,
    FollowSubscription,  # what was paid for is a fact
)
IS_ERASED = Refusal("member_erased", "the member was erased, for ever")
IS_CLOSED = Refusal("member_merged", "the member was merged into another")
IS_RESTRICTED = Refusal(
    "member_restricted", "while the member is restricted nothing is earned or spent"
)
_REFUSALS = {
    Standing.ERASED: IS_ERASED,
    Standing.CLOSED: IS_CLOSED,
    Standing.RESTRICTED: IS_RESTRICTED,
}
HAS_RESERVATIONS = Refusal("open_reservations", "a reservation was made meanwhile")


def not_open(head: Head) -> Refusal | None:
    """Why nothing new can begin for this member, None where it can."""
    return _REFUSALS.get(Standing(head.snapshot.standing))


def refuse(head: Head, command: Command) -> Refusal | None:
    """Why this account cannot obey the command, None where it can.

    A restriction (GDPR, Article 18) stops whatever makes new use of the member's data; what gives
    back or takes back goes on.
    """
    refusal = not_open(head)
    return None if refusal == IS_RESTRICTED and isinstance(command, _STILL_ALLOWED) else refusal


def change_standing(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: ChangeStanding,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Restricts the account, frees it again, or ends it: then everything in it is forfeited."""
    was = head.snapshot
    if command.event == ERASED and was.holds:
        return HAS_RESERVATIONS  # each has its end first, so that a reward goes back to its stock
    effects: tuple[Effect, ...] = ()
    if command.event == ERASED:
        snapshot = Snapshot(was.joined_at, standing=Standing.ERASED, merged=was.merged)
        effects = tuple(
            Effect(NO_RULE, currency, -balance_of(was, currency).owned)
            for currency in sorted(currencies_of(was))
        )
    else:
        standing = Standing.RESTRICTED if command.event == RESTRICTED else Standing.OPEN
        snapshot = Account.open(was).snapshot(standing=standing)
    return Entry(
        schema=SCHEMA,
        kind=_KINDS[command.event],
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=effects,
        moves=NO_LOTS,
        snapshot=snapshot,
    )
