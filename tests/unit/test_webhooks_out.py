"""Outgoing webhooks, from the entry to the receiver: what arrives, when, and what becomes of it."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from chalicelib.domain.ledger.entries import Kind, decode
from chalicelib.domain.memberships.membership import Change
from chalicelib.domain.ports import Sent
from chalicelib.domain.webhooks.delivery import PROBED_FOR, WAITS
from chalicelib.domain.webhooks.events import CATALOGUE, type_of
from chalicelib.events.webhooks import on_webhooks
from chalicelib.kernel.clock import DAY, HOUR, MINUTE, SECOND, SystemClock, to_rfc3339
from chalicelib.services.context import enter
from chalicelib.services.webhook_deliveries import replay_one
from tests.contract.samples import entry
from tests.fakes.interference import Crash, DiesAfter, interfered
from tests.fakes.receiver import OK, Answers, Came, World, add_endpoint
from tests.fakes.shop import Reply, Shop, goods

BATCH = 10
DOWN = Sent(503, "away", 30)
LATE = 15 * MINUTE + PROBED_FOR  # how long a try may wait for its endpoint beside the schedule


def always(sent: Sent) -> Answers:
    return lambda came: sent  # noqa: ARG005


@pytest.fixture
def world() -> World:
    return World()


def test_an_order_arrives_and_the_reference_library_verifies_it(world: World) -> None:
    world.shop.clock.at = SystemClock().now()  # the library asks the machine
    hook = add_endpoint(world.shop)
    ada = world.shop.enrol(given_name="Ada", email="ada@example.com")
    made = world.order(ada, 1000).json
    world.tell(ada)
    world.pass_time(0)

    enrolled, ordered = sorted(world.receiver.came, key=lambda one: one.id)
    assert Webhook(hook.secret).verify(ordered.body.decode(), dict(ordered.headers)) == ordered.json
    assert ordered.id == made["entry"]["event_id"] == f"{ada}.2"
    assert ordered.json == {
        "type": "order.recorded",
        "timestamp": to_rfc3339(world.shop.clock.at),
        "data": {
            "member_id": ada,
            "version": 2,
            "occurred_at": to_rfc3339(world.shop.clock.at),
            "ref": "till:o1#paid",
            "effects": [
                {name: one[name] for name in ("currency", "amount", "state", "rule")}
                for one in made["effects"]
            ],
            "balances": made["balances"],
            "reward": None,
            "quantity": None,
            "tier": None,
            "membership": None,
            "other_member_id": None,
        },
    }
    assert enrolled.json["type"] == "member.enrolled"
    assert b"Ada" not in enrolled.body and b"example.com" not in enrolled.body
    [one, _] = world.deliveries(hook)
    assert (one["status"], one["tries"], one["next_try_at"]) == ("delivered", 1, None)
    assert one["request_body"].encode() == ordered.body
    assert one["last_attempt"]["response_excerpt"] == "thanks"


def test_for_a_day_after_a_rotation_both_secrets_sign(world: World) -> None:
    world.shop.clock.at = SystemClock().now() - DAY
    hook = add_endpoint(world.shop)
    path = f"{hook.path}/rotate"
    rotated = world.shop.call("POST", path, {"generation": 1}).json
    again = world.shop.call("POST", path, {"generation": 1})
    assert (again.json["secret"], again.headers["idempotent-replayed"]) == (None, "true")
    assert world.shop.call("POST", path, {"generation": 7}).code == "wrong_generation"
    for _ in range(2):
        world.shop.call("POST", f"{hook.path}/test")
        world.pass_time(DAY)
        world.shop.clock.at = SystemClock().now()
    first, second = world.receiver.came
    assert [len(one.headers["webhook-signature"].split()) for one in (first, second)] == [2, 1]
    assert Webhook(rotated["secret"]).verify(second.body.decode(), dict(second.headers))
    with pytest.raises(Exception, match="signature"):
        Webhook(hook.secret).verify(second.body.decode(), dict(second.headers))


def test_an_endpoint_gets_what_it_asked_for(world: World) -> None:
    some = add_endpoint(world.shop, "order.*", "member.erased", url="https://a.example/")
    add_endpoint(world.shop, "redemption.made", url="https://b.example/")
    ada = world.shop.enrol()
    world.order(ada)
    assert world.shop.refund("o1", "r1").status == 201
    world.tell(ada)
    world.shop.call("DELETE", f"/v1/members/{ada}")
    world.tell(ada)
    world.pass_time(0)
    types = sorted(one.json["type"] for one in world.receiver.came)
    assert types == ["member.erased", "order.recorded", "order.refunded"]
    assert {one.url for one in world.receiver.came} == {"https://a.example/"}
    assert len(world.deliveries(some)) == 3
    world.tell(ada)
    world.pass_time(DAY)
    assert len(world.receiver.came) == 3  # nothing follows an erasure


def test_a_change_of_tier_is_an_event_beside_the_order_that_brought_it() -> None:
    world = World("sephora")
    add_endpoint(world.shop, "tier.changed", "order.recorded")
    ada = world.shop.enrol()
    body = {"currency": "USD"}
    made = world.shop.order(ada, "big", goods(400_00), **body).json
    world.tell(ada)
    world.pass_time(0)
    changed, ordered = sorted(world.receiver.came, key=lambda one: one.json["type"], reverse=True)
    assert changed.id == f"{made['entry']['event_id']}.tier"
    assert changed.json["type"] == "tier.changed"
    assert changed.json["data"] == ordered.json["data"]
    assert changed.json["data"]["tier"] == made["tier_changed"]


def test_every_kind_of_entry_is_an_event_of_the_catalogue() -> None:
    plain = decode(entry(1, "x").body)
    for kind in Kind:
        fields = {"kind": kind} | ({"change": 1} if kind.name.startswith("MEMBERSHIP") else {})
        assert type_of(msgspec.structs.replace(plain, **fields)) in CATALOGUE, kind
    for change in Change:
        assert (
            type_of(msgspec.structs.replace(plain, kind=Kind.MEMBERSHIP, change=change))
            in CATALOGUE
        )


def test_fault_40_what_does_not_arrive_is_tried_by_the_standards_schedule(world: World) -> None:
    hook = add_endpoint(world.shop)
    ada = world.shop.enrol()
    world.receiver.answers = always(DOWN)
    world.tell(ada)
    world.pass_time(4 * DAY)
    times = [one.timestamp * SECOND for one in world.receiver.came]
    assert len(times) == 1 + len(WAITS)
    for before, after, wait in zip(times, times[1:], WAITS, strict=False):
        assert wait - SECOND <= after - before <= wait * 1.2 + LATE + SECOND
    assert len(world.receiver.bodies) == 1
    assert all(len(bodies) == 1 for bodies in world.receiver.bodies.values())
    [one] = world.deliveries(hook)
    assert (one["status"], one["tries"]) == ("failed", 10)
    assert one["trouble"] == "it was tried to the end"
    assert one["last_attempt"]["trouble"] == "it answered 503"
    assert world.queue.next_at is None and world.queue.dead == []


def test_fault_40_an_endpoint_that_is_down_for_a_day_misses_nothing(world: World) -> None:
    hook = add_endpoint(world.shop, "order.recorded")
    other = add_endpoint(world.shop, "order.recorded", url="https://other.example/")
    ada = world.shop.enrol()
    back_at = world.shop.clock.at + DAY

    def answers(came: Came) -> Sent:
        down = "other" not in came.url and world.shop.clock.at < back_at
        return DOWN if down else OK

    world.receiver.answers = answers
    for _ in range(40):
        world.order(ada)
        world.tell(ada)
        world.pass_time(HOUR // 2)
    down = [one for one in world.receiver.came if "other" not in one.url]
    assert len(down) < 4 * 24 + 50  # the circuit: one try a rest of 15 minutes, not 40 x 8
    assert all(one["status"] == "delivered" for one in world.deliveries(other))
    world.pass_time(back_at + DAY - world.shop.clock.at)
    assert {one["status"] for one in world.deliveries(hook)} == {"delivered"}
    assert len(world.deliveries(hook)) == 40
    assert all(len(bodies) == 1 for bodies in world.receiver.bodies.values())
    assert world.read(hook)["enabled"] is True


def test_fault_40_gone_disables_and_what_waited_can_be_replayed(world: World) -> None:
    hook = add_endpoint(world.shop, "order.recorded")
    ada = world.shop.enrol()
    world.receiver.answers = always(DOWN)
    world.order(ada)
    world.tell(ada)
    world.pass_time(SECOND)
    world.receiver.answers = always(Sent(410, "bye", 5))
    world.order(ada)
    world.tell(ada)
    world.pass_time(DAY)
    assert len(world.receiver.came) == 2
    told = world.read(hook)
    assert (told["enabled"], told["disabled_reason"]) == (False, "gone")
    troubles = {one["trouble"] for one in world.deliveries(hook)}
    assert troubles == {"the endpoint is gone", "the endpoint is disabled"}
    assert world.shop.call("POST", f"{hook.path}/test").code == "endpoint_disabled"
    world.order(ada)
    world.tell(ada)
    world.pass_time(HOUR)  # not meant for it
    everything = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    assert world.shop.call("POST", f"{hook.path}/replay", everything).code == "endpoint_disabled"

    assert world.shop.call("PATCH", hook.path, {"enabled": True}).json["enabled"] is True
    world.receiver.answers = always(OK)
    assert world.shop.call("POST", f"{hook.path}/replay", everything).status == 202
    world.pass_time(MINUTE)
    assert [one["status"] for one in world.deliveries(hook)] == ["delivered"] * 2
    assert all(len(bodies) == 1 for bodies in world.receiver.bodies.values())
    sent = len(world.receiver.came)
    world.shop.call("POST", f"{hook.path}/replay", everything)
    world.pass_time(MINUTE)
    assert len(world.receiver.came) == sent  # only what was given up
    world.shop.call("POST", f"{hook.path}/replay", {**everything, "only_failed": False})
    world.pass_time(MINUTE)
    assert len(world.receiver.came) == sent + 2


def test_fault_40_a_redirect_is_no_delivery(world: World) -> None:
    hook = add_endpoint(world.shop)
    world.receiver.answers = always(Sent(302, "", 5))
    world.tell(world.shop.enrol())
    world.pass_time(SECOND)
    [one] = world.deliveries(hook)
    assert one["status"] == "waiting" and one["next_try_at"]
    assert one["last_attempt"]["trouble"] == "it answered 302, and redirects are not followed"


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("120", 120, 121), ("0", 5, 6), ("soon", 5, 6), ("-1", 5, 6), ("999999999", 86400, 86401)],
)
def test_fault_40_who_asks_us_to_wait_is_waited_for(
    world: World, header: str, least: int, most: int
) -> None:
    add_endpoint(world.shop)
    world.receiver.answers = always(Sent(429, "", 5, retry_after=header))
    world.tell(world.shop.enrol())
    world.pass_time(2 * DAY)
    first, second, *_ = [one.timestamp for one in world.receiver.came]
    assert least <= second - first <= most


def test_who_asks_us_to_wait_until_a_date_is_waited_for(world: World) -> None:
    add_endpoint(world.shop)
    date = "Mon, 23 Nov 2026 12:10:00 GMT"  # ten minutes after the start
    world.receiver.answers = always(Sent(503, "", 5, retry_after=date))
    world.tell(world.shop.enrol())
    world.pass_time(HOUR)
    first, second, *_ = [one.timestamp for one in world.receiver.came]
    assert second - first == 600


def test_an_endpoint_that_fails_for_days_is_disabled(world: World) -> None:
    hook = add_endpoint(world.shop, "order.recorded")
    ada = world.shop.enrol()
    world.receiver.answers = always(Sent(None, "", 10_000, "no answer in time"))
    for _ in range(6):
        world.order(ada)
        world.tell(ada)
        world.pass_time(DAY)
    told = world.read(hook)
    assert (told["enabled"], told["disabled_reason"]) == (False, "failing")
    world.pass_time(DAY)
    assert {one["status"] for one in world.deliveries(hook)} == {"failed"}
    assert world.queue.next_at is None and world.queue.dead == []


def test_a_slow_endpoint_is_asked_by_one_delivery_at_a_time_and_gets_everything(
    world: World,
) -> None:
    hook = add_endpoint(world.shop, "order.recorded")
    ada = world.shop.enrol()
    world.receiver.answers = always(Sent(200, "", 9_000))
    for _ in range(40):
        world.order(ada)
    world.tell(ada)
    world.pass_time(0)
    at_once = len(world.receiver.came)
    assert at_once < 40
    world.pass_time(2 * HOUR)
    assert {one["status"] for one in world.deliveries(hook)} == {"delivered"}
    assert world.read(hook)["enabled"] is True


@pytest.mark.parametrize("effects", range(8))
def test_fault_41_a_worker_that_dies_after_any_step_sends_again_with_the_same_id(
    effects: int,
) -> None:
    """Its answers: down once, then well. The death comes after so many of its writes."""
    world = World()
    hook = add_endpoint(world.shop, "order.recorded")
    ada = world.shop.enrol()
    world.order(ada)
    real = world.shop.runtime.context
    answers = iter([DOWN])
    world.receiver.answers = lambda came: next(answers, OK)  # noqa: ARG005
    dying = replace(real, store=interfered(real.store, DiesAfter(effects)))
    world.shop.runtime.context = dying
    world.tell(ada)
    world.queue.work(on_webhooks)
    world.queue.work(on_webhooks)
    world.shop.clock.at += 10 * SECOND
    world.queue.work(on_webhooks)
    world.shop.runtime.context = real
    world.pass_time(DAY)
    [one] = world.deliveries(hook)
    assert one["status"] == "delivered"
    assert world.receiver.bodies == {f"{ada}.2": {one["request_body"].encode()}}
    assert world.queue.next_at is None and world.queue.dead == []


def test_fault_41_killed_between_the_request_and_the_note_it_is_sent_again(world: World) -> None:
    hook = add_endpoint(world.shop)
    killed = iter([True])

    def answers(came: Came) -> Sent:
        if next(killed, False):
            raise Crash
        return OK

    world.receiver.answers = answers
    world.tell(world.shop.enrol())
    world.pass_time(HOUR)
    first, second = world.receiver.came
    assert (first.id, first.body) == (second.id, second.body)
    assert second.timestamp > first.timestamp
    assert [one["status"] for one in world.deliveries(hook)] == ["delivered"]


def test_a_message_that_comes_twice_ends_in_one(world: World) -> None:
    """Two workers may both send; but from then on there is one message, not two, four, eight."""
    add_endpoint(world.shop)
    world.receiver.answers = always(DOWN)
    world.tell(world.shop.enrol())
    world.queue.work(on_webhooks)  # announced
    copies = [json.dumps(json.loads(one.body)) for _, _, one in world.queue._waiting] * 4
    world.queue.send(copies)
    world.pass_time(4 * DAY)
    assert len(WAITS) + 1 <= len(world.receiver.came) <= len(WAITS) + 6
    assert world.queue.next_at is None


def test_one_delivery_is_replayed_with_its_id_and_body(world: World) -> None:
    hook = add_endpoint(world.shop)
    world.tell(world.shop.enrol())
    world.pass_time(0)
    [one] = world.deliveries(hook)
    path = f"{hook.path}/deliveries/{one['id']}/replay"
    assert world.shop.call("POST", path).json["status"] == "waiting"
    world.pass_time(SECOND)
    first, second = world.receiver.came
    assert (first.id, first.body) == (second.id, second.body)
    assert world.shop.call("POST", f"{hook.path}/deliveries/1/replay").code == "delivery_not_found"


@pytest.mark.parametrize("effects", [0, 1])
def test_a_replay_that_is_cut_off_loses_nothing_that_was_on_its_way(
    world: World, effects: int
) -> None:
    hook = add_endpoint(world.shop)
    world.receiver.answers = always(DOWN)
    world.tell(world.shop.enrol())
    world.pass_time(SECOND)
    [one] = world.deliveries(hook)
    real = world.shop.runtime.context
    here = enter(real, world.shop.program_id)
    assert here is not None
    dying = replace(real, store=interfered(real.store, DiesAfter(effects)))
    with suppress(Crash):
        replay_one(dying, here, world.queue, hook.id, one["id"])
    world.receiver.answers = always(OK)
    world.pass_time(DAY)
    assert [one["status"] for one in world.deliveries(hook)] == ["delivered"]
    assert world.queue.next_at is None and world.queue.dead == []


def test_a_test_event_is_sent_whatever_the_endpoint_wants(world: World) -> None:
    hook = add_endpoint(world.shop, "order.recorded")
    made = world.shop.call("POST", f"{hook.path}/test")
    assert made.status == 202
    world.pass_time(0)
    [came] = world.receiver.came
    assert came.json["type"] == "webhook.test"
    assert came.json["data"] == {"endpoint_id": hook.id}
    assert world.deliveries(hook)[0]["id"] == made.json["id"]


def test_a_large_replay_is_worked_in_parts(world: World) -> None:
    hook = add_endpoint(world.shop, "order.recorded")
    ada = world.shop.enrol()
    for _ in range(70):
        world.order(ada)
    world.tell(ada)
    world.pass_time(0)
    body = {
        "from": to_rfc3339(world.shop.clock.at),
        "to": to_rfc3339(world.shop.clock.at + 1),
        "only_failed": False,
    }
    world.shop.call("POST", f"{hook.path}/replay", body)
    world.pass_time(0)
    assert len(world.receiver.came) == 140
    assert len(world.receiver.bodies) == 70
    world.shop.call("POST", f"{hook.path}/replay", {**body, "from": "2020-01-01T00:00:00Z",
                                                    "to": "2020-02-01T00:00:00Z"})  # fmt: skip
    world.pass_time(0)
    assert len(world.receiver.came) == 140


def test_deliveries_come_in_pages(world: World) -> None:
    hook = add_endpoint(world.shop, "order.recorded")
    ada = world.shop.enrol()
    for _ in range(5):
        world.order(ada)
        world.shop.clock.at += SECOND
    world.tell(ada)
    seen: list[str] = []
    world.pass_time(0)
    cursor: str | None = None
    while cursor is not None or not seen:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = world.shop.call("GET", f"{hook.path}/deliveries", query=query).json
        seen += [one["event_id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [f"{ada}.{version}" for version in (6, 5, 4, 3, 2)]


def test_a_deleted_endpoint_gets_nothing_of_what_was_on_its_way(world: World) -> None:
    hook = add_endpoint(world.shop)
    world.tell(world.shop.enrol())
    assert world.shop.call("DELETE", hook.path).status == 200
    assert world.shop.call("GET", hook.path).status == 404
    world.pass_time(HOUR)
    assert world.receiver.came == []
    assert world.queue.dead == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "https://evil.example/"}, "url"),
        ({"url": "https://shop.example/", "event_types": ["order"]}, "event_types"),
        ({"url": "https://shop.example/", "event_types": ["orders.*"]}, "event_types"),
        ({"url": "https://shop.example/", "description": "a\nb"}, "description"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(
    world: World, body: dict[str, Any], field: str
) -> None:
    world.receiver.refused = {"https://evil.example/"}
    made = world.shop.call("POST", "/v1/webhook_endpoints", body)
    assert (made.status, made.json["errors"][0]["field"]) == (422, field)
    hook = add_endpoint(world.shop)
    changed = world.shop.call("PATCH", hook.path, body)
    assert (changed.status, changed.json["errors"][0]["field"]) == (422, field)


def test_a_program_has_twenty_endpoints_at_most_and_making_one_twice_makes_one(
    world: World,
) -> None:
    body = {"url": "https://shop.example/"}
    headers = {"idempotency-key": "once"}

    def make(**more: Any) -> Reply:
        path = "/v1/webhook_endpoints"
        return world.shop.call("POST", path, {**body, **more}, headers=headers)

    first = make()
    for _ in range(19):
        add_endpoint(world.shop)
    again = make()
    assert again.json == {**first.json, "secret": None}
    assert make(description="else").code == "different_request"
    headers = {}
    assert make().code == "too_many_endpoints"
    listed = world.shop.call("GET", "/v1/webhook_endpoints")
    assert len(listed.json["data"]) == 20
    assert first.json["secret"] not in listed.raw.decode()


def test_what_changes_an_endpoint_is_in_the_audit_log_without_a_secret(world: World) -> None:
    hook = add_endpoint(world.shop)
    world.shop.clock.at += SECOND
    world.shop.call("PATCH", hook.path, {"description": "ERP"})
    log = world.shop.call("GET", "/v1/audit_log")
    newest = log.json["data"][0]
    assert newest["action"] == "webhook_endpoints.change"
    assert (newest["before"]["description"], newest["after"]["description"]) == ("", "ERP")
    assert hook.secret not in log.raw.decode()


def test_a_key_needs_the_scope(world: World) -> None:
    def call(*scopes: str) -> Callable[[str], int]:
        body = {"kind": "secret", "name": "erp", "scopes": list(scopes)}
        key = world.shop.call("POST", "/v1/keys", body).json["secret"]
        return lambda method: world.shop.call(
            method, "/v1/webhook_endpoints", {"url": "https://a.example/"}
            if method == "POST" else None, key=key,
        ).status  # fmt: skip

    assert [call("orders:write")(one) for one in ("GET", "POST")] == [403, 403]
    assert [call("webhook_endpoints:read")(one) for one in ("GET", "POST")] == [200, 403]
    assert [call("webhook_endpoints:write")(one) for one in ("GET", "POST")] == [200, 201]


def test_a_message_that_cannot_be_read_fails_alone(world: World) -> None:
    add_endpoint(world.shop)
    world.tell(world.shop.enrol())
    [(_, _, good)] = world.queue._waiting
    bodies = ["{", "{}", '{"kind": "Due"}', '{"kind": "else"}', good.body]
    records = [{"messageId": str(at), "body": body} for at, body in enumerate(bodies)]
    failed = on_webhooks({"Records": records})["batchItemFailures"]
    assert [one["itemIdentifier"] for one in failed] == ["0", "1", "2", "3"]


def test_only_a_setting_lets_webhooks_reach_this_machine(shop: Shop) -> None:
    asked = {"url": "http://127.0.0.1:8000/hooks"}
    assert shop.call("POST", "/v1/webhook_endpoints", asked).status == 422
    local = replace(shop.runtime._settings, local_webhooks=True)
    shop.runtime._settings = local
    del shop.runtime.webhook_sender
    assert shop.call("POST", "/v1/webhook_endpoints", asked).status == 201
