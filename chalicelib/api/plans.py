"""Paid plans, and what their prices are for a visitor."""

from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import EVERYBODY_KNOWN, Call, Resource
from chalicelib.domain.errors import Refusal
from chalicelib.domain.memberships.plan import Plan, Price
from chalicelib.domain.program.program import Program
from chalicelib.domain.texts import text_in
from chalicelib.kernel.patterns import whole
from chalicelib.services import programs

resource = Resource(__name__, "plans")


class PlansQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only the prices for this country (ISO 3166-1 alpha-2); names in this language."""

    country: Annotated[str, Meta(pattern=whole(r"[A-Z]{2}"))] | None = None
    language: Annotated[str, Meta(max_length=35)] | None = None


class IntroView(msgspec.Struct, frozen=True):
    """What each of the first periods costs, in minor units."""

    amount: int
    periods: int


class PriceView(msgspec.Struct, frozen=True):
    """One way to pay: `amount` in minor units of `money`, every month or year.

    `countries` and `segments` say for whom it is; null is for everybody.
    """

    id: str
    every: str
    amount: int
    money: str
    countries: list[str] | None
    segments: list[str] | None
    intro: IntroView | None


class PlanView(msgspec.Struct, frozen=True):
    """A plan that is sold now."""

    id: str
    name: str
    benefits: list[str]
    trial_days: int
    prices: list[PriceView]


class PlansView(msgspec.Struct, frozen=True):
    """All plans that are sold now."""

    data: list[PlanView]
    next_cursor: None = None


@resource.endpoint("GET", "/v1/plans", callers=EVERYBODY_KNOWN, query=PlansQuery, answer=PlansView)
def list_plans(call: Call) -> PlansView | Refusal:
    """List the plans that are sold."""
    program = call.context.catalog.current(call.here.program)
    if program is None:
        return programs.NOT_FOUND
    sold = (one for one in program.plans.values() if not one.retired)
    return PlansView([_plan_view(program, one, call.query) for one in sold])


def _plan_view(program: Program, plan: Plan, query: PlansQuery) -> PlanView:
    prices = [
        one
        for one in plan.prices
        if query.country is None or one.countries is None or query.country in one.countries
    ]
    name = text_in(plan.name, query.language, program.language)
    views = [price_view(program, one) for one in prices]
    return PlanView(plan.id, name, list(plan.benefits), plan.trial_days, views)


def price_view(program: Program, price: Price) -> PriceView:
    """A price, in the program's names."""
    names = program.segment_names
    intro = None
    if price.intro_amount is not None:
        intro = IntroView(price.intro_amount, price.intro_periods)
    return PriceView(
        price.id,
        price.every,
        price.amount,
        price.money,
        sorted(price.countries) if price.countries else None,
        sorted(names[number] for number in price.segments) if price.segments else None,
        intro,
    )
