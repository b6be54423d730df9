"""Connected stores: the shop pastes one address and one secret, and sees what came of it."""

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib import wiring
from chalicelib.api.endpoints import SHOP, Answer, Call, Resource, Told
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import MomentText, Source
from chalicelib.domain.errors import Refusal
from chalicelib.domain.stores.connection import KEPT_DAYS, Connection, StoreKind, Trouble
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.services import store_work, stores
from chalicelib.services.stores import Seen, Wish

resource = Resource(__name__, "stores")

Address = Annotated[str, Meta(min_length=1, max_length=200, description="Of the store.")]
GivenSecret = Annotated[
    str,
    Meta(min_length=16, max_length=200, description="With which the store signs its messages."),
]
Access = Annotated[
    str, Meta(min_length=1, max_length=500, description="The token of the store's API.")
]
KeepsDays = Annotated[
    int,
    Meta(ge=0, le=365, description="For how long orders of nobody we know are kept."),
]


class ConnectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A store. What it sends is said to be from `source`.

    Without `access` nothing is pulled that no message told of, no discount goes back, and a system
    whose messages say too little (Square) cannot be read. With `enrols` its customers become
    members by themselves: only where they agreed to that.
    """

    kind: Literal["shopify", "woocommerce", "square"]
    source: Source
    address: Address
    secret: GivenSecret
    access: Access | None = None
    enrols: bool = False
    keeps_days: KeepsDays = KEPT_DAYS


class ChangeStoreRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall be otherwise. The old secret is good for a day beside a new one; a new address
    needs the token anew."""

    address: Address | UnsetType = UNSET
    secret: GivenSecret | UnsetType = UNSET
    access: Access | UnsetType = UNSET
    enrols: bool | UnsetType = UNSET
    keeps_days: KeepsDays | UnsetType = UNSET


class PullView(msgspec.Struct, frozen=True):
    """The running or last pull of the orders that changed: how many were looked at, and how many
    of them said what no message had told."""

    running: bool
    ended_at: MomentText | None
    changed_since: MomentText
    checked: int
    missed: int


class StoreView(msgspec.Struct, frozen=True):
    """A connected store. Its messages go to `webhook_url`; `topics` counts those that came."""

    id: str
    kind: str
    source: str
    address: str
    webhook_url: str
    has_access: bool
    enrols: bool
    keeps_days: int
    created_at: MomentText
    topics: dict[str, int] | UnsetType = UNSET
    pull: PullView | UnsetType | None = UNSET


class StoresView(msgspec.Struct, frozen=True):
    """All stores, by id."""

    data: list[StoreView]


class TroubleView(msgspec.Struct, frozen=True):
    """Something that could not be done, that was missed, or that somebody must answer.

    `missed_message` was found by a pull and counts now; `data_request` must be answered by the
    shop; anything else is the code of a refusal. The same is told once a day.
    """

    at: MomentText
    topic: str
    about: str
    code: str
    detail: str


class TroublesView(msgspec.Struct, frozen=True):
    """Newest first; what is older than 30 days is gone."""

    data: list[TroubleView]
    next_cursor: str | None


class PullQueuedView(msgspec.Struct, frozen=True):
    """The pull has begun."""

    status: str = "queued"


@resource.endpoint(
    "POST",
    "/v1/stores",
    callers=SHOP,
    body=ConnectRequest,
    answer=StoreView,
    status=HTTPStatus.CREATED,
    audited=True,
)
def connect(call: Call) -> Answer | Refusal:
    """Connect a store.

    The answer tells where its messages shall be sent to. The same source again is the same store.
    """
    request: ConnectRequest = call.body
    kind = StoreKind(request.kind)
    wish = Wish(request.address, request.secret, request.access, request.enrols, request.keeps_days)
    system = call.runtime.store_system(kind)
    made = stores.connect(call.context, call.here, system, kind, request.source, wish)
    if isinstance(made, Refusal):
        return made
    view = _view(call, made)
    return Answer(view, told=Told(None, None, msgspec.to_builtins(view)))


@resource.endpoint("GET", "/v1/stores", callers=SHOP, answer=StoresView)
def list_stores(call: Call) -> StoresView:
    """List the connected stores."""
    found = call.context.store.stores.of_program(call.here.program_id)
    return StoresView([_view(call, one) for one in found])


