"""Keys: create, rotate and revoke them."""

import base64
from dataclasses import dataclass, replace

from chalicelib.domain.access.keys import ROTATION_GRACE, STAFF_SCOPES, ApiKey, KeyKind, Secret
from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.program.program import Mode
from chalicelib.kernel.clock import Instant
from chalicelib.kernel.keys import derive, secret_hash
from chalicelib.kernel.signatures import SECRET_PREFIX
from chalicelib.services.context import Context, Here, new_id

TRIES = 5
NOT_FOUND = Refusal("key_not_found", "there is no such key")
TOO_MUCH = Refusal("forbidden", "a key cannot hand out what it may not do itself")
_PREFIXES = {KeyKind.SECRET: "rk", KeyKind.PUBLISHABLE: "pk", KeyKind.STAFF: "tk"}


@dataclass(frozen=True)
class Issued:
    """A key, and its secret the only time it can be seen: a replay has none."""

    key: ApiKey
    secret: str | None


@dataclass(frozen=True)
class KeyRequest:
    """What a new key shall be."""

    kind: KeyKind
    name: str
    source: str | None = None  # of a webhook key
    origins: tuple[str, ...] = ()  # of a publishable key
    scopes: tuple[str, ...] = ()  # of a secret key; none: everything


def create_key(
    context: Context,
    here: Here,
    request: KeyRequest,
    idempotency_key: str | None,
    by: ApiKey | None = None,
) -> Issued | Refusal:
    """Makes a key. The same request with the same Idempotency-Key is answered without a secret.

    `by` is the key that asks, None for the operator: it cannot hand out more than it may do.
    """
    if by is not None and not by.covers(request.kind, request.scopes):
        return TOO_MUCH
    key_id = new_id(context, here, "key", idempotency_key)
    secret, digest = _new_secret(context, here, request.kind, key_id, generation=1)
    key = ApiKey(
        program_id=here.program_id,
        id=key_id,
        kind=request.kind,
        name=request.name,
        secrets=(Secret(1, digest),),
        created_at=context.clock.now(),
        source=request.source,
        origins=request.origins,
        scopes=STAFF_SCOPES if request.kind is KeyKind.STAFF else request.scopes,
    )
    if context.store.keys.create(key):
        return Issued(key, secret)
    known = context.store.keys.get(key_id)
    if known is None or _request_of(known) != request:
        return Refusal("different_request", "the Idempotency-Key was used for another key")
    return Issued(known, None)


def rotate_key(
    context: Context, here: Here, by: ApiKey, key_id: str, generation: int
) -> Issued | Refusal:
    """Makes the next secret of a key; the one of `generation` stays good for a day.

    Asked again for a generation that was rotated already, it answers without a secret.
    """
    for _ in range(TRIES):
        was = _own(context, here, key_id)
        if isinstance(was, Refusal):
            return was
        if not by.covers(was.kind, was.scopes):
            return TOO_MUCH
        if was.revoked_at is not None:
            return Refusal("key_revoked", "a revoked key stays revoked")
        newest = was.secrets[0].generation
        if generation == newest - 1:
            return Issued(was, None)
        if generation != newest:
            return Refusal("wrong_generation", f"the newest secret is of generation {newest}")
        now = context.clock.now()
        secret, digest = _new_secret(context, here, was.kind, key_id, newest + 1)
        old = replace(was.secrets[0], good_until=now + ROTATION_GRACE)
        older = [one for one in was.secrets[1:] if one in was.good_secrets(now)]
        secrets = (Secret(newest + 1, digest), old, *older)
        key = replace(was, secrets=secrets, revision=was.revision + 1)
        if context.store.keys.replace(key, was):
            return Issued(key, secret)
    raise Contended("the key was changed again and again")


def revoke_key(context: Context, here: Here, key_id: str) -> ApiKey | Refusal:
    """Ends a key, for ever. A process may still take it for as long as it remembers keys."""
    for _ in range(TRIES):
        was = _own(context, here, key_id)
        if isinstance(was, Refusal) or was.revoked_at is not None:
            return was
        key = replace(was, revoked_at=context.clock.now(), revision=was.revision + 1)
        if context.store.keys.replace(key, was):
            return key
    raise Contended("the key was changed again and again")


def list_keys(context: Context, here: Here, after: str | None, limit: int) -> list[ApiKey]:
    """The program's keys, by id."""
    return context.store.keys.of_program(here.program_id, after, limit)


def webhook_secrets(context: Context, key: ApiKey, now: Instant) -> list[str]:
    """The secrets with which a store may sign now."""
    return [signing_secret(context, key.id, one.generation) for one in key.good_secrets(now)]


def signing_secret(context: Context, owner_id: str, generation: int) -> str:
    """The secret of a webhook key, or of an endpoint that we send to."""
    key = derive(context.keyring.key("webhooks"), f"{owner_id} {generation}")
    return SECRET_PREFIX + base64.b64encode(key).decode()


def _own(context: Context, here: Here, key_id: str) -> ApiKey | Refusal:
    key = context.store.keys.get(key_id)
    return key if key is not None and key.program_id == here.program_id else NOT_FOUND


def _request_of(key: ApiKey) -> KeyRequest:
    scopes = () if key.kind is KeyKind.STAFF else key.scopes
    return KeyRequest(key.kind, key.name, key.source, key.origins, scopes)


def _new_secret(
    context: Context, here: Here, kind: KeyKind, key_id: str, generation: int
) -> tuple[str, str]:
    """A secret, and what is stored of it."""
    if kind is KeyKind.WEBHOOK:
        return signing_secret(context, key_id, generation), ""
    test = "_test" if here.program.mode is Mode.TEST else ""
    secret = context.ids.secret(_PREFIXES[kind] + test)
    return secret, secret_hash(secret)
