"""What the terms of referrals say that cannot be."""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise

from chalicelib.domain.errors import FieldError
from chalicelib.domain.referrals.documents import (
    ActivityTermsDocument,
    Caps,
    FriendGiftDocument,
    PartnerDocument,
    ReferralGiftDocument,
    ReferralsDocument,
    VariantDocument,
)
from chalicelib.domain.rewards.cash import CashDocument
from chalicelib.domain.rewards.kinds import AnyReward

Names = Mapping[str, set[str]]  # what the program has, by kind: currencies, tiers, ...


def check_referrals(
    document: ReferralsDocument, names: Names, rewards: Mapping[str, AnyReward]
) -> Iterator[FieldError]:
    """Everything that is wrong, each with the path where it stands."""
    at = "referrals"
    yield from _check_qualifies(document, names)
    if not (document.advocate or document.friend or document.partners):
        yield FieldError(at, "gives nobody anything: say advocate, friend or partners")
    yield from _check_gift(f"{at}.advocate", document.advocate, names, rewards)
    yield from _check_gift(f"{at}.friend", document.friend, names, rewards)
    yield from _check_limits(at, document.advocate, document.friend, document.caps)
    yield from _check_steps(document)
    yield from _check_milestones(document, names)
    yield from _check_days(at, document.starts, document.ends)
    for index, one in enumerate(document.for_):
        yield from _check_variant(f"{at}.for[{index}]", document, one, names, rewards)
    for code, partner in document.partners.items():
        yield from _check_partner(f"{at}.partners.{code}", document, partner, names, rewards)


def _check_qualifies(document: ReferralsDocument, names: Names) -> Iterator[FieldError]:
    asked = document.qualifies
    if (asked.order is None) == (asked.activity is None):
        yield FieldError("referrals.qualifies", "names exactly one of order and activity")
    if isinstance(asked.activity, ActivityTermsDocument):
        at = "referrals.qualifies.activity.type"
        yield from _unknown(at, (asked.activity.type,), names, "activities")


def _check_gift(
    at: str, gift: ReferralGiftDocument | None, names: Names, rewards: Mapping[str, AnyReward]
) -> Iterator[FieldError]:
    if gift is None:
        return
    of_points = gift.currency is not None and gift.amount is not None and gift.reward is None
    of_reward = gift.reward is not None and gift.currency is None and gift.amount is None
    if not of_points and not of_reward:
        yield FieldError(at, "names a currency and an amount, or a reward")
    if gift.currency is not None:
        yield from _unknown(f"{at}.currency", (gift.currency,), names, "currencies")
    if gift.reward is not None:
        reward = rewards.get(gift.reward)
        if reward is None:
            yield FieldError(f"{at}.reward", f"{gift.reward} is not one of the rewards")
        elif reward.voucher is None or isinstance(reward, CashDocument):
            yield FieldError(f"{at}.reward", f"{gift.reward} is no voucher of a thing")


def _check_limits(
    at: str,
    advocate: ReferralGiftDocument | None,
    friend: FriendGiftDocument | None,
    caps: Caps,
) -> Iterator[FieldError]:
    periods = [(cap.per, cap.amount is None) for cap in caps]
    for index, cap in enumerate(caps):
        if (cap.times is None) == (cap.amount is None):
            yield FieldError(f"{at}.caps[{index}]", "names exactly one of times and amount")
        if periods[index] in periods[:index]:
            yield FieldError(f"{at}.caps[{index}].per", "another cap is for it")
        if cap.amount is not None and (advocate is None or advocate.currency is None):
            yield FieldError(f"{at}.caps[{index}].amount", "the advocate gets no points")
    if friend is not None and friend.at == "enrolled" and ("lifetime", True) not in periods:
        reason = "made-up friends would take it without end: say a cap of times per lifetime"
        yield FieldError(f"{at}.friend.at", reason)


def _check_steps(document: ReferralsDocument) -> Iterator[FieldError]:
    if document.steps and (document.advocate is None or document.advocate.currency is None):
        yield FieldError("referrals.steps", "the advocate gets no points")
    for index, (lower, higher) in enumerate(pairwise(document.steps)):
        if higher.from_ <= lower.from_:
            yield FieldError(f"referrals.steps[{index + 1}].from", "is not above the one before")


def _check_milestones(document: ReferralsDocument, names: Names) -> Iterator[FieldError]:
    for index, one in enumerate(document.milestones):
        at = f"referrals.milestones[{index}]"
        yield from _unknown(f"{at}.currency", (one.currency,), names, "currencies")
        if one.at in [other.at for other in document.milestones[:index]]:
            yield FieldError(f"{at}.at", "another milestone is there")


def _check_variant(
    at: str,
    document: ReferralsDocument,
    one: VariantDocument,
    names: Names,
    rewards: Mapping[str, AnyReward],
) -> Iterator[FieldError]:
    if one.tiers is None and one.segments is None and one.plans is None:
        yield FieldError(at, "says for whom: tiers, segments or plans")
    for kind in ("tiers", "segments", "plans"):
        yield from _unknown(f"{at}.{kind}", getattr(one, kind) or (), names, kind)
    yield from _check_gift(f"{at}.advocate", one.advocate, names, rewards)
    yield from _check_gift(f"{at}.friend", one.friend, names, rewards)
    usual = document.advocate
    if one.advocate and usual and one.advocate.currency != usual.currency:
        yield FieldError(f"{at}.advocate.currency", "is not that of everybody")
    caps = one.caps or document.caps
    yield from _check_limits(at, one.advocate or usual, one.friend or document.friend, caps)


def _check_partner(
    at: str,
    document: ReferralsDocument,
    partner: PartnerDocument,
    names: Names,
    rewards: Mapping[str, AnyReward],
) -> Iterator[FieldError]:
    yield from _check_gift(f"{at}.friend", partner.friend, names, rewards)
    yield from _check_days(at, partner.starts, partner.ends)
    gift = partner.friend or document.friend
    if gift is not None and gift.at == "enrolled" and partner.most is None:
        reason = "is missing: made-up friends would take what is given at once without end"
        yield FieldError(f"{at}.most", reason)


def _check_days(at: str, starts: str | None, ends: str | None) -> Iterator[FieldError]:
    for name, day in (("starts", starts), ("ends", ends)):
        try:
            date.fromisoformat(day or "2000-01-01")
        except ValueError:
            yield FieldError(f"{at}.{name}", f"{day} is no day of the calendar")
            return
    if starts and ends and starts > ends:
        yield FieldError(f"{at}.ends", "lies before starts")


def _unknown(at: str, given: tuple[str, ...], names: Names, kind: str) -> Iterator[FieldError]:
    for name in given:
        if name not in names[kind]:
            yield FieldError(at, f"{name} is not one of the {kind}")
