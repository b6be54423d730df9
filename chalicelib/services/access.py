"""Who is calling: keys and member tokens are proved here, always by the real clock."""

from collections.abc import Callable
from typing import Generic, TypeVar

from chalicelib.domain.access.callers import Caller, MemberToken, Role
from chalicelib.domain.access.keys import ApiKey, KeyKind
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ports import IdentityIssuers
from chalicelib.kernel.clock import HOUR, MINUTE, SECOND, Instant
from chalicelib.kernel.keys import secret_hash
from chalicelib.services.context import Context, Here, enter
from chalicelib.services.identities import recognize
from chalicelib.services.members import NOT_FOUND

BELIEVED = 1 * MINUTE  # how long a process believes what it read of a key, or of an account
KEPT = 1_000
TOKEN_LIFE = 1 * HOUR
_ALGORITHM = "HS256"
_AUDIENCE = "regulars"
_ROLES = {
    KeyKind.SECRET: Role.SECRET_KEY,
    KeyKind.STAFF: Role.SECRET_KEY,  # with the scopes of its kind
    KeyKind.PUBLISHABLE: Role.PUBLISHABLE_KEY,
}


T = TypeVar("T")


class _Remembered(Generic[T]):
    """What was found of credentials, by their hashes, for a while."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[T, Instant]] = {}

    def get(self, digest: str, now: Instant) -> T | None:
        known = self._known.get(digest)
        return known[0] if known is not None and now < known[1] else None

    def put(self, digest: str, found: T, until: Instant) -> None:
        if len(self._known) >= KEPT:
            self._known.clear()
        self._known[digest] = (found, until)


class Doorkeeper:
    """Tells callers from strangers. Who was known is remembered for a minute."""

    def __init__(self, context: Context, issuers: Callable[[], IdentityIssuers | None]) -> None:
        self._context = context
        self._issuers = issuers
        self._keys: _Remembered[ApiKey] = _Remembered()
        self._members: _Remembered[Caller] = _Remembered()

    def caller(self, credential: str) -> Caller | Refusal | None:
        """Whose key or token this is; None for a stranger, whatever he holds. Who proves who he is
        and is no member is refused as that.

        Raises `Unavailable` where the keys of an issuer cannot be had.
        """
        if credential.startswith(("rk_", "pk_", "tk_")):
            return self._by_key(credential)
        return self._by_token(credential) or self._by_issuer(credential)

    def _by_key(self, credential: str) -> Caller | None:
        digest = secret_hash(credential)
        key = self._read(digest)
        if key is None:
            return None
        good = key.good_secrets(self._context.clock.now())
        if not any(one.hash == digest for one in good):
            return None
        return Caller(_ROLES[key.kind], key.program_id, key=key)

    def _read(self, digest: str) -> ApiKey | None:
        now = self._context.clock.now()
        known = self._keys.get(digest, now)
        if known is not None:
            return known
        key = self._context.store.keys.of_secret(digest)
        if key is not None:
            self._keys.put(digest, key, now + BELIEVED)
        return key

    def _by_token(self, credential: str) -> Caller | None:
        import jwt

        try:
            claims = jwt.decode(
                credential,
                self._context.keyring.key("member tokens"),
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                # Times are held against our own clock below; one that is a little behind the clock
                # that minted the token must not refuse it as made in the future.
                options={
                    "require": ["exp", "sub", "program"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidTokenError:
            return None
        expires = claims["exp"]
        if not isinstance(expires, int) or self._context.clock.now() >= expires * SECOND:
            return None
        return Caller(Role.MEMBER, claims["program"], member_id=claims["sub"])

    def _by_issuer(self, credential: str) -> Caller | Refusal | None:
        """Who is not enrolled is not remembered: he may be enrolled the next moment."""
        issuers = self._issuers()
        if issuers is None:
            return None
        now, digest = self._context.clock.now(), secret_hash(credential)
        known = self._members.get(digest, now)
        if known is not None:
            return known
        identity = issuers.identity(credential, now)
        here = enter(self._context, identity.program_id) if identity else None
        if identity is None or here is None:
            return None
        member = recognize(self._context, here, identity)
        if isinstance(member, Refusal):
            return member
        caller = Caller(Role.MEMBER, here.program_id, member_id=member.id)
        self._members.put(digest, caller, min(now + BELIEVED, identity.expires_at))
        return caller


def mint_token(context: Context, here: Here, member_id: str) -> MemberToken | Refusal:
    """A token with which the shop's app speaks for one member, for an hour."""
    import jwt

    if context.store.members.get(here.program_id, member_id) is None:
        return NOT_FOUND
    now = context.clock.now() // SECOND
    expires = now + TOKEN_LIFE // SECOND
    claims = {
        "aud": _AUDIENCE,
        "program": here.program_id,
        "sub": member_id,
        "iat": now,
        "exp": expires,
    }
    text = jwt.encode(claims, context.keyring.key("member tokens"), algorithm=_ALGORITHM)
    return MemberToken(text, expires * SECOND)
