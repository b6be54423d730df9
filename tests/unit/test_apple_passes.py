"""Apple passes: the bundle is right to the byte, and openssl accepts its signature."""

import hashlib
import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import py_pkpass.models as fork
import pytest
from cryptography.hazmat.primitives.serialization import pkcs7

from chalicelib.adapters.apple import passbook
from chalicelib.adapters.apple.passbook import Files, Signer
from chalicelib.adapters.apple.passes import ApplePasses
from chalicelib.adapters.looks import Looks
from chalicelib.domain.cards.card import Card, CardBalance
from chalicelib.domain.errors import Fault
from chalicelib.wiring import LOOKS
from local.certificates import PASS_TYPE_ID, TEAM_ID, Certificates

STAMPS = CardBalance("stamps", "Stamps", 3, 8)
POINTS = CardBalance("points", "Points", 1250)


def card(*balances: CardBalance, **changes: Any) -> Card:
    fields: dict[str, Any] = {
        "program_id": "prg_1",
        "program_name": "Corner Coffee",
        "member_id": "mem_1",
        "look": "classic",
        "language": "en",
        "member_name": "Ada Lovelace",
        "balances": balances,
    }
    return Card(**{**fields, **changes})


@pytest.fixture(scope="session")
def signer(certificates: Certificates) -> Signer:
    return Signer(
        certificates.pass_certificate.encode(),
        certificates.pass_key.encode(),
        certificates.wwdr.encode(),
    )


@pytest.fixture(scope="session")
def builder(signer: Signer) -> ApplePasses:
    return ApplePasses(Looks(LOOKS), signer, PASS_TYPE_ID, TEAM_ID, "A shop")


def opened(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def pass_json(bundle: bytes) -> dict[str, Any]:
    return dict(json.loads(opened(bundle)["pass.json"]))


def test_the_bundle_holds_what_apple_asks_for(builder: ApplePasses) -> None:
    files = opened(builder.build(card(STAMPS), "https://shop.test/passkit", "t" * 22))
    assert {"pass.json", "manifest.json", "signature", "icon.png", "icon@2x.png"} <= set(files)
    hashed = {
        name: hashlib.sha1(data, usedforsecurity=False).hexdigest()
        for name, data in files.items()
        if name not in ("manifest.json", "signature")
    }
    assert json.loads(files["manifest.json"]) == hashed


@pytest.mark.parametrize("tampered", [False, True])
def test_openssl_verifies_the_signature_and_nothing_else(
    builder: ApplePasses, certificates: Certificates, tmp_path: Path, tampered: bool
) -> None:
    files = opened(builder.build(card(STAMPS), "https://shop.test/passkit", "t" * 22))
    manifest = files["manifest.json"] + b" " * tampered
    for name, data in (
        ("signature", files["signature"]),
        ("manifest", manifest),
        ("authority", certificates.authority.encode()),
    ):
        (tmp_path / name).write_bytes(data)
    command = (
        "openssl cms -verify -binary -inform DER -in signature -content manifest "
        "-CAfile authority -purpose any -out out"
    )
    done = subprocess.run(
        command.split(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) is not tampered, done.stderr
    embedded = pkcs7.load_der_pkcs7_certificates(files["signature"])
    given = {certificates.pass_certificate.strip(), certificates.wwdr.strip()}
    from cryptography.hazmat.primitives.serialization import Encoding

    assert {one.public_bytes(Encoding.PEM).decode().strip() for one in embedded} == given


def test_a_stamp_card_and_a_points_card_show_what_they_have(builder: ApplePasses) -> None:
    stamps = pass_json(builder.build(card(STAMPS), "https://shop.test/passkit", "t" * 22))
    assert stamps["storeCard"]["headerFields"][0]["value"] == "3 / 8"
    assert stamps["serialNumber"] == "prg_1.mem_1"
    assert stamps["authenticationToken"] == "t" * 22
    assert stamps["webServiceURL"] == "https://shop.test/passkit"
    assert (stamps["passTypeIdentifier"], stamps["teamIdentifier"]) == (PASS_TYPE_ID, TEAM_ID)
    assert "voided" not in stamps
    both = pass_json(builder.build(card(POINTS, STAMPS, voided=True), "https://a", "t" * 22))
    assert both["storeCard"]["headerFields"][0]["value"] == 1250
    assert both["storeCard"]["secondaryFields"][-1]["value"] == "3 / 8"
    assert both["voided"] is True


def test_nothing_is_empty_and_every_key_is_the_only_one(builder: ApplePasses) -> None:
    for shown in (card(STAMPS), card(POINTS), card(POINTS, STAMPS, member_name=None)):
        made = pass_json(builder.build(shown, "https://a", "t" * 22))
        assert "{" not in json.dumps(list(_values(made)))
        fields = [field for place in made["storeCard"].values() for field in place]
        keys = [field["key"] for field in fields]
        assert len(keys) == len(set(keys))
        for field in fields:
            assert field["value"] is not None
            assert "%@" in field.get("changeMessage", "%@")


def _values(made: Any) -> Any:
    if isinstance(made, dict):
        for value in made.values():
            yield from _values(value)
    elif isinstance(made, list):
        for value in made:
            yield from _values(value)
    else:
        yield made


def test_the_same_card_has_the_same_contents(builder: ApplePasses) -> None:
    one, other = (opened(builder.build(card(STAMPS), "https://a", "t" * 22)) for _ in range(2))
    del one["signature"], other["signature"]  # it holds the time of signing
    assert one == other


def test_a_look_that_is_not_there_is_a_fault(builder: ApplePasses) -> None:
    with pytest.raises(Fault):
        builder.build(card(STAMPS, look="none"), "https://a", "t" * 22)


def test_a_file_name_that_is_not_ascii_is_kept(signer: Signer) -> None:
    files = opened(Files({"größe.txt": b"x"}).bundle(b"{}", signer))
    assert files["größe.txt"] == b"x"


def build_with(module: Any) -> Any:
    """The calls of a program that was written for `passbook`."""
    information = module.StoreCard()
    information.addHeaderField("points", 12, "Points")
    information.addPrimaryField("name", "Ada", "")
    information.addBackField("terms", "None", "Terms")
    information.secondaryFields.append(module.NumberField("n", 0, "Number"))
    money = module.CurrencyField("c", 5, "Money", "EUR")
    money.changeMessage = "Now %@"
    information.auxiliaryFields.append(money)
    information.auxiliaryFields.append(module.DateField("d", "2026-11-23T12:00Z", "Day"))
    made = module.Pass(
        information,
        passTypeIdentifier=PASS_TYPE_ID,
        organizationName="Shop",
        teamIdentifier=TEAM_ID,
    )
    made.serialNumber = "1"
    made.description = "A card"
    made.barcode = module.Barcode("42", module.BarcodeFormat.CODE128, "alt")
    made.locations = [module.Location(0, 7.5)]
    made.backgroundColor = "rgb(1, 2, 3)"
    made.webServiceURL = "https://shop.test"
    made.authenticationToken = "t" * 22
    made.addFile("icon.png", io.BytesIO(b"png"))
    return made


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda one: one.json_dict()))


