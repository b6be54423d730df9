"""How referrals are written in a program document.

A member (the advocate) hands out a code; who joins with it is the friend. Once the friend has done
what `qualifies` says, both have what they were promised. Terms are those of the day on which the
friend joined, for both.
"""

from typing import Annotated, Literal

import msgspec

from chalicelib.domain.conditions.documents import (
    ConditionDocument,
    Day,
    Identifier,
    Identifiers,
    Number,
)
from chalicelib.domain.earning.documents import Count, Period
from chalicelib.domain.program.card import LongText
from chalicelib.domain.rewards.voucher import Code
from chalicelib.domain.texts import Plain

Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]
Strictness = Literal["off", "soft", "hard"]


class OrderTermsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A paid order of the friend, within so many days of joining, of which goods for `min_total`
    are kept until so many days later."""

    min_total: Number = 0
    within_days: Days = 90
    return_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 14


class ActivityTermsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An activity of the friend, within so many days of joining, for which the condition holds."""

    type: Identifier
    condition: ConditionDocument | None = msgspec.field(name="if", default=None)
    within_days: Days = 90


class QualifiesDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a friend count: exactly one of them."""

    order: OrderTermsDocument | None = None
    activity: ActivityTermsDocument | None = None


class ReferralGiftDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody gets: an `amount` of a currency, or a voucher of a reward, for nothing."""

    currency: Identifier | None = None
    amount: Count | None = None
    reward: Identifier | None = None


class FriendGiftDocument(ReferralGiftDocument, frozen=True, forbid_unknown_fields=True):
    """What a friend gets, once he counts, or (`at: enrolled`) as soon as he has joined."""

    at: Literal["enrolled", "qualified"] = "qualified"


class ReferralStepDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From the so-many-eth friend on the advocate gets another amount."""

    from_: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)] = msgspec.field(name="from")
    amount: Count


class MilestoneDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With so many friends the advocate gets this once, on top."""

    at: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    currency: Identifier
    amount: Count


class ReferralCapDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that an advocate is rewarded in a period: so many times, or points in all."""

    per: Period = "lifetime"
    times: Count | None = None
    amount: Count | None = None


Caps = Annotated[tuple[ReferralCapDocument, ...], msgspec.Meta(max_length=5)]


class VariantDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other terms where the advocate, when the friend joins, has one of these tiers, segments and
    paid plans."""

    tiers: Identifiers | None = None
    segments: Identifiers | None = None
    plans: Identifiers | None = None
    advocate: ReferralGiftDocument | None = None
    friend: FriendGiftDocument | None = None
    caps: Caps = ()


class VelocityDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """More than `most` friends from one network address within so many days."""

    check: Strictness = "soft"
    most: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 9
    days: Annotated[int, msgspec.Meta(ge=1, le=30)] = 7


class ChecksDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a referral suspicious. `soft` holds it until somebody has decided, `hard` refuses
    it, `off` does not look.

    `same_...`: the friend has what the advocate has. E-mail addresses are compared without dots and
    `+aliases`. `own_order`: the friend's order was placed with the advocate's e-mail address or
    phone. `not_first_order`: the friend bought something before the order that counts.
    """

    same_email: Strictness = "hard"
    same_phone: Strictness = "hard"
    same_name: Strictness = "off"
    same_name_and_address: Strictness = "hard"
    same_card: Strictness = "hard"
    same_device: Strictness = "soft"
    same_network: Strictness = "off"
    own_order: Strictness = "hard"
    not_first_order: Strictness = "hard"
    velocity: VelocityDocument = VelocityDocument()


class ShareDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What members send to friends; `{link}` and `{code}` stand for their own."""

    text: LongText


class PartnerDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who is no member and has a code: an influencer, another shop.

    His friends may have a gift of their own. `most` friends have one; the days are both included.
    """

    name: Plain
    friend: FriendGiftDocument | None = None
    starts: Day | None = None
    ends: Day | None = None
    most: Count | None = None


class ReferralsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Referrals. `starts` and `ends` are days on which friends can join, both included.

    `reversed` says who loses what was given when the friend's order comes back. Of the variants
    (`for`) the first counts that is about the advocate.
    """

    qualifies: QualifiesDocument
    advocate: ReferralGiftDocument | None = None
    friend: FriendGiftDocument | None = None
    steps: Annotated[tuple[ReferralStepDocument, ...], msgspec.Meta(max_length=20)] = ()
    milestones: Annotated[tuple[MilestoneDocument, ...], msgspec.Meta(max_length=20)] = ()
    caps: Caps = ()
    for_: Annotated[tuple[VariantDocument, ...], msgspec.Meta(max_length=20)] = msgspec.field(
        name="for", default=()
    )
    starts: Day | None = None
    ends: Day | None = None
    reversed: Literal["both", "advocate", "none"] = "both"
    checks: ChecksDocument = ChecksDocument()
    share: ShareDocument | None = None
    partners: Annotated[dict[Code, PartnerDocument], msgspec.Meta(max_length=200)] = {}


FRIENDS = "referral friends"  # the counter of rewarded friends


def counters_of(document: ReferralsDocument) -> dict[str, Period]:
    """The counters that referrals need, by name, and their periods."""
    found: dict[str, Period] = {FRIENDS: "lifetime"}
    for caps in (document.caps, *(one.caps for one in document.for_)):
        for cap in caps:
            found[cap_name(cap)] = cap.per
    return found | {milestone_name(one): "lifetime" for one in document.milestones}


def milestone_name(one: MilestoneDocument) -> str:
    """What the counter of a milestone is called: whether it was given."""
    return f"referral milestone {one.at}"


def cap_name(cap: ReferralCapDocument) -> str:
    """What the counter of a cap is called."""
    return f"referral {'times' if cap.amount is None else 'amount'} {cap.per}"
