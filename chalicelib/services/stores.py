"""Connected stores: connect, change, disconnect them, and open what their owners gave us."""

from dataclasses import dataclass, replace

from chalicelib.domain.access.callers import OIDC
from chalicelib.domain.access.keys import ROTATION_GRACE
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ledger.refs import RESERVED_SOURCES
from chalicelib.domain.ports import StoreSystem
from chalicelib.domain.stores.connection import (
    KEPT_DAYS,
    MAX_CONNECTIONS,
    Connection,
    Progress,
    SealedSecret,
    StoreKind,
    Trouble,
)
from chalicelib.kernel.clock import Instant
from chalicelib.kernel.keys import derived_id
from chalicelib.services.context import Context, Here
from chalicelib.services.revising import revise

NOT_FOUND = Refusal("store_not_found", "there is no such store")


@dataclass(frozen=True)
class Wish:
    """What of a connection shall be; None: as it is."""

    address: str | None = None
    secret: str | None = None
    access: str | None = None
    enrols: bool | None = None
    keeps_days: int | None = None


@dataclass(frozen=True)
class Seen:
    """A connection, and what came of it so far."""

    connection: Connection
    topics: dict[str, int]
    progress: Progress | None


def connect(
    context: Context,
    here: Here,
    system: StoreSystem,
    kind: StoreKind,
    source: str,
    wish: Wish,
) -> Connection | Refusal:
    """Connects a store. One source is one store: the same again is the same, another is refused.

    Its id follows from the source, so that the address it was given stays good when it is
    disconnected and connected anew.
    """
    store_id = derived_id(context.keyring.key("ids"), "sto", here.program_id, source)
    errors = _problems(system, wish)
    if source in RESERVED_SOURCES | {OIDC}:
        errors = [*errors, FieldError("source", f"{source} is a reserved name")]
    if errors:
        return _invalid(errors)
    stores = context.store.stores
    connection = Connection(
        program_id=here.program_id,
        id=store_id,
        kind=kind,
        source=source,
        address=wish.address or "",
        secrets=(SealedSecret(context.sealer.seal(store_id, wish.secret or "")),),
        created_at=context.clock.now(),
        access=context.sealer.seal(store_id, wish.access) if wish.access else None,
        enrols=bool(wish.enrols),
        keeps_days=KEPT_DAYS if wish.keeps_days is None else wish.keeps_days,
    )
    known = stores.get(store_id)
    if known is None and len(stores.of_program(here.program_id)) >= MAX_CONNECTIONS:
        return Refusal("too_many_stores", f"a program has {MAX_CONNECTIONS} stores at most")
    if known is None and stores.create(connection):
        return connection
    known = known or stores.get(store_id)
    same = replace(connection, created_at=known.created_at if known else 0)
    if known != same:
        return Refusal("source_taken", f"another store is connected as {source}")
    return known


def find_store(context: Context, here: Here, store_id: str) -> Connection | Refusal:
    """One store of the program."""
    found = context.store.stores.get(store_id)
    return found if found is not None and found.program_id == here.program_id else NOT_FOUND


def see_store(context: Context, here: Here, store_id: str) -> Seen | Refusal:
    """One store, how many messages it sent, and how far its orders were pulled."""
    found = find_store(context, here, store_id)
    if isinstance(found, Refusal):
        return found
    stores = context.store.stores
    return Seen(found, stores.counts(store_id), stores.progress(store_id))


def change_store(
    context: Context, here: Here, system: StoreSystem, store_id: str, wish: Wish
) -> tuple[Connection, Connection] | Refusal:
    """As it was and as it is. A new secret is good at once, the old one for a day more.

    Who may change the address must not get at the token by it.
    """
    errors = _problems(system, wish)
    if errors:
        return _invalid(errors)
    now = context.clock.now()

    def changed(was: Connection) -> Connection | Refusal:
        moved = wish.address not in (None, was.address)
        if moved and was.access is not None and wish.access is None:
            reason = "is needed: another address is not given the token of this one"
            return _invalid([FieldError("access", reason)])
        return replace(
            was,
            address=was.address if wish.address is None else wish.address,
            secrets=_rotated(context, was, wish.secret, now),
            access=context.sealer.seal(was.id, wish.access) if wish.access else was.access,
            enrols=was.enrols if wish.enrols is None else wish.enrols,
            keeps_days=was.keeps_days if wish.keeps_days is None else wish.keeps_days,
        )

    def find() -> Connection | Refusal:
        return find_store(context, here, store_id)

    return revise(context, find, changed, context.store.stores.replace)


def disconnect(context: Context, here: Here, store_id: str) -> Connection | Refusal:
    """Nothing that the store sends is taken any more; what it sent stays."""
    found = find_store(context, here, store_id)
    if not isinstance(found, Refusal):
        context.store.stores.remove(found)
    return found


def secrets_of(context: Context, connection: Connection, now: Instant) -> list[str]:
    """Those that the store may have signed with."""
    good = connection.good_secrets(now)
    return [context.sealer.open(connection.id, one.sealed) for one in good]


def access_of(context: Context, connection: Connection) -> str | None:
    """The token of the store's API."""
    sealed = connection.access
    return None if sealed is None else context.sealer.open(connection.id, sealed)


def troubles(
    context: Context, here: Here, store_id: str, before: str | None, limit: int
) -> list[Trouble] | Refusal:
    """What could not be done of what a store said, newest first."""
    found = find_store(context, here, store_id)
    if isinstance(found, Refusal):
        return found
    return context.store.stores.troubles(store_id, before, limit)


def _problems(system: StoreSystem, wish: Wish) -> list[FieldError]:
    address = system.address_problem(wish.address) if wish.address is not None else None
    access = system.access_problem(wish.access) if wish.access is not None else None
    found = {"address": address, "access": access}
    return [FieldError(name, problem) for name, problem in found.items() if problem]


def _rotated(
    context: Context, was: Connection, secret: str | None, now: Instant
) -> tuple[SealedSecret, ...]:
    if secret is None:
        return was.secrets
    newest = SealedSecret(context.sealer.seal(was.id, secret))
    if newest == was.secrets[0]:
        return was.secrets
    old = replace(was.secrets[0], good_until=now + ROTATION_GRACE)
    older = [one for one in was.secrets[1:] if one in was.good_secrets(now)]
    return (newest, old, *older)


def _invalid(errors: list[FieldError]) -> Refusal:
    return Refusal("invalid_request", "there can be no such store", tuple(errors))
