"""A store's messages, shuffled and told again, of sixteen writers at once: as if told in order."""

import random
from typing import Any

from chalicelib.adapters.memory.store import memory_store
from chalicelib.kernel.clock import SECOND, SystemClock
from local.client import Client
from local.store_stand_ins.shopify import SECRET, ShopifyStandIn
from tests.fakes.shop import Reply, SetClock, Shop
from tests.fakes.store_lives import ShopifyLife, live
from tests.races.corner import WRITERS, Corner, at_once, program
from tests.races.history import Call, Outcome

ORDERS = 8  # a minute from each to the next, and none may lie ten minutes ahead
EMAILS = [f"m{number}@example.com" for number in range(3)]
STORE = {
    "kind": "shopify",
    "source": "web",
    "address": "https://corner-shop.myshopify.com",
    "secret": SECRET,
}


def lives(draw: random.Random, clock: SetClock) -> list[tuple[dict[str, str], bytes]]:
    """All that the store says of the lives of some orders, in order."""
    stand_in = ShopifyStandIn(clock=clock)
    live(ShopifyLife(stand_in), clock, draw, ORDERS, EMAILS)
    return [(one.headers, one.body) for one in stand_in.messages]


def in_order(messages: list[tuple[dict[str, str], bytes]], joined_at: int) -> list[int]:
    """The points of everybody."""
    shop = Shop(memory_store(), clock=SetClock(joined_at))
    assert shop.call("POST", "/v1/programs", program()).status == 201
    members = [shop.enrol(email=email) for email in EMAILS]
    path = path_of(shop.call("POST", "/v1/stores", STORE))
    for headers, body in messages:
        assert shop.call("POST", path, body, key=None, headers=headers).status == 200
    return [shop.balance(one, "points") for one in members]


def path_of(connected: Any) -> str:
    assert connected.status == 201, connected.raw
    url: str = connected.json["webhook_url"]
    return url[url.index("/v1/") :]


def test_the_lives_of_orders_at_once_end_as_if_told_in_order(corner: Corner) -> None:
    joined = [corner.insist("POST", "/v1/members", {"email": email}) for email in EMAILS]
    members = [reply.json["id"] for reply in joined]
    began_at = SystemClock().now() + SECOND
    draw = random.Random(2)
    messages = lives(draw, SetClock(began_at))
    expected = in_order(messages, began_at)
    assert any(expected)
    connected = corner.insist("POST", "/v1/stores", STORE)
    path, store = path_of(connected), f"/v1/stores/{connected.json['id']}"
    stranger = Client(corner.client.base_url)
    told = messages * 2
    draw.shuffle(told)

    def send(headers: dict[str, str], body: bytes) -> Reply:
        reply = stranger.call("POST", path, body, headers)
        lowered = {name.lower(): value for name, value in reply.headers.items()}
        return Reply(reply.status, lowered, reply.raw)

    def tell(number: int) -> None:
        for headers, body in told[number::WRITERS]:
            reply = corner.until_answered(lambda said=(headers, body): send(*said))
            assert reply.status == 200, reply.raw

    at_once(tell)
    assert [corner.account(one) for one in members] == expected
    assert corner.insist("GET", f"{store}/troubles").json["data"] == []
    note_what_was_told(corner, members)
    assert corner.mistakes(*members) == []


def note_what_was_told(corner: Corner, members: list[str]) -> None:
    """A message asks for no certain entry: all that there are of an order are somebody's alone."""
    owners: dict[str, str] = {}
    for member in members:
        for stored in corner.chain(member):
            order, _, event = stored.ref.partition("#")
            if order.startswith("web:"):
                assert owners.setdefault(order, member) == member
                call = Call(member, stored.ref, event, 0, 0, Outcome.UNKNOWN)
                corner.history.append(call)
    assert len(owners) == ORDERS
