"""From a program document to a program: names become numbers, conditions become functions."""

from collections.abc import Iterable
from datetime import date
from zoneinfo import ZoneInfo

from chalicelib.domain.conditions.condition import (
    Vocabulary,
    WhyNot,
    all_of,
    compile_condition,
    dates,
)
from chalicelib.domain.conditions.documents import ConditionDocument
from chalicelib.domain.conditions.expression import Type
from chalicelib.domain.counting.counter import Counter, Measure
from chalicelib.domain.counting.kinds import compile_counter, window_of
from chalicelib.domain.counting.windows import Lifetime
from chalicelib.domain.earning.campaigns import Budget, Campaign
from chalicelib.domain.earning.caps import Cap
from chalicelib.domain.earning.documents import (
    CampaignDocument,
    EarnRuleDocument,
    MultiplierDocument,
)
from chalicelib.domain.earning.evaluation import Evaluation
from chalicelib.domain.earning.kinds import FIXED, EarnDocument, rate_of, weighing_of
from chalicelib.domain.earning.multiplying import Combine, Multiplier
from chalicelib.domain.earning.on_occasion import OnOccasionDocument
from chalicelib.domain.earning.rule import EarnRule, Pays, Pending
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.memberships.documents import PlanDocument, PriceDocument
from chalicelib.domain.memberships.plan import Plan, Price, Welcome
from chalicelib.domain.pricing.access import Access, AccessDocument, Window
from chalicelib.domain.pricing.discount import Discount
from chalicelib.domain.pricing.kinds import AnyDiscount, terms_of
from chalicelib.domain.program.clawback import Clawback
from chalicelib.domain.program.document import (
    CurrencyDocument,
    ExpiryDocument,
    ProgramDocument,
    TermsDocument,
)
from chalicelib.domain.program.expiry import EndOf, Expiry
from chalicelib.domain.program.numbers import (
    PURCHASES,
    Numbers,
    cap_name,
    caps_of,
    limit_name,
    price_name,
    rule_name,
)
from chalicelib.domain.program.program import (
    Accepted,
    Conversion,
    Currency,
    ExchangeRate,
    Program,
    TillButton,
)
from chalicelib.domain.referrals.compiling import compile_referrals
from chalicelib.domain.rewards.kinds import AnyReward
from chalicelib.domain.rewards.kinds import terms_of as reward_terms_of
from chalicelib.domain.rewards.reward import NO_CURRENCY, PerMember, Reward
from chalicelib.domain.rewards.voucher import PublicCode, VoucherTerms
from chalicelib.domain.segments import Lexicon, Segment, asks_of_person, compile_segment
from chalicelib.domain.tiers.documents import TiersDocument
from chalicelib.domain.tiers.tiers import Level, Tiers
from chalicelib.kernel.clock import DAY, MONTHS, from_rfc3339
from chalicelib.kernel.rounding import Rounding

_TYPES = {"number": Type.NUMBER, "text": Type.TEXT, "truth": Type.TRUTH}


