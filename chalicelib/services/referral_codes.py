"""The codes of members: short, made when they are first shown, one for ever.

A code is derived from the member by a key, so that it says nothing of him and the same one is made
again. Should it be another's, the next one is tried.
"""

from dataclasses import dataclass

from chalicelib.domain.errors import Contended
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import LogKey, Standing
from chalicelib.domain.program.program import Program
from chalicelib.kernel.clock import local_date
from chalicelib.kernel.keys import derived_id
from chalicelib.services.appending import strong_head
from chalicelib.services.context import Context, Here

CHARACTERS = 8  # 40 bits
GENERATIONS = 10
_MISREAD = str.maketrans("OIL", "011")  # Crockford's base 32 has none of them


@dataclass(frozen=True)
class Referrer:
    """Whose code it is: a member's, whose account this is, or a partner's."""

    code: str
    head: Head | None = None
    partner: str = ""


def code_of(context: Context, program_id: str, member_id: str) -> str:
    """The member's code. Raises `Contended` where every one is taken."""
    referrals = context.store.referrals
    for generation in range(GENERATIONS):
        code = _derived(context, program_id, member_id, generation)
        owner = referrals.owner(program_id, code)
        if owner == member_id:
            return code
        if owner is None and referrals.take_code(program_id, code, member_id):
            return code
    raise Contended("the codes of a member are all taken")


def link_of(base_url: str, program_id: str, code: str) -> str:
    """Where friends go."""
    return f"{base_url}/r/{program_id}.{code}"


def plain(code: str) -> str:
    """A code as it is stored, however it was typed."""
    return code.strip().upper()


def referrer_of(context: Context, here: Here, program: Program, code: str) -> Referrer | None:
    """Whose code it is; None where it is nobody's, or friends cannot join with it now."""
    terms = program.referrals
    day = local_date(here.now, program.zone)
    if terms is None or not terms.open_on(day):
        return None
    partner = terms.partners.get(plain(code))
    if partner is not None:
        good = partner.first_day <= day <= partner.last_day
        return Referrer(plain(code), partner=plain(code)) if good else None
    known = plain(code).replace("-", "").translate(_MISREAD)
    owner = context.store.referrals.owner(here.program_id, known) if known else None
    head = strong_head(context, LogKey(here.program_id, owner)) if owner else None
    if head is None or head.snapshot.standing != Standing.OPEN:
        return None
    return Referrer(known, head)


def _derived(context: Context, program_id: str, member_id: str, generation: int) -> str:
    key = context.keyring.key("referral codes")
    made = derived_id(key, "r", program_id, member_id, str(generation))
    return made.partition("_")[2][:CHARACTERS].upper()
