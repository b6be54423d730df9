"""What a document of the right shape says that cannot be: names of nothing, contradictions."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chalicelib.domain.conditions.documents import ConditionDocument
from chalicelib.domain.conditions.expression import Type, check_expression
from chalicelib.domain.counting.documents import CounterDocument, WindowDocument
from chalicelib.domain.earning.documents import (
    CampaignDocument,
    EarnRuleDocument,
    SelectionDocument,
)
from chalicelib.domain.earning.kinds import FIXED, EarnDocument
from chalicelib.domain.earning.on_occasion import OnOccasionDocument
from chalicelib.domain.earning.per_activity import PerActivityDocument
from chalicelib.domain.errors import FieldError
from chalicelib.domain.memberships.checking import check_plans
from chalicelib.domain.pricing.amount import AmountDocument
from chalicelib.domain.pricing.discount import DiscountDocument, basis_points
from chalicelib.domain.pricing.ladder import LadderDocument, least
from chalicelib.domain.pricing.percent import PercentDocument
from chalicelib.domain.program.card import LongText, check_card, texts_of
from chalicelib.domain.program.compiling import conditions_of, vocabulary
from chalicelib.domain.program.document import ProgramDocument, TermsDocument
from chalicelib.domain.program.numbers import Numbers
from chalicelib.domain.referrals.checking import check_referrals
from chalicelib.domain.rewards.cash import CashDocument
from chalicelib.domain.rewards.coupon import CouponDocument
from chalicelib.domain.rewards.event import EventDocument
from chalicelib.domain.rewards.gift import GiftDocument
from chalicelib.domain.rewards.kinds import AnyReward
from chalicelib.domain.rewards.voucher import VoucherDocument
from chalicelib.domain.segments import RangeDocument, SegmentDocument
from chalicelib.domain.texts import Text
from chalicelib.domain.tiers.documents import LevelDocument
from chalicelib.kernel.clock import from_rfc3339
from chalicelib.kernel.money import is_currency

FIRST_YEAR, LAST_YEAR = 1990, 2199
DEEPEST = 8  # conditions within conditions


def check(document: ProgramDocument) -> list[FieldError]:
    """Everything that is wrong, each with the path where it stands."""
    found = [*_check_basics(document), *_check_currencies(document)]
    found += [*_check_earn(document), *_check_multipliers(document), *_check_rewards(document)]
    found += [*_check_campaigns(document), *_check_counters(document), *_check_tiers(document)]
    found += [*_check_segments(document), *_check_conditions(document)]
    found += [*_check_discounts(document), *_check_access(document)]
    found += [*_check_conversions(document), *_check_texts(document)]
    found += [*_check_terms("terms", document.terms), *_check_terms("privacy", document.privacy)]
    if document.till:
        found += _twice("till.buttons", [one.id for one in document.till.buttons], "button")
    found += check_card(document.card, _tiers(document))
    currencies, segments = set(document.currencies), set(document.segments)
    found += check_plans(document.plans, document.money, currencies, segments)
    if document.referrals:
        names = {
            "currencies": currencies,
            "activities": set(document.activities),
            "tiers": _tiers(document),
            "segments": segments,
            "plans": set(document.plans),
        }
        rewards = {one.id: one for one in document.rewards}
        found += check_referrals(document.referrals, names, rewards)
        if document.join is None:
            found.append(FieldError("join", "is missing: the links of referrals lead there"))
    return found + list(_check_exchanges(document))


def _check_basics(document: ProgramDocument) -> Iterator[FieldError]:
    if not is_currency(document.money):
        yield FieldError("money", "is not a currency of ISO 4217")
    try:
        ZoneInfo(document.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield FieldError("time_zone", "is not a time zone of the IANA database")
    if document.ends:
        earn, redeem = document.ends.last_day_to_earn, document.ends.last_day_to_redeem
        yield from _check_days("ends", (("last_day_to_earn", earn), ("last_day_to_redeem", redeem)))


def _check_texts(document: ProgramDocument) -> Iterator[FieldError]:
    """A text that is in several languages is in all that the program declares."""
    texts: list[tuple[str, Text | LongText]] = [
        (f"currencies.{name}.label", one.label) for name, one in document.currencies.items()
    ]
    texts += [(f"rewards[{at}].name", one.name) for at, one in enumerate(document.rewards)]
    levels = document.tiers.levels if document.tiers else ()
    texts += [(f"tiers.levels[{at}].label", one.label) for at, one in enumerate(levels)]
    texts += [(f"plans.{name}.name", one.name) for name, one in document.plans.items()]
    texts += texts_of(document.card)
    buttons = document.till.buttons if document.till else ()
    texts += [(f"till.buttons[{at}].label", one.label) for at, one in enumerate(buttons)]
    consents = document.join.consents if document.join else ()
    texts += [(f"join.consents[{at}].text", one.text) for at, one in enumerate(consents)]
    if document.referrals and document.referrals.share:
        texts.append(("referrals.share.text", document.referrals.share.text))
    for at, text in texts:
        if isinstance(text, str):
            continue
        for language in dict.fromkeys((document.language, *document.languages)):
            if language not in text:
                yield FieldError(at, f"has no text in {language}")


def _check_terms(at: str, texts: list[TermsDocument]) -> Iterator[FieldError]:
    for index, one in enumerate(texts):
        yield from _check_days(f"{at}[{index}]", (("since", one.since),))
        if one.version in [other.version for other in texts[:index]]:
            yield FieldError(f"{at}[{index}].version", f"another version is called {one.version}")
        if index and one.since <= texts[index - 1].since:
            yield FieldError(f"{at}[{index}].since", "is not after the version before it")


def _check_currencies(document: ProgramDocument) -> Iterator[FieldError]:
    for name, currency in document.currencies.items():
        lasts = currency.expires
        at = f"currencies.{name}.expires"
        if lasts and sum(one is not None for one in (lasts.days, lasts.months, lasts.years)) != 1:
            yield FieldError(at, "names exactly one of days, months and years")
        if currency.money and currency.goal is not None:
            yield FieldError(f"currencies.{name}.goal", "money has no places on a stamp card")
        if lasts and lasts.not_in_tiers and lasts.since == "last_activity":
            reason = "points that live by activity end in every tier alike"
            yield FieldError(f"{at}.not_in_tiers", reason)
        yield from _unknown(
            f"{at}.not_in_tiers", (lasts and lasts.not_in_tiers) or (), _tiers(document), "tier"
        )


def _check_earn(document: ProgramDocument) -> Iterator[FieldError]:
    yield from _twice("earn", [rule.id for rule in document.earn], "earn rule")
    for index, rule in enumerate(document.earn):
        at = f"earn[{index}]"
        yield from _unknown(f"{at}.currency", [rule.currency], document.currencies, "currency")
        yield from _check_selections(at, rule.include, rule.exclude)
        if rule.campaign:
            yield from _unknown(f"{at}.campaign", [rule.campaign], document.campaigns, "campaign")
        if rule.group:
            yield from _unknown(f"{at}.group", [rule.group], document.groups, "group")
        yield from _check_rate(document, at, rule)
        yield from _check_caps(at, rule)
        if isinstance(rule, PerActivityDocument):
            yield from _check_activity(document, at, rule.activity, rule.property)
            if rule.include or rule.exclude:
                yield FieldError(f"{at}.include", "an activity has no lines")
        if isinstance(rule, OnOccasionDocument):
            budgets = {name for name, one in document.campaigns.items() if one.budget}
            yield from _check_day(at, rule, budgets)
    yield from _check_exclusive(document)


def _check_rate(document: ProgramDocument, at: str, rule: EarnDocument) -> Iterator[FieldError]:
    if rule.carry_remainder and rule.rounding != "floor":
        yield FieldError(f"{at}.rounding", "a carried remainder is never rounded")
    if isinstance(rule, FIXED) and (rule.per != 1 or rule.carry_remainder):
        field = "per" if rule.per != 1 else "carry_remainder"
        yield FieldError(f"{at}.{field}", f"{rule.give} is given once, there is nothing to divide")
    campaign = document.campaigns.get(rule.campaign or "")
    if rule.carry_remainder and (rule.caps or (campaign and campaign.budget)):
        reason = "what is cut off has no remainder: a rule with a cap or a budget cannot carry one"
        yield FieldError(f"{at}.carry_remainder", reason)


def _check_caps(at: str, rule: EarnRuleDocument) -> Iterator[FieldError]:
    for index, cap in enumerate(rule.caps):
        if (cap.points is None) == (cap.times is None):
            yield FieldError(f"{at}.caps[{index}]", "names exactly one of points and times")
        elif cap.per == "order" and cap.points is None:
            yield FieldError(f"{at}.caps[{index}].times", "a rule pays once per order anyway")
    periods = [(cap.per, cap.points is None) for cap in rule.caps]
    for index, period in enumerate(periods):
        if period in periods[:index]:
            yield FieldError(f"{at}.caps[{index}].per", "another cap of the rule is for it")


def _check_exclusive(document: ProgramDocument) -> Iterator[FieldError]:
    """Of two exclusive rules, or discounts, that may meet, one must come first."""
    rules = [(at, one) for at, one in enumerate(document.earn) if one.stacking == "exclusive"]
    discounts = [(at, one) for at, one in enumerate(document.discounts) if one.exclusive]
    yield from _check_alone(document, "earn", rules)
    yield from _check_alone(document, "discounts", discounts)


def _check_alone(
    document: ProgramDocument, part: str, alone: Sequence[tuple[int, "Runs"]]
) -> Iterator[FieldError]:
    for place, (at, one) in enumerate(alone):
        for _, other in alone[:place]:
            meet = getattr(one, "currency", None) == getattr(other, "currency", None)
            if meet and one.priority == other.priority and _overlap(document, one, other):
                reason = f"{other.id} is exclusive too and may run then: one comes first"
                yield FieldError(f"{part}[{at}].priority", reason)


Runs = EarnRuleDocument | DiscountDocument


def _overlap(document: ProgramDocument, one: Runs, other: Runs) -> bool:
    (start, end), (begin, stop) = _runs(document, one), _runs(document, other)
    return start <= stop and begin <= end


def _runs(document: ProgramDocument, rule: Runs) -> tuple[str, str]:
    """From which day to which a rule may pay, as they sort."""
    windows = [("0001-01-01", "9999-12-31")]
    campaign = document.campaigns.get(rule.campaign or "")
    if campaign:
        windows.append((campaign.starts or windows[0][0], campaign.ends or windows[0][1]))
    dates = rule.condition.dates if rule.condition else None
    if dates:
        windows.append((dates.from_ or windows[0][0], dates.to or windows[0][1]))
    return max(start for start, _ in windows), min(end for _, end in windows)


def _check_multipliers(document: ProgramDocument) -> Iterator[FieldError]:
    yield from _twice("multipliers", [one.id for one in document.multipliers], "multiplier")
    rules = {rule.id: rule for rule in document.earn}
    for index, one in enumerate(document.multipliers):
        at = f"multipliers[{index}]"
        yield from _unknown(f"{at}.currency", [one.currency], document.currencies, "currency")
        yield from _unknown(f"{at}.rules", one.rules or (), rules, "earn rule")
        yield from _check_selections(at, one.include, one.exclude)
        if one.group:
            yield from _unknown(f"{at}.group", [one.group], document.groups, "group")
        if one.campaign:
            yield from _unknown(f"{at}.campaign", [one.campaign], document.campaigns, "campaign")
            campaign = document.campaigns.get(one.campaign)
            if campaign and campaign.budget:
                reason = "a campaign with a budget pays by rules of its own: give it an earn rule"
                yield FieldError(f"{at}.campaign", reason)
        for name in one.rules or ():
            if name in rules and rules[name].currency != one.currency:
                yield FieldError(f"{at}.rules", f"{name} gives {rules[name].currency}")


def _check_campaigns(document: ProgramDocument) -> Iterator[FieldError]:
    for name, one in document.campaigns.items():
        at = f"campaigns.{name}"
        yield from _check_days(at, (("starts", one.starts), ("ends", one.ends)))
        if one.budget and (one.budget.points is None) == (one.budget.times is None):
            yield FieldError(f"{at}.budget", "names exactly one of points and times")
        if not _is_used(document, name):
            yield FieldError(at, "no rule, multiplier or discount belongs to it")
        yield from _check_budget(document, at, name, one)


def _check_budget(
    document: ProgramDocument, at: str, name: str, one: CampaignDocument
) -> Iterator[FieldError]:
    currencies = {rule.currency for rule in document.earn if rule.campaign == name}
    if one.budget and one.budget.points is not None and len(currencies) > 1:
        reason = f"points of {' and '.join(sorted(currencies))} cannot be added up"
        yield FieldError(f"{at}.budget.points", reason)


def _is_used(document: ProgramDocument, campaign: str) -> bool:
    return any(
        one.campaign == campaign
        for one in (*document.earn, *document.multipliers, *document.discounts)
    )


def _check_discounts(document: ProgramDocument) -> Iterator[FieldError]:
    yield from _twice("discounts", [one.id for one in document.discounts], "discount")
    for index, one in enumerate(document.discounts):
        at = f"discounts[{index}]"
        yield from _check_selections(at, one.include, one.exclude)
        if one.campaign:
            yield from _unknown(f"{at}.campaign", [one.campaign], document.campaigns, "campaign")
            campaign = document.campaigns.get(one.campaign)
            if campaign and campaign.budget:
                reason = "a budget is of points; limit a discount by a reward with a stock"
                yield FieldError(f"{at}.campaign", reason)
        if one.group:
            yield from _unknown(f"{at}.group", [one.group], document.groups, "group")
        if isinstance(one, LadderDocument):
            yield from _check_ladder(document, at, one)


def _check_ladder(document: ProgramDocument, at: str, one: LadderDocument) -> Iterator[FieldError]:
    if one.counter:
        yield from _unknown(f"{at}.counter", [one.counter], document.counters, "counter")
    for index, step in enumerate(one.steps):
        if (step.at is None) == (step.above is None):
            yield FieldError(f"{at}.steps[{index}]", "names exactly one of at and above")
    for index, (lower, higher) in enumerate(pairwise(one.steps)):
        rises = least(lower) < least(higher)
        if not rises or basis_points(lower.percent) >= basis_points(higher.percent):
            reason = "is not above the step before it, in amount and in percent"
            yield FieldError(f"{at}.steps[{index + 1}]", reason)
    last = basis_points(one.steps[-1].percent)
    if one.grows and basis_points(one.grows.at_most) <= last:
        yield FieldError(f"{at}.grows.at_most", "is not above the last step")


def _check_access(document: ProgramDocument) -> Iterator[FieldError]:
    yield from _twice("access", [one.id for one in document.access], "release")
    for index, one in enumerate(document.access):
        at = f"access[{index}]"
        yield from _check_selections(at, one.include, None)
        moments = [("since", one.since)]
        moments += [(f"early[{place}].since", early.since) for place, early in enumerate(one.early)]
        read = {name: _moment(text) for name, text in moments if text is not None}
        for name, moment in read.items():
            if moment is None:
                yield FieldError(f"{at}.{name}", "is no moment of the calendar")
        opens = read.get("since")
        for name, moment in read.items():
            if name != "since" and opens is not None and moment is not None and moment >= opens:
                yield FieldError(f"{at}.{name}", "is not before everybody can buy")


def _moment(text: str) -> int | None:
    try:
        return from_rfc3339(text)
    except ValueError:
        return None


def _check_counters(document: ProgramDocument) -> Iterator[FieldError]:
    for name, one in document.counters.items():
        at = f"counters.{name}"
        if isinstance(one.window, WindowDocument):
            window = one.window
            lengths = (
                window.rolling_days,
                window.rolling_months,
                window.until_idle_days,
                window.until_idle_months,
            )
            if sum(length is not None for length in lengths) != 1:
                yield FieldError(f"{at}.window", "names exactly one window")
        yield from _check_counted(document, at, one)
        yield from _check_selections(at, one.include, one.exclude)


def _check_counted(
    document: ProgramDocument, at: str, one: CounterDocument
) -> Iterator[FieldError]:
    belongs = {
        "currency": ("points",),
        "activity": ("activity",),
        "property": ("activity",),
        "basis": ("spend",),
        "include": ("spend", "units"),
        "exclude": ("spend", "units"),
        "channels": ("spend", "units", "orders"),
        "stores": ("spend", "units", "orders"),
    }
    for field, kinds in belongs.items():
        if getattr(one, field) is not None and one.of not in kinds:
            yield FieldError(f"{at}.{field}", f"belongs to a counter of {' or '.join(kinds)}")
    if one.of == "points":
        if one.currency is None:
            yield FieldError(f"{at}.currency", "is missing: points of which currency")
        else:
            yield from _unknown(f"{at}.currency", [one.currency], document.currencies, "currency")
    if one.of == "activity":
        if one.activity is None:
            yield FieldError(f"{at}.activity", "is missing: activities of which type")
        else:
            yield from _check_activity(document, at, one.activity, one.property)


def _check_activity(
    document: ProgramDocument, at: str, activity: str, property_name: str | None
) -> Iterator[FieldError]:
    known = document.activities.get(activity)
    if known is None:
        yield FieldError(f"{at}.activity", f"{activity} is not one of the activities")
    elif property_name is not None and known.properties.get(property_name) != "number":
        yield FieldError(f"{at}.property", f"{property_name} is no number of {activity}")


def _check_tiers(document: ProgramDocument) -> Iterator[FieldError]:
    if document.tiers is None:
        return
    levels = document.tiers.levels
    yield from _twice("tiers.levels", [one.id for one in levels], "tier")
    for index, one in enumerate(levels):
        at = f"tiers.levels[{index}].at_least"
        yield from _unknown(at, one.at_least, document.counters, "counter")
        if index and not one.at_least:
            yield FieldError(at, "only the lowest tier may ask for nothing")
        if document.tiers.kept == "to_end_of_next_period":
            for name in one.at_least:
                counter = document.counters.get(name)
                if counter and (
                    counter.window == "lifetime" or not isinstance(counter.window, str)
                ):
                    yield FieldError(f"{at}.{name}", "has no periods, so there is no next one")
    for index, (lower, higher) in enumerate(pairwise(levels)):
        if not _above(lower, higher):
            reason = f"{higher.id} asks for no more than {lower.id} below it"
            yield FieldError(f"tiers.levels[{index + 1}].at_least", reason)
    if document.tiers.kept_months and document.tiers.kept == "to_end_of_next_period":
        yield FieldError(
            "tiers.kept_months", "a tier is kept to the end of the next period already"
        )


def _above(lower: LevelDocument, higher: LevelDocument) -> bool:
    shared = lower.at_least.keys() & higher.at_least.keys()
    rises = all(higher.at_least[name] >= lower.at_least[name] for name in shared)
    more = any(need > lower.at_least.get(name, 0) for name, need in higher.at_least.items())
    return rises and more


def _check_segments(document: ProgramDocument) -> Iterator[FieldError]:
    for name, one in document.segments.items():
        yield from _check_segment(document, f"segments.{name}", one, 1)
        if name in _reached(document, one, set()):
            yield FieldError(f"segments.{name}", "is defined by itself")


def _reached(document: ProgramDocument, one: SegmentDocument, seen: set[str]) -> set[str]:
    """The segments that a segment depends on."""
    for inner in _inner(one):
        _reached(document, inner, seen)
    for name in one.segments or ():
        if name not in seen and name in document.segments:
            seen.add(name)
            _reached(document, document.segments[name], seen)
    return seen


def _inner(one: SegmentDocument) -> Iterable[SegmentDocument]:
    return (*(one.all_ or ()), *(one.any_ or ()), *([one.not_] if one.not_ else []))


def _check_segment(
    document: ProgramDocument, at: str, one: SegmentDocument, depth: int
) -> Iterator[FieldError]:
    if depth > DEEPEST:
        yield FieldError(at, f"is nested more than {DEEPEST} deep")
        return
    counters = {**(one.counters or {})}
    yield from _unknown(f"{at}.counters", counters, document.counters, "counter")
    for name, wanted in counters.items():
        yield from _check_range(f"{at}.counters.{name}", wanted)
    for field in ("joined_days", "age", "average"):
        wanted = getattr(one, field)
        if wanted is not None:
            yield from _check_range(f"{at}.{field}", wanted)
    if one.average:
        used = [one.average.of, one.average.per]
        yield from _unknown(f"{at}.average", used, document.counters, "counter")
    if one.last:
        yield from _unknown(f"{at}.last", [one.last.counter], document.counters, "counter")
        if one.last.within_days is None and one.last.over_days is None:
            yield FieldError(f"{at}.last", "says neither within_days nor over_days")
    yield from _unknown(f"{at}.tiers", one.tiers or (), _tiers(document), "tier")
    yield from _unknown(f"{at}.segments", one.segments or (), document.segments, "segment")
    if one == SegmentDocument():
        yield FieldError(at, "says nothing")
    for index, inner in enumerate(_inner(one)):
        yield from _check_segment(document, f"{at}[{index}]", inner, depth + 1)


def _check_range(at: str, wanted: RangeDocument) -> Iterator[FieldError]:
    if wanted.at_least is None and wanted.at_most is None:
        yield FieldError(at, "says neither at_least nor at_most")
    elif (wanted.at_least or 0) > (wanted.at_most if wanted.at_most is not None else 10**15):
        yield FieldError(at, "at_least is above at_most")


def _check_conditions(document: ProgramDocument) -> Iterator[FieldError]:
    properties = vocabulary(document, Numbers()).properties
    for at, one in conditions_of(document):
        yield from _check_condition(document, at, one, properties, 1)


def _check_condition(
    document: ProgramDocument,
    at: str,
    one: ConditionDocument,
    properties: Mapping[str, Type],
    depth: int,
) -> Iterator[FieldError]:
    if depth > DEEPEST:
        yield FieldError(at, f"is nested more than {DEEPEST} deep")
        return
    if one == ConditionDocument():
        yield FieldError(at, "says nothing")
    yield from _check_facts(document, at, one)
    if one.when is not None:
        reason = check_expression(one.when, properties)
        if reason:
            yield FieldError(f"{at}.when", reason)
    for name, given in (("all", one.all_), ("any", one.any_)):
        if given == ():
            yield FieldError(f"{at}.{name}", "is empty")
        for index, some in enumerate(given or ()):
            at_inner = f"{at}.{name}[{index}]"
            yield from _check_condition(document, at_inner, some, properties, depth + 1)
    if one.not_ is not None:
        yield from _check_condition(document, f"{at}.not", one.not_, properties, depth + 1)


def _check_facts(
    document: ProgramDocument, at: str, one: ConditionDocument
) -> Iterator[FieldError]:
    yield from _unknown(f"{at}.tiers", one.tiers or (), _tiers(document), "tier")
    yield from _unknown(f"{at}.segments", one.segments or (), document.segments, "segment")
    yield from _unknown(f"{at}.plans", one.plans or (), document.plans, "plan")
    if (one.min_total or 0) > (one.max_total if one.max_total is not None else 10**15):
        yield FieldError(f"{at}.min_total", "is above max_total")
    if one.hours and one.hours.from_ == one.hours.to:
        yield FieldError(f"{at}.hours", "is no time at all")
    if one.dates:
        yield from _check_days(f"{at}.dates", (("from", one.dates.from_), ("to", one.dates.to)))
    if one.purchase and (one.purchase.exactly is None) == (one.purchase.every is None):
        yield FieldError(f"{at}.purchase", "names exactly one of exactly and every")


def _check_rewards(document: ProgramDocument) -> Iterator[FieldError]:
    yield from _twice("rewards", [reward.id for reward in document.rewards], "reward")
    for index, reward in enumerate(document.rewards):
        at = f"rewards[{index}]"
        if reward.cost is not None:
            names = [reward.cost.currency]
            yield from _unknown(f"{at}.cost.currency", names, document.currencies, "currency")
        yield from _unknown(f"{at}.tiers", reward.tiers or (), _tiers(document), "tier")
        yield from _unknown(f"{at}.segments", reward.segments or (), document.segments, "segment")
        yield from _unknown(f"{at}.plans", reward.plans or (), document.plans, "plan")
        if reward.available:
            days = reward.available
            yield from _check_days(f"{at}.available", (("from", days.from_), ("to", days.to)))
        if reward.voucher:
            until = (("valid_until", reward.voucher.valid_until),)
            yield from _check_days(f"{at}.voucher", until)
        if reward.voucher and reward.voucher.store:
            yield from _check_store(document, f"{at}.voucher", reward.voucher, reward)
        yield from _check_kind(document, at, reward)
    yield from _check_codes(document)


def _check_kind(document: ProgramDocument, at: str, reward: AnyReward) -> Iterator[FieldError]:
    if isinstance(reward, (CouponDocument, GiftDocument)) and reward.voucher is None:
        yield FieldError(f"{at}.voucher", f"is missing: a {reward.__struct_config__.tag} is a code")
    if isinstance(reward, CouponDocument):
        yield from _check_coded(document, f"{at}.discount", reward.discount)
    if isinstance(reward, CashDocument):
        if reward.cost is None:
            yield FieldError(f"{at}.cost", "is missing: what so much money costs")
        if reward.voucher and reward.voucher.uses != 1:
            yield FieldError(f"{at}.voucher.uses", "money is used up by amounts, not by times")
    if isinstance(reward, EventDocument) and _moment(reward.begins_at) is None:
        yield FieldError(f"{at}.begins_at", "is no moment of the calendar")


def _check_store(
    document: ProgramDocument, at: str, voucher: VoucherDocument, reward: AnyReward
) -> Iterator[FieldError]:
    """A store's code is good for one order and takes an amount, or a share, off all of it."""
    if voucher.uses != 1:
        yield FieldError(f"{at}.uses", "a code of a store is used once")
    if isinstance(reward, CashDocument):
        return
    name = reward.discount if isinstance(reward, CouponDocument) else ""
    discount = next((one for one in document.discounts if one.id == name), None)
    simple = (isinstance(discount, PercentDocument) and isinstance(discount.percent, int)) or (
        isinstance(discount, AmountDocument) and not discount.each
    )
    narrowed = discount and (
        discount.include
        or discount.exclude
        or discount.condition
        or discount.campaign
        or discount.at_most
    )
    if not simple or narrowed:
        reason = "takes cash, or a discount of a whole percent or an amount off every order, only"
        yield FieldError(f"{at}.store", reason)


