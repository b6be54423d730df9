"""Signed passes a second over what the machine can sign at all, with two others beside us.

py-pkpass is Python; passkit-generator is JavaScript, and measured where node and npm are at hand.
"""

import io
import json
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import py_pkpass.models as fork

from chalicelib.adapters.apple.passbook import Signer
from chalicelib.adapters.apple.passes import ApplePasses
from chalicelib.adapters.looks import Looks
from chalicelib.domain.cards.card import Card, CardBalance
from chalicelib.wiring import LOOKS
from infra.package import ROOT
from local.certificates import PASS_TYPE_ID, TEAM_ID, Certificates, ensure

SECONDS = 1.0
ROUNDS = 7  # of all, one after the other: whoever shares the machine disturbs each alike
NODE_PACKAGE, NODE_VERSION = "passkit-generator", "3.6.1"
NODE_FOLDER = ROOT / "build" / "node"
CARD = Card(
    "prg_bench",
    "Corner Coffee",
    "mem_bench",
    "classic",
    "en",
    "Ada Lovelace",
    (CardBalance("stamps", "Stamps", 3, 8),),
)


def run() -> list[str]:
    """The lines to show. Each round measures all of them, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates = ensure(folder)
        ours, theirs = _ours(certificates), _theirs(certificates, folder)
        node = _node_command(ours(), folder)
        rounds = [(_rate(ours), _openssl(), _rate(theirs), _node_rate(node)) for _ in range(ROUNDS)]
    best = max(rounds, key=lambda row: row[0] / row[1])
    middle = sorted(rounds, key=lambda row: row[0] / row[1])[ROUNDS // 2]
    javascript = "not measured" if middle[3] is None else f"{middle[3]:.0f}"
    return [
        f"passes signed a second over `openssl speed rsa2048`: {middle[0] / middle[1]:.2f} "
        f"(aim >= 0.75); {middle[0]:.0f} over {middle[1]:.0f}, py-pkpass {middle[2]:.0f}, "
        f"{NODE_PACKAGE} {javascript}; median of {ROUNDS}, best {best[0] / best[1]:.2f}"
    ]


def _ours(certificates: Certificates) -> Callable[[], bytes]:
    signer = Signer(
        certificates.pass_certificate.encode(),
        certificates.pass_key.encode(),
        certificates.wwdr.encode(),
    )
    builder = ApplePasses(Looks(LOOKS), signer, PASS_TYPE_ID, TEAM_ID, "Bench")
    return lambda: builder.build(CARD, "https://shop.example/passkit", "t" * 22)


def _theirs(certificates: Certificates, folder: Path) -> Callable[[], object]:
    paths = []
    for name in ("pass_certificate", "pass_key", "wwdr"):
        (folder / name).write_text(getattr(certificates, name))
        paths.append(str(folder / name))
    images = {one.name: one.read_bytes() for one in (LOOKS / "classic" / "apple").glob("*.png")}

    def build() -> object:
        information = fork.StoreCard()
        information.addHeaderField("stamps", "3 / 8", "Stamps")
        made = fork.Pass(information, "", PASS_TYPE_ID, "Bench", TEAM_ID)
        made.serialNumber, made.description = CARD.serial, CARD.program_name
        for name, data in images.items():
            made.addFile(name, io.BytesIO(data))
        return made.create(*paths, "")

    return build


def _node_command(bundle: bytes, folder: Path) -> list[str] | None:
    """The command that measures passkit-generator: the pass.json and images of our own bundle.

    None where node or npm is missing, or the registry is not reached. It reads the certificates
    that `_theirs` has written.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or not _is_installed(npm):
        return None
    model = folder / "model"
    model.mkdir()
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        for name in archive.namelist():
            if name == "pass.json" or name.endswith(".png"):
                archive.extract(name, model)
    script = ROOT / "benchmarks" / "passkit_generator.mjs"
    return [node, str(script), str(NODE_FOLDER), str(folder), str(SECONDS)]


def _is_installed(npm: str) -> bool:
    """Whether the package is in the build folder; fetched the first time."""
    about = NODE_FOLDER / "node_modules" / NODE_PACKAGE / "package.json"
    if about.exists() and json.loads(about.read_text())["version"] == NODE_VERSION:
        return True
    NODE_FOLDER.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"]
    command += ["--prefix", str(NODE_FOLDER), f"{NODE_PACKAGE}@{NODE_VERSION}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError):
        return False
    return about.exists()


def _node_rate(command: list[str] | None) -> float | None:
    if command is None:
        return None
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _rate(work: Callable[[], object]) -> float:
    work()
    count, began = 0, time.process_time()
    while (taken := time.process_time() - began) < SECONDS:
        work()
        count += 1
    return count / taken


def _openssl() -> float:
    command = ["openssl", "speed", "-seconds", str(int(SECONDS)), "rsa2048"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"rsa 2048 bits\s+\S+s\s+\S+s\s+([0-9.]+)", done.stdout)
    if found is None:
        raise ValueError(f"openssl says: {done.stdout}")
    return float(found.group(1))
