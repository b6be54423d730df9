"""How paid plans are written in a program document.

A plan is what members pay for, a price is how: how often, how much, in which money, and for whom.
What a plan changes in the program itself (multipliers, price lists, early access, rewards) is
written there, with the condition `plans`; `benefits` are names that stores and apps act upon.
"""

from typing import Annotated, Literal

import msgspec

from chalicelib.domain.conditions.documents import Identifier, Identifiers
from chalicelib.domain.earning.documents import Count
from chalicelib.domain.texts import Text
from chalicelib.kernel.patterns import whole

Country = Annotated[str, msgspec.Meta(pattern=whole(r"[A-Z]{2}"))]  # ISO 3166-1 alpha-2
MinorUnits = Annotated[int, msgspec.Meta(ge=1, le=99_999_999)]  # Stripe, "Supported currencies"
Days = Annotated[int, msgspec.Meta(ge=0, le=730)]
Benefits = Annotated[tuple[Identifier, ...], msgspec.Meta(max_length=40)]


class IntroDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first `periods` cost less. Of a yearly price it can only be the first one."""

    amount: Annotated[int, msgspec.Meta(ge=0, le=99_999_999)]
    periods: Annotated[int, msgspec.Meta(ge=1, le=36)] = 1


class PriceDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a plan costs `every` month or year, in minor units of `money` (the program's).

    With `countries` it is for members who live there, with `segments` for members of one of them:
    students, say, whom the shop has verified and given an attribute.
    """

    id: Identifier
    every: Literal["month", "year"]
    amount: MinorUnits
    money: str | None = None
    countries: Annotated[tuple[Country, ...], msgspec.Meta(min_length=1)] | None = None
    segments: Identifiers | None = None
    intro: IntroDocument | None = None


class WelcomeDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points that are given once, when the plan is first paid."""

    currency: Identifier
    amount: Count


class GraceDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long benefits go on when a renewal is not paid, and which: without names all of them.

    It also bridges the time until Stripe tells of a renewal.
    """

    days: Annotated[int, msgspec.Meta(ge=0, le=60)] = 3
    benefits: Benefits | None = None


class LessBenefitsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Within so many days of a charge it is given back, less what the benefits were worth."""

    days: Annotated[int, msgspec.Meta(ge=1, le=366)]
    business: bool = False  # Monday to Friday only


class RefundTermsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a member gets back of the last charge; the best of what applies.

    `unused_in_full`: all of it where no benefit was used in the period. `less_benefits`: within its
    days. `withdrawal_days`: by country, how long the law lets a consumer withdraw after the first
    charge (14 in the European Union: Directive 2011/83/EU, article 9), less the benefits used.
    """

    unused_in_full: bool = False
    less_benefits: LessBenefitsDocument | None = None
    withdrawal_days: dict[Country, Annotated[int, msgspec.Meta(ge=1, le=366)]] = {}


class PlanDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A paid plan. A `retired` one is not sold any more; who has it keeps it.

    The trial is for members who never had a plan. `notice_days` before a trial ends or a period
    renews the member is told of it on the pass. While a charge is disputed the benefits are
    suspended or kept.
    """

    name: Text
    prices: Annotated[tuple[PriceDocument, ...], msgspec.Meta(min_length=1, max_length=100)]
    benefits: Benefits = ()
    trial_days: Days = 0
    welcome: WelcomeDocument | None = None
    grace: GraceDocument = GraceDocument()
    notice_days: Annotated[int, msgspec.Meta(ge=0, le=60)] = 3
    refunds: RefundTermsDocument = RefundTermsDocument()
    disputed: Literal["suspend", "keep"] = "suspend"
    automatic_tax: bool = False
    promotion_codes: bool = False
    retired: bool = False


Plans = Annotated[dict[Identifier, PlanDocument], msgspec.Meta(max_length=20)]
