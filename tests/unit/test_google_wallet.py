"""Google Wallet: what it is sent, by its own discovery document and its own client."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chalicelib.adapters.google.wallet import SAVE_URL, Addresses, GoogleLoyalty
from chalicelib.adapters.http import Http
from chalicelib.adapters.looks import Looks
from chalicelib.domain.cards.card import BackText, Card, CardBalance, Colors, Place, Print
from chalicelib.domain.cards.message import Said
from chalicelib.domain.errors import Fault, Unavailable
from chalicelib.kernel.clock import MINUTE, SECOND, SystemClock
from local.discovery import Discovery
from local.google_wallet import EMAIL, SCOPE, GoogleWalletStandIn
from tests.fakes.shop import ROOT, SetClock

ISSUER = "3388000000012345678"
LOGO = "https://shop.test/logo.png"
CLASS_ID = f"{ISSUER}.prg_1.classic"
OBJECT_ID = f"{ISSUER}.prg_1.mem_1"
POINTS = CardBalance("points", "Points", 1250)
STAMPS = CardBalance("stamps", "Stamps", 7, goal=8)
CARD = Card(
    program_id="prg_1",
    program_name="Corner Coffee",
    member_id="mem_1",
    look="classic",
    language="en",
    member_name="Ada Löwe",
    balances=(POINTS,),
)
CLASS: dict[str, Any] = {
    "id": CLASS_ID,
    "issuerName": "Corner Coffee",
    "programName": "Corner Coffee",
    "programLogo": {"sourceUri": {"uri": LOGO}},
    "reviewStatus": "UNDER_REVIEW",
}
OBJECT: dict[str, Any] = {
    "id": OBJECT_ID,
    "classId": CLASS_ID,
    "state": "ACTIVE",
    "loyaltyPoints": {"label": "Points", "balance": {"int": 1250}},
    "accountId": "mem_1",
    "accountName": "Ada Löwe",
    "barcode": {"type": "QR_CODE", "value": "mem_1", "alternateText": "mem_1"},
}
Make = Callable[..., GoogleLoyalty]


@pytest.fixture(scope="session")
def key() -> RSAPrivateKey:
    """The key of the service account."""
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def stand_in(tmp_path: Path, key: RSAPrivateKey, clock: SetClock) -> Iterator[GoogleWalletStandIn]:
    with GoogleWalletStandIn(tmp_path / "google", key=key, clock=clock) as stand_in:
        yield stand_in


@pytest.fixture
def make(stand_in: GoogleWalletStandIn, clock: SetClock) -> Make:
    """Makes the adapter as a new process does."""

    def make(**changes: Any) -> GoogleLoyalty:
        given: dict[str, Any] = {
            "looks": Looks(ROOT / "passes"),
            "service_account": stand_in.service_account,
            "issuer_id": ISSUER,
            "logo_url": LOGO,
            "http": Http(),
            "clock": clock,
            "base_url": stand_in.url,
        }
        return GoogleLoyalty(**(given | changes))

    return make


@pytest.fixture(scope="session")
def discovery() -> Discovery:
    found = Discovery.installed("walletobjects.v1")
    assert found is not None
    return found


def calls(stand_in: GoogleWalletStandIn) -> list[tuple[str, str, int]]:
    """What was asked of the API, in short, and how it was answered."""
    prefix = "/walletobjects/v1/"
    return [
        (one["method"], one["path"].removeprefix(prefix).partition("/")[0], one["status"])
        for one in stand_in.requests
        if one["path"].startswith(prefix)
    ]


def tokens_asked(stand_in: GoogleWalletStandIn) -> int:
    return sum(one["path"] == "/token" for one in stand_in.requests)


# What members see


def test_a_card_becomes_a_class_and_an_object(make: Make, stand_in: GoogleWalletStandIn) -> None:
    make().put(CARD)
    assert stand_in.stored("loyaltyObject", OBJECT_ID) == OBJECT
    stored = stand_in.stored("loyaltyClass", CLASS_ID)
    assert stored is not None
    assert stored["reviewStatus"] == "APPROVED"
    assert stored["programName"] == stored["issuerName"] == "Corner Coffee"
    assert stored["programLogo"]["sourceUri"] == {"uri": LOGO}


@pytest.mark.parametrize(
    ("balances", "first", "second"),
    [
        ((STAMPS,), ("Stamps", {"string": "7 / 8"}), None),
        ((replace(STAMPS, goal=None),), ("Stamps", {"int": 7}), None),
        ((POINTS, STAMPS), ("Points", {"int": 1250}), ("Stamps", {"string": "7 / 8"})),
        ((replace(POINTS, amount=0),), ("Points", {"int": 0}), None),
        ((replace(POINTS, amount=-30),), ("Points", {"int": -30}), None),
        ((replace(POINTS, amount=2**31 - 1),), ("Points", {"int": 2**31 - 1}), None),
        ((replace(POINTS, amount=2**31),), ("Points", {"string": "2147483648"}), None),
        ((replace(POINTS, amount=-(10**12)),), ("Points", {"string": "-1000000000000"}), None),
        ((), None, None),
    ],
)
def test_balances_take_their_places(
    make: Make, stand_in: GoogleWalletStandIn, balances: Any, first: Any, second: Any
) -> None:
    make().put(replace(CARD, balances=balances))
    stored = stand_in.stored("loyaltyObject", OBJECT_ID)
    assert stored is not None
    for place, shown in (("loyaltyPoints", first), ("secondaryLoyaltyPoints", second)):
        expected = {"label": shown[0], "balance": shown[1]} if shown else None
        assert stored.get(place) == expected


def test_a_void_card_is_moved_away(make: Make, stand_in: GoogleWalletStandIn) -> None:
    google = make()
    google.put(CARD)
    google.put(replace(CARD, voided=True))
    assert stand_in.stored("loyaltyObject", OBJECT_ID) == OBJECT | {"state": "INACTIVE"}


@pytest.mark.parametrize(
    "before",
    [
        replace(CARD, balances=(STAMPS,)),
        replace(CARD, balances=(POINTS, STAMPS), voided=True),
        replace(CARD, balances=(replace(POINTS, amount=2**40),), member_name=None),
    ],
)
def test_nothing_of_an_earlier_card_stays(
    make: Make, stand_in: GoogleWalletStandIn, before: Card
) -> None:
    google = make()
    for card in (before, CARD, before, replace(CARD, member_name=None)):
        google.put(card)
    stored = stand_in.stored("loyaltyObject", OBJECT_ID)
    assert stored == {name: value for name, value in OBJECT.items() if name != "accountName"}


def test_what_others_put_on_the_object_stays(make: Make, stand_in: GoogleWalletStandIn) -> None:
    google = make()
    google.put(CARD)
    path = stand_in.folder / "loyaltyObject" / f"{OBJECT_ID}.json"
    messages = [{"id": "hello", "header": "Hello", "body": "Free cake today"}]
    path.write_text(json.dumps(OBJECT | {"messages": messages}))
    google.put(replace(CARD, balances=(replace(POINTS, amount=9),)))
    stored = stand_in.stored("loyaltyObject", OBJECT_ID)
    assert stored is not None
    assert stored["messages"] == messages
    assert stored["loyaltyPoints"]["balance"] == {"int": 9}


def test_the_class_knows_nothing_of_the_member(make: Make, stand_in: GoogleWalletStandIn) -> None:
    make().put(CARD)
    text = json.dumps(stand_in.stored("loyaltyClass", CLASS_ID), ensure_ascii=False)
    assert "Corner Coffee" in text
    assert "mem_1" not in text and "Löwe" not in text


def test_what_the_shop_prints_stands_in_class_and_object(
    make: Make, stand_in: GoogleWalletStandIn
) -> None:
    addresses = Addresses("https://shop.test/stamps", "https://shop.test/google/callbacks")
    printed = Print(
        colors=Colors("#112233", "#ffffff", "#cccccc"),
        tier="gold",
        barcodes=("aztec", "qr"),
        texts=(
            BackText("how", "How", "Buy"),
            BackText("web", "Web", "https://a.test", "https://a.test"),
        ),
        places=(Place(52.5, 13.4),),
        news="Cake",
        expires_at="2027-01-01T00:00:00Z",
    )
    google = make(addresses=addresses, redemption_issuers=["123"])
    shown = replace(CARD, balances=(POINTS, STAMPS), tier="Gold", printed=printed)
    google.put(shown)
    shared = stand_in.stored("loyaltyClass", f"{CLASS_ID}.gold.en") or {}
    assert shared["hexBackgroundColor"] == "#112233" and shared["rewardsTier"] == "Gold"
    assert shared["callbackOptions"] == {"url": "https://shop.test/google/callbacks"}
    assert (shared["enableSmartTap"], shared["redemptionIssuers"]) == (True, ["123"])
    mine = stand_in.stored("loyaltyObject", OBJECT_ID) or {}
    assert mine["heroImage"]["sourceUri"]["uri"] == (
        "https://shop.test/stamps/classic/8/7/112233-ffffff.png"
    )
    assert mine["smartTapRedemptionValue"] == "mem_1" and mine["barcode"]["type"] == "AZTEC"
    assert [one["id"] for one in mine["textModulesData"]] == ["news", "how"]
    assert mine["linksModuleData"]["uris"][0]["uri"] == "https://a.test"
    assert mine["merchantLocations"] == [{"latitude": 52.5, "longitude": 13.4}]
    assert mine["validTimeInterval"] == {"end": {"date": "2027-01-01T00:00:00Z"}}
    google.put(CARD)  # nothing of it stays
    plain = stand_in.stored("loyaltyObject", OBJECT_ID) or {}
    assert plain == OBJECT | {"smartTapRedemptionValue": "mem_1"}


# Messages

SAID = Said("m0", "For you", "A cake waits here.", True, "2026-12-23T12:00:00Z")


def messages_of(stand_in: GoogleWalletStandIn) -> list[tuple[str, str]]:
    """Of the stored object: ids and types."""
    stored = stand_in.stored("loyaltyObject", OBJECT_ID) or {}
    return [(one["id"], one["messageType"]) for one in stored.get("messages", [])]


def test_a_message_is_added_once_and_makes_its_object(
    make: Make, stand_in: GoogleWalletStandIn
) -> None:
    google = make()
    google.say(CARD, SAID)
    google.say(CARD, SAID)
    assert messages_of(stand_in) == [("m0", "TEXT_AND_NOTIFY")]
    assert stand_in.stored("loyaltyObject", OBJECT_ID) is not None


def test_the_fourth_alert_of_a_day_is_a_text_and_the_eleventh_message_ousts_the_first(
    make: Make, stand_in: GoogleWalletStandIn
) -> None:
    google = make()
    for number in range(11):
        google.say(CARD, replace(SAID, id=f"m{number}"))
    found = messages_of(stand_in)
    assert [one for one, _ in found] == [f"m{number}" for number in range(1, 11)]
    assert [kind for _, kind in found] == ["TEXT_AND_NOTIFY"] * 2 + ["TEXT"] * 8
    google.put(replace(CARD, member_name="Ada"))
    assert messages_of(stand_in) == found
    google.put(replace(CARD, voided=True))
    assert messages_of(stand_in) == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_message_that_google_throttles_is_tried_again(
    make: Make, stand_in: GoogleWalletStandIn, status: int
) -> None:
    google = make()
    google.put(CARD)
    stand_in.failures = iter([status])
    with pytest.raises(Unavailable):
        google.say(CARD, SAID)
    assert messages_of(stand_in) == []
    google.say(CARD, SAID)
    assert len(messages_of(stand_in)) == 1


# Identifiers


def test_what_google_refuses_of_another_class_is_shown_in_the_class_there_is(
    make: Make, stand_in: GoogleWalletStandIn
) -> None:
    google = make()
    google.put(CARD)
    gold = replace(
        CARD, tier="Gold", printed=Print(tier="gold"), balances=(replace(POINTS, amount=9),)
    )
    google.put(gold)
    stored = stand_in.stored("loyaltyObject", OBJECT_ID)
    assert stored is not None and stored["classId"] == f"{CLASS_ID}.gold.en"
    stand_in.failures = iter([400])
    google.put(replace(CARD, balances=(replace(POINTS, amount=10),)))
    stored = stand_in.stored("loyaltyObject", OBJECT_ID)
    assert stored is not None
    assert stored["classId"] == f"{CLASS_ID}.gold.en"  # as it was
    assert stored["loyaltyPoints"]["balance"] == {"int": 10}
    assert "classId" not in stand_in.requests[-1]["body"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("prg_1", "mem_1"), ("prg_2", "mem_1")),
        (("a.b", "c"), ("a", "b.c")),
        (("a-2eb", "c"), ("a.b", "c")),
        (("a", "ü"), ("a", "u")),
        (("a/b", "c"), ("a?b", "c")),
    ],
)
def test_programs_and_members_never_share_an_object(
    make: Make, stand_in: GoogleWalletStandIn, one: tuple[str, str], other: tuple[str, str]
) -> None:
    google = make()
    for program_id, member_id in (one, other):
        google.put(replace(CARD, program_id=program_id, member_id=member_id))
    ids = [path.name for path in (stand_in.folder / "loyaltyObject").iterdir()]
    assert len(ids) == 2
    assert all(re.fullmatch(rf"{ISSUER}\.[A-Za-z0-9._-]+\.json", one) for one in ids)


# What Google takes


def test_everything_sent_is_what_google_takes(
    make: Make, stand_in: GoogleWalletStandIn, discovery: Discovery
) -> None:
    for google in (make(), make()):
        for balances in ((POINTS,), (STAMPS,), (POINTS, STAMPS), ()):
            for name in ("Ada Löwe", None):
                google.put(replace(CARD, balances=balances, member_name=name, voided=not name))
        google.put(replace(CARD, program_name="Corner Tea", member_id="mem_2"))
    seen = set()
    for one in stand_in.requests:
        if one["path"] == "/token":
            continue
        method = discovery.method(one["method"], one["path"])
        assert method is not None and method.request is not None
        assert method.query.issuperset(one["query"])
        whole = one["method"] == "POST"
        assert discovery.problems(method.request, one["body"], whole=whole) == []
        if not whole:
            assert method.arguments["resourceId"] == one["body"]["id"]
        seen.add(method.name)
    assert seen == {
        "loyaltyclass.insert",
        "loyaltyclass.patch",
        "loyaltyobject.insert",
        "loyaltyobject.patch",
    }


@pytest.mark.parametrize(
    ("schema", "change", "problem"),
    [
        ("LoyaltyObject", {"points": 1}, "Unknown name \"points\" at ''"),
        ("LoyaltyObject", {"state": "GONE"}, "Invalid value at 'state'"),
        ("LoyaltyObject", {"state": None}, "Missing required field 'state'"),
        ("LoyaltyObject", {"accountId": 5}, "Invalid value at 'accountId' (string)"),
        (
            "LoyaltyObject",
            {"loyaltyPoints": {"balance": {"int": "5"}}},
            "loyaltyPoints.balance.int",
        ),
        ("LoyaltyObject", {"loyaltyPoints": {"balance": {"int": 2**31}}}, "(int32), 2147483648"),
        ("LoyaltyObject", {"loyaltyPoints": {"balance": {"int": True}}}, "(integer), true"),
        ("LoyaltyObject", {"loyaltyPoints": [{}]}, "Invalid value at 'loyaltyPoints' (object)"),
        ("LoyaltyObject", {"barcode": {"text": ""}}, "Unknown name \"text\" at 'barcode'"),
        ("LoyaltyObject", {"textModulesData": [{}, {"a": 1}]}, "at 'textModulesData[1]'"),
        ("LoyaltyObject", {"version": "1.5"}, "Invalid value at 'version' (int64)"),
        ("LoyaltyClass", {"programLogo": None}, "Missing required field 'programLogo'"),
        ("LoyaltyClass", {"enableSmartTap": "yes"}, "Invalid value at 'enableSmartTap' (boolean)"),
    ],
)
def test_the_discovery_document_finds_mistakes(
    discovery: Discovery, schema: str, change: dict[str, Any], problem: str
) -> None:
    right = OBJECT if schema == "LoyaltyObject" else CLASS
    assert discovery.problems(schema, right, whole=True) == []
    (found,) = discovery.problems(schema, right | change, whole=True)
    assert problem in found


def test_the_discovery_document_knows_its_calls(discovery: Discovery) -> None:
    assert discovery.method("PUT", "/walletobjects/v1/loyaltyObjects/1.a") is None
    assert discovery.method("DELETE", "/walletobjects/v1/loyaltyObject/1.a") is None
    found = discovery.method("GET", "/walletobjects/v1/loyaltyObject")
    assert found is not None and found.request is None
    assert "classId" in found.query and "issuerId" not in found.query


@pytest.fixture
def googles_client(tmp_path: Path, key: RSAPrivateKey) -> Iterator[Any]:
    """Google's own library, and the stand-in that it calls (`stand_in`); it has no set clock."""
    from google.oauth2.service_account import Credentials
    from googleapiclient.discovery import build

    with GoogleWalletStandIn(tmp_path / "now", key=key) as stand_in:
        credentials = Credentials.from_service_account_info(
            stand_in.service_account, scopes=[SCOPE]
        )
        with build(
            "walletobjects",
            "v1",
            credentials=credentials,
            client_options={"api_endpoint": stand_in.url},
            static_discovery=True,
        ) as client:
            client.stand_in = stand_in
            yield client


