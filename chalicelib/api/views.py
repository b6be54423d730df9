"""Answers: what callers see of members, accounts, entries and programs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from chalicelib.api.shapes import MomentText
from chalicelib.domain.earning.rule import SCALE, EarnRule
from chalicelib.domain.ledger.account import Head, balance_of, currencies_of
from chalicelib.domain.ledger.entries import Effect, Entry, Kind, Snapshot, Standing, State
from chalicelib.domain.ledger.time import settled
from chalicelib.domain.members.member import Consent, Member
from chalicelib.domain.memberships.membership import Change
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.program.program import Program
from chalicelib.domain.rewards.voucher import Voucher
from chalicelib.domain.texts import text_in
from chalicelib.kernel.clock import Instant, local_date, start_of_day, to_rfc3339
from chalicelib.services.accounts import Row
from chalicelib.services.appending import Appended
from chalicelib.services.catalog import Catalog
from chalicelib.services.context import Here
from chalicelib.services.memberships import Entitled, entitled


class BalanceView(msgspec.Struct, frozen=True):
    """One currency of an account."""

    available: int
    pending: int
    reserved: int
    debt: int


class ExpiringView(msgspec.Struct, frozen=True):
    """Points that will be gone."""

    amount: int
    at: MomentText


class AccountBalanceView(BalanceView, frozen=True):
    """One currency of an account, its name for the member, and what of it will be gone when."""

    label: str
    expiring: list[ExpiringView]


class EffectView(msgspec.Struct, frozen=True):
    """What one rule gave (above zero) or took, and why."""

    currency: str
    amount: int
    state: str
    rule: str | None
    why: str


class EntryPointer(msgspec.Struct, frozen=True):
    """Where an entry lies in the member's ledger."""

    version: int
    event_id: str


class TierChangeView(msgspec.Struct, frozen=True):
    """The tier before and after; null is none."""

    from_: str | None = msgspec.field(name="from")
    to: str | None


class EntryView(msgspec.Struct, frozen=True):
    """One change of an account. `hash` is the link of the tamper-evident chain.

    `membership` is what happened to a paid membership: `membership.started`, `.renewed`,
    `.past_due`, `.ended`, ...
    """

    version: int
    recorded_at: MomentText
    occurred_at: MomentText
    kind: str
    ref: str
    effects: list[EffectView]
    tier_changed: TierChangeView | None
    membership: str | None
    note: str | None
    hash: str


class ConsentView(msgspec.Struct, frozen=True):
    """What a member allowed or forbade."""

    purpose: str
    granted: bool
    version: str
    given_at: MomentText
    source: str


class MemberView(msgspec.Struct, frozen=True):
    """One member."""

    id: str
    external_id: str | None
    email: str | None
    phone: str | None
    given_name: str | None
    family_name: str | None
    birthday: str | None
    country: str | None
    locale: str | None
    attributes: dict[str, str | int | bool]
    consents: list[ConsentView]
    terms_version: str | None
    privacy_version: str | None
    joined_at: MomentText


class StampsView(msgspec.Struct, frozen=True):
    """A currency with a goal, as a stamp card shows it."""

    collected: int
    goal: int


class ProgressView(msgspec.Struct, frozen=True):
    """How far a counter is, and how far it has to come."""

    value: int
    needed: int


class NextTierView(msgspec.Struct, frozen=True):
    """The next tier, and what it asks for."""

    id: str
    label: str
    counters: dict[str, ProgressView]


class TierView(msgspec.Struct, frozen=True):
    """The tier that the member has, until when at least, and the next.

    `until` is the first moment at which it may be another; null where that will never be.
    """

    id: str | None
    label: str | None
    until: MomentText | None
    benefits: list[str]
    next: NextTierView | None


class VoucherView(msgspec.Struct, frozen=True):
    """A code that a store takes.

    `status` is `issued`, `used` (up), `expired` or `cancelled`. `reward` is null of a public code;
    `value_left` is null where it pays no money, otherwise in minor units.
    """

    code: str
    status: str
    reward: str | None
    member_id: str | None
    expires_at: MomentText | None
    uses_left: int
    value_left: int | None


