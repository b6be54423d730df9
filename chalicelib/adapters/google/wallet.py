"""Google Wallet: a loyalty class for each look (and tier), a loyalty object for each member.

Sources, all at developers.google.com/wallet: "REST Resource: loyaltyclass", "REST Resource:
loyaltyobject", "Error codes and exceptions", "Working with JSON Web Tokens (JWT)"; for access
tokens "Using OAuth 2.0 for Server to Server Applications".

The texts and colours are those of the look, in `google/class.json` and `google/object.json`. In
the object `loyaltyPoints` is a list: the first that the card can fill is shown as the points, the
second as the secondary points, for the face has these two places. A label is shown once, so a look
may ask for a currency in two ways, the better one first.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chalicelib.adapters.http import Http, Response
from chalicelib.adapters.looks import Look, Looks
from chalicelib.domain.cards.card import Card
from chalicelib.domain.cards.message import Said
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.kernel.canonical import fingerprint
from chalicelib.kernel.clock import EARLIEST, MINUTE, SECOND, Clock

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"  # wherever the token is asked for
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_SECONDS = 3600  # the most that Google takes
RENEW_BEFORE = 5 * MINUTE
REQUEST_SECONDS = 0.25  # none takes less: four workers make 16 a second, and Google takes 20
MOST_MODULES = 10  # texts of one object: "REST Resource: loyaltyobject"
MOST_MESSAGES = 10  # of one object: the same page
SAVE_URL = "https://pay.google.com/gp/v/save/"

_CLASS = "loyaltyClass"
_OBJECT = "loyaltyObject"
_PLACES = ("loyaltyPoints", "secondaryLoyaltyPoints")
_PRINTED = (  # of the object, and not of its look
    "barcode",
    "heroImage",
    "linksModuleData",
    "merchantLocations",
    "smartTapRedemptionValue",
    "textModulesData",
    "validTimeInterval",
)
_BARCODES = {"qr": "QR_CODE", "pdf417": "PDF_417", "aztec": "AZTEC", "code128": "CODE_128"}
_INT32 = range(-(2**31), 2**31)


@dataclass(frozen=True)
class Addresses:
    """Where Google finds what is ours; it needs none of them."""

    pictures: str = ""  # of stamps: the start of their addresses
    callbacks: str = ""  # told of every pass that is saved or deleted


class GoogleLoyalty:
    """Keeps the port `GoogleWallet`."""

    def __init__(
        self,
        looks: Looks,
        service_account: Mapping[str, str],
        issuer_id: str,
        logo_url: str,
        http: Http,
        clock: Clock,
        base_url: str = "https://walletobjects.googleapis.com",
        origins: Sequence[str] = (),
        addresses: Addresses | None = None,
        redemption_issuers: Sequence[str] = (),
        request_seconds: float = 0,
    ) -> None:
        """`service_account` is the key file of Google Cloud, `logo_url` a public https image.

        `origins` are the sites that show Google's save button; a plain link needs none.
        `redemption_issuers` are those whose terminals may read the pass by Smart Tap. No request
        ends before `request_seconds`, so that so many workers make so many requests at most.
        """
        self._addresses = addresses or Addresses()
        self._redemption_issuers = list(redemption_issuers)
        self._request_seconds = request_seconds
        self._looks = looks
        self._issuer_id = issuer_id
        self._logo_url = logo_url
        self._http = http
        self._base_url = base_url
        self._origins = list(origins)
        self._account = _ServiceAccount(service_account, http, clock)
        self._classes_put: set[bytes] = set()

    def put(self, card: Card, *, notify: bool = False) -> None:
        """Makes the member's loyalty object, or patches the one there is, and its class.

        With `notify` the phone says that the balance changed, which Google allows three times in 24
        hours ("Trigger push notifications"); the wish is not stored and goes with each patch.

        The class goes out once in the life of this process, and again when it changed. Raises
        `Unavailable` where Google throttles or cannot be reached, `Fault` where it refuses.
        """
        shown = self._class(card)
        mark = fingerprint(shown)
        if mark not in self._classes_put:
            self._upsert(_CLASS, shown, shown)
            self._classes_put.add(mark)
        member = self._object(card)
        patch = _clearing(self._look(card).google_object.document, member)
        if notify:
            patch["notifyPreference"] = "NOTIFY_ON_UPDATE"
        if card.voided:
            patch["messages"] = None
        self._upsert(_OBJECT, member, patch)

    def say(self, card: Card, said: Said) -> None:
        """Adds a message to the member's object, unless one of this id is there already.

        Google keeps ten; the oldest gives way. Where its own count of the day's alerts is used up
        it says `QuotaExceededException`, and the message is added without one ("Trigger push
        notifications"). Raises as `put` does.
        """
        path = f"{_OBJECT}/{self._object_id(card)}"
        response = self._call("GET", path)
        if response.status == 404:
            self.put(card)
            response = self._call("GET", path)
        _check(response, path)
        there = response.json.get("messages", [])
        if any(one.get("id") == said.id for one in there):
            return
        if len(there) >= MOST_MESSAGES:
            rest = {"messages": there[1 - MOST_MESSAGES :]}
            _check(self._call("PATCH", path, rest), path)
        kind = "TEXT_AND_NOTIFY" if said.alert else "TEXT"
        response = self._call("POST", f"{path}/addMessage", _message(said, kind))
        if response.status >= 400 and "QuotaExceededException" in _reason(response):
            response = self._call("POST", f"{path}/addMessage", _message(said, "TEXT"))
        _check(response, path)

    def save_link(self, card: Card) -> str:
        """A link that saves the object which `put` made.

        It names the object and its class only: browsers cut links that are too long, and the whole
        object would bring this one near 1,800 characters.
        """
        member = {"id": self._object_id(card), "classId": self._class_id(card)}
        claims = {
            "aud": "google",
            "typ": "savetowallet",
            "origins": self._origins,
            "payload": {"loyaltyObjects": [member]},
        }
        return SAVE_URL + self._account.sign(claims)

    def _class(self, card: Card) -> dict[str, Any]:
        """What all members of a tier share; nothing of the member is at hand here."""
        values: dict[str, str | int] = {
            "program_name": card.program_name,
            "language": card.language,
            "logo_url": self._logo_url,
        }
        if card.tier:
            values["tier"] = card.tier
        shown = {
            **self._look(card).google_class.fill(values),
            "id": self._class_id(card),
            "reviewStatus": "UNDER_REVIEW",  # also where it is approved already
        }
        if card.printed.colors:
            shown["hexBackgroundColor"] = card.printed.colors.background
        if self._addresses.callbacks:
            shown["callbackOptions"] = {"url": self._addresses.callbacks}
        if self._redemption_issuers:
            shown["enableSmartTap"] = True
            shown["redemptionIssuers"] = self._redemption_issuers
        return shown

    def _object(self, card: Card) -> dict[str, Any]:
        filled = self._look(card).google_object.fill(card.values)
        modules = filled.pop("textModulesData", [])
        shown: dict[str, Any] = {}
        for points in filled.pop("loyaltyPoints", []):
            if points["balance"]:
                shown.setdefault(points["label"], _points(points))
        return {
            **filled,
            **dict(zip(_PLACES, shown.values(), strict=False)),
            **self._printed(card, modules),
            "id": self._object_id(card),
            "classId": self._class_id(card),
            "state": "INACTIVE" if card.voided else "ACTIVE",
        }

    def _printed(self, card: Card, modules: list[dict[str, Any]]) -> dict[str, Any]:
        """What the shop puts on the card; `modules` are the texts of the look."""
        printed = card.printed
        texts = [one for one in printed.texts if one.url is None]
        if printed.news:
            modules.insert(0, {"id": "news", "header": card.program_name, "body": printed.news})
        modules += [{"id": one.id, "header": one.label, "body": one.text} for one in texts]
        links = [
            {"id": one.id, "description": one.label, "uri": one.url}
            for one in printed.texts
            if one.url is not None
        ]
        shown: dict[str, Any] = {
            "barcode": {
                "type": _BARCODES[printed.barcodes[0]],
                "value": card.member_id,
                "alternateText": card.member_id,
            },
            "textModulesData": modules[:MOST_MODULES],
            "linksModuleData": {"uris": links} if links else None,
            "merchantLocations": [
                {"latitude": one.latitude, "longitude": one.longitude} for one in printed.places
            ],
            "heroImage": self._hero(card),
            "smartTapRedemptionValue": card.member_id if self._redemption_issuers else None,
            "validTimeInterval": {"end": {"date": printed.expires_at}}
            if printed.expires_at
            else None,
        }
        return {name: value for name, value in shown.items() if value}

    def _hero(self, card: Card) -> dict[str, Any] | None:
        """The picture of the stamps: one address for each count, so that Google keeps them all."""
        stamps, look = card.stamps, self._look(card)
        if not self._addresses.pictures or stamps is None or look.stamps is None:
            return None
        colors = card.printed.colors or look.colors
        inks = f"{colors.background[1:]}-{colors.text[1:]}"
        count = max(0, min(stamps.amount, stamps.goal or 0))
        place = f"{card.look}/{stamps.goal}/{count}/{inks}.png"
        said = {"language": card.language, "value": f"{count} / {stamps.goal}"}
        return {
            "sourceUri": {"uri": f"{self._addresses.pictures}/{place}"},
            "contentDescription": {"defaultValue": said},
        }

    def _class_id(self, card: Card) -> str:
        """One for each tier, and then for each language: the tier's name stands in the class."""
        tier = (card.printed.tier, card.language) if card.printed.tier else ()
        return _resource_id(self._issuer_id, card.program_id, card.look, *tier)

    def _object_id(self, card: Card) -> str:
        return _resource_id(self._issuer_id, card.program_id, card.member_id)

    def _look(self, card: Card) -> Look:
        return self._looks.get(card.look)

    def _upsert(self, kind: str, resource: dict[str, Any], patch: dict[str, Any]) -> None:
        """Patches a resource, or inserts it where Google does not have it.

        Answers by "Error codes and exceptions": 404 where it is not there, 409 where it already
        is, which after a 404 means that another process was faster.
        """
        path = f"{kind}/{resource['id']}"
        response = self._call("PATCH", path, patch)
        if response.status == 404:
            response = self._call("POST", kind, resource)
        if response.status == 409:
            response = self._call("PATCH", path, patch)
        if response.status == 400 and "classId" in patch:
            # Whether an object may change its class is not written down: what it shows of the
            # member comes first, in the class that it has (docs/decisions/google_classes.md).
            same = {name: value for name, value in patch.items() if name != "classId"}
            response = self._call("PATCH", path, same)
        _check(response, path)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Response:
        response = self._send(method, path, body)
        if response.status == 401:  # revoked before its end
            self._account.forget_token()
            response = self._send(method, path, body)
        return response

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Response:
        headers = {
            "authorization": f"Bearer {self._account.token()}",
            "content-type": "application/json",
        }
        url = f"{self._base_url}/walletobjects/v1/{path}"
        raw = b"" if body is None else json.dumps(body).encode()
        began = time.monotonic()
        response = self._http.send(method, url, raw, headers)
        time.sleep(max(0, began + self._request_seconds - time.monotonic()))
        return response


class _ServiceAccount:
    """Who we are to Google: an e-mail address and the RSA key that proves it."""

    def __init__(self, account: Mapping[str, str], http: Http, clock: Clock) -> None:
        key = load_pem_private_key(account["private_key"].encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("a Google service account has an RSA key")
        self._key = key
        self._email = account["client_email"]
        self._token_url = account["token_uri"]
        self._http = http
        self._clock = clock
        self._token = ""
        self._renew_at = EARLIEST

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT of ours, issued now."""
        issued = {"iss": self._email, "iat": self._clock.now() // SECOND}
        return jwt.encode({**issued, **claims}, self._key, algorithm="RS256")

    def token(self) -> str:
        """An access token that is good for some minutes at least.

        Raises `Unavailable` where none can be had now, `Fault` where Google gives us none.
        """
        now = self._clock.now()
        if now >= self._renew_at:
            self._token, seconds = self._ask(now // SECOND)
            self._renew_at = now + seconds * SECOND - RENEW_BEFORE
        return self._token

    def forget_token(self) -> None:
        """The next call asks for a new one."""
        self._renew_at = EARLIEST

    def _ask(self, now_seconds: int) -> tuple[str, int]:
        """A new token and how many seconds it is good for."""
        claims = {"aud": TOKEN_AUDIENCE, "scope": SCOPE, "exp": now_seconds + ASSERTION_SECONDS}
        form = urlencode({"grant_type": JWT_BEARER, "assertion": self.sign(claims)})
        headers = {"content-type": "application/x-www-form-urlencoded"}
        response = self._http.send("POST", self._token_url, form.encode(), headers)
        _check(response, "an access token")
        try:
            answer = response.json
            return str(answer["access_token"]), int(answer["expires_in"])
        except (ValueError, KeyError, TypeError):
            raise Fault("Google answered without an access token") from None


def _check(response: Response, what: str) -> None:
    """Raises `Unavailable` for what passes by itself, `Fault` for what does not."""
    if response.status == 429 or response.status >= 500:
        raise Unavailable(f"Google answered {response.status} for {what}")
    if response.status >= 300:
        raise Fault(f"Google answered {response.status} for {what}: {_reason(response)}")


def _reason(response: Response) -> str:
    """Google's own words: `{error: {message}}` of the API, `{error_description}` of OAuth."""
    try:
        answer = response.json
        error = answer["error"]
        return str(error["message"] if isinstance(error, dict) else answer["error_description"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _clearing(look: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    """The patch that makes a stored object this one.

    A patch is merged into what is stored ("Method: loyaltyobject.patch": patch semantics), so
    what the look could fill and this card does not is sent as null, which removes it. A balance
    may have one form only: the others are removed too.
    """
    places = {place: _clearing_balance(resource.get(place)) for place in _PLACES}
    return {**dict.fromkeys(look), **dict.fromkeys(_PRINTED), **resource, **places}


def _clearing_balance(points: dict[str, Any] | None) -> dict[str, Any] | None:
    if points is None:
        return None
    return {**points, "balance": {"int": None, "string": None, **points["balance"]}}


def _message(said: Said, kind: str) -> dict[str, Any]:
    """The body of "Method: loyaltyobject.addmessage"."""
    message = {"id": said.id, "header": said.header, "body": said.body, "messageType": kind}
    return {"message": {**message, "displayInterval": {"end": {"date": said.until}}}}


def _points(points: dict[str, Any]) -> dict[str, Any]:
    """Google's integers have 32 bits; a balance beyond them is written as text."""
    number = points["balance"].get("int", 0)
    return points if number in _INT32 else {**points, "balance": {"string": str(number)}}


def _resource_id(issuer_id: str, *parts: str) -> str:
    """`<issuer>.<part>.<part>`, different for different parts."""
    return ".".join((issuer_id, *map(_plain, parts)))


def _plain(part: str) -> str:
    """Google allows letters, digits, `.`, `_` and `-`; any other byte becomes `-` and two digits.

    So do `.` and `-` themselves: they have a meaning here.
    """
    return re.sub(rb"\W", lambda found: b"-%02x" % found[0][0], part.encode()).decode()