def refused_by(call: Any) -> int:
    """The status of an error, as Google's library tells it."""
    from googleapiclient.errors import HttpError

    with pytest.raises(HttpError) as refused:
        call.execute()
    return int(refused.value.status_code)


def test_googles_own_client_reads_the_same(googles_client: Any, make: Make) -> None:
    """Its library asks for the token, makes the addresses and reads the answers."""
    url, account = googles_client.stand_in.url, googles_client.stand_in.service_account
    google = make(base_url=url, service_account=account, clock=SystemClock())
    google.put(CARD)
    objects, classes = googles_client.loyaltyobject(), googles_client.loyaltyclass()
    assert objects.get(resourceId=OBJECT_ID).execute() == OBJECT
    listed = classes.list(issuerId=ISSUER).execute()
    assert [one["id"] for one in listed["resources"]] == [CLASS_ID]
    assert objects.list(classId=CLASS_ID).execute()["resources"] == [OBJECT]
    changed = {"loyaltyPoints": {"balance": {"int": 3}}}
    answer = objects.patch(resourceId=OBJECT_ID, body=changed).execute()
    assert answer["loyaltyPoints"] == {"label": "Points", "balance": {"int": 3}}
    google.put(CARD)
    assert objects.get(resourceId=OBJECT_ID).execute() == OBJECT


