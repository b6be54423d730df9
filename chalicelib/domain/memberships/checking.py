"""What plans say that cannot be."""

from collections.abc import Iterator, Mapping

from chalicelib.domain.errors import FieldError
from chalicelib.domain.memberships.documents import PlanDocument, PriceDocument
from chalicelib.kernel.money import is_currency, step_of


def check_plans(
    plans: Mapping[str, PlanDocument], money: str, currencies: set[str], segments: set[str]
) -> Iterator[FieldError]:
    """Everything that is wrong, each with the path where it stands."""
    for name, plan in plans.items():
        at = f"plans.{name}"
        if plan.welcome and plan.welcome.currency not in currencies:
            reason = f"{plan.welcome.currency} is not one of the currencies"
            yield FieldError(f"{at}.welcome.currency", reason)
        for benefit in plan.grace.benefits or ():
            if benefit not in plan.benefits:
                yield FieldError(f"{at}.grace.benefits", f"{benefit} is no benefit of the plan")
        for index, price in enumerate(plan.prices):
            place = f"{at}.prices[{index}]"
            if price.id in [other.id for other in plan.prices[:index]]:
                yield FieldError(f"{place}.id", f"another price is called {price.id}")
            for segment in price.segments or ():
                if segment not in segments:
                    reason = f"{segment} is not one of the segments"
                    yield FieldError(f"{place}.segments", reason)
            yield from _check_price(place, price, price.money or money)


def _check_price(at: str, price: PriceDocument, money: str) -> Iterator[FieldError]:
    if not is_currency(money):
        yield FieldError(f"{at}.money", "is not a currency of ISO 4217")
        return
    intro = price.intro
    for name, amount in (("amount", price.amount), ("intro.amount", intro.amount if intro else 0)):
        if amount % step_of(money):
            yield FieldError(f"{at}.{name}", f"of {money} only whole hundredths can be charged")
    if intro and intro.amount >= price.amount:
        yield FieldError(f"{at}.intro.amount", "is not below the price")
    if intro and price.every == "year" and intro.periods > 1:
        yield FieldError(f"{at}.intro.periods", "of a yearly price only the first can be lower")
