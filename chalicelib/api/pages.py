"""The pages people see: their card, the form to join, the poster on the shop's door.

They need no script and nothing from elsewhere, and say so to the browser. Their addresses are
secrets or lead to forms, so no search engine may keep them and no other site learns them.
"""

from collections.abc import Mapping
from html import escape
from http import HTTPStatus

from chalicelib.api.endpoints import HTML, Answer
from chalicelib.api.page_texts import language_asked, texts_in
from chalicelib.api.problems import status_of
from chalicelib.domain.cards.card import Card
from chalicelib.domain.errors import Refusal

PRIVATE: Mapping[str, str] = {
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}

_RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")
_APPLE_DEVICES = ("iPhone", "iPad", "iPod")

_STYLE = """
body { margin: 0 auto; padding: 1rem; max-width: 24rem; font: 1.1rem/1.5 system-ui, sans-serif;
  color: #1b1b1b; background: #fff }
h1 { font-size: 1.4rem } svg { width: 100%; height: auto; display: block }
a.wallet, button { display: block; box-sizing: border-box; width: 100%; margin-top: 1rem;
  padding: .8rem; border: 0; border-radius: .6rem; color: #fff; background: #1b1b1b;
  text-align: center; text-decoration: none; font: inherit; cursor: pointer }
a:focus-visible, button:focus-visible, input:focus-visible { outline: 3px solid #2266cc;
  outline-offset: 2px }
label { display: block; margin-top: .8rem } label small { color: #595959 }
input { font: inherit } input:not([type=checkbox]) { box-sizing: border-box; width: 100%;
  padding: .5rem; border: 1px solid #767676; border-radius: .4rem }
a.official { display: block; margin-top: 1rem; text-align: center }
a.official img { height: 3.2rem }
.code { max-width: 13rem; margin: 1.5rem auto 0; text-align: center }
.away { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
#said { position: sticky; top: 0; margin: 0; background: #fff } html { scroll-padding-top: 4rem }
[role=alert] { color: #a00000 }
@media print { @page { margin: 2cm } body { max-width: none; text-align: center }
  .code { max-width: 12cm } h1 { font-size: 3rem } }
"""


def page(language: str, title: str, content: str) -> str:
    """A whole page; `content` is HTML, `title` is text."""
    direction = "rtl" if language.partition("-")[0] in _RIGHT_TO_LEFT else "ltr"
    return (
        f'<!doctype html>\n<html lang="{escape(language)}" dir="{direction}">\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        f"<main>\n{content}\n</main>\n</html>\n"
    )


def card_page(
    card: Card,
    picture: str,
    code: str,
    token: str,
    wallets: Mapping[str, str | None],
    device: str,
    share: str | None = None,
) -> str:
    """The card, and the way into the wallet of the phone in hand; elsewhere a code to scan.

    `picture` and `code` are SVG, `wallets` those there are, with the addresses of their official
    buttons, `device` is what the browser calls itself, `share` the link for friends.
    """
    texts = texts_in(card.language)
    parts = [f'<h1 class="away">{escape(card.program_name)}</h1>', picture]
    if card.voided:
        parts.append(f'<p role="alert">{texts["void"]}</p>')
        return page(card.language, card.program_name, "\n".join(parts))
    offered = [one for one in wallets if one in _of_device(device)]
    links = [_button(f"{escape(token)}/{one}", texts[one], wallets[one]) for one in offered]
    if len(_of_device(device)) > 1 and wallets:
        links.append(f'<div class="code">{code}<p>{texts["scan"]}</p></div>')
    if share is not None and card.referral_code is not None:
        text = texts["share"].format(code=card.referral_code)
        links.append(f'<p><a href="{escape(share)}">{escape(text)}</a></p>')
    return page(card.language, card.program_name, "\n".join([*parts, *links]))


def _button(address: str, text: str, artwork: str | None) -> str:
    """A plain one where there is no official one."""
    if artwork is None:
        return f'<a class="wallet" href="{address}">{text}</a>'
    return f'<a class="official" href="{address}"><img src="{artwork}" alt="{text}"></a>'


def _of_device(device: str) -> tuple[str, ...]:
    """The wallets that a phone can have; a computer shows them all."""
    if any(name in device for name in _APPLE_DEVICES):
        return ("apple",)
    return ("google",) if "Android" in device else ("apple", "google")


def poster_page(language: str, program: str, code: str) -> str:
    """The code that leads to the form, to be printed."""
    texts = texts_in(language)
    title = texts["join"].format(program=program)
    content = f'<h1>{escape(title)}</h1>\n<div class="code">{code}</div>\n'
    return page(language, title, content + f"<p>{texts['scan_to_join']}</p>")


def sorry(accept_language: str, refusal: Refusal) -> Answer:
    """A refusal for people: whether to try again, in their browser's language."""
    status = status_of(refusal.code)
    language = language_asked(accept_language)
    said = texts_in(language)["gone" if status == HTTPStatus.NOT_FOUND else "later"]
    return Answer(
        page(language, said, f'<p role="alert">{said}</p>'),
        status,
        {**PRIVATE, "Content-Type": HTML},
    )
