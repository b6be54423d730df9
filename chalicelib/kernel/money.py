"""Currencies of money, by ISO 4217. An amount is an integer in minor units.

Source: ISO 4217 list one; the number of decimals is the currency's minor unit.
"""

import re
from decimal import ROUND_HALF_UP, Decimal

_THOUSANDTHS = 3  # decimals
_LONGEST = 40  # characters of an amount
MAX_AMOUNT = 10**12  # of minor units, points or anything else counted

_TWO_DECIMALS = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD "
    "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP "
    "PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"

DECIMALS: dict[str, int] = {
    **dict.fromkeys(_TWO_DECIMALS.split(), 2),
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
    "CLF": 4,
    "UYW": 4,
}


def is_currency(code: str) -> bool:
    """Whether `code` is a currency of ISO 4217 in use."""
    return code in DECIMALS


def step_of(code: str) -> int:
    """What an amount that cards are charged is a multiple of, in minor units.

    Source: docs.stripe.com, "Supported currencies": of three decimals the last is 0.
    """
    return 10 if DECIMALS[code] >= _THOUSANDTHS else 1


def format_amount(amount: int, code: str) -> str:
    """`1250` of `EUR` as `12.50`: plain digits and a point, for logs and cards."""
    decimals = DECIMALS[code]
    if not decimals:
        return str(amount)
    whole, part = divmod(abs(amount), 10**decimals)
    return f"{'-' if amount < 0 else ''}{whole}.{part:0{decimals}d}"


def minor_units(text: str, code: str) -> int:
    """`12.50` of `EUR` as 1250, rounded half away from zero; the other way from `format_amount`.

    Raises `ValueError` for what is no plain decimal number, is of an unknown currency, or is above
    `MAX_AMOUNT` either way.
    """
    if code not in DECIMALS:
        raise ValueError(f"{code} is not a currency of ISO 4217")
    if len(text) > _LONGEST or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text, re.ASCII):
        raise ValueError(f"{text[:_LONGEST]!r} is not an amount")
    scaled = Decimal(text).scaleb(DECIMALS[code])
    if abs(scaled) > MAX_AMOUNT:  # asked first: a number of 29 digits has no whole part to decimal
        raise ValueError(f"{text} is above every amount")
    return int(scaled.quantize(Decimal(1), ROUND_HALF_UP))