def test_googles_own_client_is_answered_and_refused_as_google_would(googles_client: Any) -> None:
    objects, classes = googles_client.loyaltyobject(), googles_client.loyaltyclass()
    assert refused_by(classes.get(resourceId=CLASS_ID)) == 404
    assert refused_by(objects.insert(body=OBJECT)) == 404  # its class is not there
    assert classes.insert(body=CLASS).execute()["reviewStatus"] == "APPROVED"
    assert refused_by(classes.insert(body=CLASS)) == 409
    assert refused_by(classes.patch(resourceId=CLASS_ID, body={"programName": "Tea"})) == 400
    renamed = {"programName": "Tea", "reviewStatus": "UNDER_REVIEW"}
    assert classes.patch(resourceId=CLASS_ID, body=renamed).execute()["programName"] == "Tea"
    assert classes.get(resourceId=CLASS_ID).execute()["programName"] == "Tea"
    assert objects.insert(body=OBJECT).execute() == OBJECT
    assert refused_by(objects.insert(body=OBJECT)) == 409
    assert refused_by(objects.patch(resourceId=f"{ISSUER}.none", body={"accountId": "a"})) == 404
    message = {"id": "hello", "header": "Hello", "body": "Cake", "messageType": "TEXT_AND_NOTIFY"}
    for resource, name in ((objects, OBJECT_ID), (classes, CLASS_ID)):
        call = resource.addmessage(resourceId=name, body={"message": message})
        assert call.execute()["resource"]["messages"] == [message]
        assert refused_by(resource.addmessage(resourceId=f"{ISSUER}.none", body={})) == 404
    for _ in range(2):
        objects.addmessage(resourceId=OBJECT_ID, body={"message": message}).execute()
    assert refused_by(objects.addmessage(resourceId=OBJECT_ID, body={"message": message})) == 403
    silent = {"message": {**message, "messageType": "TEXT"}}
    added = objects.addmessage(resourceId=OBJECT_ID, body=silent).execute()
    assert len(added["resource"]["messages"]) == 4