class EntitlementsView(msgspec.Struct, frozen=True):
    """What a member is entitled to at a moment.

    `state` is `trialing`, `active`, `renewing` (the period is over and its charge is awaited),
    `past_due`, `paused`, `suspended` (a charge is disputed), `lapsed`, `ended`, or null of somebody
    who never had a membership. `benefits` are those that are due now, whatever the state.
    `renews_at` is the next charge, `ends_at` when a cancelled membership is over, `benefits_until`
    the first moment without benefits if nothing more is heard.
    """

    member_id: str
    at: MomentText
    plan: str | None
    plan_name: str | None
    price: str | None
    state: str | None
    benefits: list[str]
    benefits_until: MomentText | None
    started_at: MomentText | None
    period_ends_at: MomentText | None
    renews_at: MomentText | None
    ends_at: MomentText | None


class AccountView(msgspec.Struct, frozen=True):
    """What a member has now. `version` is that of the newest entry.

    `standing` is `open`, `restricted`, `closed` (merged into another) or `erased`. `tier` is null
    where the program has no tiers, `membership` where it sells no plans.
    """

    member_id: str
    version: int
    standing: str
    balances: dict[str, AccountBalanceView]
    stamps: dict[str, StampsView]
    tier: TierView | None
    counters: dict[str, int]
    membership: EntitlementsView | None


def consent_view(one: Consent) -> ConsentView:
    """One consent, and when and where it was given or withdrawn."""
    return ConsentView(one.purpose, one.granted, one.version, to_rfc3339(one.given_at), one.source)


def member_view(member: Member) -> MemberView:
    """A member as the shop sees him."""
    profile = member.profile
    return MemberView(
        id=member.id,
        external_id=profile.external_id,
        email=profile.email,
        phone=profile.phone,
        given_name=profile.given_name,
        family_name=profile.family_name,
        birthday=profile.birthday,
        country=profile.country,
        locale=profile.locale,
        attributes=profile.attributes,
        consents=[consent_view(one) for one in profile.consents],
        terms_version=profile.terms_version,
        privacy_version=profile.privacy_version,
        joined_at=to_rfc3339(member.joined_at),
    )


def balances_view(program: Program, names: Program, snapshot: Snapshot) -> dict[str, BalanceView]:
    """Every currency of `program`, and every other that the account still holds.

    `names` is the newest version: it alone knows the names of all currencies there ever were.
    """
    current = {currency.number for currency in program.currencies}
    views = {}
    for number in sorted(current | currencies_of(snapshot)):
        balance = balance_of(snapshot, number)
        views[names.currency_names[number]] = BalanceView(
            balance.available, balance.pending, balance.reserved, balance.debt
        )
    return views


def account_view(
    program: Program,
    member_id: str,
    version: int,
    snapshot: Snapshot,
    now: Instant,
    language: str,
) -> AccountView:
    """An account in the names of the newest version of the program."""
    today = local_date(now, program.zone)
    numbers = program.numbers.currencies
    labels = {
        one.name: text_in(one.label, language, program.language) for one in program.currencies
    }
    balances = {
        name: AccountBalanceView(
            **msgspec.structs.asdict(view),
            label=labels.get(name, name),
            expiring=_expiring(program, snapshot, numbers[name]),
        )
        for name, view in balances_view(program, program, snapshot).items()
    }
    stamps = {
        currency.name: StampsView(balances[currency.name].available, currency.goal)
        for currency in program.currencies
        if currency.goal is not None
    }
    standing = Standing(snapshot.standing).name.lower()
    counters = {
        counter.name: counter.value(snapshot.tallies, today.toordinal())
        for counter in program.counters
        if counter.declared
    }
    tier = _tier_view(program, snapshot, today, language)
    membership = None
    if program.plans:
        found = entitled(program, member_id, snapshot.membership, now)
        membership = entitlements_view(program, found)
    return AccountView(member_id, version, standing, balances, stamps, tier, counters, membership)


