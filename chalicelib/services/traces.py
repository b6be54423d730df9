"""Traces of people: keyed hashes of what two of them may have in common."""

from collections.abc import Iterable, Mapping

from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.ledger.standing import not_open
from chalicelib.domain.members.member import Profile
from chalicelib.domain.referrals.checks import (
    Seen,
    Traces,
    forms_of_profile,
    forms_of_seen,
    together,
)
from chalicelib.kernel.keys import mark
from chalicelib.services.appending import strong_head
from chalicelib.services.context import Context, Here

# Kinds that are compared with each other are hashed alike.
_ALIKE = {"buyer": "identity"}


def of_seen(context: Context, here: Here, seen: Seen, profile: Profile) -> Traces:
    """What is kept of somebody who joins or buys: nothing of the profile, which lies there."""
    return _hashed(context, here, forms_of_seen(seen, profile))


def of_profile(context: Context, here: Here, profile: Profile) -> Traces:
    """What a profile says of itself."""
    return _hashed(context, here, forms_of_profile(profile))


def remember(context: Context, here: Here, member_id: str, seen: Seen) -> None:
    """Keeps what a store knows of who placed an order, in a program that has referrals; nothing of
    who is restricted (GDPR, Article 18), whose order is refused too."""
    program = context.catalog.in_force(here.program, here.now)
    if program is None or not program.has_referrals:
        return
    head = strong_head(context, LogKey(here.program_id, member_id))
    member = context.store.members.get(here.program_id, member_id)
    if member is not None and head is not None and not_open(head) is None:
        found = of_seen(context, here, seen, member.profile)
        context.store.referrals.remember(here.program_id, member_id, found)


def of_members(context: Context, here: Here, member_ids: Iterable[str]) -> Traces:
    """All that is known of members who are one."""
    store = context.store
    found: Traces = {}
    for member_id in member_ids:
        member = store.members.get(here.program_id, member_id)
        found = together(found, store.referrals.traces(here.program_id, member_id))
        if member is not None:
            found = together(found, of_profile(context, here, member.profile))
    return found


def _hashed(context: Context, here: Here, forms: Mapping[str, list[str]]) -> Traces:
    key = context.keyring.key("traces")
    return {
        kind: tuple(mark(key, here.program_id, _ALIKE.get(kind, kind), one) for one in of_kind)
        for kind, of_kind in forms.items()
    }
