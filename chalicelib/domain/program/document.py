"""A program as it is written: one document that describes a loyalty program.

The structs below are its schema: what they do not know is refused. `parse` gives the document or
every mistake in it, each with the path where it stands (`earn[0].per`); the reader of the file
adds the line.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from chalicelib.domain.conditions.documents import Day, Identifier, Identifiers, Names
from chalicelib.domain.counting.documents import CounterDocument
from chalicelib.domain.earning.documents import (
    CampaignDocument,
    Count,
    EvaluationDocument,
    GroupDocument,
    MultiplierDocument,
)
from chalicelib.domain.earning.kinds import EarnDocument
from chalicelib.domain.errors import FieldError
from chalicelib.domain.memberships.documents import Plans
from chalicelib.domain.pricing.access import AccessDocument
from chalicelib.domain.pricing.kinds import AnyDiscount
from chalicelib.domain.program.card import CardDocument, Url
from chalicelib.domain.program.join import JoinDocument
from chalicelib.domain.referrals.documents import ReferralsDocument
from chalicelib.domain.rewards.kinds import AnyReward
from chalicelib.domain.rewards.voucher import Code, PublicCodeDocument
from chalicelib.domain.segments import SegmentDocument
from chalicelib.domain.texts import Label, Language, Plain, Text
from chalicelib.domain.tiers.documents import TiersDocument
from chalicelib.kernel.money import MAX_AMOUNT
from chalicelib.kernel.patterns import whole
from chalicelib.kernel.validation import place_and_reason


class ExpiryDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long points live: exactly one of days, months and years.

    Points that were earned in one of `not_in_tiers` never end.
    """

    days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    months: Annotated[int, msgspec.Meta(ge=1, le=1_200)] | None = None
    years: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    end_of: Literal["day", "month", "year"] = "day"
    since: Literal["earned", "last_activity"] = "earned"
    not_in_tiers: Identifiers | None = None


class CurrencyDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing members collect. With a goal it is drawn as stamps on the card.

    `clawback` says what a refund does where its points were spent: `debt` takes them all and the
    next points pay what is owed, `clamp` takes what there is, `only_pending` takes only what could
    not be spent yet. Of `money` each point is a minor unit of the program's money: store credit,
    vouchers; the card shows it so.
    """

    label: Label
    goal: Annotated[int, msgspec.Meta(ge=1, le=50)] | None = None
    money: bool = False
    expires: ExpiryDocument | None = None
    clawback: Literal["debt", "clamp", "only_pending"] = "debt"


class ExchangeDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each `take` of a currency becomes `give` of another, in whole steps."""

    id: Identifier
    source: Identifier
    take: Count
    target: Identifier
    give: Count


class ConversionDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that can be exchanged is, by itself, on these days of every year (`02-10`)."""

    exchange: Identifier
    days: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern=whole(r"[0-9]{2}-[0-9]{2}"))], ...],
        msgspec.Meta(min_length=1, max_length=12),
    ]


class TermsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a text that members accept, and the first day on which it is the current one.

    `url` is where it can be read.
    """

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    since: Day
    url: Url | None = None


class WarningsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the owner wants to be told of when a version is published; nothing of it is refused.

    Discounts of `discount_percent_from` and more, and below `discount_percent_below`; and orders
    that cost more than the `margin_percent` of the shop.
    """

    discount_percent_from: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    discount_percent_below: Annotated[int, msgspec.Meta(ge=0, le=100)] = 2
    margin_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


class EndDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The program ends: after these days nothing is earned, and then nothing is redeemed."""

    last_day_to_earn: Day
    last_day_to_redeem: Day


class ActivityDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type of activity, and what each of its kind says.

    Where points live by activity, one that `renews` starts their time anew.
    """

    properties: Annotated[
        dict[Identifier, Literal["number", "text", "truth"]], msgspec.Meta(max_length=20)
    ] = {}
    renews: bool = True


class TillButtonDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the till sells with one touch. The price is in minor units."""

    id: Identifier
    label: Text
    unit_price: Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT)] = 0
    categories: Names | None = None
    labels: Names | None = None


class TillDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The till page `/till`: its buttons. An amount can always be typed."""

    buttons: Annotated[tuple[TillButtonDocument, ...], msgspec.Meta(max_length=20)] = ()


class ProgramDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole program.

    Texts that members read are one text in its `language`, or a mapping of languages to texts that
    has one for each of its `languages`.
    """

    name: Plain
    time_zone: str
    money: str
    currencies: Annotated[
        dict[Identifier, CurrencyDocument], msgspec.Meta(min_length=1, max_length=8)
    ]
    earn: Annotated[list[EarnDocument], msgspec.Meta(max_length=500)] = []
    rewards: Annotated[list[AnyReward], msgspec.Meta(max_length=500)] = []
    exchanges: Annotated[list[ExchangeDocument], msgspec.Meta(max_length=56)] = []
    conversions: Annotated[list[ConversionDocument], msgspec.Meta(max_length=20)] = []
    look: Identifier = "classic"
    card: CardDocument = CardDocument()
    join: JoinDocument | None = None
    till: TillDocument | None = None
    language: Language = "en"
    languages: Annotated[tuple[Language, ...], msgspec.Meta(max_length=40)] = ()
    activities: Annotated[dict[Identifier, ActivityDocument], msgspec.Meta(max_length=100)] = {}
    counters: Annotated[dict[Identifier, CounterDocument], msgspec.Meta(max_length=40)] = {}
    tiers: TiersDocument | None = None
    segments: Annotated[dict[Identifier, SegmentDocument], msgspec.Meta(max_length=100)] = {}
    campaigns: Annotated[dict[Identifier, CampaignDocument], msgspec.Meta(max_length=100)] = {}
    multipliers: Annotated[list[MultiplierDocument], msgspec.Meta(max_length=200)] = []
    discounts: Annotated[list[AnyDiscount], msgspec.Meta(max_length=500)] = []
    codes: Annotated[dict[Code, PublicCodeDocument], msgspec.Meta(max_length=500)] = {}
    access: Annotated[list[AccessDocument], msgspec.Meta(max_length=100)] = []
    plans: Plans = {}
    referrals: ReferralsDocument | None = None
    groups: Annotated[dict[Identifier, GroupDocument], msgspec.Meta(max_length=100)] = {}
    evaluation: EvaluationDocument = EvaluationDocument()
    ends: EndDocument | None = None
    warnings: WarningsDocument = WarningsDocument()
    terms: Annotated[list[TermsDocument], msgspec.Meta(max_length=200)] = []
    privacy: Annotated[list[TermsDocument], msgspec.Meta(max_length=200)] = []


def parse(document: Any) -> ProgramDocument | list[FieldError]:
    """The document in plain data, or what is wrong with its shape."""
    try:
        return msgspec.convert(document, ProgramDocument)
    except msgspec.ValidationError as error:
        if not isinstance(document, dict):
            return [FieldError("", "a program is a mapping of names to values")]
        return list(_part_errors(document)) or [_field_error("", error)]


def _part_errors(document: dict[Any, Any]) -> Iterator[FieldError]:
    """Every mistake: each field, and each element of each list, is converted by itself."""
    fields = {field.name: field for field in msgspec.structs.fields(ProgramDocument)}
    for name in document:
        if name not in fields:
            yield FieldError(str(name), "is not a part of a program")
    for name, field in fields.items():
        if name in document:
            yield from _value_errors(name, document[name], field.type)
        elif field.required:
            yield FieldError(name, "is missing")


def _value_errors(path: str, value: Any, wanted: Any) -> Iterator[FieldError]:
    plain = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    errors: list[FieldError] = []
    if get_origin(plain) is list and isinstance(value, list):
        (element,) = get_args(plain)
        for index, one in enumerate(value):
            errors += _value_errors(f"{path}[{index}]", one, element)
    elif get_origin(plain) is dict and isinstance(value, dict):
        element = get_args(plain)[1]
        for key, one in value.items():
            errors += _value_errors(f"{path}.{key}", one, element)
    if not errors:
        try:
            msgspec.convert(value, wanted)
        except msgspec.ValidationError as error:
            errors.append(_field_error(path, error))
    yield from errors


def _field_error(path: str, error: msgspec.ValidationError) -> FieldError:
    place, reason = place_and_reason(error)
    return FieldError(path + ("." if path and place[:1] not in ("", "[") else "") + place, reason)