@resource.endpoint("GET", "/v1/stores/{store_id}", callers=SHOP, answer=StoreView)
def read(call: Call, store_id: str) -> StoreView | Refusal:
    """Read a store: what it sent, and what the last pull found."""
    seen = stores.see_store(call.context, call.here, store_id)
    return seen if isinstance(seen, Refusal) else _seen(call, seen)


@resource.endpoint(
    "PATCH",
    "/v1/stores/{store_id}",
    callers=SHOP,
    body=ChangeStoreRequest,
    answer=StoreView,
    audited=True,
)
def change(call: Call, store_id: str) -> Answer | Refusal:
    """Change a store, or give it a new secret or token."""
    given = msgspec.structs.asdict(call.body)
    wish = Wish(**{name: value for name, value in given.items() if value is not UNSET})
    found = stores.find_store(call.context, call.here, store_id)
    if isinstance(found, Refusal):
        return found
    system = call.runtime.store_system(found.kind)
    done = stores.change_store(call.context, call.here, system, store_id, wish)
    if isinstance(done, Refusal):
        return done
    was, now = (_view(call, one) for one in done)
    return Answer(now, told=Told(None, *map(msgspec.to_builtins, (was, now))))


@resource.endpoint("DELETE", "/v1/stores/{store_id}", callers=SHOP, answer=StoreView, audited=True)
def disconnect(call: Call, store_id: str) -> Answer | Refusal:
    """Disconnect a store. What it sent stays; what it sends is taken no longer."""
    gone = stores.disconnect(call.context, call.here, store_id)
    if isinstance(gone, Refusal):
        return gone
    view = _view(call, gone)
    return Answer(view, told=Told(None, msgspec.to_builtins(view), None))


@resource.endpoint(
    "POST",
    "/v1/stores/{store_id}/pull",
    callers=SHOP,
    answer=PullQueuedView,
    status=HTTPStatus.ACCEPTED,
)
def pull(call: Call, store_id: str) -> PullQueuedView | Refusal:
    """Pull the orders that the store changed, now; once an hour it happens by itself."""
    found = stores.find_store(call.context, call.here, store_id)
    if isinstance(found, Refusal):
        return found
    return store_work.pull_now(wiring.queues().stores, found) or PullQueuedView()


@resource.endpoint(
    "GET",
    "/v1/stores/{store_id}/troubles",
    callers=SHOP,
    query=PageQuery,
    answer=TroublesView,
)
def list_troubles(call: Call, store_id: str) -> TroublesView | Refusal:
    """List what somebody should look at."""
    purpose = f"troubles {store_id}"
    before = place_of(call, purpose, call.query.cursor)
    if isinstance(before, Refusal):
        return before
    limit = call.query.limit
    rows = stores.troubles(call.context, call.here, store_id, before, limit + 1)
    if isinstance(rows, Refusal):
        return rows
    shown = rows[:limit]
    following = shown[-1].id if len(rows) > limit else None
    return TroublesView([_trouble(one) for one in shown], cursor_to(call, purpose, following))


def webhook_path(store_id: str) -> str:
    """Where a store's messages go."""
    return f"/v1/webhooks/stores/{store_id}"


def _view(call: Call, one: Connection) -> StoreView:
    return StoreView(
        id=one.id,
        kind=one.kind.value,
        source=one.source,
        address=one.address,
        webhook_url=call.base_url + webhook_path(one.id),
        has_access=one.access is not None,
        enrols=one.enrols,
        keeps_days=one.keeps_days,
        created_at=to_rfc3339(one.created_at),
    )


def _seen(call: Call, seen: Seen) -> StoreView:
    pulled = seen.progress
    pull_view = pulled and PullView(
        running=pulled.began_at is not None,
        ended_at=to_rfc3339(pulled.ended_at) if pulled.ended_at else None,
        changed_since=to_rfc3339(pulled.since),
        checked=pulled.checked,
        missed=pulled.found,
    )
    view = _view(call, seen.connection)
    return msgspec.structs.replace(view, topics=seen.topics, pull=pull_view)


def _trouble(one: Trouble) -> TroubleView:
    return TroubleView(to_rfc3339(one.at), one.topic, one.about, one.code, one.detail)