# How it is sent


def test_the_class_goes_out_once_and_again_when_it_changed(
    make: Make, stand_in: GoogleWalletStandIn
) -> None:
    google = make()
    google.put(CARD)
    google.put(replace(CARD, balances=(STAMPS,)))
    google.put(replace(CARD, member_id="mem_2"))
    google.put(replace(CARD, program_name="Corner Tea"))
    google.put(replace(CARD, program_id="prg_2"))
    assert [one[:2] for one in calls(stand_in)] == [
        ("PATCH", "loyaltyClass"),
        ("POST", "loyaltyClass"),
        ("PATCH", "loyaltyObject"),
        ("POST", "loyaltyObject"),
        ("PATCH", "loyaltyObject"),  # another balance
        ("PATCH", "loyaltyObject"),
        ("POST", "loyaltyObject"),  # another member
        ("PATCH", "loyaltyClass"),
        ("PATCH", "loyaltyObject"),  # another name of the program
        ("PATCH", "loyaltyClass"),
        ("POST", "loyaltyClass"),
        ("PATCH", "loyaltyObject"),
        ("POST", "loyaltyObject"),  # another program
    ]
    stored = stand_in.stored("loyaltyClass", CLASS_ID)
    assert stored is not None
    assert stored["programName"] == "Corner Tea"


