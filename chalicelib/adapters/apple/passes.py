"""Members' cards as signed Apple passes: a look, filled with what the card shows."""

import json
from pathlib import Path

from chalicelib.adapters.apple.passbook import Files, Signer
from chalicelib.adapters.looks import fill, load_look
from chalicelib.domain.card import Card

TEMPLATE = "apple/pass.json"


class ApplePasses:
    """Keeps the port `ApplePassBuilder`, for one pass type."""

    def __init__(
        self,
        looks: Path,
        signer: Signer,
        pass_type_id: str,
        team_id: str,
        organization_name: str,
    ) -> None:
        """`looks` is the folder of looks; the two ids are those of the signer's certificate."""
        self.pass_type_id = pass_type_id
        self._looks = looks
        self._signer = signer
        self._laid_out: dict[str, Files] = {}
        self._issuer = {
            "formatVersion": 1,
            "passTypeIdentifier": pass_type_id,
            "teamIdentifier": team_id,
            "organizationName": organization_name,
        }

    def build(self, card: Card, web_service_url: str, authentication_token: str) -> bytes:
        """The signed `.pkpass`. Raises `Fault` where the card's look is not there.

        Source: developer.apple.com, "Pass": a pass with a `webServiceURL` has an
        `authenticationToken`, and neither changes in an update.
        """
        face = fill(load_look(self._looks, card.look, TEMPLATE), card.values)
        content = {
            **face,
            **self._issuer,
            "serialNumber": card.serial,
            "webServiceURL": web_service_url,
            "authenticationToken": authentication_token,
        }
        if card.voided:
            content["voided"] = True
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return self._files(card.look).bundle(body, self._signer)

    def _files(self, look: str) -> Files:
        if look not in self._laid_out:
            images = sorted((self._looks / look / "apple").glob("*.png"))
            self._laid_out[look] = Files({one.name: one.read_bytes() for one in images})
        return self._laid_out[look]
