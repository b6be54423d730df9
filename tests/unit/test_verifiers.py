"""Others than us look at our passes: GnuTLS at the signature, passkit-generator at pass.json.

Each is skipped where it is not installed; with REGULARS_VERIFIERS=required, as in CI, it fails.
"""

import io
import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.adapters.apple.passbook import Signer
from chalicelib.adapters.apple.passes import ApplePasses
from chalicelib.adapters.looks import Looks
from chalicelib.domain.cards.card import BackText, Card, CardBalance, Colors, Place, Print
from chalicelib.wiring import LOOKS
from infra.package import ROOT
from local.certificates import PASS_TYPE_ID, TEAM_ID, Certificates

NODE_FOLDER = ROOT / "build" / "node"
SCHEMAS = ROOT / "tests" / "strict_pass.mjs"
CARD = Card(
    "prg_1",
    "Corner Coffee",
    "mem_1",
    "classic",
    "de",
    "Ada",
    (CardBalance("points", "Punkte", 1250), CardBalance("stamps", "Stempel", 3, 8)),
    tier="Gold",
    tier_progress="450 / 500",
    printed=Print(
        Colors("#112233", "#ffffff", "#cccccc"),
        "gold",
        ("code128", "qr", "aztec", "pdf417"),
        (BackText("how", "How", "Shop."), BackText("site", "S & <p>", "https://a", "https://a")),
        (Place(52.5, 13.4, "Hallo"), Place(-1.5, 0.0)),
        (("2027-01-31T10:00:00Z", "2027-01-31T20:00:00Z"),),
        "News",
        "2028-03-31T22:00:00Z",
    ),
)


def needed(there: bool, what: str) -> None:
    """Skips a test whose verifier is not here, or fails it where all must be."""
    if not there:
        assert os.environ.get("REGULARS_VERIFIERS") != "required", f"{what} is missing"
        pytest.skip(f"{what} is not installed")


@pytest.fixture
def files(certificates: Certificates) -> dict[str, bytes]:
    signer = Signer(
        certificates.pass_certificate.encode(),
        certificates.pass_key.encode(),
        certificates.wwdr.encode(),
    )
    key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE" + "A" * 86 + "=="
    builder = ApplePasses(Looks(LOOKS), signer, PASS_TYPE_ID, TEAM_ID, "A shop", key)
    bundle = builder.build(CARD, "https://shop.example/passkit", "t" * 22)
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("tampered", [False, True])
def test_gnutls_accepts_the_signature_and_nothing_else(
    files: dict[str, bytes], certificates: Certificates, tmp_path: Path, tampered: bool
) -> None:
    certtool = shutil.which("certtool")
    needed(certtool is not None, "certtool (gnutls-bin)")
    (tmp_path / "signature").write_bytes(files["signature"])
    (tmp_path / "manifest").write_bytes(files["manifest.json"] + b" " * tampered)
    (tmp_path / "authority").write_text(certificates.authority)
    command = f"{certtool} --p7-verify --inder --infile signature --load-data manifest"
    done = subprocess.run(
        [*command.split(), "--load-ca-certificate", "authority"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) is not tampered, done.stderr


def strictly(content: bytes) -> subprocess.CompletedProcess[bytes]:
    """What passkit-generator's schemas say of a pass.json."""
    node = shutil.which("node")
    installed = (NODE_FOLDER / "node_modules" / "passkit-generator").is_dir()
    needed(node is not None and installed, "npm's passkit-generator")
    command = [str(node), str(SCHEMAS), str(NODE_FOLDER)]
    return subprocess.run(command, input=content, capture_output=True, check=False)


def test_strict_schemas_accept_everything_that_a_card_can_have(files: dict[str, bytes]) -> None:
    done = strictly(files["pass.json"])
    assert done.returncode == 0, done.stderr.decode()
    content = json.loads(files["pass.json"])
    assert {"nfc", "locations", "relevantDates", "expirationDate", "posterGeneric"} <= set(content)


@pytest.mark.parametrize("name", ["description", "barcodes", "storeCard"])
def test_strict_schemas_refuse_what_is_tampered_with(files: dict[str, bytes], name: str) -> None:
    content = json.loads(files["pass.json"])
    content[name] = 1
    assert strictly(json.dumps(content).encode()).returncode != 0


def test_a_void_pass_is_strict_too(certificates: Certificates) -> None:
    from chalicelib.adapters.apple.passes import face_of

    face = face_of(Looks(LOOKS).get("classic"), replace(CARD, voided=True))
    assert face["voided"] is True and "barcodes" not in face
