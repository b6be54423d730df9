"""What is wrong with a look is said when it is published, not by a customer's phone."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.look_book import FolderOfLooks
from chalicelib.adapters.memory.store import memory_store
from chalicelib.adapters.pictures import Mask, NotAPicture, head_of
from chalicelib.domain.cards.card import Card, CardBalance, Colors, Print
from chalicelib.wiring import LOOKS
from tests.fakes.shop import Shop

CARD = Card(
    "prg_1",
    "Corner Coffee",
    "mem_1",
    "classic",
    "de",
    "Ada",
    (CardBalance("stamps", "Stempel", 5, 8),),
)
INK = Colors("#102030", "#fafafa", "#dddddd")


@pytest.fixture
def look(tmp_path: Path) -> Path:
    shutil.copytree(LOOKS / "classic", tmp_path / "classic")
    return tmp_path / "classic"


def problems(look: Path) -> list[str]:
    return FolderOfLooks(look.parent).problems("classic", frozenset({"stamps"}))


def change(look: Path, file: str, edit: Callable[[dict[str, Any]], object]) -> None:
    path = look / file
    template = json.loads(path.read_text())
    edit(template)
    path.write_text(json.dumps(template))


def card_of(template: dict[str, Any]) -> dict[str, Any]:
    return dict(template["storeCard"])


APPLE = "apple/pass.json"
MISTAKES: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    (APPLE, lambda it: it.update(backgroundColor="green"), "backgroundColor is no colour"),
    (APPLE, lambda it: it.update(labelColor="rgb(1, 2, 256)"), "labelColor is no colour"),
    (APPLE, lambda it: it.update(serialNumber="1"), "serialNumber is not for a look"),
    (APPLE, lambda it: it.update(colour="red"), "colour is no key of a pass"),
    (APPLE, lambda it: it.pop("description"), "description is missing"),
    (APPLE, lambda it: it.pop("storeCard"), "there is no storeCard"),
    (
        APPLE,
        lambda it: card_of(it)["backFields"].append({"key": "first", "value": "x"}),
        "2 fields have the key first",
    ),
    (APPLE, lambda it: card_of(it)["headerFields"][0].update(changeMessage="New"), "has no %@"),
    (APPLE, lambda it: card_of(it)["headerFields"][0].pop("value"), "has no key or no value"),
    (APPLE, lambda it: card_of(it)["secondaryFields"][0].update(key="text_a"), "is taken"),
    (APPLE, lambda it: it["storeCard"].update(sideFields=[]), "no place for fields"),
    (
        APPLE,
        lambda it: card_of(it)["backFields"][0].update(textAlignment="PKTextAlignmentLeft"),
        "cannot be aligned",
    ),
    (
        APPLE,
        lambda it: it["storeCard"].update(
            auxiliaryFields=[{"key": f"a{one}", "value": "x"} for one in range(2)]
        ),
        "more than 4 secondary",
    ),
    (
        APPLE,
        lambda it: card_of(it)["backFields"][0].update(value="{points}"),
        "{points} stands for nothing",
    ),
    ("google/class.json", lambda it: it.update(hexBackgroundColor="red"), "hexBackgroundColor"),
    ("google/class.json", lambda it: it.update(accountIdLabel="x" * 16), "more than 15"),
    ("google/class.json", lambda it: it.pop("programLogo"), "programLogo is missing"),
    (APPLE, lambda it: card_of(it)["backFields"][0].update(key="message"), "message of"),
    (APPLE, lambda it: it.update(storeCard=[1]), "storeCard has something else"),
    (APPLE, lambda it: it["storeCard"].update(backFields=None), "something else than lists"),
    (APPLE, lambda it: it["storeCard"].update(backFields=[7]), "something else than lists"),
    (APPLE, lambda it: card_of(it)["headerFields"][0].update(changeMessage=5), "has no %@"),
    ("google/object.json", lambda it: it.update(loyaltyPoints={}), "not a list of objects"),
    ("google/object.json", lambda it: it["loyaltyPoints"][0].pop("balance"), "or a balance"),
]


@pytest.mark.parametrize("file", [APPLE, "google/class.json", "google/object.json"])
@pytest.mark.parametrize("content", ["[]", "5", "null", '"x"'])
def test_a_template_that_is_no_object_is_named(look: Path, file: str, content: str) -> None:
    (look / file).write_text(content)
    assert problems(look) == [f"{file} is not an object"]


def test_the_looks_that_come_along_are_sound() -> None:
    book = FolderOfLooks(LOOKS)
    for folder in LOOKS.iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert book.problems(folder.name, frozenset()) == [], folder


@pytest.mark.parametrize(("file", "edit", "said"), MISTAKES, ids=[one[2] for one in MISTAKES])
def test_a_mistake_is_named(
    look: Path, file: str, edit: Callable[[dict[str, Any]], object], said: str
) -> None:
    change(look, file, edit)
    assert any(said in one for one in problems(look)), problems(look)


def test_images_are_looked_at(look: Path) -> None:
    apple = look / "apple"
    for name in ("icon.png", "icon@2x.png", "icon@3x.png"):
        (apple / name).unlink()
    assert any("icon.png is missing" in one for one in problems(look))
    shutil.copy(apple / "strip.png", apple / "icon.png")
    assert any("icon.png is 375 x 144" in one for one in problems(look))
    shutil.copy(apple / "strip@3x.png", apple / "logo.png")
    assert any("160 x 50 are the most" in one for one in problems(look))
    (apple / "strip.png").write_bytes(b"GIF89a")
    assert any("strip.png is not a PNG" in one for one in problems(look))
    shutil.copy(apple / "logo@2x.png", apple / "banner.png")
    assert any("banner.png is no image" in one for one in problems(look))
    (apple / "de.lproj" / "pass.strings").write_text('"Level" = "Stufe"')
    assert any("pass.strings is not" in one for one in problems(look))
    shutil.copy(apple / "logo@2x.png", look / "stamps" / "full.png")
    assert any("a mask is not greyscale" in one for one in problems(look))


def test_a_program_with_a_faulty_look_is_not_published(
    look: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(look, APPLE, lambda it: it.update(backgroundColor="green"))
    monkeypatch.setattr("chalicelib.wiring.LOOKS", look.parent)
    shop = Shop(memory_store())
    reply = shop.publish("coffee_stamps")
    assert (reply.status, reply.code) == (422, "invalid_program")
    assert "backgroundColor" in reply.json["errors"][0]["reason"]
    document = (LOOKS.parent / "programs" / "coffee_stamps.yaml").read_text() + "\nlook: nowhere\n"
    headers = {"content-type": "application/yaml"}
    reply = shop.call("POST", "/v1/programs", document, headers=headers)
    error = reply.json["errors"][0]
    assert error["field"] == "look" and "has no apple/pass.json" in error["reason"]
    assert error["line"] == document.count("\n")


def test_stamps_are_drawn_for_each_count_in_the_colours_of_the_card(look: Path) -> None:
    book = FolderOfLooks(look.parent)
    pictures = [book.stamps("classic", 8, count, INK) for count in range(9)]
    assert len({one for one in pictures if one}) == 9
    drawn = pictures[3]
    assert drawn is not None
    assert (head_of(drawn).width, head_of(drawn).height) == (1032, 336)
    start = drawn.index(b"PLTE") + 4
    palette = drawn[start : start + 768]
    assert palette[:3] == bytes((0x10, 0x20, 0x30)) and palette[-3:] == bytes((0xFA,) * 3)
    assert book.stamps("classic", 8, 3, INK) == drawn
    assert len({book.stamps("classic", goal, 1, INK) for goal in range(1, 51)}) == 50


def test_a_scaled_mask_keeps_its_light() -> None:
    mask = Mask.read((LOOKS / "classic" / "stamps" / "full.png").read_bytes())
    light = sum(map(sum, mask.rows)) / mask.size**2
    for size in (7, 48, 100, 144, 300):
        scaled = mask.scaled(size)
        assert len(scaled.rows) == size and {len(row) for row in scaled.rows} == {size}
        assert abs(sum(map(sum, scaled.rows)) / size**2 - light) < 3
    assert mask.scaled(144).rows == mask.rows
    with pytest.raises(NotAPicture):
        Mask.read((LOOKS / "classic" / "apple" / "icon.png").read_bytes())


def test_the_picture_shows_what_the_pass_shows() -> None:
    from dataclasses import replace

    book = FolderOfLooks(LOOKS)
    shown = book.picture(replace(CARD, tier="Gold & mehr", printed=Print(colors=INK)))
    for text in ("5 / 8", "Stempel", "Ada", "Mitglied", "Stufe", "Gold &amp; mehr", "#102030"):
        assert text in shown, text
    assert shown.startswith("<svg") and "<script" not in shown


def test_a_long_text_stays_in_its_place() -> None:
    from dataclasses import replace

    book = FolderOfLooks(LOOKS)
    long = "Wolfeschlegelsteinhausenbergerdorff-Maximiliana von und zu Hohenzollern"
    shown = book.picture(replace(CARD, member_name=long, tier="Gold", program_name=long))
    texts = re.findall(r'font-size="([0-9.]+)"[^>]*>([^<]*)</text>', shown)
    cut = [(float(size), text) for size, text in texts if text.endswith("\u2026")]
    assert len(cut) == 2 and all(long.startswith(text[:-1]) for _, text in cut)
    assert all(size < 18 for size, _ in cut)
    assert ("18", "5 / 8") in texts
    wide = book.picture(replace(CARD, member_name="\u6f22" * 40))
    (name,) = re.findall(r">(\u6f22+)\u2026<", wide)
    assert 20 < len(name) < 32  # a line of 343 points, at 11 points a letter