@pytest.mark.parametrize("kind", ["loyaltyClass", "loyaltyObject"])
def test_two_processes_may_insert_at_once(
    make: Make, stand_in: GoogleWalletStandIn, kind: str
) -> None:
    make().put(replace(CARD, member_name="Before"))
    google = make()
    if kind == "loyaltyObject":
        google.put(replace(CARD, member_id="mem_2"))  # its class is out
    before = len(calls(stand_in))
    stand_in.failures = iter([404])  # it was not there when we asked
    google.put(CARD)
    assert calls(stand_in)[before:][:3] == [
        ("PATCH", kind, 404),
        ("POST", kind, 409),
        ("PATCH", kind, 200),
    ]
    assert stand_in.stored("loyaltyObject", OBJECT_ID) == OBJECT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_by_itself_is_unavailable(
    make: Make, stand_in: GoogleWalletStandIn, status: int
) -> None:
    google = make()
    stand_in.failures = iter([status])
    with pytest.raises(Unavailable, match=str(status)):
        google.put(CARD)
    assert len(calls(stand_in)) == 1  # the queue tries again, not we
    google.put(CARD)
    assert stand_in.stored("loyaltyObject", OBJECT_ID) == OBJECT


def test_no_connection_is_unavailable(make: Make, stand_in: GoogleWalletStandIn) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
        account = stand_in.service_account | {"token_uri": f"{closed}/token"}
        for google in (make(base_url=closed), make(service_account=account)):
            with pytest.raises(Unavailable):
                google.put(CARD)


