"""Members' cards as signed Apple passes: a look, filled with what the card shows.

Sources: developer.apple.com, "Pass" and "PassFieldContent" for the keys of pass.json, and
"Pass.Barcodes" for the order of barcodes.
"""

from typing import Any

import msgspec

from chalicelib.adapters.apple.passbook import BarcodeFormat, Files, NumberStyle, Signer
from chalicelib.adapters.apple.picture import draw
from chalicelib.adapters.looks import Look, Looks, rgb_of
from chalicelib.adapters.pictures import STRIP
from chalicelib.domain.cards.card import BackText, Card, CardBalance, Colors
from chalicelib.domain.cards.message import Said

SCALES = (1, 2, 3)  # pixels a point
KEPT = 512  # sets of files that a process keeps laid out
STYLES = ("storeCard", "generic", "coupon", "posterGeneric")
PLACES = (
    "headerFields",
    "primaryFields",
    "secondaryFields",
    "auxiliaryFields",
    "backFields",
    "footerFields",
)

_FORMATS = {
    "qr": BarcodeFormat.QR,
    "pdf417": BarcodeFormat.PDF417,
    "aztec": BarcodeFormat.AZTEC,
    "code128": BarcodeFormat.CODE128,
}
_Drawn = tuple[str, int, int, Colors] | tuple[str]  # what a set of files depends on


class ApplePasses:
    """Keeps the port `ApplePassBuilder`, for one pass type."""

    def __init__(
        self,
        looks: Looks,
        signer: Signer,
        pass_type_id: str,
        team_id: str,
        organization_name: str,
        nfc_key: str | None = None,
    ) -> None:
        """The two ids are those of the signer's certificate.

        `nfc_key` is the public key of the shop's readers (X.509 SPKI, P-256, base64), where Apple
        allowed the certificate to speak by NFC.
        """
        self.pass_type_id = pass_type_id
        self.expires_at = signer.expires_at
        self._looks = looks
        self._signer = signer
        self._nfc_key = nfc_key
        self._laid_out: dict[_Drawn, Files] = {}
        self._issuer = {
            "formatVersion": 1,
            "passTypeIdentifier": pass_type_id,
            "teamIdentifier": team_id,
            "organizationName": organization_name,
        }

    def build(self, card: Card, web_service_url: str, authentication_token: str) -> bytes:
        """The signed `.pkpass`. Raises `Fault` where the card's look is not there.

        Source: developer.apple.com, "Pass": a pass with a `webServiceURL` has an
        `authenticationToken`, and neither changes in an update.
        """
        look = self._looks.get(card.look)
        content = {
            **face_of(look, card),
            **self._issuer,
            "serialNumber": card.serial,
            "webServiceURL": web_service_url,
            "authenticationToken": authentication_token,
        }
        if self._nfc_key:
            content["nfc"] = {"message": card.member_id, "encryptionPublicKey": self._nfc_key}
        return self._files(look, card).bundle(msgspec.json.encode(content), self._signer)

    def _files(self, look: Look, card: Card) -> Files:
        """Those that all cards share which look alike: nothing is drawn for a member."""
        drawn = _drawn(look, card)
        if drawn not in self._laid_out:
            if len(self._laid_out) >= KEPT:
                self._laid_out.pop(next(iter(self._laid_out)))
            self._laid_out[drawn] = Files(files_of(look, card))
        return self._laid_out[drawn]


def picture_of(looks: Looks, card: Card) -> str:
    """The front of the pass as SVG. Raises `Fault` where the card's look is not there."""
    look = looks.get(card.look)
    return draw(face_of(look, card), files_of(look, card), card.language)


