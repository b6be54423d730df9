"""The pages that a person sees in the place of Stripe's: plain forms that work without scripts."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from local.stripe_stand_in import cards
from local.stripe_stand_in.catalog import NO_DECIMALS, THREE_DECIMALS
from local.stripe_stand_in.errors import Refused
from local.stripe_stand_in.world import World

Form = dict[str, str]
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem}"
    "label,button,input{display:block;font:inherit;margin:.4rem 0}input{width:100%;padding:.4rem;"
    "box-sizing:border-box}button{padding:.5rem 1rem}.error{color:#a00}.note{color:#555}"
)
CARD_FIELD = (
    '<label>Card number <input name="card" inputmode="numeric" autocomplete="cc-number"'
    ' value="4242 4242 4242 4242" required></label>'
)
TEST_CARDS = (
    '<p class="note">Test cards: 4242 4242 4242 4242 pays; 4000 0000 0000 0002 is declined;'
    " 4000 0025 0000 3155 asks you to approve; 4000 0000 0000 0341 is accepted and fails later."
)


@dataclass(frozen=True)
class Reply:
    """A page, or where to go instead."""

    html: str = ""
    location: str | None = None
    status: int = 200


Page = Callable[[World, Form, str], Reply]
PAGES: list[tuple[str, re.Pattern[str], Page]] = []


def page_at(method: str, path: str) -> Callable[[Page], Page]:
    """Makes a function answer a browser."""

    def added(function: Page) -> Page:
        pattern = re.compile(re.escape(path).replace(r"\{\}", "([^/]+)"))
        PAGES.append((method, pattern, function))
        return function

    return added


def find(method: str, path: str) -> tuple[Page, str] | None:
    """The function of a page and the id in its address."""
    for wanted, pattern, function in PAGES:
        found = pattern.fullmatch(path)
        if found and wanted == method:
            return function, found[1]
    return None


def show(world: World, method: str, path: str, form: Form) -> Reply:
    """The page at the address; an error says what is wrong."""
    found = find(method, path)
    if found is None:
        return document("Not found", "<p>There is no such page.", status=404)
    try:
        return found[0](world, form, found[1])
    except Refused as refused:
        return document("Not possible", error(str(refused)), status=refused.status)


def document(title: str, body: str, status: int = 200) -> Reply:
    """A whole page, which says that no money is real here."""
    return Reply(
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"
        f'{body}<p class="note">A stand-in of Stripe: no money moves.',
        status=status,
    )


def error(message: str) -> str:
    """What went wrong, for people."""
    return f'<p class="error" role="alert">{escape(message)}' if message else ""


def button(action: str, label: str, fields: str = "") -> str:
    """A form of one button, with hidden or visible fields."""
    return (
        f'<form method="post">{fields}'
        f'<button name="action" value="{escape(action)}">{escape(label)}</button></form>'
    )


def hidden(form: Form, *names: str) -> str:
    """What was typed, carried over to the next step."""
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(form.get(name, ""))}">'
        for name in names
    )


def ask_bank(form: Form, *names: str) -> Reply:
    """The page of the customer's bank ("3D Secure authentication")."""
    kept = hidden(form, *names)
    body = "<p>Your bank asks: do you approve this payment?"
    body += button("approve", "Approve", kept) + button("refuse", "Refuse", kept)
    return document("Your bank", body)


def typed_card(form: Form) -> cards.Card:
    """The test card that was typed. Raises 402."""
    card = cards.by_number(form.get("card", ""))
    if card is None:
        message = "Your card number is incorrect: only test cards work here."
        raise Refused(402, "card_error", message, code="incorrect_number")
    return card


def money(amount: int, currency: str) -> str:
    """`12.99 EUR`, by the decimals that Stripe gives the currency."""
    decimals = 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else 2
    digits = str(abs(amount)).zfill(decimals + 1)
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}{'.' if part else ''}{part} {currency.upper()}"
