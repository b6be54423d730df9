"""Members: enrol, read, change and find them; tokens for their apps; what they have."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib.api.endpoints import (
    ANY_KEY,
    SHOP,
    SHOP_AND_MEMBER,
    Answer,
    Call,
    Resource,
    Told,
)
from chalicelib.api.limits import limited
from chalicelib.api.shapes import (
    Day,
    Identifier,
    Moment,
    Name,
    ShortText,
    day_of,
    exactly_one,
    printable,
)
from chalicelib.api.views import (
    AccountView,
    BalanceView,
    EffectView,
    EntryPointer,
    MemberView,
    account_view,
    appended_fields,
    member_view,
)
from chalicelib.domain.access.callers import Role
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.members.member import COUNTRY, LOCALE, Consent, Member, Profile
from chalicelib.domain.referrals.checks import Seen
from chalicelib.kernel.clock import from_datetime
from chalicelib.kernel.patterns import whole
from chalicelib.services import accounts, members, transfers
from chalicelib.services.attribution import arrival
from chalicelib.services.store_orders import credit_account

resource = Resource(__name__, "members")

Email = Annotated[str, Meta(min_length=3, max_length=254)]
Phone = Annotated[str, Meta(min_length=7, max_length=40, description="E.164, +49 151 ...")]
Country = Annotated[str, Meta(pattern=whole(COUNTRY), description="ISO 3166-1 alpha-2.")]
Locale = Annotated[str, Meta(pattern=whole(LOCALE))]
Attributes = Annotated[
    dict[
        Annotated[str, Meta(pattern=whole(r"[a-z][a-z0-9_]{0,39}"))],
        Annotated[str, Meta(max_length=500)] | Annotated[int, Meta(ge=-(10**15), le=10**15)] | bool,
    ],
    Meta(max_length=50),
]


class ConsentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a member allows or forbids, and which text was shown."""

    purpose: Annotated[
        str,
        Meta(
            pattern=whole(r"[a-z][a-z0-9_.]{0,39}"),
            description="marketing.email, marketing.sms, profiling, partner_sharing, ...",
        ),
    ]
    granted: bool
    version: ShortText
    source: Name | None = None


Consents = Annotated[list[ConsentRequest], Meta(max_length=50)]


class TracesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the shop knows of somebody beside that. Kept as keyed hashes, for the checks of
    referrals alone."""

    card_fingerprint: ShortText | None = None
    device: ShortText | None = None
    network_address: ShortText | None = None
    postal_address: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class EnrolRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new member. Whoever has an external id, e-mail or phone can be found by it."""

    external_id: Identifier | None = None
    email: Email | None = None
    phone: Phone | None = None
    given_name: Name | None = None
    family_name: Name | None = None
    birthday: Day | None = None
    country: Country | None = None
    locale: Locale | None = None
    attributes: Attributes = {}
    consents: Consents = []
    terms_version: ShortText | None = None
    privacy_version: ShortText | None = None
    referral_code: ShortText | None = None
    traces: TracesRequest | None = None


class ReferralOutcomeView(msgspec.Struct, frozen=True):
    """What became of the code with which somebody joined.

    `state` is null where the code is nobody's or is good no longer; `reasons` are the checks that
    hold or refuse the referral.
    """

    state: str | None
    reasons: list[str]


class EnrolledView(MemberView, frozen=True):
    """A new member. `referral` is there where he came with a code."""

    referral: ReferralOutcomeView | UnsetType = UNSET


class ChangeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields to change; null empties one, what is absent stays."""

    external_id: Identifier | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    given_name: Name | UnsetType | None = UNSET
    family_name: Name | UnsetType | None = UNSET
    birthday: Day | UnsetType | None = UNSET
    country: Country | UnsetType | None = UNSET
    locale: Locale | UnsetType | None = UNSET
    attributes: Attributes | UnsetType = UNSET
    consents: Consents | UnsetType = UNSET
    terms_version: ShortText | UnsetType | None = UNSET
    privacy_version: ShortText | UnsetType | None = UNSET


class FindQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly one of them."""

    external_id: Identifier | None = None
    email: Email | None = None
    phone: Phone | None = None


class FoundMembers(msgspec.Struct, frozen=True):
    """At most one: what members are found by is theirs alone."""

    data: list[MemberView]
    next_cursor: None = None


class AcceptedView(msgspec.Struct, frozen=True):
    """All that a publishable key learns, whether the member was new or not."""

    status: str


class AccountQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A moment of the past; without it the account is that of now."""

    at: Moment | None = None


class MeView(msgspec.Struct, frozen=True):
    """What an app opens with."""

    member: MemberView
    account: AccountView


@resource.endpoint(
    "POST",
    "/v1/members",
    callers=ANY_KEY,
    body=EnrolRequest,
    answer=EnrolledView,
    other_answers={HTTPStatus.ACCEPTED: AcceptedView},
    status=HTTPStatus.CREATED,
    keyed=True,
)
def enrol(call: Call) -> Answer | Refusal:
    """Enrol a member.

    With a secret key the answer is the member; an external id like `shopify:123` names his account
    in a connected store, whose orders that waited for him count now. With a publishable key it is
    the same 202 whether or not the member was known: nobody learns from it who is a member.
    """
    request: EnrolRequest = call.body
    fields = {name: getattr(request, name) for name in request.__struct_fields__}
    code, asked = fields.pop("referral_code"), fields.pop("traces")
    errors = check_fields(fields)
    known_caller = call.caller is not None and call.caller.role is Role.SECRET_KEY
    if request.attributes and not known_caller:
        errors.append(FieldError("attributes", "are the shop's word: prices may depend on them"))
    if ":" in (request.external_id or "") and not known_caller:
        errors.append(FieldError("external_id", "of a store's account is the shop's word"))
    if asked is not None and not known_caller:
        errors.append(FieldError("traces", "are the shop's word"))
    if errors:
        return Refusal("invalid_request", "the member cannot be enrolled", tuple(errors))
    profile = Profile(**{**fields, "consents": consents_of(request.consents, call)})
    if not known_caller and (refusal := limited(call, "enrol")):
        return refusal
    seen = _seen(call, asked, known_caller)
    outcome = members.enrol(
        call.context,
        call.here,
        profile,
        call.idempotency_key,
        source_of(call),
        arrival(call.context, call.here, profile, code, seen),
    )
    if not known_caller:
        hidden = isinstance(outcome, Refusal) and outcome.code not in _TOLD_TO_ANYONE
        if isinstance(outcome, Refusal) and not hidden:
            return outcome
        return Answer(AcceptedView("accepted"), HTTPStatus.ACCEPTED)
    if isinstance(outcome, Refusal):
        return outcome
    credit_account(call.context, call.here, outcome.member)
    return Answer(_enrolled_view(call, outcome.member, code), replayed=outcome.replayed)


def _enrolled_view(call: Call, member: Member, code: str | None) -> EnrolledView:
    referral = _referral(call, member.id) if code is not None else UNSET
    return EnrolledView(**msgspec.structs.asdict(member_view(member)), referral=referral)


def _referral(call: Call, friend_id: str) -> ReferralOutcomeView:
    found = call.context.store.referrals.of_friend(call.here.program_id, friend_id)
    if found is None:
        return ReferralOutcomeView(None, [])
    return ReferralOutcomeView(found.state.value, list(found.reasons))


def _seen(call: Call, asked: TracesRequest | None, known_caller: bool) -> Seen:
    """What the shop says of somebody; of a page's visitor we know the network address."""
    if not known_caller:
        return Seen(network_address=call.address)
    return Seen() if asked is None else Seen(**msgspec.structs.asdict(asked))


@resource.endpoint("GET", "/v1/members", callers=SHOP, query=FindQuery, answer=FoundMembers)
def find(call: Call) -> FoundMembers | Refusal:
    """Find a member by external id, e-mail or phone."""
    query: FindQuery = call.query
    if not exactly_one((query.external_id, query.email, query.phone)):
        return Refusal("invalid_request", "name exactly one of external_id, email and phone")
    wanted = Profile(external_id=query.external_id, email=query.email, phone=query.phone)
    found = members.find(call.context, call.here, wanted)
    return FoundMembers([member_view(found)] if found else [])


@resource.endpoint("GET", "/v1/members/{member_id}", callers=SHOP_AND_MEMBER, answer=MemberView)
def read(call: Call, member_id: str) -> MemberView | Refusal:
    """Read a member."""
    member = members.read(call.context, call.here, member_id)
    return member if isinstance(member, Refusal) else member_view(member)