def test_what_google_refuses_is_a_fault_in_googles_words(
    make: Make, stand_in: GoogleWalletStandIn, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "passes" / "classic", tmp_path / "looks" / "classic")
    look = tmp_path / "looks" / "classic" / "google" / "object.json"
    look.write_text(json.dumps(json.loads(look.read_bytes()) | {"colour": "red"}))
    with pytest.raises(Fault, match=r'400 for .*Unknown name "colour"') as refused:
        make(looks=Looks(tmp_path / "looks")).put(CARD)
    assert not isinstance(refused.value, Unavailable)
    stand_in.failures = repeat(403)
    with pytest.raises(Fault, match=r"403 for .*told to fail"):
        make().put(CARD)


# Tokens


def test_a_token_is_used_until_shortly_before_its_end(
    make: Make, stand_in: GoogleWalletStandIn, clock: SetClock
) -> None:
    google = make()
    google.put(CARD)
    clock.at += 54 * MINUTE
    google.put(CARD)
    assert tokens_asked(stand_in) == 1
    clock.at += MINUTE  # 59 min 59 s less five minutes
    google.put(CARD)
    assert tokens_asked(stand_in) == 2
    assert {status for _, _, status in calls(stand_in)} == {200, 404}


def test_a_revoked_token_is_replaced_once(make: Make, stand_in: GoogleWalletStandIn) -> None:
    google = make()
    google.put(CARD)
    stand_in.tokens.clear()
    google.put(CARD)
    assert calls(stand_in)[-2:] == [
        ("PATCH", "loyaltyObject", 401),
        ("PATCH", "loyaltyObject", 200),
    ]
    stand_in.failures = repeat(401)
    with pytest.raises(Fault, match="401"):
        google.put(CARD)
    assert tokens_asked(stand_in) == 3