def test_code_for_passbook_gives_the_same_pass_but_for_what_is_better() -> None:
    ours, theirs = plain(build_with(passbook).json_dict()), plain(build_with(fork).json_dict())
    # 1. What is empty is left out; the fork writes it, and strict readers refuse it.
    for place in theirs["storeCard"].values():
        for field in place:
            for name in ("label", "changeMessage"):
                if field[name] == "":
                    del field[name]
            # 2. An alignment is only written where somebody set one: primary and back fields
            #    may have none.
            assert field.pop("textAlignment") == "PKTextAlignmentLeft"
            if field.get("isRelative") is False:
                del field["isRelative"]
    assert theirs.pop("suppressStripShine") is False
    # 3. `distance` is no key of Apple's, an empty text is none, and a height nobody gave is none.
    assert theirs["locations"] == [
        {"latitude": 0.0, "longitude": 7.5, "altitude": 0.0, "distance": None, "relevantText": ""}
    ]
    theirs["locations"] = [{"latitude": 0.0, "longitude": 7.5}]
    # 4. The fork's replacement for Code 128 on iOS 8 loses nothing here: it also keeps altText.
    assert ours == theirs


def test_create_writes_a_signed_pass(certificates: Certificates, tmp_path: Path) -> None:
    for name in ("pass_certificate", "pass_key", "wwdr"):
        (tmp_path / name).write_text(getattr(certificates, name))
    made = build_with(passbook).create(
        str(tmp_path / "pass_certificate"), str(tmp_path / "pass_key"), str(tmp_path / "wwdr"), ""
    )
    files = opened(made.getvalue())
    assert set(files) == {"icon.png", "pass.json", "manifest.json", "signature"}


def test_a_place_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        passbook.Location("here", "there")
