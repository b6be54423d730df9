# ruff: noqa: A002, N802, N803 (the names are those of the package `passbook`)
"""Apple passes: the public names of the package `passbook`, and bundles signed at full speed.

Code written for `passbook` moves here by one import: the classes below carry its names and take its
arguments. Beneath them stand `Signer` and `Files`, which everything that makes many passes uses:
the key is loaded once, and images are laid out as zip records once.

Sources: developer.apple.com, "Building a Pass" (files, manifest, signature) and "Pass" (the keys of
pass.json); RFC 5652 for the signature; PKWARE APPNOTE 6.3 for the zip records.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chalicelib.adapters.apple.cms import DetachedSigner
from chalicelib.kernel.clock import SystemClock, from_datetime

PASS_JSON = "pass.json"
MANIFEST = "manifest.json"
SIGNATURE = "signature"

_ABOUT = struct.Struct("<5H3L2H")  # of a file, the same in both of its records
_PLACE = struct.Struct("<3H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION = 20  # of the zip format: 2.0, as every reader knows
_LOCAL = b"PK\x03\x04"
_CENTRAL = struct.pack("<4sH", b"PK\x01\x02", _VERSION)
_DOS_DATE = 0x21  # 1980-01-01: the same pass is the same bytes


class Signer:
    """A pass certificate with its key, and Apple's intermediate certificate."""

    def __init__(
        self, certificate: bytes, key: bytes, wwdr: bytes, password: bytes | None = None
    ) -> None:
        """All of them PEM. Raises `ValueError` where one cannot be read."""
        own = x509.load_pem_x509_certificate(certificate)
        self.expires_at = from_datetime(own.not_valid_after_utc)
        # Checking the primes takes 30 ms at every cold start, and the key is our own.
        loaded = load_pem_private_key(key, password, unsafe_skip_rsa_key_validation=True)
        if not isinstance(loaded, RSAPrivateKey):
            raise ValueError("Apple's pass certificates have RSA keys")
        self._signer = DetachedSigner(own, loaded, x509.load_pem_x509_certificate(wwdr))
        self._clock = SystemClock()

    def sign(self, manifest: bytes) -> bytes:
        """The detached PKCS #7 signature of a manifest, DER."""
        return self._signer.sign(manifest, self._clock.now())