def test_a_foreign_key_gets_no_token(make: Make, stand_in: GoogleWalletStandIn) -> None:
    with pytest.raises(Fault, match="an access token: Signature verification failed"):
        make(service_account=stand_in.service_account | {"private_key": foreign_key()}).put(CARD)
    with pytest.raises(Fault, match="an access token: "):
        make(service_account=stand_in.service_account | {"client_email": "x@y.test"}).put(CARD)
    assert calls(stand_in) == []


def test_a_service_account_without_an_rsa_key_is_refused_at_once(make: Make) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
    from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic

    pem = elliptic(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    account = {"private_key": pem.decode(), "client_email": EMAIL, "token_uri": "https://a.test"}
    with pytest.raises(ValueError, match="RSA"):
        make(service_account=account)


@pytest.mark.parametrize("ahead", [-6 * MINUTE, 61 * MINUTE])
def test_a_clock_that_is_wrong_gets_no_token(make: Make, clock: SetClock, ahead: int) -> None:
    with pytest.raises(Fault, match="an access token: Invalid JWT"):
        make(clock=SetClock(clock.at - ahead)).put(CARD)


def test_no_secret_stands_in_an_error(make: Make, tmp_path: Path, clock: SetClock) -> None:
    errors = []
    with GoogleWalletStandIn(tmp_path / "ending", clock=clock) as stand_in:
        google = make(base_url=stand_in.url, service_account=stand_in.service_account)
        for statuses in ([500], [403], [401, 401], [404, 500], [429]):
            stand_in.failures = iter(statuses)
            with pytest.raises(Fault) as refused:
                google.put(CARD)
            errors.append(refused.value)
    without_token = make(service_account=stand_in.service_account)
    for one in (google, without_token):
        with pytest.raises(Unavailable) as unreachable:
            one.put(CARD)
        errors.append(unreachable.value)
    text = "".join(line for error in errors for line in traceback.format_exception(error))
    pem = stand_in.service_account["private_key"].splitlines()
    signature = google.save_link(CARD).rpartition(".")[2]
    assert len(stand_in.tokens) == 2
    assert [one for one in (*stand_in.tokens, *pem[1:-1], signature) if one in text] == []
    assert "eyJ" not in text  # how every JWT begins


def foreign_key() -> str:
    """Of nobody whom Google knows."""
    other = generate_private_key(public_exponent=65537, key_size=2048)
    return other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


# Save links


def test_a_save_link_names_the_object_alone(
    make: Make, key: RSAPrivateKey, clock: SetClock
) -> None:
    link = make(origins=["https://shop.test"]).save_link(CARD)
    assert link.startswith(SAVE_URL)
    token = link.removeprefix(SAVE_URL)
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT"}
    claims = jwt.decode(
        token,
        key.public_key(),
        algorithms=["RS256"],
        audience="google",
        options={"verify_iat": False},
    )
    assert claims == {
        "iss": EMAIL,
        "aud": "google",
        "typ": "savetowallet",
        "iat": clock.at // SECOND,
        "origins": ["https://shop.test"],
        "payload": {"loyaltyObjects": [{"id": OBJECT_ID, "classId": CLASS_ID}]},
    }


def test_a_save_link_is_short_and_the_same_within_a_second(
    make: Make, stand_in: GoogleWalletStandIn, clock: SetClock
) -> None:
    long = replace(CARD, program_id="prg_" + "a" * 20, member_id="mem_" + "b" * 20)
    link = make().save_link(long)
    assert len(link) < 1000
    assert make().save_link(replace(long, balances=(STAMPS,), member_name=None)) == link
    clock.at += SECOND
    assert make().save_link(long) != link
    assert stand_in.requests == []  # it needs nobody


# The stand-in


def test_the_stand_in_refuses_what_google_refuses(
    make: Make, stand_in: GoogleWalletStandIn
) -> None:
    make().put(CARD)
    bearer = f"Bearer {next(iter(stand_in.tokens))}"
    root = "/walletobjects/v1"
    text_too = {"loyaltyPoints": {"balance": {"string": "5"}}}
    other = OBJECT | {"id": f"{ISSUER}.b"}
    for verb, path, authorization, body, status in [
        ("GET", f"/loyaltyObject/{OBJECT_ID}", "", None, 401),
        ("GET", f"/loyaltyObject/{OBJECT_ID}", "Bearer x", None, 401),
        ("GET", f"/loyaltyObject/{OBJECT_ID}", bearer, None, 200),
        ("GET", f"/loyaltyObject/{ISSUER}.b", bearer, None, 404),
        ("GET", "/loyaltyObject/..%2Fx", bearer, None, 400),
        ("GET", "/loyaltyObject?page=1", bearer, None, 400),
        ("POST", "/loyaltyObject", bearer, None, 400),
        ("POST", "/loyaltyObject", bearer, OBJECT, 409),
        ("POST", "/loyaltyObject", bearer, other | {"classId": f"{ISSUER}.none"}, 404),
        ("POST", "/loyaltyObject", bearer, OBJECT | {"id": "a.b"}, 400),
        ("POST", "/loyaltyClass", bearer, CLASS, 409),
        ("PATCH", f"/loyaltyClass/{CLASS_ID}", bearer, {"programName": "B"}, 400),
        ("PATCH", f"/loyaltyObject/{OBJECT_ID}", bearer, text_too, 400),
        ("PATCH", f"/loyaltyObject/{OBJECT_ID}", bearer, {"state": None}, 400),
        ("PATCH", f"/loyaltyObject/{OBJECT_ID}", bearer, {"id": f"{ISSUER}.b"}, 400),
        ("PUT", f"/loyaltyObject/{OBJECT_ID}", bearer, OBJECT, 501),
        ("DELETE", f"/loyaltyObject/{OBJECT_ID}", bearer, None, 404),
    ]:
        raw = json.dumps(body).encode() if body else b""
        answered, answer = stand_in.answer(verb, root + path, authorization, raw)
        assert answered == status, (verb, path, answer)
        assert status == 200 or answer["error"]["code"] == status
    assert stand_in.stored("loyaltyObject", OBJECT_ID) == OBJECT


def test_the_stand_in_runs_by_itself_and_keeps_its_state(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    for ending, statuses in ((signal.SIGINT, [503, 404, 200, 404, 200]), (signal.SIGTERM, [200])):
        command = [sys.executable, "-m", "local.google_wallet", "--port=0", f"--folder={folder}"]
        more = ["--fail=503:1"] if ending is signal.SIGINT else []
        with subprocess.Popen(
            command + more, cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            account = json.loads((folder / "service_account.json").read_bytes())
            assert account["token_uri"] == f"{url}/token"
            google = make(base_url=url, service_account=account, clock=SystemClock())
            if more:
                with pytest.raises(Unavailable):
                    google.put(CARD)
            google.put(CARD)
            process.send_signal(ending)
            assert process.wait(5) == 0
        rows = [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]
        answered = [one["status"] for one in rows if one["path"] != "/token"]
        assert answered[-len(statuses) :] == statuses
    stored = json.loads((folder / "loyaltyObject" / f"{OBJECT_ID}.json").read_bytes())
    assert stored == OBJECT
    assert len(answered) == 7  # the second found both