def entitlements_view(program: Program, found: Entitled) -> EntitlementsView:
    """What a member is entitled to, in the names of the newest version of the program."""
    has, plan = found.membership, found.plan
    live = has is not None and has.is_live
    return EntitlementsView(
        member_id=found.member_id,
        at=to_rfc3339(found.at),
        plan=plan.id if plan else None,
        plan_name=text_in(plan.name, None, program.language) if plan else None,
        price=found.price.id if found.price else None,
        state=found.standing.value if found.standing else None,
        benefits=list(found.benefits),
        benefits_until=to_rfc3339(has.benefits_until) if has else None,
        started_at=to_rfc3339(has.started_at) if has else None,
        period_ends_at=to_rfc3339(has.period_end) if has else None,
        renews_at=to_rfc3339(has.period_end) if has and has.renews else None,
        ends_at=to_rfc3339(has.cancels_at) if has and live and has.cancels_at else None,
    )


def _tier_view(program: Program, snapshot: Snapshot, today: date, language: str) -> TierView | None:
    tiers = program.tiers
    if tiers is None:
        return None
    day = today.toordinal()
    tier = tiers.tier(snapshot.held, day)
    following = tiers.above(tier)
    until = snapshot.held.ends
    return TierView(
        id=tier.id if tier else None,
        label=text_in(tier.label, language, program.language) if tier else None,
        until=_moment(program, until) if until else None,
        benefits=list(tier.benefits) if tier else [],
        next=None
        if following is None
        else NextTierView(
            following.id,
            text_in(following.label, language, program.language),
            {
                counter.name: ProgressView(counter.value(snapshot.tallies, day), needed)
                for counter, needed in following.needs
            },
        ),
    )


def _moment(program: Program, day: int) -> str:
    return to_rfc3339(start_of_day(date.fromordinal(day), program.zone))


def voucher_view(voucher: Voucher, now: Instant) -> VoucherView:
    """A voucher as it is now."""
    expires_at = voucher.expires_at
    return VoucherView(
        voucher.code,
        voucher.status(now),
        voucher.reward if voucher.event_id is not None else None,
        voucher.member_id,
        to_rfc3339(expires_at) if expires_at is not None else None,
        voucher.uses_left,
        voucher.value_left,
    )


def event_name(change: int) -> str | None:
    """The event that a change of a membership is."""
    return f"membership.{Change(change).name.lower()}" if change else None


def tier_change_view(catalog: Catalog, here: Here, entry: Entry) -> TierChangeView | None:
    """What an entry says of the member's tier; null where it stayed."""
    return _tier_change(catalog.version(here.program_id, entry.program_version).tier_names, entry)


def _tier_change(names: Mapping[int, str], entry: Entry) -> TierChangeView | None:
    if entry.tier is None:
        return None
    was, now = entry.tier
    return TierChangeView(names.get(was), names.get(now))


def _expiring(program: Program, snapshot: Snapshot, currency: int) -> list[ExpiringView]:
    """By the day they are gone, soonest first; pending points too."""
    days: Counter[int] = Counter()
    for lot in snapshot.lots:
        if lot.currency == currency and lot.expires_on != NEVER:
            days[lot.expires_on] += lot.amount
    return [ExpiringView(days[day], _moment(program, day)) for day in sorted(days)]


def effect_views(program: Program, entry: Entry) -> list[EffectView]:
    """What each rule did, in the words of the program version that made the entry."""
    return [_effect_view(program, entry, effect) for effect in entry.effects if effect.amount]


