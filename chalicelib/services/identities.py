"""Which member somebody is whom an OIDC issuer knows."""

from chalicelib.domain.access.callers import Identity
from chalicelib.domain.errors import Refusal
from chalicelib.domain.members.member import Member, Profile
from chalicelib.services.context import Context, Here
from chalicelib.services.members import change, claims_of, find
from chalicelib.services.store_orders import credit_kept

NOT_ENROLLED = Refusal("not_enrolled", "the token is good, but its owner is no member: enrol him")


def recognize(context: Context, here: Here, identity: Identity) -> Member | Refusal:
    """The member with this account, else the one with the address that the issuer says is his.

    What connected stores kept for this address is his.
    """
    member = _find(context, here, identity)
    if member is None:
        return NOT_ENROLLED
    if identity.email is not None:
        owners = claims_of(context, here, Profile(email=identity.email))
        credit_kept(context, here, member.id, owners)
    return member


def _find(context: Context, here: Here, identity: Identity) -> Member | None:
    by_account = Profile(external_id=identity.external_id)
    member = find(context, here, by_account)
    if member is not None or identity.email is None:
        return member
    member = find(context, here, Profile(email=identity.email))
    if member is None:
        return None
    named = {"external_id": identity.external_id}
    linked = change(context, here, member.id, named, only_empty=True)
    if isinstance(linked, Refusal) and linked.code == "member_exists":
        return find(context, here, by_account)  # somebody was given the account meanwhile
    return member