def _check_coded(document: ProgramDocument, at: str, name: str) -> Iterator[FieldError]:
    discounts = {one.id: one for one in document.discounts}
    yield from _unknown(at, [name], discounts, "discount")
    if name in discounts and not discounts[name].by_code:
        yield FieldError(at, f"{name} is given without a code: say by_code")


def _check_codes(document: ProgramDocument) -> Iterator[FieldError]:
    for code, one in document.codes.items():
        at = f"codes.{code}"
        yield from _check_coded(document, f"{at}.discount", one.discount)
        yield from _check_days(at, (("valid_until", one.valid_until),))
    named = {one.discount for one in document.codes.values()}
    named |= {one.discount for one in document.rewards if isinstance(one, CouponDocument)}
    for index, discount in enumerate(document.discounts):
        if discount.by_code and discount.id not in named:
            yield FieldError(f"discounts[{index}].by_code", "no reward and no code names it")


def _check_conversions(document: ProgramDocument) -> Iterator[FieldError]:
    exchanges = {one.id for one in document.exchanges}
    for index, one in enumerate(document.conversions):
        at = f"conversions[{index}]"
        yield from _unknown(f"{at}.exchange", [one.exchange], exchanges, "exchange")
        for place, day in enumerate(one.days):
            try:
                date.fromisoformat(f"2023-{day}")
            except ValueError:
                yield FieldError(f"{at}.days[{place}]", f"{day} is no day of every year")