@resource.endpoint(
    "PATCH",
    "/v1/members/{member_id}",
    callers=SHOP,
    body=ChangeRequest,
    answer=MemberView,
    audited=True,
)
def change(call: Call, member_id: str) -> Answer | Refusal:
    """Change a member.

    Only the named fields change; of consents the newest of each purpose counts. The same change
    again changes nothing.
    """
    request: ChangeRequest = call.body
    named = {name: getattr(request, name) for name in request.__struct_fields__}
    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not UNSET}
    errors = check_fields(changes)
    if errors:
        return Refusal("invalid_request", "the member cannot be changed so", tuple(errors))
    consents: tuple[Consent, ...] = ()
    if "consents" in changes:
        consents = consents_of(changes.pop("consents"), call)
    changed = members.change(call.context, call.here, member_id, changes, consents, source_of(call))
    if isinstance(changed, Refusal):
        return changed
    if "external_id" in changes:
        credit_account(call.context, call.here, changed.member)
    was, now = member_view(changed.was), member_view(changed.member)
    return Answer(now, told=told_of(member_id, was, now))


class MergeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who becomes a part of this member."""

    member_id: Identifier


class MergeView(msgspec.Struct, frozen=True):
    """The account that two members have together now."""

    member_id: str
    merged_member_id: str
    effects: list[EffectView]
    balances: dict[str, BalanceView]
    entry: EntryPointer


@resource.endpoint(
    "POST",
    "/v1/members/{member_id}/merge",
    callers=SHOP,
    body=MergeRequest,
    answer=MergeView,
    audited=True,
)
def merge(call: Call, member_id: str) -> Answer | Refusal:
    """Merge another member into this one, for ever.

    This one takes over the other's account; whatever comes for the other finds this one. The
    other's reservations must be captured or voided before.
    """
    merged_id = call.body.member_id
    appended = transfers.merge(call.context, call.here, member_id, merged_id)
    if isinstance(appended, Refusal):
        return appended
    view = MergeView(
        member_id=member_id,
        merged_member_id=merged_id,
        **appended_fields(call.context.catalog, call.here, appended),
    )
    return Answer(
        view,
        replayed=appended.replayed,
        told=Told(member_id, None, {"merged": merged_id, "version": view.entry.version}),
    )


@resource.endpoint("GET", "/v1/me", callers=frozenset({Role.MEMBER}), answer=MeView)
def me(call: Call) -> MeView | Refusal:
    """Read who the token's member is and what he has."""
    member_id = call.caller.member_id if call.caller else None
    member = members.read(call.context, call.here, member_id or "")
    if isinstance(member, Refusal):
        return member
    account = read_account(call, member.id)
    return account if isinstance(account, Refusal) else MeView(member_view(member), account)


@resource.endpoint(
    "GET",
    "/v1/members/{member_id}/account",
    callers=SHOP_AND_MEMBER,
    query=AccountQuery,
    answer=AccountView,
)
def read_account(call: Call, member_id: str) -> AccountView | Refusal:
    """Read what a member has now, or, with `at`, had at a moment of the past."""
    at = call.query.at if isinstance(call.query, AccountQuery) else None
    moment = from_datetime(at) if at is not None else None
    head = accounts.account(call.context, call.here, member_id, moment)
    if isinstance(head, Refusal):
        return head
    program = call.context.catalog.current(call.here.program)
    if program is None:
        return members.NO_PROGRAM
    language = accounts.language_of(call.context, call.here, head.key.member_id, program)
    now = moment or call.here.now
    return account_view(program, member_id, head.version, head.snapshot, now, language)


_TOLD_TO_ANYONE = {"invalid_request", "no_program"}


def told_of(member_id: str, was: MemberView, now: MemberView) -> Told:
    """The fields that changed, for the audit log."""
    before, after = msgspec.to_builtins(was), msgspec.to_builtins(now)
    changed = [name for name in before if before[name] != after[name]]
    return Told(
        member_id,
        {name: before[name] for name in changed},
        {name: after[name] for name in changed},
    )


def check_fields(fields: dict[str, Any]) -> list[FieldError]:
    """What is wrong with the texts of a profile."""
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    errors = [
        FieldError(name, "holds control characters")
        for name, value in texts.items()
        if not printable(value)
    ]
    birthday = texts.get("birthday")
    if birthday is not None and ((day := day_of(birthday)) is None or day.year < 1900):
        errors.append(FieldError("birthday", "is not a day of the calendar"))
    return errors


def consents_of(requests: list[ConsentRequest], call: Call) -> tuple[Consent, ...]:
    """What was said now; where it was said is the caller's word, or what kind of caller it is."""
    now, usual = call.here.now, source_of(call)
    return tuple(
        Consent(one.purpose, one.granted, one.version, now, one.source or usual) for one in requests
    )


def source_of(call: Call) -> str:
    """Where a consent comes from if nobody says it: `shop`, `page` or `app`."""
    return _SOURCES[call.caller.role] if call.caller else ""


_SOURCES = {Role.SECRET_KEY: "shop", Role.PUBLISHABLE_KEY: "page", Role.MEMBER: "app"}
