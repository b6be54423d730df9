"""What is wrong with a look, said before a customer's phone refuses it.

Sources: developer.apple.com, "Pass" and "PassFieldContent" (keys), "Human Interface Guidelines",
Wallet (sizes and how many fields a store card shows), "Creating the Source for a Pass" (images);
developers.google.com/wallet, "REST Resource: loyaltyclass" (lengths, colours).
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from chalicelib.adapters.apple.passes import PLACES, STYLES
from chalicelib.adapters.looks import STRINGS, Look, color_of, placeholders, strings_of
from chalicelib.adapters.pictures import NotAPicture, head_of
from chalicelib.domain.errors import Fault

_LARGEST = {  # points
    "icon": (38, 38),
    "logo": (160, 50),
    "primaryLogo": (160, 50),
    "strip": (375, 144),
    "thumbnail": (90, 90),
    "background": (375, 448),
}
_EXACT = {"icon": (29, 38)}  # points of its side, from and to
_MOST_FIELDS = {"headerFields": 3, "primaryFields": 1, "footerFields": 1}
_MOST_IN_THE_MIDDLE = 4  # secondary and auxiliary fields of a store card
_COLORS = ("backgroundColor", "foregroundColor", "labelColor")
_KEYS = {
    "description",
    "logoText",
    "sharingProhibited",
    "suppressStripShine",
    "associatedStoreIdentifiers",
    "appLaunchURL",
    "userInfo",
    "groupingIdentifier",
    "maxDistance",
    "featuredActions",
    *_COLORS,
    *STYLES,
}
_OURS = {
    "formatVersion",
    "passTypeIdentifier",
    "teamIdentifier",
    "organizationName",
    "serialNumber",
    "webServiceURL",
    "authenticationToken",
    "barcode",
    "barcodes",
    "locations",
    "relevantDate",
    "relevantDates",
    "expirationDate",
    "voided",
    "nfc",
}
_OF_CARD = {
    "program_name",
    "member_id",
    "language",
    "member_name",
    "tier",
    "tier.progress",
    "plan",
    "plan.state",
    "referral.code",
    "referral.link",
}
_OF_CURRENCY = ("", ".label", ".shown", ".face", ".amount", ".goal", ".progress", ".expires")
_IMAGE = re.compile(r"(?:[a-zA-Z-]+\.lproj/)?([a-zA-Z]+)(?:@([23])x)?\.png")


def problems_of(look: Look, currencies: frozenset[str] = frozenset()) -> list[str]:
    """Everything that is wrong, empty where nothing is. `currencies` are those of the program."""
    try:
        apple, files = look.apple.document, look.apple_files
        both = [look.google_class.document, look.google_object.document]
    except Fault as fault:
        return [str(fault)]
    except ValueError as error:
        return [f"a template is not JSON: {error}"]
    wrong = list(_shapes(apple, *both))
    if wrong:
        return wrong  # nothing below could be read
    found = [*_images(files), *_top(apple), *_fields(apple), *_strings(files)]
    found += _names([apple, *both], currencies)
    found += _google(both[0])
    try:
        look.stamps  # noqa: B018 (reads the masks)
    except NotAPicture as error:
        found.append(f"stamps: a mask {error}")
    return found


def _shapes(apple: Any, loyalty_class: Any, loyalty_object: Any) -> Iterator[str]:
    """What is no object, or no list of objects, where it must be."""
    named = {
        "apple/pass.json": apple,
        "google/class.json": loyalty_class,
        "google/object.json": loyalty_object,
    }
    for name, template in named.items():
        if not isinstance(template, dict):
            yield f"{name} is not an object"
            return
    for style in STYLES:
        fields = apple.get(style, {})
        if not isinstance(fields, dict) or not all(map(_are_objects, fields.values())):
            yield f"apple/pass.json: {style} has something else than lists of fields"
    for name in ("loyaltyPoints", "textModulesData"):
        if not _are_objects(loyalty_object.get(name, [])):
            yield f"google/object.json: {name} is not a list of objects"
            return
    for points in loyalty_object.get("loyaltyPoints", []):
        if "label" not in points or not isinstance(points.get("balance"), dict):
            yield "google/object.json: loyaltyPoints has one without a label or a balance"


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _images(files: dict[str, bytes]) -> Iterator[str]:
    if not {"icon.png", "icon@2x.png", "icon@3x.png"} & set(files):
        yield "apple/icon.png is missing: no phone opens a pass without it"
    for name, data in files.items():
        if not name.endswith(".png"):
            continue
        parts = _IMAGE.fullmatch(name)
        if parts is None or parts[1] not in _LARGEST:
            yield f"apple/{name} is no image that a pass has"
            continue
        try:
            head = head_of(data)
        except NotAPicture as error:
            yield f"apple/{name} {error}"
            continue
        yield from _size(name, parts[1], int(parts[2] or 1), head.width, head.height)


def _size(name: str, kind: str, scale: int, width: int, height: int) -> Iterator[str]:
    most = _LARGEST[kind]
    if width > most[0] * scale or height > most[1] * scale:
        most_text = f"{most[0] * scale} x {most[1] * scale}"
        yield f"apple/{name} is {width} x {height} pixels, and {most_text} are the most"
    if kind in _EXACT:
        least, largest = _EXACT[kind]
        if width != height or not least * scale <= width <= largest * scale:
            side = least * scale
            yield f"apple/{name} is {width} x {height} pixels, not {side} x {side}"
    if kind == "strip" and width < most[0] * scale:
        yield f"apple/{name} is {width} pixels wide, not {most[0] * scale}"


def _top(apple: dict[str, Any]) -> Iterator[str]:
    for key in apple:
        if key in _OURS:
            yield f"apple/pass.json: {key} is not for a look to say"
        elif key not in _KEYS:
            yield f"apple/pass.json: {key} is no key of a pass"
    for key in _COLORS:
        if key in apple and color_of(str(apple[key])) is None:
            yield f"apple/pass.json: {key} is no colour like rgb(31, 64, 55)"
    if not isinstance(apple.get("description"), str):
        yield "apple/pass.json: description is missing"
    if not any(style in apple for style in ("storeCard", "generic", "coupon")):
        yield "apple/pass.json: there is no storeCard, generic or coupon"


def _fields(apple: dict[str, Any]) -> Iterator[str]:
    keys: Counter[str] = Counter()
    for style in STYLES:
        fields = apple.get(style, {})
        yield from _places(style, fields)
        for place in PLACES:
            for field in fields.get(place, ()):
                keys[str(field.get("key"))] += 1
                yield from _field(f"{style}.{place}", field)
    for key, count in keys.items():
        if count > 1:
            yield f"apple/pass.json: {count} fields have the key {key}"


def _places(style: str, fields: dict[str, Any]) -> Iterator[str]:
    for place in fields:
        if place not in PLACES:
            yield f"apple/pass.json: {style}.{place} is no place for fields"
    for place, most in _MOST_FIELDS.items():
        if len(fields.get(place, ())) > most:
            yield f"apple/pass.json: {style}.{place} has more than {most}"
    middle = [*fields.get("secondaryFields", ()), *fields.get("auxiliaryFields", ())]
    if len(middle) > _MOST_IN_THE_MIDDLE:
        yield f"apple/pass.json: {style} has more than 4 secondary and auxiliary fields"


def _field(at: str, field: dict[str, Any]) -> Iterator[str]:
    key = field.get("key")
    if not isinstance(key, str) or not key or "value" not in field:
        yield f"apple/pass.json: a field of {at} has no key or no value"
    if key in ("message", "news") or str(key).startswith(("text_", "link_")):
        yield f"apple/pass.json: the key {key} of {at} is taken for the texts of the program"
    message = field.get("changeMessage")
    if message is not None and "%@" not in str(message):
        yield f"apple/pass.json: changeMessage of {key} has no %@, so no phone would say anything"
    place = at.rpartition(".")[2]
    if "textAlignment" in field and place in ("primaryFields", "backFields"):
        yield f"apple/pass.json: {key} cannot be aligned in {place}"


def _strings(files: dict[str, bytes]) -> Iterator[str]:
    for name, data in files.items():
        if name.endswith(STRINGS):
            try:
                strings_of(data)
            except ValueError as error:
                yield f'apple/{name} is not UTF-8 text of the form "key" = "value";: {error}'


def _names(templates: list[dict[str, Any]], currencies: frozenset[str]) -> Iterator[str]:
    known = {*_OF_CARD, "logo_url"}
    for currency in ("first", "second", *currencies):
        known |= {currency + end for end in _OF_CURRENCY}
    for name in dict.fromkeys(one for template in templates for one in placeholders(template)):
        if name not in known:
            yield f"{{{name}}} stands for nothing that a card of this program has"


def _google(loyalty_class: dict[str, Any]) -> Iterator[str]:
    color = loyalty_class.get("hexBackgroundColor", "#000000")
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", str(color)):
        yield "google/class.json: hexBackgroundColor is no colour like #1f4037"
    for name, most in (("accountNameLabel", 15), ("accountIdLabel", 15), ("rewardsTierLabel", 9)):
        if len(str(loyalty_class.get(name, ""))) > most:
            yield f"google/class.json: {name} has more than {most} characters"
    for name in ("issuerName", "programName", "programLogo"):
        if name not in loyalty_class:
            yield f"google/class.json: {name} is missing"
