"""The checks for fraud, as pure functions of what two people share.

What they share is compared by traces: keyed hashes of normal forms, so that nothing here, and
nothing that is stored for it, says who somebody is.
"""

import ipaddress
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.domain.members.member import Profile, identities
from chalicelib.domain.referrals.terms import Terms

OFF, SOFT, HARD = "off", "soft", "hard"
KEPT = 10  # traces of one kind that are kept of a member, the newest

# By the check: what of the friend is compared with what of the advocate.
_COMPARED = {
    "same_email": ("email", "email"),
    "same_phone": ("phone", "phone"),
    "same_name": ("name", "name"),
    "same_name_and_address": ("name_and_address", "name_and_address"),
    "same_card": ("card", "card"),
    "same_device": ("device", "device"),
    "same_network": ("network", "network"),
    "own_order": ("buyer", "identity"),
}

_SAME_MAIL = {"googlemail.com": "gmail.com"}  # two names of one provider, with the same boxes

Traces = Mapping[str, tuple[str, ...]]  # by kind, the newest last


@dataclass(frozen=True)
class Seen:
    """What a shop knows of somebody who joins or buys, beside the profile."""

    card_fingerprint: str | None = None
    device: str | None = None
    network_address: str | None = None
    postal_address: str | None = None
    email: str | None = None  # of the buyer, where it is an order
    phone: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What the checks look at."""

    friend: Traces = field(default_factory=dict)
    advocate: Traces = field(default_factory=dict)
    from_one_address: int = 0  # friends, this one too, in the days that the terms name
    bought_before: bool = False


@dataclass(frozen=True)
class Failed:
    """A check that found something."""

    name: str
    strictness: str


def failed(terms: Terms, evidence: Evidence) -> list[Failed]:
    """What is suspicious, as the terms look at it."""
    found = [name for name, (one, other) in _COMPARED.items() if _share(evidence, one, other)]
    if evidence.bought_before:
        found.append("not_first_order")
    failures = [Failed(name, terms.checks[name]) for name in found]
    if evidence.from_one_address > terms.velocity.most:
        failures.append(Failed("velocity", terms.velocity.strictness))
    return [one for one in failures if one.strictness != OFF]


def _share(evidence: Evidence, of_friend: str, of_advocate: str) -> bool:
    friend = evidence.friend.get(of_friend, ())
    return not set(friend).isdisjoint(evidence.advocate.get(of_advocate, ()))


def forms_of_profile(profile: Profile) -> dict[str, list[str]]:
    """The normal forms of what a member says of himself, by kind of trace."""
    forms: dict[str, list[str]] = {}
    known = identities(profile)
    if "email" in known:
        forms["email"] = [without_aliases(known["email"])]
    if "phone" in known:
        forms["phone"] = [known["phone"]]
    if profile.given_name and profile.family_name:
        forms["name"] = [_plain(f"{profile.given_name} {profile.family_name}")]
    if "email" in forms or "phone" in forms:
        forms["identity"] = [*forms.get("email", ()), *forms.get("phone", ())]
    return forms


def forms_of_seen(seen: Seen, profile: Profile) -> dict[str, list[str]]:
    """The normal forms of what the shop knows beside that, by kind of trace."""
    forms: dict[str, list[str]] = {}
    if seen.card_fingerprint:
        forms["card"] = [seen.card_fingerprint]
    if seen.device:
        forms["device"] = [seen.device]
    network = network_of(seen.network_address) if seen.network_address else None
    if network:
        forms["network"] = [network]
    if seen.postal_address and profile.family_name:
        name = _plain(f"{profile.given_name or ''} {profile.family_name}")
        forms["name_and_address"] = [f"{name}\n{_plain(seen.postal_address)}"]
    buyer = identities(Profile(email=seen.email, phone=seen.phone))
    if buyer:
        email = [without_aliases(buyer["email"])] if "email" in buyer else []
        forms["buyer"] = [*email, *([buyer["phone"]] if "phone" in buyer else [])]
    return forms


def without_aliases(email: str) -> str:
    """`ada.b+shop@example.com` as `adab@example.com`: what mail programs deliver alike."""
    name, _, domain = email.rpartition("@")
    return f"{name.partition('+')[0].replace('.', '')}@{_SAME_MAIL.get(domain, domain)}"


def network_of(address: str) -> str | None:
    """The network that one household has: an IPv4 address, or the /64 of one of IPv6 (RFC 6177).

    Servers that listen on both tell IPv4 as `::ffff:203.0.113.9` (RFC 4291, section 2.5.5.2).
    """
    try:
        found = ipaddress.ip_address(address.strip())
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def together(one: Traces, other: Traces) -> dict[str, tuple[str, ...]]:
    """Both, of each kind the newest that are kept."""
    return {
        kind: tuple(dict.fromkeys((*one.get(kind, ()), *other.get(kind, ()))))[-KEPT:]
        for kind in sorted({*one, *other})
    }


def _plain(text: str) -> str:
    """Letters and digits alone, whatever their case and accents."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(one for one in folded if one.isalnum())
