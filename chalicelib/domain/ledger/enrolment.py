"""The first entry of a log: a member joined, and owns nothing yet."""

from collections.abc import Sequence

from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import Enrol
from chalicelib.domain.ledger.entries import NO_LOTS, SCHEMA, Entry, Kind, StoredEntry
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import Instant


def enrol(
    head: Head,
    story: Sequence[StoredEntry],  # noqa: ARG001
    facts: None,  # noqa: ARG001
    command: Enrol,
    program: Program,
    recorded_at: Instant,
) -> Entry:
    """Opens the account."""
    return Entry(
        schema=SCHEMA,
        kind=Kind.ENROLLED,
        recorded_at=recorded_at,
        occurred_at=command.joined_at,
        program_version=program.version,
        fingerprint=command.fingerprint,
        effects=(),
        moves=NO_LOTS,
        snapshot=head.snapshot,
    )