def compile_program(document: ProgramDocument, numbers: Numbers, version: int) -> Program:
    """The program of a document that `check` found sound, with numbers for all its names."""
    of_currency = numbers.currencies
    words = vocabulary(document, numbers)
    campaigns = {
        name: _campaign(name, numbers.campaigns[name], one, words)
        for name, one in document.campaigns.items()
    }
    declared = {
        name: compile_counter(
            name, one, numbers.counters[name], of_currency[one.currency] if one.currency else 0
        )
        for name, one in document.counters.items()
    }
    purchases = (
        Counter(PURCHASES, numbers.counters[PURCHASES], Measure.ORDERS, Lifetime())
        if asks_which_purchase(document)
        else None
    )
    of_caps = [one for rule in document.earn for one in _counters_of_caps(rule, numbers)]
    exchanges = {
        one.id: ExchangeRate(
            one.id, of_currency[one.source], one.take, of_currency[one.target], one.give
        )
        for one in document.exchanges
    }
    rewards = tuple(_reward(one, numbers) for one in document.rewards)
    of_limits = [one.per_member.counter for one in rewards if one.per_member]
    referrals = None
    if document.referrals:
        referrals = compile_referrals(
            document.referrals, lambda kind, name: int(getattr(numbers, kind)[name]), words
        )
    of_referrals = referrals.counters if referrals else ()
    lexicon = Lexicon(declared, numbers.tiers, document.segments)
    return Program(
        version=version,
        name=document.name,
        zone=ZoneInfo(document.time_zone),
        money=document.money,
        look=document.look,
        card=document.card,
        join=document.join,
        till=tuple(
            TillButton(one.id, one.label, one.unit_price, one.categories or (), one.labels or ())
            for one in (document.till.buttons if document.till else ())
        ),
        language=document.language,
        languages=(document.language, *document.languages),
        currencies=tuple(
            _currency(name, one, numbers) for name, one in document.currencies.items()
        ),
        earn=tuple(_rule(rule, numbers, words, campaigns) for rule in document.earn),
        rewards=rewards,
        exchanges=tuple(exchanges.values()),
        conversions=tuple(
            Conversion(
                exchanges[one.exchange],
                frozenset((int(day[:2]), int(day[3:])) for day in one.days),
            )
            for one in document.conversions
        ),
        numbers=numbers,
        counters=(
            *declared.values(),
            *([purchases] if purchases else []),
            *of_caps,
            *of_limits,
            *of_referrals,
        ),
        purchases=purchases,
        tiers=_tiers(document.tiers, numbers, declared) if document.tiers else None,
        segments=tuple(
            Segment(name, numbers.segments[name], compile_segment(one, lexicon))
            for name, one in document.segments.items()
        ),
        asks_of_person=any(asks_of_person(one) for one in document.segments.values()),
        campaigns=tuple(campaigns.values()),
        multipliers=tuple(
            _multiplier(one, document, numbers, words, campaigns) for one in document.multipliers
        ),
        groups={name: Pays(one.pays) for name, one in document.groups.items()},
        evaluation=Evaluation(
            document.evaluation.order == "bonus_then_multiply",
            Combine(document.evaluation.multipliers),
            document.evaluation.multiply == "points",
            Rounding(document.evaluation.rounding),
        ),
        activities={
            name: {key: _TYPES[kind] for key, kind in one.properties.items()}
            for name, one in document.activities.items()
        },
        not_renewing=frozenset(name for name, one in document.activities.items() if not one.renews),
        discounts=tuple(_discount(one, words, campaigns, declared) for one in document.discounts),
        access=tuple(_access(one, words) for one in document.access),
        codes={
            code: PublicCode(
                one.discount, one.uses, _day(one.valid_until) if one.valid_until else None
            )
            for code, one in document.codes.items()
        },
        plans={name: _plan(name, one, document, numbers) for name, one in document.plans.items()},
        referrals=referrals,
        terms=_accepted(document.terms),
        privacy=_accepted(document.privacy),
        last_day_to_earn=_day(document.ends.last_day_to_earn) if document.ends else None,
        last_day_to_redeem=_day(document.ends.last_day_to_redeem) if document.ends else None,
    )


def vocabulary(document: ProgramDocument, numbers: Numbers) -> Vocabulary:
    """The names that conditions of a program may use."""
    properties = {
        key: _TYPES[kind]
        for one in document.activities.values()
        for key, kind in one.properties.items()
    }
    return Vocabulary(document.money, numbers.tiers, numbers.segments, numbers.plans, properties)


def _plan(name: str, one: PlanDocument, document: ProgramDocument, numbers: Numbers) -> Plan:
    welcome = one.welcome
    return Plan(
        id=name,
        number=numbers.plans[name],
        name=one.name,
        prices=tuple(_price(name, price, document, numbers) for price in one.prices),
        benefits=one.benefits,
        trial_days=one.trial_days,
        welcome=Welcome(numbers.currencies[welcome.currency], welcome.amount) if welcome else None,
        grace=one.grace.days * DAY,
        grace_benefits=one.grace.benefits,
        notice=one.notice_days * DAY,
        suspends=one.disputed == "suspend",
        automatic_tax=one.automatic_tax,
        promotion_codes=one.promotion_codes,
        retired=one.retired,
        refunds=one.refunds,
    )


