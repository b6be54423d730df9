"""Messages of connected stores: each system signs in its own way, over the raw body."""

import msgspec

from chalicelib import wiring
from chalicelib.api.endpoints import JSON, PUBLIC, Call, Resource
from chalicelib.api.limits import limited
from chalicelib.api.stores import webhook_path
from chalicelib.domain.errors import Refusal
from chalicelib.domain.stores.facts import Heard, StoreMessage, Unreadable
from chalicelib.kernel.clock import DAY
from chalicelib.kernel.signatures import BadSignature
from chalicelib.services.context import Here, enter
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.store_orders import Counter, Took
from chalicelib.services.store_work import receive, report
from chalicelib.services.stores import secrets_of

resource = Resource(__name__, "store_webhooks")

FORM = "application/x-www-form-urlencoded"
MAX_MESSAGE_BYTES = 1_500_000
REMEMBERED = 30 * DAY  # the ids of messages: longer than any store tries again
UNKNOWN_TOPIC = "unknown"
_UNSIGNED = Refusal("unauthorized", "the message is not signed with the secret of this store")


class StoreHeardView(msgspec.Struct, frozen=True):
    """What became of a message: `done`, `repeated`, `ignored` (nothing for us) or `unreadable`."""

    status: str
    outcomes: list[str] = []


@resource.endpoint(
    "POST",
    "/v1/webhooks/stores/{store_id}",
    callers=PUBLIC,
    body=bytes,
    body_types=(JSON, FORM),
    max_body_bytes=MAX_MESSAGE_BYTES,
    answer=StoreHeardView,
)
def receive_message(call: Call, store_id: str) -> StoreHeardView | Refusal:
    """Receive a message of a connected store.

    It may come any number of times, in any order and late. Whatever is signed is answered 200, also
    what cannot be done: that is listed among the store's troubles, since a store that is refused
    again and again stops sending.
    """
    connection = call.context.store.stores.get(store_id)
    here = enter(call.context, connection.program_id) if connection else None
    if connection is None or here is None:
        return limited(call, "webhooks") or _UNSIGNED
    counter = Counter(call.context, here, connection)
    money = _money(call, here)
    if isinstance(money, Refusal):
        return money
    try:
        heard = _hear(call, counter, money)
    except BadSignature:
        return limited(call, "webhooks") or _UNSIGNED
    except Unreadable as unreadable:
        report(counter, "message", Took("a message", "unreadable", str(unreadable)))
        return StoreHeardView("unreadable")
    return _answer(counter, heard)


def _answer(counter: Counter, heard: Heard) -> StoreHeardView:
    stores, store_id = counter.context.store.stores, counter.connection.id
    stores.count(store_id, heard.topic if heard.known else UNKNOWN_TOPIC)
    if not heard.facts:  # a ping may be anyone's: nothing is kept of it
        return StoreHeardView("ignored")
    if stores.heard(store_id, heard.id):
        return StoreHeardView("repeated")
    done = receive(counter, wiring.queues().stores, heard.topic, heard.facts)
    stores.mark_heard(store_id, heard.id, counter.context.clock.now() + REMEMBERED)
    return StoreHeardView("done" if done else "ignored", [one.outcome for one in done])


def _hear(call: Call, counter: Counter, money: str) -> Heard:
    connection, now = counter.connection, call.context.clock.now()
    headers = {str(name).lower(): str(value) for name, value in call.request.headers.items()}
    message = StoreMessage(headers, call.body, call.base_url + webhook_path(connection.id))
    system = call.runtime.store_system(connection.kind)
    secrets = secrets_of(call.context, connection, now)
    return system.hear(message, secrets, connection.source, money, now)


def _money(call: Call, here: Here) -> str | Refusal:
    """The program's; before there is one the store must try again."""
    program = call.context.catalog.in_force(here.program, here.now)
    return program.money if program else NO_PROGRAM
