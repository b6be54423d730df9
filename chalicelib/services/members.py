"""Enrol a member, read, change and find one."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from chalicelib.domain.errors import Contended, Corrupt, FieldError, Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import Enrol
from chalicelib.domain.ledger.decide import decide, follow
from chalicelib.domain.ledger.entries import Entry, LogKey, Standing, decode
from chalicelib.domain.ledger.standing import IS_ERASED, IS_RESTRICTED
from chalicelib.domain.members.member import (
    Claim,
    Consent,
    Member,
    Profile,
    check_identities,
    identities,
    what_was_said,
    with_consents,
)
from chalicelib.domain.ports import Origin
from chalicelib.domain.program.program import Program
from chalicelib.kernel.canonical import fingerprint
from chalicelib.kernel.clock import Instant
from chalicelib.kernel.keys import mark
from chalicelib.services.context import Context, Here, new_id

TRIES = 5
NOT_FOUND = Refusal("member_not_found", "there is no such member")
EXISTS = Refusal("member_exists", "a member with one of these identities is enrolled already")


OriginOf = Callable[[Program, Member], Origin | None]


@dataclass(frozen=True)
class Enrolled:
    """A member, just enrolled or by the same call before."""

    member: Member
    replayed: bool


def enrol(
    context: Context,
    here: Here,
    profile: Profile,
    idempotency_key: str | None,
    source: str = "shop",
    origin_of: OriginOf = lambda *_: None,
    joined_at: Instant | None = None,
) -> Enrolled | Refusal:
    """Makes a member, the claims on his identities and an empty account, all or none; and writes
    where he comes from.

    The same identities and the same profile again are the same enrolment. An Idempotency-Key
    names the member: his id is derived from it, so that a repeated call meets the member it made.
    Who joined elsewhere before brings his `joined_at`: what he did since then can earn.
    """
    joined_at = here.now if joined_at is None else joined_at
    forms = identities(profile)
    errors = check_identities(forms)
    if errors:
        return Refusal("invalid_request", "the member cannot be found by this", tuple(errors))
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    unknown = check_terms(program, profile)
    if unknown:
        return Refusal("invalid_request", "there are no such terms", tuple(unknown))
    member_id = new_id(context, here, "mem", idempotency_key)
    member = Member(
        here.program_id, member_id, profile, _claims(context, here.program_id, forms), joined_at
    )
    command = Enrol(member_id, joined_at, _fingerprint(profile))
    head = Head.before_first(LogKey(here.program_id, member_id), joined_at)
    entry = decide(head, [], None, command, program, here.now)
    assert isinstance(entry, Entry)  # noqa: S101 (nothing refuses an enrolment)
    entry = msgspec.structs.replace(entry, imported=here.imports)
    said = what_was_said(None, profile, here.now, source)
    origin = origin_of(program, member)
    for _ in range(TRIES):
        if context.store.members.enrol(member, follow(head, command.ref, entry), said, origin):
            return Enrolled(member, replayed=False)
        known = _known(context, member)
        if known is not None:
            return _same(context, known, member)
        if context.store.ledger.head(LogKey(here.program_id, member_id), strong=True):
            return IS_ERASED  # his log is there, and nothing else
    raise Contended("the identities changed hands again and again")


def _known(context: Context, member: Member) -> Member | None:
    """The member who is in the way of a new one."""
    store = context.store.members
    by_claims = (store.claimed_by(member.program_id, claim) for claim in member.claims)
    for member_id in (member.id, *filter(None, by_claims)):
        known = store.get(member.program_id, member_id)
        if known is not None:
            return known
    return None


def _enrolled_as(context: Context, member: Member) -> bytes:
    """The fingerprint of the profile that the member enrolled with: his first entry keeps it."""
    first = context.store.ledger.entry(LogKey(member.program_id, member.id), 1)
    if first is None:
        raise Corrupt("a member has no log")
    return decode(first.body).fingerprint


def _same(context: Context, known: Member, asked: Member) -> Enrolled | Refusal:
    if _enrolled_as(context, known) == _fingerprint(asked.profile):
        return Enrolled(known, replayed=True)
    if known.id == asked.id:
        return Refusal("different_request", "the Idempotency-Key was used for another member")
    return EXISTS


@dataclass(frozen=True)
class Changed:
    """A member before and after a change."""

    was: Member
    member: Member


def change(
    context: Context,
    here: Here,
    member_id: str,
    changes: dict[str, Any],
    consents: Sequence[Consent] = (),
    source: str = "shop",
    *,
    only_empty: bool = False,
) -> Changed | Refusal:
    """Changes the named fields of a profile, and adds consents given or withdrawn.

    An identity of another member is refused; so is any change but a consent while the member is
    restricted. With `only_empty` a field that has a value keeps it, whoever writes it meanwhile.
    """
    store = context.store.members
    for _ in range(TRIES):
        was = read(context, here, member_id)
        if isinstance(was, Refusal):
            return was
        fields = _empty_of(was.profile, changes) if only_empty else changes
        profile = with_consents(replace(was.profile, **fields), consents)
        if profile == was.profile:
            return Changed(was, was)
        head = context.store.ledger.head(LogKey(here.program_id, was.id), strong=True)
        if changes and head is not None and head.snapshot.standing == Standing.RESTRICTED:
            return IS_RESTRICTED
        if head is None or head.snapshot.standing == Standing.ERASED:
            return NOT_FOUND
        forms = identities(profile)
        errors = check_identities(forms)
        if errors:
            return Refusal("invalid_request", "the member cannot be found by this", tuple(errors))
        unknown = _unknown_terms(context, here, was.profile, profile)
        if unknown:
            return Refusal("invalid_request", "there are no such terms", tuple(unknown))
        claims = claims_of(context, here, profile)
        member = replace(was, profile=profile, claims=claims, revision=was.revision + 1)
        said = what_was_said(was.profile, profile, here.now, source)
        outcome = store.replace(member, was, said)
        if outcome is True:
            return Changed(was, member)
        if isinstance(outcome, Claim):
            error = FieldError(outcome.kind, "is that of another member")
            return Refusal("member_exists", "another member has this identity", (error,))
    raise Contended("the member was changed again and again")


def _empty_of(profile: Profile, changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if getattr(profile, name) is None}


def check_terms(program: Program, profile: Profile) -> list[FieldError]:
    """The accepted versions that the program does not have; it may say nothing of them at all."""
    asked = (
        ("terms_version", program.terms, profile.terms_version),
        ("privacy_version", program.privacy, profile.privacy_version),
    )
    return [
        FieldError(field, f"{version} is no version of the program's")
        for field, known, version in asked
        if known and version is not None and version not in [one.version for one in known]
    ]


def _unknown_terms(
    context: Context, here: Here, was: Profile, profile: Profile
) -> list[FieldError]:
    """What is accepted anew and is not there; what was accepted once stays."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return []
    before = {one.field for one in check_terms(program, was)}
    return [one for one in check_terms(program, profile) if one.field not in before]


