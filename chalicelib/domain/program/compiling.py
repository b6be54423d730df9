"""From a program document to a program: names are looked up, contradictions refused."""

from collections.abc import Iterator
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chalicelib.domain.earning.kinds import compile_rule
from chalicelib.domain.errors import FieldError
from chalicelib.domain.ledger.account import Clawback
from chalicelib.domain.program.document import ExpiryDocument, ProgramDocument
from chalicelib.domain.program.expiry import MONTHS, EndOf, Expiry
from chalicelib.domain.program.numbers import Numbers, rule_name
from chalicelib.domain.program.program import Currency, ExchangeRate, Program
from chalicelib.domain.rewards.kinds import compile_reward
from chalicelib.kernel.money import is_currency


def check(document: ProgramDocument) -> list[FieldError]:
    """What a document of the right shape says that cannot be."""
    found = [*_check_basics(document), *_check_currencies(document)]
    found += [*_check_earn(document), *_check_rewards(document)]
    return found + list(_check_exchanges(document))


def compile_program(document: ProgramDocument, numbers: Numbers, version: int) -> Program:
    """The program of a document that `check` found sound, with numbers for all its names."""
    of_currency = numbers.currencies
    return Program(
        version=version,
        name=document.name,
        zone=ZoneInfo(document.time_zone),
        money=document.money,
        look=document.look,
        language=document.language,
        currencies=tuple(
            Currency(
                name,
                of_currency[name],
                currency.label,
                currency.goal,
                expiry_of(currency.expires) if currency.expires else None,
                Clawback(currency.clawback),
            )
            for name, currency in document.currencies.items()
        ),
        earn=tuple(
            compile_rule(rule, numbers.rules[rule_name(rule)], of_currency[rule.currency])
            for rule in document.earn
        ),
        rewards=tuple(
            compile_reward(reward, numbers.rewards[reward.id], of_currency[reward.cost.currency])
            for reward in document.rewards
        ),
        exchanges=tuple(
            ExchangeRate(
                one.id, of_currency[one.source], one.take, of_currency[one.target], one.give
            )
            for one in document.exchanges
        ),
        numbers=numbers,
    )


def expiry_of(document: ExpiryDocument) -> Expiry:
    """How long points live, as a document says it."""
    return Expiry(
        days=document.days or 0,
        months=(document.months or 0) + MONTHS * (document.years or 0),
        end_of=EndOf(document.end_of),
        since_activity=document.since == "last_activity",
    )


def _check_currencies(document: ProgramDocument) -> Iterator[FieldError]:
    for name, currency in document.currencies.items():
        lasts = currency.expires
        if lasts and sum(one is not None for one in (lasts.days, lasts.months, lasts.years)) != 1:
            reason = "names exactly one of days, months and years"
            yield FieldError(f"currencies.{name}.expires", reason)


def _check_basics(document: ProgramDocument) -> Iterator[FieldError]:
    if not is_currency(document.money):
        yield FieldError("money", "is not a currency of ISO 4217")
    try:
        ZoneInfo(document.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield FieldError("time_zone", "is not a time zone of the IANA database")


def _check_earn(document: ProgramDocument) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, rule in enumerate(document.earn):
        at = f"earn[{index}]"
        if rule.id in seen:
            yield FieldError(f"{at}.id", f"another earn rule is called {rule.id}")
        seen.add(rule.id)
        if rule.currency not in document.currencies:
            yield FieldError(f"{at}.currency", f"{rule.currency} is not one of the currencies")
        for name, selection in (("include", rule.include), ("exclude", rule.exclude)):
            if selection and not (selection.skus or selection.categories or selection.labels):
                yield FieldError(f"{at}.{name}", "names no SKU, category or label")
        if rule.carry_remainder and rule.rounding != "floor":
            yield FieldError(f"{at}.rounding", "a carried remainder is never rounded")


def _check_rewards(document: ProgramDocument) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, reward in enumerate(document.rewards):
        at = f"rewards[{index}]"
        if reward.id in seen:
            yield FieldError(f"{at}.id", f"another reward is called {reward.id}")
        seen.add(reward.id)
        if reward.cost.currency not in document.currencies:
            reason = f"{reward.cost.currency} is not one of the currencies"
            yield FieldError(f"{at}.cost.currency", reason)


def _check_exchanges(document: ProgramDocument) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, one in enumerate(document.exchanges):
        at = f"exchanges[{index}]"
        if one.id in seen:
            yield FieldError(f"{at}.id", f"another exchange is called {one.id}")
        seen.add(one.id)
        for name, currency in (("source", one.source), ("target", one.target)):
            if currency not in document.currencies:
                yield FieldError(f"{at}.{name}", f"{currency} is not one of the currencies")
        if one.source == one.target:
            yield FieldError(f"{at}.target", "is the source itself")
        if _best(document, one.target, one.source) * Fraction(one.give, one.take) > 1:
            yield FieldError(f"{at}.give", "a round trip would make points from nothing")


def _best(document: ProgramDocument, source: str, target: str) -> Fraction:
    """The most that a point of one currency can become of another; 0 where there is no way."""
    best = {source: Fraction(1)}
    for _ in document.currencies:
        for one in document.exchanges:
            worth = best.get(one.source, Fraction(0)) * Fraction(one.give, one.take)
            if one.target != source and worth > best.get(one.target, 0):
                best[one.target] = worth
    return best.get(target, Fraction(0))