def _price(plan: str, one: PriceDocument, document: ProgramDocument, numbers: Numbers) -> Price:
    segments = one.segments
    return Price(
        id=one.id,
        number=numbers.prices[price_name(plan, one.id)],
        every=one.every,
        amount=one.amount,
        money=one.money or document.money,
        countries=frozenset(one.countries) if one.countries else None,
        segments=frozenset(numbers.segments[name] for name in segments) if segments else None,
        intro_amount=one.intro.amount if one.intro else None,
        intro_periods=one.intro.periods if one.intro else 0,
    )


def expiry_of(document: ExpiryDocument, tiers: dict[str, int] | None = None) -> Expiry:
    """How long points live, as a document says it."""
    return Expiry(
        days=document.days or 0,
        months=(document.months or 0) + MONTHS * (document.years or 0),
        end_of=EndOf(document.end_of),
        since_activity=document.since == "last_activity",
        not_in_tiers=frozenset((tiers or {})[name] for name in document.not_in_tiers or ()),
    )


def conditions_of(document: ProgramDocument) -> list[tuple[str, ConditionDocument]]:
    """Every condition of a program's rules, and where it stands."""
    found = [
        *((f"earn[{at}].if", one.condition) for at, one in enumerate(document.earn)),
        *((f"multipliers[{at}].if", one.condition) for at, one in enumerate(document.multipliers)),
        *((f"campaigns.{name}.if", one.condition) for name, one in document.campaigns.items()),
        *((f"discounts[{at}].if", one.condition) for at, one in enumerate(document.discounts)),
        *(
            (f"access[{at}].early[{place}].if", early.condition)
            for at, one in enumerate(document.access)
            for place, early in enumerate(one.early)
        ),
    ]
    activity = document.referrals.qualifies.activity if document.referrals else None
    if activity:
        found.append(("referrals.qualifies.activity.if", activity.condition))
    return [(at, one) for at, one in found if one is not None]


def asks_which_purchase(document: ProgramDocument) -> bool:
    """Whether any rule must know which of a member's orders it is, or when the last one was."""
    on_days = any(isinstance(one, OnOccasionDocument) for one in document.earn)
    return on_days or any(_asks_nth(one) for _, one in conditions_of(document))


def _asks_nth(one: ConditionDocument) -> bool:
    inner: Iterable[ConditionDocument] = (*(one.all_ or ()), *(one.any_ or ()))
    return (
        one.purchase is not None
        or (one.when is not None and "nth" in one.when)
        or any(_asks_nth(some) for some in inner)
        or (one.not_ is not None and _asks_nth(one.not_))
    )


def _currency(name: str, one: CurrencyDocument, numbers: Numbers) -> Currency:
    expiry = expiry_of(one.expires, numbers.tiers) if one.expires else None
    clawback = Clawback(one.clawback)
    return Currency(
        name, numbers.currencies[name], one.label, one.goal, expiry, clawback, one.money
    )


def _rule(
    document: EarnDocument,
    numbers: Numbers,
    words: Vocabulary,
    campaigns: dict[str, Campaign],
) -> EarnRule:
    bonus = isinstance(document, FIXED) if document.bonus is None else document.bonus
    return EarnRule(
        id=document.id,
        number=numbers.rules[rule_name(document)],
        currency=numbers.currencies[document.currency],
        rate=rate_of(document),
        weighing=weighing_of(document),
        pending=Pending(document.pending.days) if document.pending else None,
        condition=compile_condition(document.condition, words),
        caps=_caps(document, numbers),
        campaign=campaigns[document.campaign] if document.campaign else None,
        priority=document.priority,
        exclusive=document.stacking == "exclusive",
        group=document.group,
        bonus=bonus,
    )


def _caps(document: EarnRuleDocument, numbers: Numbers) -> tuple[Cap, ...]:
    caps = [
        Cap("order", cap.points, counts_points=True)
        for cap in document.caps
        if cap.per == "order" and cap.points
    ]
    for period, what, limit in caps_of(document):
        number = numbers.counters[cap_name(document, period, what)]
        caps.append(Cap(period, limit, what == "points", number))
    return tuple(caps)


def _counters_of_caps(document: EarnRuleDocument, numbers: Numbers) -> list[Counter]:
    of_rule = numbers.rules[rule_name(document)]
    counters = []
    for period, what, _ in caps_of(document):
        name = cap_name(document, period, what)
        measure = Measure.RULE_POINTS if what == "points" else Measure.RULE_TIMES
        number = numbers.counters[name]
        counters.append(Counter(name, number, measure, window_of(period), of=of_rule))
    return counters