def read(context: Context, here: Here, member_id: str) -> Member | Refusal:
    """One member of the program, or whoever he was merged into."""
    member = context.store.members.get(here.program_id, member_id)
    if member is not None and member.merged_into is not None:
        return read(context, here, member.merged_into)
    return member or NOT_FOUND


def claimant(context: Context, here: Here, profile: Profile) -> str | None:
    """The id of who enrolled with every identity that `profile` names; he may be merged by now."""
    claims = claims_of(context, here, profile)
    found = {context.store.members.claimed_by(here.program_id, claim) for claim in claims}
    return found.pop() if len(found) == 1 else None


def claimants(context: Context, here: Here, profiles: Sequence[Profile]) -> list[str | None]:
    """The claimant of each, in few requests."""
    of_each = [claims_of(context, here, profile) for profile in profiles]
    every = list(dict.fromkeys(claim for claims in of_each for claim in claims))
    known = context.store.members.claimed_by_each(here.program_id, every)
    found = ({known.get(claim) for claim in claims} for claims in of_each)
    return [ids.pop() if len(ids) == 1 else None for ids in found]


def find(context: Context, here: Here, profile: Profile) -> Member | None:
    """The member who has every identity that `profile` names."""
    member_id = claimant(context, here, profile)
    member = read(context, here, member_id) if member_id else NOT_FOUND
    return None if isinstance(member, Refusal) else member


def claims_of(context: Context, here: Here, profile: Profile) -> tuple[Claim, ...]:
    """Everything of a profile that only one member may have."""
    return _claims(context, here.program_id, identities(profile))


def _claims(context: Context, program_id: str, forms: dict[str, str]) -> tuple[Claim, ...]:
    key = context.keyring.key("claims")
    return tuple(Claim(kind, mark(key, program_id, kind, form)) for kind, form in forms.items())


def _fingerprint(profile: Profile) -> bytes:
    """Over what was said, not when: a consent's own time is that of the first call."""
    fields = asdict(profile)
    for consent in fields["consents"]:
        del consent["given_at"]
    return fingerprint(fields)


NO_PROGRAM = Refusal("no_program", "no version of the program was published yet")
