"""Signed passes a second over what the machine can sign at all, with py-pkpass beside us."""

import io
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import py_pkpass.models as fork

from chalicelib.adapters.apple.passbook import Signer
from chalicelib.adapters.apple.passes import ApplePasses
from chalicelib.domain.card import Card, CardBalance
from chalicelib.wiring import LOOKS
from local.certificates import PASS_TYPE_ID, TEAM_ID, Certificates, ensure

SECONDS = 2.0
ROUNDS = 3
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
    """The lines to show. Each round measures all three, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        certificates = ensure(Path(folder))
        ours, theirs = _ours(certificates), _theirs(certificates, Path(folder))
        rounds = [(_rate(ours), _openssl(), _rate(theirs)) for _ in range(ROUNDS)]
    best = max(rounds, key=lambda row: row[0] / row[1])
    middle = sorted(rounds, key=lambda row: row[0] / row[1])[ROUNDS // 2]
    return [
        f"passes signed a second over `openssl speed rsa2048`: {middle[0] / middle[1]:.2f} "
        f"(aim >= 0.75); {middle[0]:.0f} over {middle[1]:.0f}, py-pkpass {middle[2]:.0f}; "
        f"median of {ROUNDS}, best {best[0] / best[1]:.2f}"
    ]


def _ours(certificates: Certificates) -> Callable[[], object]:
    signer = Signer(
        certificates.pass_certificate.encode(),
        certificates.pass_key.encode(),
        certificates.wwdr.encode(),
    )
    builder = ApplePasses(LOOKS, signer, PASS_TYPE_ID, TEAM_ID, "Bench")
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
