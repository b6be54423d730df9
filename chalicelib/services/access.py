"""Who is calling: keys and member tokens are proved here, always by the real clock."""

from chalicelib.domain.access.callers import Caller, MemberToken, Role
from chalicelib.domain.access.keys import ApiKey, KeyKind
from chalicelib.domain.errors import Refusal
from chalicelib.kernel.clock import HOUR, MINUTE, SECOND, Instant
from chalicelib.kernel.keys import secret_hash
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NOT_FOUND

KEY_CACHE = 1 * MINUTE  # how long a process believes what it read of a key
KEYS_KEPT = 1_000
TOKEN_LIFE = 1 * HOUR
_ALGORITHM = "HS256"
_AUDIENCE = "regulars"
_ROLES = {
    KeyKind.SECRET: Role.SECRET_KEY,
    KeyKind.STAFF: Role.SECRET_KEY,  # with the scopes of its kind
    KeyKind.PUBLISHABLE: Role.PUBLISHABLE_KEY,
}


class Doorkeeper:
    """Tells callers from strangers. Keys that were good are remembered for a minute."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[str, tuple[ApiKey, Instant]] = {}

    def caller(self, credential: str) -> Caller | None:
        """Whose key or token this is; None for a stranger, whatever he holds."""
        if credential.startswith(("rk_", "pk_", "tk_")):
            return self._by_key(credential)
        return self._by_token(credential)

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
        known = self._known.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        key = self._context.store.keys.of_secret(digest)
        if key is not None:
            if len(self._known) >= KEYS_KEPT:
                self._known.clear()
            self._known[digest] = (key, now + KEY_CACHE)
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
