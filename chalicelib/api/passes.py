"""Passes: the links of a member's card, and what they open."""

from http import HTTPStatus

import msgspec

from chalicelib.api.application import PKPASS
from chalicelib.api.endpoints import HTML, PUBLIC, SHOP, SHOP_AND_MEMBER, Answer, Call, Resource
from chalicelib.api.limits import limited
from chalicelib.api.page_texts import texts_in
from chalicelib.api.pages import PRIVATE, card_page, sorry
from chalicelib.api.shapes import Identifier, MomentText
from chalicelib.domain.cards.card import Card
from chalicelib.domain.cards.message import PassMessage, Reach
from chalicelib.domain.errors import Refusal, Unavailable
from chalicelib.domain.ports import ApplePassBuilder
from chalicelib.domain.program.card import LongText
from chalicelib.domain.texts import Text
from chalicelib.kernel.clock import Instant, to_http_date, to_rfc3339
from chalicelib.services import google_passes, members, pass_messages, passes
from chalicelib.services.passes import PassKey
from chalicelib.services.referral_codes import link_of

resource = Resource(__name__, "passes")

NOT_CONFIGURED = Refusal("not_configured", "this wallet is not set up here")
_LATER = Refusal("unavailable", "Google Wallet cannot be reached")
_NO_PASS = Refusal("not_found", "there is no such pass")


class PassesView(msgspec.Struct, frozen=True):
    """Where the member's card is. The links are secret: whoever has them has the card."""

    page: str
    apple: str | None
    google: str | None


@resource.endpoint(
    "GET", "/v1/members/{member_id}/passes", callers=SHOP_AND_MEMBER, answer=PassesView
)
def read_links(call: Call, member_id: str) -> PassesView | Refusal:
    """Read the links of a member's passes.

    They stay the same until they are revoked; to follow one makes the pass.
    """
    member = members.read(call.context, call.here, member_id)
    if isinstance(member, Refusal):
        return member
    token = passes.link_token(call.context, PassKey(member.program_id, member.id))
    page = f"{call.base_url}/p/{token}"
    return PassesView(
        page,
        f"{page}/apple" if call.runtime.apple_passes(member.program_id) else None,
        f"{page}/google" if call.runtime.google else None,
    )


@resource.endpoint(
    "POST", "/v1/members/{member_id}/passes/revoke", callers=SHOP, answer=PassesView, audited=True
)
def revoke_links(call: Call, member_id: str) -> PassesView | Refusal:
    """Revoke the links of a member's passes and make others.

    The old page opens nothing any more. Passes that are in wallets already stay and are kept up to
    date.
    """
    member = members.read(call.context, call.here, member_id)
    if isinstance(member, Refusal):
        return member
    refusal = passes.revoke_link(call.context, PassKey(member.program_id, member.id))
    return refusal or read_links(call, member_id)


class MessageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to say, in one language or in several. With `notify` the phone speaks of it."""

    id: Identifier
    header: Text
    body: LongText
    notify: bool = False


class MessageView(msgspec.Struct, frozen=True):
    """A message, and how far it reaches: `alert`, `silent`, or `none` where no such pass is there.

    Google's phones speak of a pass three times a day at most; a message beyond is `silent`.
    """

    id: str
    member_id: str
    at: MomentText
    header: Text
    body: LongText
    notify: bool
    apple: Reach
    google: Reach


def message_view(one: PassMessage) -> MessageView:
    """A message as callers see it."""
    at = to_rfc3339(one.at)
    return MessageView(
        one.id, one.member_id, at, one.header, one.body, one.notify, one.apple, one.google
    )


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/passes/messages",
    callers=SHOP,
    body=MessageRequest,
    answer=MessageView,
    status=HTTPStatus.CREATED,
    audited=True,
)
def send_message(call: Call, member_id: str) -> Answer | Refusal:
    """Say something to one member through his pass.

    It happens once for an `id`. The newest message stands on the back of an Apple pass, all of 30
    days on one of Google; then they go by themselves. To say something to all members, publish a
    version with other `news` in the part `card`.
    """
    asked: MessageRequest = call.body
    draft = PassMessage(
        call.here.program_id,
        member_id,
        asked.id,
        asked.header,
        asked.body,
        asked.notify,
        at=call.context.clock.now(),
        apple="none",
        google="none",
    )
    kept = pass_messages.say(call.context, call.here, member_id, draft)
    if isinstance(kept, Refusal):
        return kept
    return Answer(message_view(kept.message), replayed=kept.replayed)


@resource.endpoint("GET", "/p/{token}", callers=PUBLIC, answer_type=HTML)
def show_page(call: Call, token: str) -> Answer | Refusal:
    """Show a member's card, and the wallets it can be put in."""
    key = _open(call, token)
    card = key if isinstance(key, Refusal) else passes.read_card(call.context, key)
    if isinstance(card, Refusal):
        return sorry(call.header("accept-language"), card)
    looks = call.runtime.looks
    page = card_page(
        card,
        looks.picture(card),
        looks.code(f"{call.base_url}/p/{token}", texts_in(card.language)["scan"]),
        token,
        {
            one: looks.button(one, card.language)
            for one in call.runtime.wallet_names(card.program_id)
        },
        call.header("user-agent"),
        link_of(call.base_url, card.program_id, card.referral_code) if card.referral_code else None,
    )
    return Answer(page, headers=PRIVATE)


@resource.endpoint("GET", "/p/{token}/apple", callers=PUBLIC, answer_type=PKPASS)
def fetch_apple(call: Call, token: str) -> Answer | Refusal:
    """Fetch the Apple pass that a link is for."""
    key = _open(call, token)
    if isinstance(key, Refusal):
        return sorry(call.header("accept-language"), key)
    builder = call.runtime.apple_passes(key.program_id)
    if builder is None:
        return NOT_CONFIGURED
    found = passes.issue(call.context, key)
    if isinstance(found, Refusal):
        return sorry(call.header("accept-language"), found)
    card, issued = found
    return pass_answer(call, builder, key, card, issued.modified_at)


@resource.endpoint(
    "GET", "/p/{token}/google", callers=PUBLIC, status=HTTPStatus.FOUND, answer_type="text/plain"
)
def save_to_google(call: Call, token: str) -> Answer | Refusal:
    """Go to Google Wallet and save the pass that a link is for."""
    key = _open(call, token)
    if isinstance(key, Refusal):
        return sorry(call.header("accept-language"), key)
    google = call.runtime.google
    if google is None:
        return NOT_CONFIGURED
    try:
        link = google_passes.save(call.context, google, key)
    except Unavailable:
        link = _LATER
    if isinstance(link, Refusal):
        return sorry(call.header("accept-language"), link)
    return Answer("", headers={"Location": link, **PRIVATE})


def pass_answer(
    call: Call, builder: ApplePassBuilder, key: PassKey, card: Card, modified_at: Instant
) -> Answer:
    """The signed pass, and when it was changed last."""
    token = passes.authentication_token(call.context, key)
    body = builder.build(card, f"{call.base_url}/passkit", token)
    modified = to_http_date(modified_at)
    return Answer(body, headers={"Content-Type": PKPASS, "Last-Modified": modified, **PRIVATE})


def _open(call: Call, token: str) -> PassKey | Refusal:
    """Whose pass it is."""
    if refusal := limited(call, "pass"):
        return refusal
    key = passes.of_link(call.context, token)
    return key or _NO_PASS