def _check_day(at: str, rule: OnOccasionDocument, budgets: set[str]) -> Iterator[FieldError]:
    if (rule.occasion == "inactivity") != (rule.after_days is not None):
        yield FieldError(f"{at}.after_days", "belongs to inactivity, which needs it")
    if rule.year is not None and "anniversary" not in rule.occasion:
        yield FieldError(f"{at}.year", "belongs to an anniversary")
    if rule.include or rule.exclude:
        yield FieldError(f"{at}.include", "a day has no lines")
    if rule.caps:
        yield FieldError(f"{at}.caps", "a day comes once anyway")
    if rule.campaign and rule.campaign in budgets:
        yield FieldError(f"{at}.campaign", "what time brings by itself asks no budget")


def _check_exchanges(document: ProgramDocument) -> Iterator[FieldError]:
    yield from _twice("exchanges", [one.id for one in document.exchanges], "exchange")
    for index, one in enumerate(document.exchanges):
        at = f"exchanges[{index}]"
        yield from _unknown(f"{at}.source", [one.source], document.currencies, "currency")
        yield from _unknown(f"{at}.target", [one.target], document.currencies, "currency")
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


def _check_selections(
    at: str, include: SelectionDocument | None, exclude: SelectionDocument | None
) -> Iterator[FieldError]:
    for name, selection in (("include", include), ("exclude", exclude)):
        if selection and not (selection.skus or selection.categories or selection.labels):
            yield FieldError(f"{at}.{name}", "names no SKU, category or label")