class Files:
    """Images and texts that many passes share, laid out and hashed once."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._zip = _Zip()
        for name, data in files.items():
            self._zip.add(name, data)
        hashes = json.dumps({name: _sha1(data) for name, data in files.items()})
        self._hashes = f", {hashes[1:]}" if files else "}"  # what follows that of pass.json

    def bundle(self, pass_json: bytes, signer: Signer) -> bytes:
        """A signed `.pkpass` of these files and one pass.json."""
        manifest = f'{{"{PASS_JSON}": "{_sha1(pass_json)}"{self._hashes}'.encode()
        bundle = self._zip.copy()
        bundle.add(PASS_JSON, pass_json)
        bundle.add(MANIFEST, manifest)
        bundle.add(SIGNATURE, signer.sign(manifest))
        return bundle.closed()


class _Zip:
    """A zip archive whose files are stored as they are: PNG does not become smaller."""

    def __init__(self) -> None:
        self._local: list[bytes] = []
        self._central: list[bytes] = []
        self._size = 0

    def copy(self) -> "_Zip":
        twin = _Zip()
        twin._local, twin._central, twin._size = [*self._local], [*self._central], self._size
        return twin

    def add(self, name: str, data: bytes) -> None:
        path = name.encode()
        flags = 0 if name.isascii() else 0x800  # the name is UTF-8
        size = len(data)
        about = _ABOUT.pack(
            _VERSION, flags, 0, 0, _DOS_DATE, zlib.crc32(data), size, size, len(path), 0
        )
        local = b"".join((_LOCAL, about, path, data))
        self._local.append(local)
        self._central.append(b"".join((_CENTRAL, about, _PLACE.pack(0, 0, 0, 0, self._size), path)))
        self._size += len(local)

    def closed(self) -> bytes:
        central = b"".join(self._central)
        count = len(self._central)
        end = _END.pack(b"PK\x05\x06", 0, 0, count, count, len(central), self._size, 0)
        return b"".join((*self._local, central, end))


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


# --- the names of `passbook` ------------------------------------------------------------------


class Alignment:
    """How the text of a field is aligned."""

    LEFT = "PKTextAlignmentLeft"
    CENTER = "PKTextAlignmentCenter"
    RIGHT = "PKTextAlignmentRight"
    JUSTIFIED = "PKTextAlignmentJustified"
    NATURAL = "PKTextAlignmentNatural"


class BarcodeFormat:
    """Kinds of barcodes."""

    PDF417 = "PKBarcodeFormatPDF417"
    QR = "PKBarcodeFormatQR"
    AZTEC = "PKBarcodeFormatAztec"
    CODE128 = "PKBarcodeFormatCode128"


class DateStyle:
    """How a date or a time is written."""

    NONE = "PKDateStyleNone"
    SHORT = "PKDateStyleShort"
    MEDIUM = "PKDateStyleMedium"
    LONG = "PKDateStyleLong"
    FULL = "PKDateStyleFull"


class NumberStyle:
    """How a number is written."""

    DECIMAL = "PKNumberStyleDecimal"
    PERCENT = "PKNumberStylePercent"
    SCIENTIFIC = "PKNumberStyleScientific"
    SPELLOUT = "PKNumberStyleSpellOut"


class _Part:
    """A part of a pass: its attributes are the keys, and an empty one is left out."""

    def json_dict(self) -> dict[str, Any]:
        """As it stands in pass.json."""
        return _present(vars(self))


class Field(_Part):
    """One field. `key` must be the only one of its name in the whole pass."""

    def __init__(self, key: str, value: Any, label: str = "") -> None:
        self.key = key
        self.value = value
        self.label = label
        self.changeMessage = ""  # an alert shows it where it holds %@
        self.textAlignment = ""

    def json_dict(self) -> dict[str, Any]:
        """As it stands in pass.json; a field always has its value."""
        return {**super().json_dict(), "value": self.value}


class DateField(Field):
    """A field that shows a date."""

    def __init__(
        self,
        key: str,
        value: Any,
        label: str = "",
        dateStyle: str = DateStyle.SHORT,
        timeStyle: str = DateStyle.SHORT,
        ignoresTimeZone: bool = False,
    ) -> None:
        super().__init__(key, value, label)
        self.dateStyle = dateStyle
        self.timeStyle = timeStyle
        self.isRelative = False
        self.ignoresTimeZone = ignoresTimeZone


class NumberField(Field):
    """A field that shows a number."""

    def __init__(self, key: str, value: Any, label: str = "") -> None:
        super().__init__(key, value, label)
        self.numberStyle = NumberStyle.DECIMAL


class CurrencyField(Field):
    """A field that shows money; `currencyCode` is ISO 4217."""

    def __init__(self, key: str, value: Any, label: str = "", currencyCode: str = "") -> None:
        super().__init__(key, value, label)
        self.currencyCode = currencyCode


class Barcode(_Part):
    """What a scanner reads."""

    def __init__(
        self,
        message: str,
        format: str = BarcodeFormat.PDF417,
        altText: str = "",
        messageEncoding: str = "iso-8859-1",
    ) -> None:
        self.format = format
        self.message = message
        self.messageEncoding = messageEncoding
        self.altText = altText


class Location(_Part):
    """A place where the pass matters. Degrees and metres. Raises `ValueError` for no number."""

    def __init__(self, latitude: Any, longitude: Any, altitude: Any = None) -> None:
        self.latitude = float(latitude)
        self.longitude = float(longitude)
        self.altitude = None if altitude is None else float(altitude)
        self.relevantText = ""

    def json_dict(self) -> dict[str, Any]:
        """As it stands in pass.json; the equator is a latitude."""
        place = {"latitude": self.latitude, "longitude": self.longitude}
        return {**super().json_dict(), **place}


class PassInformation:
    """The fields of a pass, by their places."""

    jsonname = ""

    def __init__(self) -> None:
        self.headerFields: list[Field] = []
        self.primaryFields: list[Field] = []
        self.secondaryFields: list[Field] = []
        self.backFields: list[Field] = []
        self.auxiliaryFields: list[Field] = []

    def addHeaderField(self, key: str, value: Any, label: str) -> None:
        """Adds a field that also shows when passes are stacked."""
        self.headerFields.append(Field(key, value, label))

    def addPrimaryField(self, key: str, value: Any, label: str) -> None:
        """Adds a large field."""
        self.primaryFields.append(Field(key, value, label))

    def addSecondaryField(self, key: str, value: Any, label: str) -> None:
        """Adds a field below."""
        self.secondaryFields.append(Field(key, value, label))

    def addBackField(self, key: str, value: Any, label: str) -> None:
        """Adds a field on the back."""
        self.backFields.append(Field(key, value, label))

    def addAuxiliaryField(self, key: str, value: Any, label: str) -> None:
        """Adds a field further below."""
        self.auxiliaryFields.append(Field(key, value, label))

    def json_dict(self) -> dict[str, Any]:
        """As it stands in pass.json."""
        places = vars(self).items()
        return _present({name: [one.json_dict() for one in fields] for name, fields in places})


class Coupon(PassInformation):
    """A coupon."""

    jsonname = "coupon"


class Generic(PassInformation):
    """Any other card."""

    jsonname = "generic"


class StoreCard(PassInformation):
    """A card of a shop."""

    jsonname = "storeCard"


class Pass:
    """One pass: set its attributes, add its files, create it."""

    def __init__(
        self,
        passInformation: PassInformation,
        json: str = "",  # noqa: ARG002 (passbook takes it and does nothing with it)
        passTypeIdentifier: str = "",
        organizationName: str = "",
        teamIdentifier: str = "",
    ) -> None:
        self._files: dict[str, bytes] = {}
        self.passInformation = passInformation
        self.passTypeIdentifier = passTypeIdentifier
        self.organizationName = organizationName
        self.teamIdentifier = teamIdentifier
        self.serialNumber = ""
        self.description = ""
        self.formatVersion = 1
        self.backgroundColor: str | None = None
        self.foregroundColor: str | None = None
        self.labelColor: str | None = None
        self.logoText: str | None = None
        self.barcode: Barcode | None = None
        self.suppressStripShine = False
        self.webServiceURL: str | None = None
        self.authenticationToken: str | None = None
        self.locations: list[Location] | None = None
        self.relevantDate: str | None = None
        self.associatedStoreIdentifiers: list[int] | None = None
        self.appLaunchURL: str | None = None
        self.userInfo: Any = None
        self.expirationDate: str | None = None
        self.voided: bool | None = None
        self.sharingProhibited: bool | None = None

    def addFile(self, name: str, fd: BinaryIO) -> None:
        """Adds an image or a text file."""
        self._files[name] = fd.read()

    def create(
        self,
        certificate: str,
        key: str,
        wwdr_certificate: str,
        password: str | None,
        zip_file: BinaryIO | None = None,
    ) -> BinaryIO:
        """Writes the signed pass to `zip_file`, or to memory, and returns that.

        The first three are paths of PEM files.
        """
        signer = Signer(
            Path(certificate).read_bytes(),
            Path(key).read_bytes(),
            Path(wwdr_certificate).read_bytes(),
            password.encode() if password else None,
        )
        body = json.dumps(self.json_dict(), ensure_ascii=False).encode()
        output = zip_file or BytesIO()
        output.write(Files(self._files).bundle(body, signer))
        return output

    def json_dict(self) -> dict[str, Any]:
        """As it stands in pass.json: what is empty is left out."""
        plain = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        information: PassInformation = plain.pop("passInformation")
        barcode: Barcode | None = plain.pop("barcode")
        locations = [one.json_dict() for one in plain.pop("locations") or ()]
        return {
            **_present(plain),
            **_present({"locations": locations}),
            **(_barcodes(barcode) if barcode else {}),
            information.jsonname: information.json_dict(),
        }


def _barcodes(barcode: Barcode) -> dict[str, Any]:
    """The list that iOS 9 and later read, and the one barcode of iOS 8, which knows no Code 128."""
    old = barcode.json_dict()
    if barcode.format == BarcodeFormat.CODE128:
        old = {**old, "format": BarcodeFormat.PDF417}
    return {"barcodes": [barcode.json_dict()], "barcode": old}


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", False, [])}
