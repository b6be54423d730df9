"""The member's pass: its links, its revisions, and the phones that hold it.

A pass has a revision for each change of what it shows. `modified_at` of a revision is a whole
second (HTTP dates have no smaller unit) and always later than that of the one before.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.domain.cards.card import Card, IssuedPass, card_of
from chalicelib.domain.cards.message import Reach, Said, newest, said_in
from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ledger.entries import LogKey, Snapshot, Standing
from chalicelib.domain.members.member import Member, Profile
from chalicelib.domain.ports import Registration, WalletEvent
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import MINUTE, SECOND, Instant
from chalicelib.kernel.keys import mark
from chalicelib.services.accounts import account
from chalicelib.services.appending import strong_head
from chalicelib.services.context import Context, enter
from chalicelib.services.members import NO_PROGRAM, NOT_FOUND
from chalicelib.services.referral_codes import code_of, link_of

TRIES = 10
MOST_DEVICES = 100  # of one pass: whoever has it could register devices without end
OVERLAP = 10 * MINUTE  # a tag also repeats what changed shortly before it: clocks differ

TOO_MANY_DEVICES = Refusal("too_many_requests", f"a pass is on at most {MOST_DEVICES} devices")


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
    """The part of a pass's link that nobody can guess; another one after it was revoked."""
    issued = context.store.passes.issued(key.program_id, key.member_id)
    return _link(context, key, issued.link if issued else 0)


def of_link(context: Context, token: str) -> PassKey | None:
    """Whose pass a link is for; None where the link was not made by us, or was revoked."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    key = PassKey(parts[0], parts[1])
    issued = context.store.passes.issued(key.program_id, key.member_id)
    return key if _equal(_link(context, key, issued.link if issued else 0), token) else None


def _link(context: Context, key: PassKey, generation: int) -> str:
    parts = [key.program_id, key.member_id, *([str(generation)] if generation else [])]
    return f"{key.serial}.{mark(context.keyring.key('pass links'), *parts)}"


def revoke_link(context: Context, key: PassKey) -> Refusal | None:
    """The page's link opens nothing any more; passes that are in wallets stay.

    Another link is made at once. Raises `Contended`.
    """
    found = issue(context, key)
    if isinstance(found, Refusal):
        return found
    _change(context, key, lambda was: replace(was, link=was.link + 1))
    return None


def heard_of_google(context: Context, key: PassKey, saved: bool, message_time: int) -> bool:
    """Google says that the pass came into a wallet, or left it; whether that was new.

    Its messages come more than once and in any order: the newest by Google's own time counts.
    """

    def hear(was: IssuedPass) -> IssuedPass:
        if message_time <= was.google_heard:
            return was
        return replace(was, google_saved=saved, google_heard=message_time)

    at = context.clock.now()

    def event(was: IssuedPass, now: IssuedPass) -> WalletEvent | None:
        if was.google_saved == now.google_saved:
            return None
        which = str(message_time)
        return WalletEvent(key.program_id, key.member_id, at, "google", now.google_saved, which)

    return _change(context, key, hear, event)


def take_alert(context: Context, key: PassKey, wanted: bool) -> Reach:
    """How far a message reaches in Google Wallet; an alert counts from now on.

    Raises `Contended`.
    """
    now = context.clock.now()

    def take(was: IssuedPass) -> IssuedPass:
        return was.alerted(now) if was.may_alert(now) else was

    issued = context.store.passes.issued(key.program_id, key.member_id)
    if issued is None or not issued.google:
        return "none"
    return "alert" if wanted and _change(context, key, take) else "silent"


def _change(
    context: Context,
    key: PassKey,
    change: Callable[[IssuedPass], IssuedPass],
    event: Callable[[IssuedPass, IssuedPass], WalletEvent | None] = lambda _was, _now: None,
) -> bool:
    """Changes what is known of a pass, and nothing that it shows; whether there was anything to."""
    passes = context.store.passes
    for attempt in range(TRIES):
        was = passes.issued(key.program_id, key.member_id)
        if was is None:
            return False
        now = change(was)
        if now == was:
            return False
        now = now.unchanged()
        if passes.put_issued(now, was.revision, event(was, now)):
            return True
        context.pause.before(attempt)
    raise Contended("the pass was changed again and again")


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


def standing_of(context: Context, key: PassKey) -> Standing | None:
    """The member's standing, or that of whoever he was merged into; of this very moment."""
    head = strong_head(context, LogKey(key.program_id, key.member_id))
    return None if head is None else Standing(head.snapshot.standing)


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
    if program is None:
        return NO_PROGRAM
    if head.key.member_id != key.member_id:
        return _void_card(program, key, here.now)  # the other's card goes on
    card = card_of(program, member, head.snapshot, here.now)
    card = replace(card, message=_said(context, key, card.language, program.language))
    return card if program.referrals is None else _with_code(context, key, card)