def _check_days(at: str, days: Iterable[tuple[str, str | None]]) -> Iterator[FieldError]:
    """Days that there are, the first not after the second."""
    found = []
    for name, text in days:
        if text is None:
            continue
        try:
            day = date.fromisoformat(text)
        except ValueError:
            yield FieldError(f"{at}.{name}", f"{text} is no day of the calendar")
            continue
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            yield FieldError(f"{at}.{name}", f"lies outside {FIRST_YEAR} to {LAST_YEAR}")
        found.append((name, day))
    if len(found) > 1 and found[0][1] > found[1][1]:
        yield FieldError(f"{at}.{found[1][0]}", f"lies before {found[0][0]}")


def _twice(at: str, names: Iterable[str], what: str) -> Iterator[FieldError]:
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        if seen[name]:
            yield FieldError(f"{at}[{index}].id", f"another {what} is called {name}")
        seen[name] += 1


def _unknown(
    at: str, names: Iterable[str], known: Iterable[str], what: str
) -> Iterator[FieldError]:
    plural = {"currency": "currencies"}.get(what, f"{what}s")
    for name in names:
        if name not in known:
            yield FieldError(at, f"{name} is not one of the {plural}")


def _tiers(document: ProgramDocument) -> set[str]:
    return {one.id for one in document.tiers.levels} if document.tiers else set()
