"""Rate limits of calls that anyone can make: so many a minute from one caller."""

from chalicelib.api.endpoints import Call
from chalicelib.domain.errors import Refusal
from chalicelib.domain.referrals.checks import network_of
from chalicelib.kernel.clock import MINUTE
from chalicelib.kernel.keys import mark

CALLS_A_MINUTE = 60


def limited(call: Call, what: str, caller: str | None = None) -> Refusal | None:
    """Counts this call; a refusal once there were too many in this minute.

    The caller is his network where nothing better is known: one household has 2**64 addresses of
    IPv6. It is not stored, only a keyed hash of it, and for a few minutes.
    """
    context = call.context
    minute = context.clock.now() // MINUTE
    who = caller or network_of(call.address) or call.address
    counter = mark(context.keyring.key("rate limits"), what, who)
    count = context.store.counters.hit(f"{counter}.{minute}", (minute + 2) * MINUTE)
    if count > CALLS_A_MINUTE:
        return Refusal("too_many_requests", f"at most {CALLS_A_MINUTE} such calls a minute")
    return None
