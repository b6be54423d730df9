"""Member tokens: with one an app acts as its member."""

from http import HTTPStatus

import msgspec

from chalicelib.api.endpoints import SHOP, Call, Resource
from chalicelib.api.shapes import MomentText
from chalicelib.domain.errors import Refusal
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.services import access

resource = Resource(__name__, "tokens")


class TokenView(msgspec.Struct, frozen=True):
    """A member token."""

    token: str
    expires_at: MomentText


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/tokens",
    callers=SHOP,
    answer=TokenView,
    status=HTTPStatus.CREATED,
)
def mint_token(call: Call, member_id: str) -> TokenView | Refusal:
    """Mint a member token.

    Good for one hour, for this member only. The shop's server hands it to the member's app.
    """
    token = access.mint_token(call.context, call.here, member_id)
    if isinstance(token, Refusal):
        return token
    return TokenView(token.text, to_rfc3339(token.expires_at))
