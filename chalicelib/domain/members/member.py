"""Members: who they are, kept apart from what they own.

Nothing here ever enters the ledger. What makes a member findable (external id, e-mail, phone) is
also a claim: at most one member of a program may have it.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chalicelib.domain.errors import FieldError
from chalicelib.kernel.clock import Instant

TERMS, PRIVACY = "terms", "privacy"  # purposes under which accepted versions are kept
LONGEST_NAME = 80  # characters
COUNTRY = r"[A-Z]{2}"
LOCALE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"


@dataclass(frozen=True)
class Consent:
    """What a member allowed, forbade or withdrew, for one purpose."""

    purpose: str  # marketing.email, marketing.sms, profiling, partner_sharing, ...
    granted: bool
    version: str  # of the text that was shown
    given_at: Instant
    source: str = ""  # where he said so: the shop's till, its page, the member's app


@dataclass(frozen=True)
class Profile:
    """What a member says of himself. Every field may be absent."""

    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    birthday: str | None = None  # YYYY-MM-DD
    country: str | None = None  # ISO 3166-1 alpha-2
    locale: str | None = None
    attributes: dict[str, str | int | bool] = field(default_factory=dict)
    consents: tuple[Consent, ...] = ()
    terms_version: str | None = None
    privacy_version: str | None = None

    @property
    def display_name(self) -> str | None:
        """As the card greets: the names there are, None where there is none."""
        return " ".join(filter(None, (self.given_name, self.family_name))) or None


@dataclass(frozen=True)
class Claim:
    """Something only one member may have, as a keyed hash of its normal form."""

    kind: str  # external_id, email or phone
    mark: str


@dataclass(frozen=True)
class Member:
    """One member of one program, as stored."""

    program_id: str
    id: str
    profile: Profile
    claims: tuple[Claim, ...]
    joined_at: Instant
    revision: int = 1  # rises with every change of the profile
    merged_into: str | None = None  # the member who has the account now


def with_consents(profile: Profile, given: Iterable[Consent]) -> Profile:
    """The profile after these were given or withdrawn: of each purpose the newest counts."""
    by_purpose = {one.purpose: one for one in profile.consents}
    for one in given:
        known = by_purpose.get(one.purpose)
        if known is None or replace(one, given_at=known.given_at) != known:
            by_purpose[one.purpose] = one
    return replace(profile, consents=tuple(by_purpose.values()))


def what_was_said(was: Profile | None, now: Profile, at: Instant, source: str) -> list[Consent]:
    """The consents, and the terms accepted, that a change of the profile brought: its history."""
    before = was.consents if was else ()
    said = [one for one in now.consents if one not in before]
    for purpose, old, new in (
        (TERMS, was.terms_version if was else None, now.terms_version),
        (PRIVACY, was.privacy_version if was else None, now.privacy_version),
    ):
        if new is not None and new != old:
            said.append(Consent(purpose, True, new, at, source))
    return said


def identities(profile: Profile) -> dict[str, str]:
    """The normal form of everything that a member is found by, by its kind.

    E-mail addresses are compared without regard to case, after Unicode's NFKC; phones are E.164.
    """
    forms: dict[str, str] = {}
    if profile.external_id is not None:
        forms["external_id"] = profile.external_id
    if profile.email is not None:
        forms["email"] = unicodedata.normalize("NFKC", profile.email).strip().casefold()
    if profile.phone is not None:
        forms["phone"] = _plain_phone(profile.phone)
    return forms


def check_identities(forms: dict[str, str], at: str = "") -> list[FieldError]:
    """What cannot be an e-mail address or a phone number in E.164."""
    errors = []
    if "email" in forms and not re.fullmatch(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+", forms["email"]):
        errors.append(FieldError(f"{at}email", "is not an e-mail address"))
    if "phone" in forms and not re.fullmatch(r"\+[1-9][0-9]{6,14}", forms["phone"]):
        errors.append(FieldError(f"{at}phone", "is not a phone number like +4915112345678"))
    return errors


def _plain_phone(phone: str) -> str:
    """Without the spaces, points, dashes and brackets that people write."""
    return re.sub(r"[\s().\-/]", "", phone)