_BY_KIND = {
    Kind.CONFIRMED: "can be spent from this day on",
    Kind.EXPIRED: "expired",
    Kind.ADJUSTMENT: "by hand",
    Kind.EXCHANGED: "exchanged",
    Kind.RESERVED: "reserved",
    Kind.CAPTURED: "spent from a reservation",
    Kind.VOIDED: "reserved no longer",
    Kind.RELEASED: "the reservation ran out",
    Kind.REDEMPTION_CANCELLED: "given back",
    Kind.TRANSFER_SENT: "given to another member",
    Kind.TRANSFER_RECEIVED: "from another member",
    Kind.MERGED: "from a member who was merged into this one",
    Kind.CLOSED: "taken over by the member this one was merged into",
    Kind.ERASED: "forfeited",
    Kind.CONVERTED: "converted by the calendar",
    Kind.MEMBERSHIP: "welcome to the plan",
    Kind.REFERRAL: "for a referral",
    Kind.REFERRAL_REVERSED: "the friend's order came back",
}
_OF_REFERRALS = (Kind.REFERRAL, Kind.REFERRAL_REVERSED)
_BY_STATE = {
    State.CONFIRMED: "need not wait any longer",
    State.LAPSED: "to be taken back, but had expired before",
}


def _effect_view(program: Program, entry: Entry, effect: Effect) -> EffectView:
    rule = program.rules_by_number.get(effect.rule)
    return EffectView(
        program.currency_names[effect.currency],
        effect.amount,
        State(effect.state).name.lower(),
        rule.id if rule else None,
        _why(program, entry, effect, rule),
    )


def _why(program: Program, entry: Entry, effect: Effect, rule: EarnRule | None) -> str:
    if rule is None:
        reward = program.rewards_by_number.get(entry.reward)
        what = []
        if reward:
            what = [f"{entry.quantity} x {text_in(reward.name, None, program.language)}"]
        how = _BY_KIND.get(Kind(entry.kind))
        if entry.kind in _OF_REFERRALS and effect.weight:
            what = [f"{effect.weight} friends"]
        return ": ".join([*([how] if how else []), *what])
    if effect.state in _BY_STATE:
        return _BY_STATE[State(effect.state)]
    why = gift_view(program, rule, abs(effect.weight), effect.factors)
    if entry.kind == Kind.ORDER_EDITED or entry.stands is not None:
        return f"the order changed: {why}"
    return f"taken back: {why}" if effect.amount < 0 else why


def gift_view(program: Program, rule: EarnRule, weight: int, factors: Sequence[int]) -> str:
    """Why a rule gave what it did, with its multipliers."""
    if not factors:
        return rule.describe(weight, program.money)
    whole = weight if rule.rate.carry_remainder else weight // SCALE
    known = program.multipliers_by_number
    times = [known[number].describe() for number in factors if number in known]
    return f"{rule.describe(whole, program.money)}, multiplied: {', '.join(times)}"


def entry_view(program: Program, row: Row) -> EntryView:
    """One row of the member's ledger."""
    stored, entry = row.stored, row.entry
    return EntryView(
        version=stored.version,
        recorded_at=to_rfc3339(entry.recorded_at),
        occurred_at=to_rfc3339(entry.occurred_at),
        kind=Kind(entry.kind).name.lower(),
        ref=stored.ref,
        effects=effect_views(program, entry),
        tier_changed=_tier_change(program.tier_names, entry),
        membership=event_name(entry.change),
        note=row.note,
        hash=stored.hash.hex(),
    )


def appended_fields(catalog: Catalog, here: Here, *appended: Appended) -> dict[str, Any]:
    """What the answer to every change of an account has: effects, balances, entry.

    They are those of the entries themselves, so that a repeated call is answered with the same:
    the effects of all, the balances after the last, and the place of the first.
    """
    effects: list[EffectView] = []
    for one in appended:
        program = catalog.version(here.program_id, one.entry.program_version)
        effects += effect_views(program, one.entry)
    last, stored = appended[-1], appended[0].stored
    names = catalog.current(here.program) or program
    versions = catalog.versions(here.program)
    snapshot = settled(Head.of(last.stored), versions, last.entry.recorded_at)
    return {
        "effects": effects,
        "balances": balances_view(program, names, snapshot),
        "entry": EntryPointer(stored.version, stored.event_id),
    }
