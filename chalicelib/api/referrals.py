"""Referrals: the link that friends follow, what came of it, and what somebody must decide."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import (
    HTML,
    PUBLIC,
    SHOP,
    SHOP_AND_MEMBER,
    Answer,
    Call,
    Resource,
    Told,
)
from chalicelib.api.limits import limited
from chalicelib.api.pages import PRIVATE, sorry
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import MomentText
from chalicelib.domain.access.callers import Role
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.program.program import Program
from chalicelib.domain.referrals.referral import Referral, State, Tally
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.services import referral_reports, referrals
from chalicelib.services.referral_codes import link_of, plain
from chalicelib.services.referral_reports import Advocate, Reported
from chalicelib.services.sweeps import settle_member

resource = Resource(__name__, "referrals")

_TOKEN = re.compile(r"prg_[0-9a-z]{1,40}\.[0-9A-Za-z-]{1,40}")


class LeftView(msgspec.Struct, frozen=True):
    """What a cap leaves: `of` is `times` or `amount`."""

    per: str
    of: str
    limit: int
    left: int


class AdvocateView(msgspec.Struct, frozen=True):
    """What a member needs to bring friends, and what came of it.

    `share` is what to send, by language. `friends` are how many, by the state of their referrals;
    a member himself is told of those who `joined` and who were `rewarded`.
    """

    member_id: str
    code: str
    link: str
    share: dict[str, str]
    clicks: int
    friends: dict[str, int]
    earned: dict[str, int]
    caps: list[LeftView]


class PersonView(msgspec.Struct, frozen=True):
    """A member, by a short name."""

    id: str
    name: str | None


class ReferralView(msgspec.Struct, frozen=True):
    """One referral. Either the `advocate` or the `partner` is null.

    `state` is `enrolled`, `held`, `qualified` (it is rewarded at `due_at`), `rewarded`, `reversed`
    or `refused`; `reasons` say why it is held or refused.
    """

    friend: PersonView
    advocate: PersonView | None
    partner: str | None
    code: str
    state: str
    reasons: list[str]
    joined_at: MomentText
    due_at: MomentText | None
    order: str | None


class ReferralsView(msgspec.Struct, frozen=True):
    """Referrals in one state, oldest first."""

    data: list[ReferralView]
    next_cursor: str | None


class ReferralsQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """In which state."""

    state: Literal["enrolled", "held", "qualified", "rewarded", "reversed", "refused"] = "held"


class DecisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is decided, and why."""

    decision: Literal["approve", "refuse"]
    note: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class ReferrerView(msgspec.Struct, frozen=True):
    """What one advocate, or partner, has brought.

    `name` is the partner's, while the program has him. `earned` is what the advocate had,
    `welcomed` what his friends had, by currency.
    """

    member_id: str | None
    partner: str | None
    name: str | None
    code: str
    clicks: int
    friends: dict[str, int]
    earned: dict[str, int]
    welcomed: dict[str, int]


class ReportView(msgspec.Struct, frozen=True):
    """Everybody who has brought anybody: members by their ids, then partners."""

    data: list[ReferrerView]
    next_cursor: str | None


@resource.endpoint(
    "GET", "/v1/members/{member_id}/referrals", callers=SHOP_AND_MEMBER, answer=AdvocateView
)
def read_advocate(call: Call, member_id: str) -> AdvocateView | Refusal:
    """Read a member's code and link for friends, and what they have brought."""
    found = referral_reports.advocate(call.context, call.here, member_id)
    if isinstance(found, Refusal):
        return found
    return _advocate_view(call, member_id, found)


@resource.endpoint("GET", "/v1/referrals", callers=SHOP, query=ReferralsQuery, answer=ReferralsView)
def list_referrals(call: Call) -> ReferralsView | Refusal:
    """List referrals in a state: those that are held wait for a decision."""
    state = State(call.query.state)
    purpose = f"referrals {state.value}"
    place = place_of(call, purpose, call.query.cursor)
    if isinstance(place, Refusal):
        return place
    found, following = call.context.store.referrals.in_state(
        call.here.program_id, state, place, call.query.limit
    )
    rows = [_referral_view(call, one) for one in found]
    return ReferralsView(rows, cursor_to(call, purpose, following))


@resource.endpoint("GET", "/v1/referrals/{member_id}", callers=SHOP, answer=ReferralView)
def read_referral(call: Call, member_id: str) -> ReferralView | Refusal:
    """Read the referral that brought a member, and why it is refused or held."""
    found = referral_reports.of_friend(call.context, call.here, member_id)
    return referrals.NOT_FOUND if found is None else _referral_view(call, found)


