"""The member's pass: its links, its revisions, and the phones that hold it.

A pass has a revision for each change of what it shows. `modified_at` of a revision is a whole
second (HTTP dates have no smaller unit) and always later than that of the one before.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace

from chalicelib.domain.cards.card import Card, IssuedPass, card_of
from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ports import Registration
from chalicelib.kernel.clock import MINUTE, SECOND, Instant
from chalicelib.kernel.keys import mark
from chalicelib.services.accounts import account
from chalicelib.services.context import Context, enter
from chalicelib.services.members import NO_PROGRAM, NOT_FOUND

TRIES = 10
OVERLAP = 10 * MINUTE  # a tag also repeats what changed shortly before it: clocks differ


@dataclass(frozen=True)
class PassKey:
    """Whose pass."""

    program_id: str
    member_id: str

    @property
    def serial(self) -> str:
        """The serial number of the Apple pass."""
        return f"{self.program_id}.{self.member_id}"

    @classmethod
    def of_serial(cls, serial: str) -> "PassKey":
        program_id, _, member_id = serial.partition(".")
        return cls(program_id, member_id)


@dataclass(frozen=True)
class ChangedPasses:
    """The serial numbers that a device should fetch anew, and the tag to ask with next time."""

    serials: tuple[str, ...]
    tag: str


def link_token(context: Context, key: PassKey) -> str:
    """The part of a pass's link that nobody can guess."""
    return f"{key.serial}.{mark(context.keyring.key('pass links'), key.program_id, key.member_id)}"


def of_link(context: Context, token: str) -> PassKey | None:
    """Whose pass a link is for; None where the link was not made by us."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    key = PassKey(parts[0], parts[1])
    return key if _equal(link_token(context, key), token) else None


def authentication_token(context: Context, key: PassKey) -> str:
    """What a phone sends as `ApplePass <token>`; it stands in the pass, never in the store."""
    return mark(context.keyring.key("apple passes"), key.program_id, key.member_id)


def of_phone(context: Context, serial: str, token: str) -> PassKey | None:
    """Whose pass a phone holds; None where it does not hold it."""
    key = PassKey.of_serial(serial)
    return key if _equal(authentication_token(context, key), token) else None


def _equal(one: str, other: str) -> bool:
    """Compares secrets without telling by the time it takes how much of them is right."""
    return hmac.compare_digest(one.encode(), other.encode())


def read_card(context: Context, key: PassKey) -> Card | Refusal:
    """What the member's card shows now."""
    here = enter(context, key.program_id)
    member = context.store.members.get(key.program_id, key.member_id)
    if here is None or member is None:
        return NOT_FOUND
    head = account(context, here, key.member_id)
    if isinstance(head, Refusal):
        return head
    program = context.catalog.current(here.program)
    return card_of(program, member, head.snapshot, here.now) if program else NO_PROGRAM


def issue(context: Context, key: PassKey, card: Card, *, google: bool = False) -> IssuedPass:
    """The revision that shows `card`: the one there is, or the next.

    `google` says that the member asked for it in Google Wallet, once for ever.
    """
    passes = context.store.passes
    for attempt in range(TRIES):
        was = passes.issued(key.program_id, key.member_id)
        now = context.clock.now() // SECOND * SECOND
        if was is None:
            issued = IssuedPass(
                key.program_id, key.member_id, 1, card.digest, now, pushed_revision=1, google=google
            )
        else:
            issued = _next(was, card, now, google)
        if issued == was or passes.put_issued(issued, replaces=was.revision if was else 0):
            return issued
        context.pause.before(attempt)
    raise Contended("the pass was changed again and again")


def _next(was: IssuedPass, card: Card, now: Instant, google: bool) -> IssuedPass:
    """What follows: nothing, the same card in one more wallet, or another card."""
    if was.digest != card.digest:
        return replace(
            was,
            revision=was.revision + 1,
            digest=card.digest,
            modified_at=max(now, was.modified_at + SECOND),
            google=was.google or google,
        )
    if google and not was.google:
        told = was.pushed_revision == was.revision
        return replace(
            was,
            revision=was.revision + 1,
            pushed_revision=was.pushed_revision + told,
            google=True,
        )
    return was


def register(
    context: Context, key: PassKey, device_id: str, type_id: str, token: str
) -> bool | Refusal:
    """A phone wants to hear of changes. True where it did not before; nothing of the erased."""
    if context.store.members.get(key.program_id, key.member_id) is None:
        return NOT_FOUND
    registration = Registration(
        device_id, type_id, key.program_id, key.member_id, token, context.clock.now()
    )
    return context.store.passes.register(registration)


def changed_passes(
    context: Context, device_id: str, type_id: str, tag: str | None
) -> ChangedPasses | None:
    """What changed on a device since it was given `tag`; None where nothing did.

    The tag is the newest change and a digest of all revisions: an equal digest means that nothing
    changed, whatever the clocks of our machines say.
    """
    registrations = context.store.passes.registrations_of_device(device_id, type_id)
    issued = [
        found
        for one in registrations
        if (found := context.store.passes.issued(one.program_id, one.member_id))
    ]
    if not issued:
        return None
    now = _tag(issued)
    if tag == now:
        return None
    since = _since(tag)
    serials = tuple(
        PassKey(one.program_id, one.member_id).serial
        for one in issued
        if one.modified_at >= since - OVERLAP
    )
    return ChangedPasses(serials, now) if serials else None


def _tag(issued: list[IssuedPass]) -> str:
    rows = sorted(f"{one.program_id}.{one.member_id}.{one.revision}" for one in issued)
    digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]
    return f"{max(one.modified_at for one in issued)}-{digest}"


def _since(tag: str | None) -> Instant:
    number = (tag or "").partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0
