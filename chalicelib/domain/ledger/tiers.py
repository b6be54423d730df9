"""The shop gives a member a tier by hand: a floor, below which he does not fall."""

from collections.abc import Sequence

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.account import Account, Head
from chalicelib.domain.ledger.commands import SetTier
from chalicelib.domain.ledger.entries import NO_LOTS, SCHEMA, Entry, Kind, StoredEntry
from chalicelib.domain.ledger.progress import tier_change, tier_of
from chalicelib.domain.program.program import Program
from chalicelib.domain.tiers.tiers import FOR_EVER, NONE, Held
from chalicelib.kernel.clock import Instant, local_date


def set_tier(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: SetTier,
    program: Program,
    recorded_at: Instant,
) -> Entry | Refusal:
    """Sets the floor, until a day or for ever; without a tier, takes it away."""
    tiers = program.tiers
    levels = {one.id: one.number for one in tiers.levels} if tiers else {}
    if tiers is None or (command.tier is not None and command.tier not in levels):
        reason = f"the program has no tier {command.tier}"
        return Refusal("unknown_tier", reason, (FieldError("tier", reason),))
    today = local_date(recorded_at, program.zone)
    if command.until is not None and command.until <= today:
        reason = "lies in the past"
        return Refusal("invalid_request", reason, (FieldError("until", reason),))
    account = Account.open(head.snapshot)
    was = tier_of(program, account, recorded_at)
    floor = levels[command.tier] if command.tier else NONE
    until = command.until.toordinal() if command.until and command.tier else FOR_EVER
    account.held = Held(account.held.level, account.held.until, floor, until)
    return Entry(
        schema=SCHEMA,
        kind=Kind.TIER_SET,
        recorded_at=recorded_at,
        occurred_at=recorded_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=(),
        moves=NO_LOTS,
        snapshot=account.snapshot(),
        tier=tier_change(was, tier_of(program, account, recorded_at)),
    )
