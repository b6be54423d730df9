"""Stand-ins for the certificates that Apple gives to a shop, and for those of its push service.

They are made at the first use and kept. They say what they are, and no phone accepts them. They
are whole by RFC 5280, for Python 3.13 and later refuse a certificate that is not.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASS_TYPE_ID = "pass.local.regulars"
TEAM_ID = "LOCALTEAM1"
ORGANIZATION = "Regulars (local stand-in)"
ISSUER_ID = "3388000000012345678"
LOGO_URL = "https://example.com/logo.png"
_FILE = "stand-ins-2.json"  # the first ones, which later Pythons refuse, are left behind
_LIFE = timedelta(days=3650)


@dataclass(frozen=True)
class Certificates:
    """PEM texts; `pass_*` is what Apple would give, `apns_*` what its push service shows."""

    authority: str
    wwdr: str
    pass_certificate: str
    pass_key: str
    apns_certificate: str
    apns_key: str

    @property
    def apns_authority(self) -> str:
        """Who signed the push service's certificate."""
        return self.authority

    @property
    def apple(self) -> dict[str, str]:
        """The parameter `apple`."""
        return {
            "certificate": self.pass_certificate,
            "key": self.pass_key,
            "wwdr": self.wwdr,
            "pass_type_id": PASS_TYPE_ID,
            "team_id": TEAM_ID,
            "organization_name": ORGANIZATION,
        }


def ensure(folder: Path) -> Certificates:
    """The stand-ins in `folder`, made where there are none."""
    file = folder / _FILE
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps(_make(), indent=1))
    return Certificates(**json.loads(file.read_text()))


def _make() -> dict[str, str]:
    authority_key, wwdr_key, pass_key, apns_key = (
        rsa.generate_private_key(65537, 2048) for _ in range(4)
    )
    authority_name = _name("Regulars stand-in authority")
    authority = _certificate(authority_name, authority_key, authority_name, authority_key)
    wwdr_name = _name("Stand-in of the Apple WWDR intermediate")
    wwdr = _certificate(wwdr_name, wwdr_key, authority_name, authority_key)
    pass_name = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, PASS_TYPE_ID),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Pass Type ID: {PASS_TYPE_ID}"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, TEAM_ID),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "STAND-IN, no phone accepts this"),
        ]
    )
    passes = _certificate(pass_name, pass_key, wwdr_name, wwdr_key, ExtendedKeyUsageOID.CLIENT_AUTH)
    apns = _certificate(
        _name("localhost"),
        apns_key,
        authority_name,
        authority_key,
        ExtendedKeyUsageOID.SERVER_AUTH,
    )
    return {
        "authority": _pem(authority),
        "wwdr": _pem(wwdr),
        "pass_certificate": _pem(passes),
        "pass_key": _key_pem(pass_key),
        "apns_certificate": _pem(apns),
        "apns_key": _key_pem(apns_key),
    }


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name,
    key: rsa.RSAPrivateKey,
    issuer: x509.Name,
    issuer_key: rsa.RSAPrivateKey,
    purpose: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    """One without a purpose signs others."""
    now = datetime.now(UTC)
    is_server = purpose == ExtendedKeyUsageOID.SERVER_AUTH
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(purpose is None, None), critical=True)
        .add_extension(_key_usage(purpose is None, is_server), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
    if is_server:
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        builder = builder.add_extension(names, False)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage(is_authority: bool, is_server: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=is_server,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
