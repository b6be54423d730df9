"""Members: who they are, kept apart from what they own.

Nothing here ever enters the ledger. What makes a member findable (external id, e-mail, phone) is
also a claim: at most one member of a program may have it.
"""

import re
import unicodedata
from dataclasses import dataclass, field

from chalicelib.domain.errors import FieldError
from chalicelib.kernel.clock import Instant


@dataclass(frozen=True)
class Consent:
    """What a member allowed or forbade, for one purpose."""

    purpose: str
    granted: bool
    version: str
    given_at: Instant


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
