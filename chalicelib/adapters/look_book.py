"""The folder of looks, as the services see it."""

from base64 import b64encode
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
        self._buttons = folder / "buttons"

    def problems(self, look: str, currencies: frozenset[str]) -> list[str]:
        return problems_of(self.looks.get(look), currencies)

    def picture(self, card: Card) -> str:
        return picture_of(self.looks, card)

    def code(self, text: str, said: str) -> str:
        return qr_picture(text, escape(said))

    def button(self, wallet: str, language: str) -> str | None:
        """From `buttons/apple.de.svg`, else `buttons/apple.svg`."""
        names = (f"{wallet}.{language}", f"{wallet}.{language.partition('-')[0]}", wallet)
        found = (self._buttons / f"{name}.svg" for name in names)
        file = next((one for one in found if one.is_file()), None)
        if file is None:
            return None
        return f"data:image/svg+xml;base64,{b64encode(file.read_bytes()).decode()}"

    def stamps(self, look: str, goal: int, count: int, colors: Colors) -> bytes | None:
        masks = self.looks.get(look).stamps
        return None if masks is None else masks.picture(goal, count, HERO, colors)
