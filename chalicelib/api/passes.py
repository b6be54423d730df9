"""Passes: the links of a member's card, and what they open."""

from http import HTTPStatus

import msgspec

from chalicelib.api.application import PKPASS
from chalicelib.api.endpoints import PUBLIC, SHOP, SHOP_AND_MEMBER, Answer, Call, Resource
from chalicelib.api.limits import limited
from chalicelib.api.page_texts import texts_in
from chalicelib.api.pages import HTML, PRIVATE, card_page
from chalicelib.domain.cards.card import Card
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ports import ApplePassBuilder
from chalicelib.kernel.clock import Instant, to_http_date
from chalicelib.services import google_passes, members, passes
from chalicelib.services.passes import PassKey

resource = Resource(__name__, "passes")

NOT_CONFIGURED = Refusal("not_configured", "this wallet is not set up here")
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


@resource.endpoint("GET", "/p/{token}", callers=PUBLIC, answer_type=HTML)
def show_page(call: Call, token: str) -> Answer | Refusal:
    """Show a member's card, and the wallets it can be put in."""
    key = _open(call, token)
    card = key if isinstance(key, Refusal) else passes.read_card(call.context, key)
    if isinstance(card, Refusal):
        return card
    looks = call.runtime.looks
    page = card_page(
        card,
        looks.picture(card),
        looks.code(f"{call.base_url}/p/{token}", texts_in(card.language)["scan"]),
        token,
        call.runtime.wallet_names(card.program_id),
        call.header("user-agent"),
    )
    return Answer(page, headers=PRIVATE)


@resource.endpoint("GET", "/p/{token}/apple", callers=PUBLIC, answer_type=PKPASS)
def fetch_apple(call: Call, token: str) -> Answer | Refusal:
    """Fetch the Apple pass that a link is for."""
    key = _open(call, token)
    if isinstance(key, Refusal):
        return key
    builder = call.runtime.apple_passes(key.program_id)
    if builder is None:
        return NOT_CONFIGURED
    found = passes.issue(call.context, key)
    if isinstance(found, Refusal):
        return found
    card, issued = found
    return pass_answer(call, builder, key, card, issued.modified_at)


@resource.endpoint(
    "GET", "/p/{token}/google", callers=PUBLIC, status=HTTPStatus.FOUND, answer_type="text/plain"
)
def save_to_google(call: Call, token: str) -> Answer | Refusal:
    """Go to Google Wallet and save the pass that a link is for."""
    key = _open(call, token)
    if isinstance(key, Refusal):
        return key
    google = call.runtime.google
    if google is None:
        return NOT_CONFIGURED
    link = google_passes.save(call.context, google, key)
    if isinstance(link, Refusal):
        return link
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
