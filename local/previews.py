"""The live preview of looks: what a designer changes in `passes/` is seen at once.

A sample card is built by the real builder and put to the stand-in of Google, which refuses what
Google would refuse. The deployed package keeps its own copy of the looks: the next `make run` takes
the changed ones to the members' phones.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chalicelib.adapters.apple.passbook import Signer
from chalicelib.adapters.apple.passes import ApplePasses
from chalicelib.adapters.google.wallet import Addresses, GoogleLoyalty
from chalicelib.adapters.http import Http
from chalicelib.adapters.look_book import FolderOfLooks
from chalicelib.domain.cards.card import Card, CardBalance, Colors, Print
from chalicelib.domain.errors import Fault
from chalicelib.kernel.clock import SystemClock
from chalicelib.wiring import LOOKS
from local.pages import NOT_FOUND, Answer, Request, event, file, newest_change, ticks
from local.stand_ins import StandIns

GOAL = 8
PROGRAM_ID = "prg_preview"
_TOKEN = "0" * 22


class LookPreview:
    """What lies below `/looks`."""

    def __init__(self, stand_ins: StandIns, folder: Path = LOOKS) -> None:
        self._folder = folder
        self._apple = json.loads(stand_ins.secrets["apple"])
        self._google = json.loads(stand_ins.secrets["google"])
        self._stand_ins = stand_ins

    def answer(self, request: Request) -> Answer:
        """Shows a look as it is in the folder now. What is wrong with it is said."""
        if request.path == "":
            return file("looks.html")
        if request.path == "/list":
            return Answer.of([self._described(one) for one in self._names()])
        if request.path == "/events":
            return Answer(self._changes(), "text/event-stream")
        if request.path.startswith("/stamps/"):
            return self._stamps(*request.path.split("/")[2:])
        shown = {"/pass": self._pass, "/google": self._wallet, "/picture": self._picture}
        if request.path not in shown or request.query.get("look") not in self._names():
            return NOT_FOUND
        try:
            return shown[request.path](card_of(request.query))
        except (Fault, ValueError, KeyError, StopIteration) as error:
            return Answer.of({"title": str(error) or type(error).__name__}, 422)

    def _pass(self, card: Card) -> Answer:
        signer = Signer(*(self._apple[name].encode() for name in ("certificate", "key", "wwdr")))
        builder = ApplePasses(
            FolderOfLooks(self._folder).looks,
            signer,
            self._apple["pass_type_id"],
            self._apple["team_id"],
            self._apple["organization_name"],
        )
        bundle = builder.build(card, "https://shop.example/passkit", _TOKEN)
        return Answer(bundle, "application/vnd.apple.pkpass")

    def _wallet(self, card: Card) -> Answer:
        google = GoogleLoyalty(
            looks=FolderOfLooks(self._folder).looks,
            service_account=self._google["service_account"],
            issuer_id=self._google["issuer_id"],
            logo_url=self._google["logo_url"],
            http=Http(),
            clock=SystemClock(),
            base_url=self._stand_ins.parameters["GoogleWalletUrl"],
            addresses=Addresses(pictures="/looks/stamps"),
        )
        google.put(card)
        return Answer.of(self._stand_ins.google_pass(card.member_id))

    def _stamps(self, look: str, goal: str, count: str, inks: str) -> Answer:
        """The picture that Google would fetch, by its address."""
        ground, _, ink = inks.removesuffix(".png").partition("-")
        colors = Colors(f"#{ground}", f"#{ink}", f"#{ink}")
        drawn = FolderOfLooks(self._folder).stamps(look, int(goal), int(count), colors)
        return NOT_FOUND if drawn is None else Answer(drawn, "image/png")

    def _picture(self, card: Card) -> Answer:
        return Answer(FolderOfLooks(self._folder).picture(card).encode(), "image/svg+xml")

    def _names(self) -> list[str]:
        return sorted(one.parent.parent.name for one in self._folder.glob("*/apple/pass.json"))

    def _described(self, name: str) -> dict[str, Any]:
        currencies = frozenset(("stamps", "points"))
        return {"name": name, "problems": FolderOfLooks(self._folder).problems(name, currencies)}

    def _changes(self) -> Iterator[bytes]:
        """An event whenever a file of a look changed."""
        known = newest_change(self._folder)
        for tick in ticks():
            yield tick
            changed = newest_change(self._folder)
            if changed != known:
                known = changed
                yield event("changed", {}, changed)


def card_of(query: dict[str, str]) -> Card:
    """A sample card: `amount` of stamps or points, with or without a tier, in a language."""
    amount = int(query.get("amount", "3"))
    stamps = query.get("kind", "stamps") == "stamps"
    first = (
        CardBalance("stamps", "Stamps", amount, GOAL)
        if stamps
        else CardBalance("points", "Points", amount * 125, expires="120 · 1 Jul 2027")
    )
    tier = query.get("tier") or None
    return Card(
        program_id=PROGRAM_ID,
        program_name=query.get("program") or "Corner Coffee",
        member_id="mem_preview",
        look=query["look"],
        language=query.get("language", "en"),
        member_name=query.get("name") or None,
        balances=(first,),
        voided=query.get("voided") == "yes",
        tier=tier,
        tier_progress="450 / 500" if tier else None,
        printed=Print(tier=tier),
    )