def face_of(look: Look, card: Card) -> dict[str, Any]:
    """What of pass.json a person sees: the look with the card's values, and what is printed."""
    face: dict[str, Any] = look.apple.fill(card.values)
    printed = card.printed
    style = next(style for style in STYLES if style in face)
    back = face[style].setdefault("backFields", [])
    if printed.news:
        news = {"key": "news", "label": "News", "value": printed.news, "changeMessage": "%@"}
        back.insert(0, news)
    if card.message:
        back.insert(0, _message_field(card.message))
    back += [_back_field(one) for one in printed.texts]
    _style_numbers(face)
    if printed.colors:
        face["backgroundColor"] = rgb_of(printed.colors.background)
        face["foregroundColor"] = rgb_of(printed.colors.text)
        face["labelColor"] = rgb_of(printed.colors.label)
    return {**face, **_barcodes(card), **_relevance(card)}


def files_of(look: Look, card: Card) -> dict[str, bytes]:
    """Images and translations; of a stamp card its strip shows how many stamps there are."""
    stamps = card.stamps
    if look.stamps is None or stamps is None or stamps.goal is None:
        return look.apple_files
    colors = card.printed.colors or look.colors
    strips = {}
    for scale in SCALES:
        size = STRIP[0] * scale, STRIP[1] * scale
        name = "strip.png" if scale == 1 else f"strip@{scale}x.png"
        strips[name] = look.stamps.picture(stamps.goal, filled(stamps), size, colors)
    return {**look.apple_files, **strips}


def filled(stamps: CardBalance) -> int:
    """How many places are filled: who owes has none, who has too many has them all."""
    return max(0, min(stamps.amount, stamps.goal or 0))


def _drawn(look: Look, card: Card) -> _Drawn:
    stamps = card.stamps
    if look.stamps is None or stamps is None or stamps.goal is None:
        return (card.look,)
    return card.look, stamps.goal, filled(stamps), card.printed.colors or look.colors


def _message_field(said: Said) -> dict[str, Any]:
    """Without a `changeMessage` the phone says nothing ("PassFieldContent")."""
    field = {"key": "message", "label": said.header, "value": said.body}
    return {**field, "changeMessage": "%@"} if said.alert else field


def _back_field(one: BackText) -> dict[str, Any]:
    field = {"key": f"text_{one.id}", "label": one.label, "value": one.text}
    if one.url is not None:
        plain = one.label.replace("&", "&amp;").replace("<", "&lt;")
        field["attributedValue"] = f'<a href="{one.url.replace(chr(34), "%22")}">{plain}</a>'
        field["key"] = f"link_{one.id}"
    return field


def _style_numbers(face: dict[str, Any]) -> None:
    """A number is written as the phone's owner writes numbers."""
    for style in STYLES:
        for place, fields in face.get(style, {}).items():
            for field in fields if place in PLACES else ():
                if type(field["value"]) is int and "currencyCode" not in field:
                    field.setdefault("numberStyle", NumberStyle.DECIMAL)


def _barcodes(card: Card) -> dict[str, Any]:
    """In the shop's order; phones older than iOS 9 read the one, and know no Code 128."""
    codes = [
        {
            "format": _FORMATS[kind],
            "message": card.member_id,
            "messageEncoding": "iso-8859-1",
            "altText": card.member_id,
        }
        for kind in card.printed.barcodes
    ]
    if card.voided:
        return {"voided": True}
    old = [one for one in codes if one["format"] != BarcodeFormat.CODE128]
    return {"barcodes": codes, **({"barcode": old[0]} if old else {})}


def _relevance(card: Card) -> dict[str, Any]:
    """Where and when the phone offers the pass, and when it ends."""
    printed = card.printed
    found: dict[str, Any] = {}
    if printed.places:
        found["locations"] = [
            {
                "latitude": one.latitude,
                "longitude": one.longitude,
                **({"relevantText": one.text} if one.text else {}),
            }
            for one in printed.places
        ]
    if printed.relevant:
        found["relevantDates"] = [
            {"startDate": since, "endDate": until} for since, until in printed.relevant
        ]
    if printed.expires_at:
        found["expirationDate"] = printed.expires_at
    return found
