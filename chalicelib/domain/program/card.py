"""How the card in a wallet is written in a program document.

A look (a folder in `passes/`) is the design; here is what a shop puts on it. Limits are those of
the wallets: developer.apple.com, "Pass" (ten locations), and developers.google.com/wallet,
"REST Resource: loyaltyclass" (ten text modules).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal

import msgspec

from chalicelib.domain.conditions.documents import Identifier
from chalicelib.domain.errors import FieldError
from chalicelib.domain.texts import Language, Text
from chalicelib.kernel.clock import from_rfc3339, to_datetime
from chalicelib.kernel.patterns import whole

Color = Annotated[str, msgspec.Meta(pattern=whole(r"#[0-9a-f]{6}"))]
Degrees = Annotated[str, msgspec.Meta(pattern=whole(r"-?[0-9]{1,3}(\.[0-9]{1,8})?"))]
Url = Annotated[str, msgspec.Meta(pattern=whole(r"https://[!-~]+"), max_length=500)]
Paragraph = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
LongText = Paragraph | Annotated[dict[Language, Paragraph], msgspec.Meta(min_length=1)]

LONGEST_RELEVANCE = timedelta(hours=24)


class ColorsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The colours of a card (`#1f4037`), in place of those of its look."""

    background: Color
    text: Color
    label: Color


class TierCardDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the card of one tier differs: another look, other colours, or both."""

    look: Identifier | None = None
    colors: ColorsDocument | None = None


class CardTextDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text on the back: how points are earned, the terms."""

    id: Identifier
    label: Text
    text: LongText


class CardLinkDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link on the back."""

    id: Identifier
    label: Text
    url: Url


class PlaceDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shop. Near it the phone offers the card, with this text. Degrees of WGS 84."""

    latitude: Degrees
    longitude: Degrees
    text: Text | None = None


class RelevantDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time at which the phone offers the card, of at most 24 hours."""

    since: str
    until: str


class CardDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the card shows beside balances and tier.

    `barcodes` are tried in their order: a phone shows the first kind it knows. `news` is shown on
    the back, and said aloud by the phone when it changes.
    """

    colors: ColorsDocument | None = None
    tiers: Annotated[dict[Identifier, TierCardDocument], msgspec.Meta(max_length=12)] = {}
    barcodes: Annotated[
        tuple[Literal["qr", "pdf417", "aztec", "code128"], ...],
        msgspec.Meta(min_length=1, max_length=4),
    ] = ("qr",)
    texts: Annotated[tuple[CardTextDocument, ...], msgspec.Meta(max_length=9)] = ()
    links: Annotated[tuple[CardLinkDocument, ...], msgspec.Meta(max_length=10)] = ()
    places: Annotated[tuple[PlaceDocument, ...], msgspec.Meta(max_length=10)] = ()
    relevant: Annotated[tuple[RelevantDocument, ...], msgspec.Meta(max_length=10)] = ()
    news: Text | None = None


def check_card(card: CardDocument, tiers: set[str]) -> Iterator[FieldError]:
    """What contradicts itself; looks are checked where they lie."""
    for name in card.tiers:
        if name not in tiers:
            yield FieldError(f"card.tiers.{name}", f"{name} is not one of the tiers")
    for what, ids in (
        ("texts", [one.id for one in card.texts]),
        ("links", [one.id for one in card.links]),
    ):
        for index, name in enumerate(ids):
            if name in ids[:index]:
                yield FieldError(f"card.{what}[{index}].id", f"another one is called {name}")
    if len(set(card.barcodes)) < len(card.barcodes):
        yield FieldError("card.barcodes", "names a kind twice")
    for index, time in enumerate(card.relevant):
        yield from _check_relevant(f"card.relevant[{index}]", time)
    yield from _check_places(card)


def _check_places(card: CardDocument) -> Iterator[FieldError]:
    for index, place in enumerate(card.places):
        if not -90 <= float(place.latitude) <= 90:
            yield FieldError(f"card.places[{index}].latitude", "lies outside -90 to 90")
        if not -180 <= float(place.longitude) <= 180:
            yield FieldError(f"card.places[{index}].longitude", "lies outside -180 to 180")


def _check_relevant(at: str, time: RelevantDocument) -> Iterator[FieldError]:
    moments = []
    for name, text in (("since", time.since), ("until", time.until)):
        try:
            moments.append(to_datetime(from_rfc3339(text)))
        except ValueError:
            yield FieldError(f"{at}.{name}", "is not a time like 2027-01-31T10:00:00Z")
    if len(moments) == 2 and not timedelta(0) < moments[1] - moments[0] <= LONGEST_RELEVANCE:
        yield FieldError(f"{at}.until", "is not up to 24 hours after since")


def texts_of(card: CardDocument) -> Iterator[tuple[str, Text | LongText]]:
    """Every text that members read, with its path."""
    for index, text in enumerate(card.texts):
        yield f"card.texts[{index}].label", text.label
        yield f"card.texts[{index}].text", text.text
    for index, link in enumerate(card.links):
        yield f"card.links[{index}].label", link.label
    for index, place in enumerate(card.places):
        if place.text is not None:
            yield f"card.places[{index}].text", place.text
    if card.news is not None:
        yield "card.news", card.news


def looks_of(look: str, card: CardDocument) -> Iterator[tuple[str, str]]:
    """Every look that is named, with its path."""
    yield "look", look
    for name, one in card.tiers.items():
        if one.look is not None:
            yield f"card.tiers.{name}.look", one.look
