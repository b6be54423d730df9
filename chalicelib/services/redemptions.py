"""A member takes a reward, or points are reserved for one; what was taken can come back."""

from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.commands import (
    CancelRedemption,
    Command,
    OfReservation,
    Redeem,
    Reserve,
)
from chalicelib.domain.ledger.entries import Kind, LogKey, StoredEntry, decode
from chalicelib.services.appending import Appended, append, strong_head
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.order_facts import member_facts

REDEMPTION, RESERVATION = "red", "rsv"
_MADE_BY = {REDEMPTION: (Kind.REDEMPTION, Kind.CAPTURED), RESERVATION: (Kind.RESERVED,)}
REDEMPTION_NOT_FOUND = Refusal("redemption_not_found", "there is no such redemption")
RESERVATION_NOT_FOUND = Refusal("reservation_not_found", "there is no such reservation")
_RESOLVED = Refusal("reservation_resolved", "the reservation ended in another way")


def redeem(context: Context, here: Here, member_id: str, command: Redeem) -> Appended | Refusal:
    """Takes the reward's price from the account, once for ever for one Idempotency-Key."""
    return _append_for(context, here, member_id, command)


def reserve(context: Context, here: Here, member_id: str, command: Reserve) -> Appended | Refusal:
    """Sets points aside, once for ever for one Idempotency-Key."""
    return _append_for(context, here, member_id, command)


def resolve(
    context: Context, here: Here, member_id: str, command: OfReservation
) -> Appended | Refusal:
    """Captures or voids a reservation. It ends once: the same again is answered the same."""
    made = _made(context, here, command.event_id, RESERVATION)
    if made is None or not _belongs(context, here, made, member_id):
        return RESERVATION_NOT_FOUND
    outcome = _append(context, here, member_id, command, facts=made.version)
    if isinstance(outcome, Refusal) and outcome.code == "different_request":
        return _RESOLVED
    return outcome


def cancel(context: Context, here: Here, member_id: str, event_id: str) -> Appended | Refusal:
    """Gives back what a redemption took, once."""
    made = _made(context, here, event_id, REDEMPTION)
    if made is None or not _belongs(context, here, made, member_id):
        return REDEMPTION_NOT_FOUND
    return _append(context, here, member_id, CancelRedemption(event_id), facts=decode(made.body))


def give_back_all(
    context: Context, here: Here, redemptions: tuple[str, ...]
) -> list[Appended] | Refusal:
    """Gives back what was taken for an order that came back; each once, whoever asks."""
    done = []
    for redemption_id in redemptions:
        event_id = event_of(redemption_id, REDEMPTION) or ""
        made = _made(context, here, event_id, REDEMPTION)
        if made is None:
            continue
        outcome = cancel(context, here, made.key.member_id, event_id)
        if isinstance(outcome, Refusal):
            return outcome
        done.append(outcome)
    return done


def check_redemptions(
    context: Context, here: Here, member_id: str, redemptions: tuple[str, ...]
) -> Refusal | None:
    """Refuses an order that names what its member did not redeem."""
    for index, redemption_id in enumerate(redemptions):
        event_id = event_of(redemption_id, REDEMPTION) or ""
        made = _made(context, here, event_id, REDEMPTION)
        if made is None or not _belongs(context, here, made, member_id):
            error = FieldError(f"redemptions[{index}]", "is no redemption of the member")
            return Refusal("unknown_redemption", error.reason, (error,))
    return None


def public_id(prefix: str, stored: StoredEntry) -> str:
    """`red_` or `rsv_` and the event: the same whenever it is asked for."""
    return f"{prefix}_{stored.event_id.removeprefix('mem_')}"


def event_of(public: str, prefix: str) -> str | None:
    """The event that an id of ours names; None where it is none."""
    kind, _, rest = public.partition("_")
    return f"mem_{rest}" if kind == prefix and rest else None


def _made(context: Context, here: Here, event_id: str, prefix: str) -> StoredEntry | None:
    """The entry that made a redemption or a reservation."""
    member_id, _, version = event_id.rpartition(".")
    if not (version.isascii() and version.isdigit() and len(version) < 12):
        return None
    stored = context.store.ledger.entry(LogKey(here.program_id, member_id), int(version))
    if stored is None or decode(stored.body).kind not in _MADE_BY[prefix]:
        return None
    return stored


def _belongs(context: Context, here: Here, made: StoredEntry, member_id: str) -> bool:
    """Whether it is the member's own, or of one who was merged with him."""
    if made.key.member_id == member_id:
        return True
    mine = strong_head(context, LogKey(here.program_id, member_id))
    return mine is not None and made.key.member_id in (mine.key.member_id, *mine.snapshot.merged)


def _append_for(
    context: Context, here: Here, member_id: str, command: Redeem | Reserve
) -> Appended | Refusal:
    """Appends what is decided by what is known of the member."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    key = LogKey(here.program_id, member_id)
    facts = member_facts(context, here, member_id, program)
    return append(context, here, key, command, program, facts)


def _append(
    context: Context, here: Here, member_id: str, command: Command, facts: object = None
) -> Appended | Refusal:
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    key = LogKey(here.program_id, member_id)
    return append(context, here, key, command, program, lambda _: facts)
