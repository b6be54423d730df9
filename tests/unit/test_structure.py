"""What the linters cannot hold: the size of app.py, what a cold start loads, and the docs."""

import re
import subprocess
import sys

import pytest

from chalicelib.adapters.look_book import FolderOfLooks
from chalicelib.domain.cards.card import Card, CardBalance
from chalicelib.wiring import LOOKS
from infra.package import ROOT

HEAVY = (
    "boto3",
    "botocore",
    "pynamodb",
    "stripe",
    "cryptography",
    "jwt",
    "yaml",
    "h2",
    "urllib3",
    "segno",
    "babel",
)


def test_app_py_stays_small() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) <= 80


def test_importing_the_app_loads_nothing_heavy() -> None:
    """A cold start pays for what the first request needs, and for nothing else."""
    code = "import sys, app; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint(HEAVY)


def test_the_application_itself_never_needs_boto3() -> None:
    for file in (ROOT / "chalicelib").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) boto3", file.read_text(), re.MULTILINE), file


def test_the_picture_in_the_guide_is_drawn_by_the_code() -> None:
    card = Card(
        "prg_1",
        "Corner Coffee",
        "mem_1",
        "classic",
        "en",
        "Ada Lovelace",
        (CardBalance("stamps", "Stamps", 6, 8),),
    )
    assert (ROOT / "docs" / "card.svg").read_text() == FolderOfLooks(LOOKS).picture(card) + "\n"


@pytest.mark.parametrize("file", ["README.md", *sorted(p.name for p in ROOT.glob("docs/*.md"))])
def test_links_of_the_docs_lead_somewhere(file: str) -> None:
    path = ROOT / file if file == "README.md" else ROOT / "docs" / file
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if not link.startswith("http"):
            assert (path.parent / link).exists(), link


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    for page in folder.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


def test_the_table_of_faults_names_tests_that_are_there_and_all_that_play_one() -> None:
    files = (ROOT / "tests").rglob("test_*.py")
    written = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "faults.md").read_text()))
    assert named <= written, named - written
    assert {name for name in written if name.startswith("test_fault")} <= named