def _campaign(name: str, number: int, one: CampaignDocument, words: Vocabulary) -> Campaign:
    tests: list[WhyNot] = []
    if one.starts or one.ends:
        tests.append(dates(one.starts, one.ends))
    own = compile_condition(one.condition, words)
    if own is not None:
        tests.append(own)
    budget = None
    if one.budget is not None:
        limit = one.budget.points or one.budget.times or 0
        budget = Budget(limit, one.budget.points is not None, one.budget.at_edge == "partial")
    runs = all_of(tests) if tests else None
    return Campaign(name, number, runs, one.trial_days, one.holdout_percent or 0, budget)


def _multiplier(
    one: MultiplierDocument,
    document: ProgramDocument,
    numbers: Numbers,
    words: Vocabulary,
    campaigns: dict[str, Campaign],
) -> Multiplier:
    by_id = {rule.id: numbers.rules[rule_name(rule)] for rule in document.earn}
    return Multiplier(
        id=one.id,
        number=numbers.multipliers[one.id],
        currency=numbers.currencies[one.currency],
        percent=one.percent,
        rules=frozenset(by_id[name] for name in one.rules) if one.rules else None,
        lines=Lines.of(one.include, one.exclude),
        condition=compile_condition(one.condition, words),
        campaign=campaigns[one.campaign] if one.campaign else None,
        group=one.group,
    )


def _tiers(document: TiersDocument, numbers: Numbers, counters: dict[str, Counter]) -> Tiers:
    return Tiers(
        tuple(
            Level(
                one.id,
                numbers.tiers[one.id],
                one.label,
                tuple((counters[name], need) for name, need in one.at_least.items()),
                one.benefits,
            )
            for one in document.levels
        ),
        document.kept == "to_end_of_next_period",
        document.kept_months or 0,
        document.grace_days or 0,
        document.falls == "one_down",
    )


def _discount(
    one: AnyDiscount,
    words: Vocabulary,
    campaigns: dict[str, Campaign],
    counters: dict[str, Counter],
) -> Discount:
    return Discount(
        one.id,
        terms_of(one, counters),
        Lines.of(one.include, one.exclude),
        compile_condition(one.condition, words),
        campaigns[one.campaign] if one.campaign else None,
        one.priority,
        one.exclusive,
        one.group,
        one.at_most,
        one.by_code,
    )


def _reward(one: AnyReward, numbers: Numbers) -> Reward:
    limit = one.per_member
    per_member = None
    if limit is not None:
        name = limit_name(one, limit)
        number, window = numbers.counters[name], window_of(limit.per)
        counter = Counter(name, number, Measure.REDEEMED, window)
        per_member = PerMember(limit.times, limit.per, counter)
    days = one.available
    return Reward(
        id=one.id,
        number=numbers.rewards[one.id],
        name=one.name,
        terms=reward_terms_of(one),
        currency=numbers.currencies[one.cost.currency] if one.cost else NO_CURRENCY,
        cost=one.cost.amount if one.cost else 0,
        stock=one.stock,
        per_member=per_member,
        first_day=_day(days.from_) if days and days.from_ else date.min,
        last_day=_day(days.to) if days and days.to else date.max,
        tiers=_numbered(one.tiers, numbers.tiers),
        segments=_numbered(one.segments, numbers.segments),
        plans=_numbered(one.plans, numbers.plans),
        voucher=VoucherTerms.of(one.voucher) if one.voucher else None,
    )


def _numbered(names: Iterable[str] | None, numbers: dict[str, int]) -> frozenset[int] | None:
    return None if names is None else frozenset(numbers[name] for name in names)


def _accepted(texts: Iterable[TermsDocument]) -> tuple[Accepted, ...]:
    return tuple(Accepted(one.version, _day(one.since), one.url) for one in texts)


def _access(one: AccessDocument, words: Vocabulary) -> Access:
    return Access(
        one.id,
        Lines.of(one.include, None),
        from_rfc3339(one.since) if one.since else None,
        tuple(
            Window(from_rfc3339(early.since), compile_condition(early.condition, words))
            for early in one.early
        ),
    )


def _day(text: str) -> date:
    return date.fromisoformat(text)
