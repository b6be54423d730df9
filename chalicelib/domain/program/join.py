"""How people join by themselves, on the page `/join/<program>`, as a program document says it."""

from typing import Annotated, Literal

import msgspec

from chalicelib.domain.program.card import LongText
from chalicelib.kernel.patterns import whole

Field = Literal["given_name", "family_name", "email", "phone", "birthday"]


class JoinConsentDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that who joins may allow or not; `version` is that of the text."""

    purpose: Annotated[str, msgspec.Meta(pattern=whole(r"[a-z][a-z0-9_.]{0,39}"))]
    text: LongText
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class JoinDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The page asks for these; none of them has to be given. Without this part there is no page."""

    ask: Annotated[tuple[Field, ...], msgspec.Meta(max_length=5)] = ("given_name",)
    consents: Annotated[tuple[JoinConsentDocument, ...], msgspec.Meta(max_length=10)] = ()
