"""Consents: what a member allowed, forbade, withdrew or accepted, and when."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP_AND_MEMBER, Answer, Call, Resource
from chalicelib.api.members import ConsentRequest, consents_of, source_of, told_of
from chalicelib.api.shapes import ShortText
from chalicelib.api.views import ConsentView, consent_view, member_view
from chalicelib.domain.errors import Refusal
from chalicelib.services import members, rights

resource = Resource(__name__, "consents")


class SayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the member says now. What he does not speak of stays as it is."""

    consents: Annotated[list[ConsentRequest], Meta(max_length=50)] = []
    terms_version: ShortText | None = None
    privacy_version: ShortText | None = None


class ConsentsView(msgspec.Struct, frozen=True):
    """What is in force now, one row a purpose, and everything that was ever said, oldest first.

    The accepted versions of terms and privacy policy are in the history as `terms` and `privacy`.
    """

    member_id: str
    current: list[ConsentView]
    terms_version: str | None
    privacy_version: str | None
    history: list[ConsentView]


@resource.endpoint(
    "GET", "/v1/members/{member_id}/consents", callers=SHOP_AND_MEMBER, answer=ConsentsView
)
def list_consents(call: Call, member_id: str) -> ConsentsView | Refusal:
    """List a member's consents, and how they came to be."""
    return _consents(call, member_id)


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/consents",
    callers=SHOP_AND_MEMBER,
    body=SayRequest,
    answer=ConsentsView,
    audited=True,
)
def give_consents(call: Call, member_id: str) -> Answer | Refusal:
    """Give or withdraw consents, accept terms. The same again changes nothing."""
    request: SayRequest = call.body
    versions = {"terms_version": request.terms_version, "privacy_version": request.privacy_version}
    changes: dict[str, Any] = {name: said for name, said in versions.items() if said is not None}
    consents = consents_of(request.consents, call)
    changed = members.change(call.context, call.here, member_id, changes, consents, source_of(call))
    if isinstance(changed, Refusal):
        return changed
    view = _consents(call, member_id)
    if isinstance(view, Refusal):
        return view
    told = told_of(member_id, member_view(changed.was), member_view(changed.member))
    return Answer(view, told=told)


def _consents(call: Call, member_id: str) -> ConsentsView | Refusal:
    member = members.read(call.context, call.here, member_id)
    if isinstance(member, Refusal):
        return member
    profile = member.profile
    return ConsentsView(
        member_id=member.id,
        current=[consent_view(one) for one in profile.consents],
        terms_version=profile.terms_version,
        privacy_version=profile.privacy_version,
        history=[consent_view(one) for one in rights.consents(call.context, call.here, member.id)],
    )
