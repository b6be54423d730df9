"""What a shop puts on its card, as both wallets show it."""

import io
import json
import zipfile
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from local.certificates import Certificates
from tests.fakes.shop import Shop, goods

PROGRAM = """
name: Corner Shop
time_zone: Europe/Berlin
money: EUR
language: en
languages: [de]
currencies:
  points: {label: {en: Points, de: Punkte}}
earn:
  - {id: base, kind: per_amount, currency: points, per: 100}
counters:
  spend: {of: spend}
tiers:
  levels:
    - {id: silver, label: {en: Silver, de: Silber}}
    - {id: gold, label: Gold, at_least: {spend: 10000}}
ends: {last_day_to_earn: "2027-12-31", last_day_to_redeem: "2028-03-31"}
card:
  colors: {background: "#112233", text: "#ffffff", label: "#cccccc"}
  tiers:
    gold: {colors: {background: "#ccaa00", text: "#000000", label: "#333333"}}
  barcodes: [code128, qr]
  texts:
    - {id: how, label: {en: How to earn, de: So geht es}, text: {en: Shop., de: Einkaufen.}}
  links: [{id: site, label: Our site, url: "https://shop.example/?a=1&b=2"}]
  places: [{latitude: "52.52", longitude: "13.405", text: {en: Hello, de: Hallo}}]
  relevant: [{since: "2027-01-31T10:00:00Z", until: "2027-01-31T20:00:00Z"}]
  news: {en: New cake, de: Neuer Kuchen}
"""


def publish(shop: Shop, document: str) -> Any:
    headers = {"content-type": "application/yaml"}
    return shop.call("POST", "/v1/programs", document, headers=headers)


@pytest.fixture
def shop(certificates: Certificates) -> Shop:
    shop = Shop(memory_store(), apple=json.dumps(certificates.apple))
    reply = publish(shop, PROGRAM)
    assert reply.status == 201, reply.raw
    return shop


def pass_of(shop: Shop, member_id: str) -> dict[str, Any]:
    links = shop.call("GET", f"/v1/members/{member_id}/passes").json
    reply = shop.call("GET", links["apple"].removeprefix("https://shop.test"), key=None)
    with zipfile.ZipFile(io.BytesIO(reply.raw)) as bundle:
        assert "de.lproj/pass.strings" in bundle.namelist()
        return dict(json.loads(bundle.read("pass.json")))


def test_texts_links_places_times_and_colours_are_on_the_apple_pass(shop: Shop) -> None:
    ada = shop.enrol(locale="de-AT")
    card = pass_of(shop, ada)
    back = {one["key"]: one for one in card["storeCard"]["backFields"]}
    assert back["news"]["value"] == "Neuer Kuchen" and back["news"]["changeMessage"] == "%@"
    assert (back["text_how"]["label"], back["text_how"]["value"]) == ("So geht es", "Einkaufen.")
    assert back["link_site"]["value"] == "https://shop.example/?a=1&b=2"
    assert back["link_site"]["attributedValue"].startswith('<a href="https://shop.example/')
    place = {"latitude": 52.52, "longitude": 13.405, "relevantText": "Hallo"}
    assert card["locations"] == [place]
    assert card["relevantDates"] == [
        {"startDate": "2027-01-31T10:00:00Z", "endDate": "2027-01-31T20:00:00Z"}
    ]
    assert card["expirationDate"] == "2028-03-31T22:00:00Z"  # the day after, in Berlin
    assert card["backgroundColor"] == "rgb(17, 34, 51)"
    formats = [one["format"] for one in card["barcodes"]]
    assert formats == ["PKBarcodeFormatCode128", "PKBarcodeFormatQR"]
    assert card["barcode"]["format"] == "PKBarcodeFormatQR"
    assert card["storeCard"]["primaryFields"][0]["value"] == 0
    assert card["storeCard"]["primaryFields"][0]["numberStyle"] == "PKNumberStyleDecimal"
    assert card["posterGeneric"]["primaryFields"][0]["value"] == 0
    keys = [
        field["key"]
        for style in ("storeCard", "posterGeneric")
        for fields in card[style].values()
        for field in fields
    ]
    assert len(keys) == len(set(keys))


def test_a_tier_has_colours_of_its_own(shop: Shop) -> None:
    ada = shop.enrol()
    shop.order(ada, "1", goods(20000))
    card = pass_of(shop, ada)
    assert card["backgroundColor"] == "rgb(204, 170, 0)"
    tier = next(one for one in card["storeCard"]["secondaryFields"] if one["key"] == "tier")
    assert tier["value"] == "Gold"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("    gold: {colors", "    black: {colors", "card.tiers.black"),
        ("[code128, qr]", "[qr, qr]", "card.barcodes"),
        ('latitude: "52.52"', 'latitude: "91"', "card.places[0].latitude"),
        ('longitude: "13.405"', 'longitude: "-181.5"', "card.places[0].longitude"),
        ('until: "2027-01-31T20', 'until: "2027-02-02T20', "card.relevant[0].until"),
        ('since: "2027-01-31T10:00:00Z"', 'since: "tomorrow"', "card.relevant[0].since"),
        ("de: Neuer Kuchen", "fr: Gateau", "card.news"),
        ("de: Einkaufen.", "fr: Achats.", "card.texts[0].text"),
        ("https://shop", "http://shop", "card.links[0].url"),
        ('"#112233"', '"green"', "card.colors.background"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(
    shop: Shop, old: str, new: str, field: str
) -> None:
    assert old in PROGRAM
    reply = publish(shop, PROGRAM.replace(old, new))
    assert reply.status == 422
    assert [one["field"] for one in reply.json["errors"]] == [field], reply.raw


def test_another_text_of_the_shop_is_another_card(shop: Shop) -> None:
    ada = shop.enrol()
    was = pass_of(shop, ada)
    assert publish(shop, PROGRAM.replace("en: New cake", "en: New bread")).status == 201
    now = pass_of(shop, ada)
    assert was["storeCard"]["backFields"][0] != now["storeCard"]["backFields"][0]
