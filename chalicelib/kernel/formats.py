"""Money and days as people of a language write them, by Unicode's CLDR.

Babel is loaded where something is formatted: cards are, requests are not.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from chalicelib.kernel.money import DECIMALS


def format_money(amount: int, code: str, language: str) -> str:
    """`1250` of `EUR` as `12,50 €` in German."""
    from babel.numbers import format_currency

    exact = Decimal(amount).scaleb(-DECIMALS[code])
    return str(format_currency(exact, code, locale=_locale(language), decimal_quantization=False))


def format_number(amount: int, language: str) -> str:
    """`12500` as `12.500` in German."""
    from babel.numbers import format_decimal

    return str(format_decimal(amount, locale=_locale(language)))


def format_day(day: date, language: str) -> str:
    """`01.07.2027` in German, `Jul 1, 2027` in English."""
    from babel.dates import format_date

    return str(format_date(day, format="medium", locale=_locale(language)))


def _locale(language: str) -> Any:
    """The language's rules; English ones where there are none."""
    from babel import Locale, UnknownLocaleError

    for one in (language, language.partition("-")[0]):
        try:
            return Locale.parse(one, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")