def _with_code(context: Context, key: PassKey, card: Card) -> Card:
    """With what friends join by. The link is there where we know how people reach us."""
    code = code_of(context, key.program_id, key.member_id)
    link = link_of(context.base_url, key.program_id, code) if context.base_url else None
    return replace(card, referral_code=code, referral_link=link)


def _said(context: Context, key: PassKey, language: str, otherwise: str) -> Said | None:
    """What was said to the member last."""
    messages = context.store.passes.messages(key.program_id, key.member_id)
    message = newest(messages, context.clock.now())
    return said_in(message, language, otherwise) if message is not None else None


def empty_card(context: Context, key: PassKey) -> Card | None:
    """What is left of a pass whose member was erased."""
    here = enter(context, key.program_id)
    program = context.catalog.current(here.program) if here else None
    if here is None or program is None:
        return None
    return _void_card(program, key, here.now)


def _void_card(program: Program, key: PassKey, now: Instant) -> Card:
    """Of nobody, with nothing: it never changes again."""
    nobody = Member(key.program_id, key.member_id, Profile(), (), 0)
    return replace(card_of(program, nobody, Snapshot(0), now), voided=True)


def issue(
    context: Context, key: PassKey, *, google: bool = False
) -> tuple[Card, IssuedPass] | Refusal:
    """The card as it is now, and the revision that shows it: the one there is, or the next.

    The card is read after the revision that it would follow. So an old card never follows a newer
    one: where another was issued meanwhile the put fails, and the card is read again.
    `google` says that the member asked for it in Google Wallet, once for ever.
    """
    passes = context.store.passes
    for attempt in range(TRIES):
        was = passes.issued(key.program_id, key.member_id)
        card = read_card(context, key)
        if isinstance(card, Refusal):
            return card
        now = context.clock.now() // SECOND * SECOND
        issued = _next(was, card, now, google) if was else _first(key, card, now, google)
        if issued == was or passes.put_issued(issued, replaces=was.revision if was else 0):
            return card, issued
        context.pause.before(attempt)
    raise Contended("the pass was changed again and again")


def _first(key: PassKey, card: Card, now: Instant, google: bool) -> IssuedPass:
    return IssuedPass(
        key.program_id,
        key.member_id,
        1,
        card.digest,
        now,
        pushed_revision=1,
        google=google,
        google_digest=card.google_digest,
    )


def _next(was: IssuedPass, card: Card, now: Instant, google: bool) -> IssuedPass:
    """What follows: nothing, the same card in one more wallet, or another card."""
    if was.digest != card.digest:
        return replace(was, google=was.google or google).showing(card, now)
    if google and not was.google:
        return was.unchanged(google=True)
    return was


def register(
    context: Context, key: PassKey, device_id: str, type_id: str, token: str
) -> bool | Refusal:
    """A phone wants to hear of changes. True where it did not before; nothing of the erased."""
    if context.store.members.get(key.program_id, key.member_id) is None:
        return NOT_FOUND
    known = context.store.passes.registrations_of_member(key.program_id, key.member_id)
    if len(known) >= MOST_DEVICES and device_id not in [one.device_id for one in known]:
        return TOO_MANY_DEVICES
    registration = Registration(
        device_id, type_id, key.program_id, key.member_id, token, context.clock.now()
    )
    return context.store.passes.register(registration)


def leave_phones(context: Context, key: PassKey) -> None:
    """A void pass was fetched: its phones need not hear of it again."""
    passes = context.store.passes
    for one in passes.registrations_of_member(key.program_id, key.member_id):
        passes.unregister(key.program_id, key.member_id, one.device_id, context.clock.now())


def changed_passes(
    context: Context, device_id: str, type_id: str, tag: str | None
) -> ChangedPasses | None:
    """What changed on a device since it was given `tag`; None where nothing did.

    The tag is the newest change, the number of changes, and a digest of all of them: it grows with
    every change, and an equal one means that nothing changed, whatever our clocks say.
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
    rows = sorted(f"{one.program_id}.{one.member_id}.{one.modified_at}" for one in issued)
    digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]
    changes = sum(one.revision for one in issued)
    return f"{max(one.modified_at for one in issued)}-{changes}-{digest}"


def _since(tag: str | None) -> Instant:
    number = (tag or "").partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0
