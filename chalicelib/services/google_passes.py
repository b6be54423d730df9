"""A member's card in Google Wallet: made when he asks for it, then kept up to date by a worker.

The worker's message only names the member, and always ends in a put of the card as it is then:
where it was delivered twice, a put that was late the first time may have brought an old card back.
A put is followed by a look whether its revision is still the newest, so that of two workers the
one that is later repairs what it overwrote. Nothing is put for a member who was erased before the
look at his standing, and one who was erased after it is emptied by a message that comes after us.
"""

from chalicelib.domain.cards.card import Card, IssuedPass
from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ledger.entries import Standing
from chalicelib.domain.ports import GoogleWallet
from chalicelib.kernel.clock import Instant
from chalicelib.services.context import Context
from chalicelib.services.passes import TRIES, PassKey, empty_card, issue, standing_of


def save(context: Context, google: GoogleWallet, key: PassKey) -> str | Refusal:
    """Makes the object of a card and returns the link that saves it. Raises as `bring`."""
    found = issue(context, key, google=True)
    if isinstance(found, Refusal):
        return found
    card, issued = found
    if standing_of(context, key) is Standing.ERASED or not _put(context, google, issued, card):
        bring(context, google, key)
    return google.save_link(card)


def bring(context: Context, google: GoogleWallet, key: PassKey) -> None:
    """Brings one member's card to Google; nothing while he is restricted.

    The phone speaks once, of the first put; it is noted with the one that was the newest in the
    end. Raises `Unavailable` and `Fault` as the port `GoogleWallet` does, and `Contended`.
    """
    spoke_at: Instant | None = None
    for attempt in range(TRIES):
        found = issue(context, key)
        standing = standing_of(context, key)
        if standing is Standing.ERASED:
            _empty(context, google, key)
            return
        if isinstance(found, Refusal) or standing is Standing.RESTRICTED:
            return
        card, issued = found
        if not issued.google:
            return
        now = context.clock.now()
        speaks = spoke_at is None and _may_speak(issued, card, now)
        spoke_at = now if speaks else spoke_at
        if _put(context, google, issued, card, notify=speaks, spoke_at=spoke_at):
            return
        context.pause.before(attempt)
    raise Contended("the card was changed again and again")


def _put(
    context: Context,
    google: GoogleWallet,
    issued: IssuedPass,
    card: Card,
    *,
    notify: bool = False,
    spoke_at: Instant | None = None,
) -> bool:
    """Whether the card that was put is still the newest; the phone spoke by this put or before."""
    google.put(card, notify=notify)
    return context.store.passes.mark_google(
        issued.program_id, issued.member_id, issued.revision, spoke_at
    )


def _may_speak(issued: IssuedPass, card: Card, now: Instant) -> bool:
    """Whether the phone speaks of it: of news, while Google's allowance for the day lasts."""
    is_news = issued.google_revision != issued.revision
    return is_news and not card.voided and issued.may_alert(now)


def _empty(context: Context, google: GoogleWallet, key: PassKey) -> None:
    """Takes the person out of the object.

    The pass is forgotten first: whoever is putting it at this moment then looks again.
    """
    context.store.passes.forget(key.program_id, key.member_id, context.clock.now())
    nobody = empty_card(context, key)
    if nobody is not None:
        google.put(nobody)
