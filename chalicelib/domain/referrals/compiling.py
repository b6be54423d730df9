"""From the document of referrals to their terms."""

from collections.abc import Callable
from datetime import date

from chalicelib.domain.conditions.condition import Vocabulary, compile_condition
from chalicelib.domain.counting.counter import Counter, Measure
from chalicelib.domain.counting.kinds import window_of
from chalicelib.domain.referrals.documents import (
    FRIENDS,
    Caps,
    ChecksDocument,
    FriendGiftDocument,
    PartnerDocument,
    ReferralGiftDocument,
    ReferralsDocument,
    VariantDocument,
    cap_name,
    counters_of,
    milestone_name,
)
from chalicelib.domain.referrals.terms import (
    Gift,
    Milestone,
    Partner,
    ReferralCap,
    Terms,
    Variant,
    Velocity,
)

NumberOf = Callable[[str, str], int]  # the number of a name, by its kind: currencies, rewards, ...

_SIDES = {"both": {"advocate", "friend"}, "advocate": {"advocate"}, "none": set[str]()}


def compile_referrals(document: ReferralsDocument, number: NumberOf, words: Vocabulary) -> Terms:
    """The terms of a document that `check_referrals` found sound."""
    counters = {
        name: Counter(name, number("counters", name), Measure.REFERRED, window_of(period))
        for name, period in counters_of(document).items()
    }
    order, activity = document.qualifies.order, document.qualifies.activity
    asked = order or activity
    assert asked is not None  # noqa: S101 (it was checked)
    everybody = VariantDocument(
        advocate=document.advocate, friend=document.friend, caps=document.caps
    )
    checks = document.checks
    velocity = checks.velocity
    return Terms(
        activity=activity.type if activity else None,
        condition=compile_condition(activity.condition, words) if activity else None,
        min_total=order.min_total if order else 0,
        within_days=asked.within_days,
        return_days=order.return_days if order else 0,
        variants=tuple(
            _variant(one, document, number, counters) for one in (*document.for_, everybody)
        ),
        steps=tuple((one.from_, one.amount) for one in document.steps),
        milestones=tuple(
            Milestone(
                one.at,
                number("currencies", one.currency),
                one.amount,
                counters[milestone_name(one)],
            )
            for one in document.milestones
        ),
        first_day=_day(document.starts, date.min),
        last_day=_day(document.ends, date.max),
        takes_back=frozenset(_SIDES[document.reversed]),
        checks=_strictness(checks),
        velocity=Velocity(velocity.check, velocity.most, velocity.days),
        share=document.share.text if document.share else None,
        partners={code: _partner(one, document, number) for code, one in document.partners.items()},
        friends=counters[FRIENDS],
        counters=tuple(counters.values()),
    )


def _strictness(checks: ChecksDocument) -> dict[str, str]:
    names = [name for name in checks.__struct_fields__ if name != "velocity"]
    return {name: getattr(checks, name) for name in names}


def _variant(
    one: VariantDocument,
    document: ReferralsDocument,
    number: NumberOf,
    counters: dict[str, Counter],
) -> Variant:
    def numbered(kind: str) -> frozenset[int] | None:
        names = getattr(one, kind)
        return None if names is None else frozenset(number(kind, name) for name in names)

    return Variant(
        advocate=_gift(one.advocate or document.advocate, number),
        friend=_gift(one.friend or document.friend, number),
        caps=_caps(one.caps or document.caps, counters),
        tiers=numbered("tiers"),
        segments=numbered("segments"),
        plans=numbered("plans"),
    )


def _caps(caps: Caps, counters: dict[str, Counter]) -> tuple[ReferralCap, ...]:
    return tuple(
        ReferralCap(
            cap.per, cap.times or cap.amount or 0, cap.amount is not None, counters[cap_name(cap)]
        )
        for cap in caps
    )


def _gift(one: ReferralGiftDocument | None, number: NumberOf) -> Gift | None:
    if one is None:
        return None
    at_once = isinstance(one, FriendGiftDocument) and one.at == "enrolled"
    if one.reward is not None:
        return Gift(reward=number("rewards", one.reward), at_once=at_once)
    assert one.currency is not None  # noqa: S101 (it was checked)
    return Gift(number("currencies", one.currency), one.amount or 0, at_once=at_once)


def _partner(one: PartnerDocument, document: ReferralsDocument, number: NumberOf) -> Partner:
    return Partner(
        one.name,
        _gift(one.friend or document.friend, number),
        _day(one.starts, date.min),
        _day(one.ends, date.max),
        one.most,
    )


def _day(text: str | None, otherwise: date) -> date:
    return date.fromisoformat(text) if text else otherwise
