"""Keys: create, list, rotate and revoke them."""

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import SHOP, Answer, Call, Resource, Told, known_scopes
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import MomentText, Name, Source
from chalicelib.domain.access.keys import ApiKey, KeyKind
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.refs import RESERVED_SOURCES
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.kernel.patterns import whole
from chalicelib.services import keys
from chalicelib.services.keys import Issued, KeyRequest

resource = Resource(__name__, "keys")

Origin = Annotated[str, Meta(pattern=whole(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?"), max_length=200)]
Scope = Annotated[str, Meta(pattern=whole(r"[a-z_]{1,40}:(read|write)"))]


class CreateKeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `secret` key for servers, a `publishable` one for pages and apps, a `webhook` for a store.

    A `staff` key is for one person at the till (`/till`): it finds members, takes orders and
    refunds, redeems and cancels, and whatever it changes stands in the audit log under its name.

    A webhook key names the `source` of the orders that it may send; a publishable key may be
    bound to the `origins` of web pages, a secret key to `scopes`: `orders:write`, `entries:read`,
    ... Without scopes it may do everything; who may write may read.
    """

    kind: Literal["secret", "publishable", "webhook", "staff"]
    name: Name
    source: Source | None = None
    origins: Annotated[tuple[Origin, ...], Meta(max_length=20)] = ()
    scopes: Annotated[tuple[Scope, ...], Meta(max_length=50)] = ()


class RotateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The generation of the secret that shall be replaced."""

    generation: Annotated[int, Meta(ge=1, le=10**9)]


class KeyView(msgspec.Struct, frozen=True):
    """A key. `secret` is shown once, in the answer to the call that made it."""

    id: str
    kind: str
    name: str
    generation: int
    source: str | None
    origins: list[str]
    scopes: list[str]
    created_at: MomentText
    revoked_at: MomentText | None
    webhook_path: str | None
    secret: str | None = None


class KeysView(msgspec.Struct, frozen=True):
    """Keys, by id."""

    data: list[KeyView]
    next_cursor: str | None


@resource.endpoint(
    "POST",
    "/v1/keys",
    callers=SHOP,
    body=CreateKeyRequest,
    answer=KeyView,
    status=HTTPStatus.CREATED,
    keyed=True,
    audited=True,
)
def create(call: Call) -> Answer | Refusal:
    """Create a key.

    With an Idempotency-Key the same request again answers the same key, without its secret. A key
    with scopes can only make keys that may do no more than itself.
    """
    request: CreateKeyRequest = call.body
    errors = _check(request)
    if errors:
        return Refusal("invalid_request", "there is no such key", tuple(errors))
    asked = KeyRequest(
        KeyKind(request.kind), request.name, request.source, request.origins, request.scopes
    )
    issued = keys.create_key(call.context, call.here, asked, call.idempotency_key, _key(call))
    return _answer(issued)


@resource.endpoint("GET", "/v1/keys", callers=SHOP, query=PageQuery, answer=KeysView)
def list_keys(call: Call) -> KeysView | Refusal:
    """List the program's keys."""
    after = place_of(call, "keys", call.query.cursor)
    if isinstance(after, Refusal):
        return after
    found = keys.list_keys(call.context, call.here, after, call.query.limit + 1)
    page = found[: call.query.limit]
    following = page[-1].id if len(found) > len(page) else None
    return KeysView([_view(one) for one in page], cursor_to(call, "keys", following))


@resource.endpoint(
    "POST",
    "/v1/keys/{key_id}/rotate",
    callers=SHOP,
    body=RotateRequest,
    answer=KeyView,
    audited=True,
)
def rotate(call: Call, key_id: str) -> Answer | Refusal:
    """Rotate a key: a new secret, and the old one stays good for a day."""
    generation = call.body.generation
    return _answer(keys.rotate_key(call.context, call.here, _key(call), key_id, generation))


@resource.endpoint("POST", "/v1/keys/{key_id}/revoke", callers=SHOP, answer=KeyView, audited=True)
def revoke(call: Call, key_id: str) -> Answer | Refusal:
    """Revoke a key, for ever. It may still be taken for a minute."""
    key = keys.revoke_key(call.context, call.here, key_id)
    return key if isinstance(key, Refusal) else _answer(Issued(key, None), replayed=False)


def _check(request: CreateKeyRequest) -> list[FieldError]:
    errors = []
    if (request.source is not None) != (request.kind == "webhook"):
        errors.append(FieldError("source", "belongs to a webhook key, and to no other"))
    if request.source in RESERVED_SOURCES:
        errors.append(FieldError("source", "is a reserved name"))
    if request.origins and request.kind != "publishable":
        errors.append(FieldError("origins", "belong to a publishable key"))
    if request.scopes and request.kind != "secret":
        errors.append(FieldError("scopes", "belong to a secret key"))
    unknown = [scope for scope in request.scopes if scope not in known_scopes()]
    errors += [FieldError("scopes", f"{scope} is not a scope") for scope in unknown]
    return errors


def _key(call: Call) -> ApiKey:
    """The secret key that calls."""
    key = call.caller.key if call.caller else None
    assert key is not None  # noqa: S101 (who calls a route of the shop's has one)
    return key


def _answer(issued: Issued | Refusal, *, replayed: bool | None = None) -> Answer | Refusal:
    if isinstance(issued, Refusal):
        return issued
    told = Told(None, None, msgspec.to_builtins(_view(issued.key)))
    again = issued.secret is None if replayed is None else replayed
    return Answer(_view(issued.key, issued.secret), replayed=again, told=told)


def _view(key: ApiKey, secret: str | None = None) -> KeyView:
    return KeyView(
        id=key.id,
        kind=key.kind.value,
        name=key.name,
        generation=key.secrets[0].generation,
        source=key.source,
        origins=list(key.origins),
        scopes=list(key.scopes),
        created_at=to_rfc3339(key.created_at),
        revoked_at=to_rfc3339(key.revoked_at) if key.revoked_at else None,
        webhook_path=f"/v1/webhooks/orders/{key.source}" if key.source else None,
        secret=secret,
    )
