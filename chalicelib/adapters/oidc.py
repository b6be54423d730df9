"""ID tokens of OpenID providers: whether they are good, and of whom they are.

A key is taken by its `kid` from the set that the issuer publishes, and it is the key that says
which algorithm a signature of it is made with, never the token.

Sources: openid.net/specs/openid-connect-core-1_0.html, sections 2 and 3.1.3.7 (what an ID token
holds, how it is checked), and openid-connect-discovery-1_0.html, section 4 (where the keys are: the
`issuer` found there must be just the one that was asked); RFC 7518, sections 3.3 and 3.4 (RS256
with 2048 bits or more, ES256 with P-256); RFC 8725, section 3.1 (algorithms are not the token's
choice). Cognito: docs.aws.amazon.com/cognito/latest/developerguide, "Understanding the identity
(ID) token" and "Verifying JSON web tokens": an ID token names the app client in `aud` and has the
`token_use` `id`; an access token has `client_id` in place of `aud`, and no address.

The `nonce` is not looked at: it is between the issuer and the app that asked for the token.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters.public_http import NoAnswer, PublicHttp, Unsafe
from chalicelib.domain.access.callers import Identity
from chalicelib.domain.errors import Unavailable
from chalicelib.kernel.clock import DAY, EARLIEST, HOUR, MINUTE, SECOND, Instant

LEEWAY = 1 * MINUTE  # between the issuer's clock and ours
KEYS_KEPT = 1 * HOUR
KEYS_KEPT_AT_MOST = 1 * DAY  # where no new ones can be had
ASK_AGAIN = 1 * MINUTE  # a forged token must not make us ask each time
REQUEST_SECONDS = 4.0  # two requests, within API Gateway's 29 s
MAX_DOCUMENT_BYTES = 1 << 16
MAX_SUBJECT_CHARACTERS = 255  # of ASCII: OpenID Connect Core, section 2
_MIN_RSA_BITS = 2048
_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}
_LOG = logging.getLogger("regulars")


@dataclass(frozen=True)
class IssuerClient:
    """A program as its issuer knows it: tokens for this audience are for this program."""

    program_id: str
    issuer: str
    audience: str


class OidcIssuers:
    """Keeps the port `IdentityIssuers`."""

    def __init__(self, clients: Sequence[IssuerClient], http: PublicHttp) -> None:
        self._clients = tuple(clients)
        self._keys = {one.issuer: _Keys(one.issuer, http) for one in clients}

    def identity(self, token: str, now: Instant) -> Identity | None:
        import jwt

        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            client = self._client(jwt.decode(token, options={"verify_signature": False}))
            if client is None or key_id is None:
                return None
            key = self._keys[client.issuer].key(key_id, now)
            if key is None:
                return None
            # Only the signature is left to the library: it would ask a clock of its own.
            claims = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
        except jwt.InvalidTokenError:
            return None
        return _identity(client, claims, now)

    def _client(self, said: dict[str, Any]) -> IssuerClient | None:
        """Whom a token is for; nobody where two programs would be meant."""
        audience = said.get("aud")
        found = [
            one
            for one in self._clients
            if one.issuer == said.get("iss") and audience in (one.audience, [one.audience])
        ]
        return found[0] if len(found) == 1 else None


def _identity(client: IssuerClient, claims: dict[str, Any], now: Instant) -> Identity | None:
    subject, email = claims.get("sub", ""), claims.get("email")
    if not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:  # that it is a text was seen to before
        return None
    if not (subject.isascii() and subject.isprintable()):
        return None
    if claims.get("token_use", "id") != "id" or not _is_timely(claims, now):
        return None
    # It may be a text: developer.apple.com, "Authenticating users with Sign in with Apple".
    said = claims.get("email_verified")
    is_verified = said is True or said == "true"
    return Identity(
        client.program_id,
        subject,
        email if is_verified and isinstance(email, str) and email.isprintable() else None,
        claims["exp"] * SECOND + LEEWAY,
    )


def _is_timely(claims: dict[str, Any], now: Instant) -> bool:
    """Times are whole seconds since 1970; RFC 7519 allows parts of them, which we do not take."""
    issued: Any = claims.get("iat")
    expires: Any = claims.get("exp")
    begins: Any = claims.get("nbf", issued)
    if not all(type(one) is int for one in (issued, expires, begins)):
        return False
    since, until = max(issued, begins) * SECOND - LEEWAY, expires * SECOND + LEEWAY
    return bool(since <= now < until)


@dataclass(frozen=True)
class _Key:
    public: Any  # of the library `cryptography`
    algorithm: str


class _Keys:
    """The published keys of one issuer, as they were found last."""

    def __init__(self, issuer: str, http: PublicHttp) -> None:
        self._issuer = issuer
        self._http = http
        self._found: dict[str, _Key] = {}
        self._found_at = self._asked_at = EARLIEST
        self._trouble = ""  # why the last look for them found none

    def key(self, key_id: str, now: Instant) -> _Key | None:
        """Raises `Unavailable` where it is not known and the issuer cannot be asked."""
        is_old = now >= self._found_at + KEYS_KEPT
        if (is_old or key_id not in self._found) and now >= self._asked_at + ASK_AGAIN:
            self._ask(now)
        if now >= self._found_at + KEYS_KEPT_AT_MOST:
            self._found = {}
        if key_id not in self._found and self._trouble:
            raise Unavailable(f"the keys of {self._issuer} cannot be had: {self._trouble}")
        return self._found.get(key_id)

    def _ask(self, now: Instant) -> None:
        self._asked_at = now
        try:
            self._found = self._published()
            self._found_at, self._trouble = now, ""
        except (Unsafe, NoAnswer) as error:
            self._trouble = str(error)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._trouble = f"unreadable: {type(error).__name__}"
        if self._trouble:
            _LOG.warning("the keys of %s cannot be had: %s", self._issuer, self._trouble)

    def _published(self) -> dict[str, _Key]:
        about = self._document(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if about["issuer"] != self._issuer:
            raise Unsafe("another issuer answered")
        found = ((row.get("kid"), _read(row)) for row in self._document(about["jwks_uri"])["keys"])
        return {key_id: key for key_id, key in found if isinstance(key_id, str) and key}

    def _document(self, url: str) -> Any:
        """Of a longer one the beginning is read, which is no JSON."""
        answer = self._http.send("GET", url, {}, b"", MAX_DOCUMENT_BYTES)
        if answer.status != 200:
            raise NoAnswer(f"the status was {answer.status}")
        return answer.json


def _read(row: dict[str, Any]) -> _Key | None:
    """A key of the set; None where it is of a kind that we do not take, or not for signatures."""
    import jwt

    kind: Any = row.get("kty"), row.get("crv")
    algorithm = _ALGORITHMS.get(kind)
    if algorithm is None or row.get("alg", algorithm) != algorithm:
        return None
    if row.get("use", "sig") != "sig" or "d" in row:  # whoever reads a private key can sign with it
        return None
    try:
        public = jwt.PyJWK(row, algorithm).key
    except jwt.PyJWTError:
        return None
    is_weak = algorithm == "RS256" and public.key_size < _MIN_RSA_BITS
    return None if is_weak else _Key(public, algorithm)
