"""Detached signatures of manifests, as Wallet reads them: CMS `SignedData` in DER.

They are byte for byte those of `PKCS7SignatureBuilder` of `cryptography`, which lays everything out
anew for each signature; here only the signed attributes are new, and the signature over them.

Sources: RFC 5652 (the structures), RFC 8017 (the signature), ITU-T X.690 (DER), and
developer.apple.com, "Building a Pass" (detached, with the signing time and Apple's intermediate
certificate).
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from chalicelib.kernel.clock import SECOND, Instant, to_datetime

_SEQUENCE, _SET, _OCTETS, _FIRST = 0x30, 0x31, 0x04, 0xA0  # _FIRST: the field with the tag [0]
_UTC_TIME, _TIME = 0x17, 0x18
_LAST_OF_UTC_TIME = 2049  # RFC 5652, section 11.3
_LONG = 0x80  # from here on a length says first how many bytes it has


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < _LONG:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, _LONG | size)) + length.to_bytes(size, "big") + content


_VERSION = bytes.fromhex("020101")
_DATA = bytes.fromhex("06092a864886f70d010701")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_SIGNING_TIME = bytes.fromhex("06092a864886f70d010905")
_SHA256 = _der(_SEQUENCE, bytes.fromhex("0609608648016503040201"), b"\x05\x00")
_RSA = _der(_SEQUENCE, bytes.fromhex("06092a864886f70d010101"), b"\x05\x00")


def _attribute(kind: bytes, value: bytes) -> bytes:
    return _der(_SEQUENCE, kind, _der(_SET, value))


_IS_DATA = _attribute(_CONTENT_TYPE, _DATA)
_HAS_DIGEST = _attribute(_MESSAGE_DIGEST, _der(_OCTETS, bytes(32)))[:-32]  # which then follows
_PADDING, _HASH = PKCS1v15(), SHA256()


class DetachedSigner:
    """Signs with one certificate, and has the one above it at hand for those who verify."""

    def __init__(self, certificate: Certificate, key: RSAPrivateKey, above: Certificate) -> None:
        """The certificates are embedded as they are: Wallet refuses what was encoded anew."""
        self._key = key
        embedded = [one.public_bytes(Encoding.DER) for one in (certificate, above)]
        self._head = _der(_SET, _SHA256) + _der(_SEQUENCE, _DATA)
        self._head = _VERSION + self._head + _der(_FIRST, *sorted(embedded))
        self._signer = _VERSION + _der(_SEQUENCE, *_issuer_and_serial(certificate)) + _SHA256

    def sign(self, data: bytes, at: Instant) -> bytes:
        """The `ContentInfo` of a signature that says it was made at that moment."""
        digest = hashlib.sha256(data).digest()
        attributes = (_IS_DATA, _made_at(at // SECOND), _HAS_DIGEST, digest)
        # As a SET they are signed, as the field [0] they are sent: RFC 5652, section 5.4.
        signature = self._key.sign(_der(_SET, *attributes), _PADDING, _HASH)
        sent = _der(_FIRST, *attributes)
        signer = _der(_SEQUENCE, self._signer, sent, _RSA, _der(_OCTETS, signature))
        signed = _der(_SEQUENCE, self._head, _der(_SET, signer))
        return _der(_SEQUENCE, _SIGNED_DATA, _der(_FIRST, signed))


@lru_cache(maxsize=1)
def _made_at(second: int) -> bytes:
    """A second since 1970; most signatures are made in that of the one before."""
    moment = to_datetime(second * SECOND)
    if moment.year <= _LAST_OF_UTC_TIME:
        time = _der(_UTC_TIME, f"{moment:%y%m%d%H%M%SZ}".encode())
    else:
        time = _der(_TIME, f"{moment:%Y%m%d%H%M%SZ}".encode())
    return _attribute(_SIGNING_TIME, time)


def _issuer_and_serial(certificate: Certificate) -> tuple[bytes, bytes]:
    """As the certificate has them: RFC 5280, section 4.1 (version, serial, algorithm, issuer)."""
    _, serial, _, issuer, *_ = _elements(certificate.tbs_certificate_bytes)
    return issuer, serial


def _elements(sequence: bytes) -> Iterator[bytes]:
    """What stands in a SEQUENCE, each as it is encoded."""
    at, end = _content(sequence, 0)
    while at < end:
        _, after = _content(sequence, at)
        yield sequence[at:after]
        at = after


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of an element begins, and where it ends."""
    length, start = der[at + 1], at + 2
    if length >= _LONG:
        size = length - _LONG
        length, start = int.from_bytes(der[start : start + size], "big"), start + size
    return start, start + length
