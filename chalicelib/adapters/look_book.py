"""The folder of looks, as the services see it."""

from html import escape
from pathlib import Path

from chalicelib.adapters.apple.passes import picture_of
from chalicelib.adapters.look_checks import problems_of
from chalicelib.adapters.looks import Looks
from chalicelib.adapters.pictures import HERO
from chalicelib.adapters.qr import qr_picture
from chalicelib.domain.cards.card import Card, Colors


class FolderOfLooks:
    """Keeps the port `LookBook`."""

    def __init__(self, folder: Path) -> None:
        self.looks = Looks(folder)

    def problems(self, look: str, currencies: frozenset[str]) -> list[str]:
        return problems_of(self.looks.get(look), currencies)

    def picture(self, card: Card) -> str:
        return picture_of(self.looks, card)

    def code(self, text: str, said: str) -> str:
        return qr_picture(text, escape(said))

    def stamps(self, look: str, goal: int, count: int, colors: Colors) -> bytes | None:
        masks = self.looks.get(look).stamps
        return None if masks is None else masks.picture(goal, count, HERO, colors)
