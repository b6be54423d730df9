"""Joining by oneself, on the program's own page.

Whoever types a known e-mail address must neither learn that it is known nor get the card of its
owner: such a visitor gets a new card without the address, and the shop merges the two when it has
seen who he is (docs/decisions/joining.md).
"""

import hmac
from dataclasses import replace

from chalicelib.domain.errors import Refusal
from chalicelib.domain.members.member import Profile
from chalicelib.domain.referrals.checks import Seen
from chalicelib.kernel.clock import HOUR, SECOND
from chalicelib.kernel.keys import mark
from chalicelib.services.attribution import arrival
from chalicelib.services.context import Context, Here
from chalicelib.services.members import enrol
from chalicelib.services.passes import PassKey

SOONEST = 2 * SECOND  # nobody fills in a form faster
LATEST = 6 * HOUR
SOURCE = "join page"
NOT_A_PERSON = Refusal("invalid_request", "the form was not filled in by hand")


def form_token(context: Context, here: Here) -> str:
    """A hidden part of the form: when it was given out, signed, and different each time."""
    given = f"{context.clock.now()}.{context.ids.new('form')}"
    return f"{given}.{_signature(context, here, given)}"


def join(
    context: Context, here: Here, profile: Profile, token: str, code: str, address: str
) -> PassKey | Refusal:
    """Enrols the visitor; the same form sent again is the same member. `code` is a friend's, or
    empty; `address` is the visitor's on the network."""
    if not _is_good(context, here, token):
        return NOT_A_PERSON
    origin_of = arrival(context, here, profile, code, Seen(network_address=address))
    enrolled = enrol(context, here, profile, f"join {token}", SOURCE, origin_of)
    if isinstance(enrolled, Refusal) and enrolled.code == "member_exists":
        nameless = replace(profile, email=None, phone=None)
        enrolled = enrol(context, here, nameless, f"join again {token}", SOURCE, origin_of)
    if isinstance(enrolled, Refusal):
        return enrolled
    return PassKey(here.program_id, enrolled.member.id)


def _is_good(context: Context, here: Here, token: str) -> bool:
    given, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(context, here, given).encode(), signature.encode()):
        return False
    age = context.clock.now() - int(given.partition(".")[0])
    return SOONEST <= age <= LATEST


def _signature(context: Context, here: Here, given: str) -> str:
    return mark(context.keyring.key("join forms"), here.program_id, given)
