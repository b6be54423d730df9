"""Test cards and what becomes of a payment with them ("Testing")."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.stripe_stand_in.errors import Refused, missing
from local.stripe_stand_in.shapes import Object, made
from local.stripe_stand_in.world import World


@dataclass(frozen=True)
class Card:
    """`attach` and `charge` are the decline codes of each, None where it works.

    `authenticate` is `never`, `once` (until it was set up) or `always`.
    """

    number: str
    tokens: tuple[str, ...]
    brand: str = "visa"
    attach: str | None = None
    charge: str | None = None
    authenticate: str = "never"


CARDS = (
    Card("4242424242424242", ("pm_card_visa",)),
    Card("5555555555554444", ("pm_card_mastercard",), brand="mastercard"),
    Card(
        "4000000000000002",
        ("pm_card_chargeDeclined", "pm_card_visa_chargeDeclined"),
        attach="generic_decline",
        charge="generic_decline",
    ),
    Card(
        "4000000000009995",
        ("pm_card_chargeDeclinedInsufficientFunds", "pm_card_visa_chargeDeclinedInsufficientFunds"),
        attach="insufficient_funds",
        charge="insufficient_funds",
    ),
    Card("4000000000000341", ("pm_card_chargeCustomerFail",), charge="generic_decline"),
    Card("4000002500003155", ("pm_card_authenticationRequiredOnSetup",), authenticate="once"),
    Card("4000002760003184", ("pm_card_authenticationRequired",), authenticate="always"),
)
_BY_NUMBER = {card.number: card for card in CARDS}
_BY_TOKEN = {token: card for card in CARDS for token in card.tokens}
_MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def by_number(text: str) -> Card | None:
    """The test card of a number as a person types it."""
    return _BY_NUMBER.get("".join(filter(str.isdigit, text)))


def card_of(method: Object) -> Card:
    """The test card of a payment method."""
    return _BY_NUMBER[method["_number"]]


def make_method(world: World, card: Card, **values: object) -> Object:
    """A payment method of a test card."""
    blank = made("payment_method")
    face = blank["card"] | {
        "brand": card.brand,
        "display_brand": card.brand,
        "last4": card.number[-4:],
        "exp_month": 12,
        "exp_year": datetime.fromtimestamp(world.now(), UTC).year + 3,
        "fingerprint": f"standin{card.number[-8:]}",
        "generated_from": None,
        "networks": {"available": [card.brand], "preferred": None},
        "wallet": None,
    }
    nobody = {"email": None, "name": None, "phone": None, "tax_id": None}
    address = dict.fromkeys(blank["billing_details"]["address"])
    return world.make(
        "payment_method",
        created=world.now(),
        card=face,
        billing_details={"address": address, **nobody},
        _number=card.number,
        _authenticated=False,
        **values,
    )


def resolve(world: World, method_id: str, param: str = "payment_method") -> Object:
    """A payment method by its id; a test token such as `pm_card_visa` makes a new one."""
    if method_id in _BY_TOKEN:
        return make_method(world, _BY_TOKEN[method_id])
    return world.get("payment_method", method_id, param)


def attach(world: World, method: Object, customer: Object) -> None:
    """Attaches, or refuses as the card's bank does. Raises 402."""
    if method["customer"] == customer["id"]:
        return
    if method["customer"] is not None:
        raise missing("payment_method", method["id"], "payment_method")
    card = card_of(method)
    if card.attach:
        raise declined(card.attach)
    method["customer"] = customer["id"]
    world.record("attached", method)


def declined(decline_code: str, **details: Any) -> Refused:
    """402: what the card's bank said ("Decline codes")."""
    return Refused(402, "card_error", **decline(decline_code), **details)


def decline(decline_code: str) -> Object:
    """The parts of a card error."""
    authentication = decline_code == "authentication_required"
    return {
        "code": decline_code if authentication else "card_declined",
        "decline_code": decline_code,
        "message": _MESSAGES[decline_code],
    }


def outcome(method: Object, proved: bool) -> str:
    """`succeeded`, `authenticate`, or a decline code; `proved`: the customer just approved."""
    card = card_of(method)
    if card.charge:
        return card.charge
    set_up = card.authenticate == "once" and method["_authenticated"]
    if card.authenticate == "never" or proved or set_up:
        return "succeeded"
    return "authenticate"
