"""What a shop says to one member through his pass: kept, shown on his phones, sent to Google once.

The call keeps the message; the stream tells the queues of both wallets. An Apple phone fetches the
card, which shows the newest message. Google is given each message by its worker, which writes down
first that it begins: one that dies is followed by another after `LEASE`, and a message that Google
has already is not added again.
"""

import json
from dataclasses import dataclass, replace

from chalicelib.domain.cards.message import PassMessage, Reach, said_in
from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ledger.entries import Standing
from chalicelib.domain.ledger.standing import IS_RESTRICTED
from chalicelib.domain.ports import GoogleWallet
from chalicelib.kernel.clock import MINUTE
from chalicelib.services import members
from chalicelib.services.context import Context, Here, enter
from chalicelib.services.google_passes import bring
from chalicelib.services.passes import PassKey, read_card, standing_of, take_alert

LEASE = 2 * MINUTE  # longer than a worker of the queue may run
NO_PASS = Refusal("no_pass", "this member's pass was never opened, so nothing can show it")
DIFFERENT = Refusal("different_request", "the id was used for another message")


@dataclass(frozen=True)
class Kept:
    """A message, kept just now or by the same call before."""

    message: PassMessage
    replayed: bool


def to_deliver(key: PassKey, message_id: str) -> str:
    """As Google's queue carries it."""
    fields = {"program_id": key.program_id, "member_id": key.member_id, "message": message_id}
    return json.dumps(fields)


def say(context: Context, here: Here, member_id: str, draft: PassMessage) -> Kept | Refusal:
    """Keeps a message for a member, with how far it can reach; `draft` has its texts.

    An alert of Google's three a day is taken at once, so that the answer is what will happen.
    """
    member = members.read(context, here, member_id)
    if isinstance(member, Refusal):
        return member
    key = PassKey(member.program_id, member.id)
    refusal = _cannot(context, key)
    if refusal is not None:
        return refusal
    known = _known(context, key, draft)
    if known is not None:
        return known
    google = take_alert(context, key, draft.notify)
    message = replace(
        draft,
        member_id=key.member_id,
        at=context.clock.now(),
        apple=_apple_reach(context, key, draft.notify),
        google=google,
        sent=google == "none",
    )
    if context.store.passes.add_message(message):
        return Kept(message, replayed=False)
    return _known(context, key, draft) or NO_PASS


def _cannot(context: Context, key: PassKey) -> Refusal | None:
    """Why this member is told nothing."""
    if standing_of(context, key) is Standing.RESTRICTED:
        return IS_RESTRICTED
    issued = context.store.passes.issued(key.program_id, key.member_id)
    return None if issued is not None else NO_PASS


def _apple_reach(context: Context, key: PassKey, notify: bool) -> Reach:
    if not context.store.passes.registrations_of_member(key.program_id, key.member_id):
        return "none"
    return "alert" if notify else "silent"


def _known(context: Context, key: PassKey, draft: PassMessage) -> Kept | Refusal | None:
    """The message of this id, where there is one."""
    found = _find(context, key, draft.id)
    if found is None:
        return None
    return Kept(found, replayed=True) if found.repeats(draft) else DIFFERENT


def _find(context: Context, key: PassKey, message_id: str) -> PassMessage | None:
    messages = context.store.passes.messages(key.program_id, key.member_id)
    return next((one for one in messages if one.id == message_id), None)


def deliver(context: Context, google: GoogleWallet, key: PassKey, message_id: str) -> None:
    """Brings a message to Google Wallet, once; of the erased, what came there late is taken out.

    Raises `Contended` while another worker may be at it, and as `bring`.
    """
    standing = standing_of(context, key)
    if standing is Standing.ERASED:
        bring(context, google, key)
        return
    message, card = _find(context, key, message_id), read_card(context, key)
    if message is None or message.sent or isinstance(card, Refusal):
        return
    if standing is not Standing.OPEN:
        return
    now = context.clock.now()
    tried = replace(message, tried_at=now)
    if now < message.tried_at + LEASE or not context.store.passes.change_message(message, tried):
        raise Contended("another worker is at it")
    said = said_in(message, card.language, _language(context, key))
    google.say(card, replace(said, alert=message.google == "alert"))
    if not context.store.passes.change_message(tried, replace(tried, sent=True)):
        bring(context, google, key)  # he was erased meanwhile


def _language(context: Context, key: PassKey) -> str:
    """The program's own."""
    here = enter(context, key.program_id)
    program = context.catalog.current(here.program) if here else None
    return program.language if program else ""
