"""Our signatures are those of `cryptography`, to the byte, and say when they were made."""

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from chalicelib.adapters.apple.cms import DetachedSigner
from chalicelib.kernel.clock import SECOND, SystemClock, from_rfc3339
from local.certificates import Certificates

Parts = tuple[x509.Certificate, RSAPrivateKey, x509.Certificate]


@pytest.fixture(scope="module")
def parts(certificates: Certificates) -> Parts:
    key = load_pem_private_key(certificates.pass_key.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    own, above = (
        x509.load_pem_x509_certificate(one.encode())
        for one in (certificates.pass_certificate, certificates.wwdr)
    )
    return own, key, above


def theirs(parts: Parts, data: bytes) -> bytes:
    """Made at a moment of its own choice."""
    own, key, above = parts
    # Without Binary the line ends of the data would be changed before it is signed.
    options = [PKCS7Options.DetachedSignature, PKCS7Options.Binary, PKCS7Options.NoCapabilities]
    builder = PKCS7SignatureBuilder().set_data(data).add_signer(own, key, SHA256())
    return builder.add_certificate(above).sign(Encoding.DER, options)


@pytest.mark.parametrize("data", [b"", b"{}\n", b"one\r\ntwo\n", bytes(range(256)) * 300])
def test_a_signature_is_byte_for_byte_that_of_cryptography(parts: Parts, data: bytes) -> None:
    clock = SystemClock()
    began = clock.now() // SECOND
    expected = theirs(parts, data)
    ended = clock.now() // SECOND
    signer = DetachedSigner(*parts)
    assert expected in [signer.sign(data, at * SECOND) for at in range(began, ended + 1)]


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-11-23T12:00:07Z", "UTCTIME           :261123120007Z"),
        ("2049-12-31T23:59:59Z", "UTCTIME           :491231235959Z"),
        ("2050-01-01T00:00:00Z", "GENERALIZEDTIME   :20500101000000Z"),
    ],
)
def test_the_time_of_signing_is_written_as_its_year_asks_for(
    parts: Parts, at: str, said: str
) -> None:
    signed = DetachedSigner(*parts).sign(b"{}", from_rfc3339(at))
    command = ["openssl", "asn1parse", "-inform", "DER"]
    done = subprocess.run(command, input=signed, capture_output=True, check=True)
    assert said in done.stdout.decode()