@resource.endpoint(
    "POST",
    "/v1/referrals/{member_id}/decision",
    callers=SHOP,
    body=DecisionRequest,
    answer=ReferralView,
    audited=True,
)
def decide(call: Call, member_id: str) -> Answer | Refusal:
    """Decide about a referral that is held.

    What was approved goes on; what only makes suspicious holds it no longer. What was refused is
    refused for ever.
    """
    asked: DecisionRequest = call.body
    approved = asked.decision == "approve"
    decided = referrals.decide(call.context, call.here, member_id, approved)
    if isinstance(decided, Refusal):
        return decided
    if asked.note is not None:
        key = LogKey(call.here.program_id, member_id)
        call.context.store.notes.put(key, f"referral:{member_id}", asked.note)
    survivor = referral_reports.survivor(call.context, call.here, member_id)
    settle_member(call.context, call.here.program_id, survivor or member_id)
    now = referral_reports.of_friend(call.context, call.here, member_id) or decided
    view = _referral_view(call, now)
    told = {"decision": asked.decision, "note": asked.note, "state": view.state}
    return Answer(view, told=Told(member_id, None, told))


@resource.endpoint("GET", "/v1/reports/referrals", callers=SHOP, query=PageQuery, answer=ReportView)
def report(call: Call) -> ReportView | Refusal:
    """Report what every advocate and every partner has brought."""
    place = place_of(call, "referrals report", call.query.cursor)
    if isinstance(place, Refusal):
        return place
    limit = call.query.limit
    rows = referral_reports.report(call.context, call.here, place, limit)
    following = rows[-1].tally.referrer if len(rows) == limit else None
    program = call.context.catalog.current(call.here.program)
    data = [_referrer_view(program, one) for one in rows] if program else []
    return ReportView(data, cursor_to(call, "referrals report", following))


@resource.endpoint(
    "GET", "/r/{token}", callers=PUBLIC, status=HTTPStatus.SEE_OTHER, answer_type=HTML
)
def follow_link(call: Call, token: str) -> Answer | Refusal:
    """Go on to the form to join, with the code of whoever shared the link.

    Whether it is anybody's code is not told: the way is the same.
    """
    refusal = limited(call, "referral")
    if refusal is None and _TOKEN.fullmatch(token) is None:
        refusal = Refusal("not_found", "there is no such page")
    if refusal is not None:
        return sorry(call.header("accept-language"), refusal)
    program_id, _, code = token.partition(".")
    referral_reports.follow_link(call.context, program_id, plain(code))
    location = f"{call.base_url}/join/{program_id}?code={plain(code)}"
    return Answer("", headers={"Location": location, **PRIVATE})


def _advocate_view(call: Call, member_id: str, found: Advocate) -> AdvocateView:
    program, code = found.program, found.code
    link = link_of(call.base_url, call.here.program_id, code)
    is_member = call.caller is not None and call.caller.role is Role.MEMBER
    friends = _states(found.tallies)
    earned: dict[str, int] = {}
    for tally in found.tallies:
        for number, amount in tally.earned.items():
            name = program.currency_names[number]
            earned[name] = earned.get(name, 0) + amount
    return AdvocateView(
        member_id=member_id,
        code=code,
        link=link,
        share=_share(program, code, link),
        clicks=found.clicks,
        friends=_told_to_members(friends) if is_member else friends,
        earned=earned,
        caps=[
            LeftView(
                one.cap.per,
                "amount" if one.cap.counts_points else "times",
                one.cap.limit,
                one.left,
            )
            for one in found.caps
        ],
    )


def _share(program: Program, code: str, link: str) -> dict[str, str]:
    """What to send to friends, in every language there is a text in."""
    text = program.referrals.share if program.referrals else None
    texts = {program.language: text} if isinstance(text, str) else text or {}
    return {
        language: one.replace("{link}", link).replace("{code}", code)
        for language, one in texts.items()
    }


def _states(tallies: Sequence[Tally]) -> dict[str, int]:
    found: dict[str, int] = {}
    for tally in tallies:
        for state, count in tally.states.items():
            shown = State(state).shown.value
            found[shown] = found.get(shown, 0) + count
    return {state: count for state, count in found.items() if count}


def _told_to_members(friends: dict[str, int]) -> dict[str, int]:
    """Not what was refused, or is looked at: who makes friends up shall not learn from it."""
    return {"joined": sum(friends.values()), "rewarded": friends.get(State.REWARDED.value, 0)}


def _referral_view(call: Call, one: Referral) -> ReferralView:
    def person(member_id: str) -> PersonView:
        return PersonView(member_id, referral_reports.name_of(call.context, call.here, member_id))

    return ReferralView(
        friend=person(one.friend_id),
        advocate=person(one.advocate_id) if one.advocate_id else None,
        partner=one.partner or None,
        code=one.code,
        state=one.state.shown.value,
        reasons=list(one.reasons),
        joined_at=to_rfc3339(one.at),
        due_at=to_rfc3339(one.due_at) if one.due_at else None,
        order=one.order or None,
    )


def _referrer_view(program: Program, one: Reported) -> ReferrerView:
    tally, names = one.tally, program.currency_names
    partner = tally.referrer.partition("partner:")[2]
    known = program.referrals.partners.get(partner) if program.referrals else None
    return ReferrerView(
        member_id=None if partner else tally.referrer,
        partner=partner or None,
        name=known.name if known else None,
        code=one.code,
        clicks=one.clicks,
        friends=_states((tally,)),
        earned={names[number]: amount for number, amount in tally.earned.items()},
        welcomed={names[number]: amount for number, amount in tally.welcomed.items()},
    )
