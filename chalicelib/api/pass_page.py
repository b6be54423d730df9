"""The page behind a pass's short link: a picture of the card, and the wallets it can be put in."""

from collections.abc import Sequence
from html import escape

from chalicelib.domain.cards.card import Card, CardBalance

_WALLETS = {"apple": "Add to Apple Wallet", "google": "Save to Google Wallet"}
_WIDTH = 640
_ROW = 120

_PAGE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
body {{ margin: 0 auto; padding: 1rem; max-width: 24rem; font: 1.1rem/1.5 system-ui, sans-serif }}
svg {{ width: 100%; height: auto }}
a {{ display: block; margin-top: 1rem; padding: .8rem; border-radius: .6rem; color: #fff;
  background: #1b1b1b; text-align: center; text-decoration: none }}
</style>
<main>
{picture}
{buttons}
</main>
</html>
"""


def show_card(card: Card, token: str, wallets: Sequence[str]) -> str:
    """The page as HTML. It needs no script and nothing from elsewhere."""
    buttons = "\n".join(
        f'<a href="{escape(token)}/{wallet}">{_WALLETS[wallet]}</a>' for wallet in wallets
    )
    return _PAGE.format(
        language=escape(card.language),
        title=escape(card.program_name),
        picture=picture(card),
        buttons=buttons,
    )


def picture(card: Card) -> str:
    """The card as SVG, drawn from the same values that the wallets are given."""
    height = 150 + _ROW * len(card.balances)
    rows = "".join(_row(one, 130 + _ROW * index) for index, one in enumerate(card.balances))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(card.program_name)}" font-family="system-ui, sans-serif">'
        f'<rect width="{_WIDTH}" height="{height}" rx="28" fill="#1f4d3a"/>'
        f'<text x="36" y="66" fill="#f6efe2" font-size="34" font-weight="600">'
        f"{escape(card.program_name)}</text>"
        f'<text x="{_WIDTH - 36}" y="66" fill="#cfe3d6" font-size="24" text-anchor="end">'
        f"{escape(card.member_name or '')}</text>{rows}</svg>"
    )


def _row(balance: CardBalance, top: int) -> str:
    label = f'<text x="36" y="{top}" fill="#cfe3d6" font-size="22">{escape(balance.label)}</text>'
    if balance.goal is None:
        return label + (
            f'<text x="36" y="{top + 56}" fill="#f6efe2" font-size="56">{balance.amount}</text>'
        )
    step = min(66, (_WIDTH - 72) // balance.goal)
    stamps = "".join(
        f'<circle cx="{36 + step * index + step // 2}" cy="{top + 42}" r="{step * 2 // 5}" '
        f'stroke="#f6efe2" stroke-width="3" '
        f'fill="{"#f6efe2" if index < balance.amount else "none"}"/>'
        for index in range(balance.goal)
    )
    progress = (
        f'<text x="{_WIDTH - 36}" y="{top}" fill="#f6efe2" font-size="22" text-anchor="end">'
        f"{balance.amount} / {balance.goal}</text>"
    )
    return label + progress + stamps
