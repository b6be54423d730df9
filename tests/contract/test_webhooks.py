"""What the port `Webhooks` promises, on every engine alike."""

from dataclasses import replace

from chalicelib.domain.access.keys import Secret
from chalicelib.domain.ports import Store
from chalicelib.domain.webhooks.delivery import Attempt, Delivery, Health
from chalicelib.domain.webhooks.endpoint import Disabled, Endpoint
from chalicelib.domain.webhooks.events import Event
from tests.contract.samples import NOW

HOOK = Endpoint(
    "prg_1",
    "whe_1",
    "https://shop.example/hooks",
    "Größe",
    ("order.*", "member.erased"),
    (Secret(2, ""), Secret(1, "", NOW)),
    NOW,
)


def delivery(number: int = 1, endpoint_id: str = "whe_1") -> Delivery:
    event = Event(f"mem_1.{number}", "order.recorded", NOW + number, b'{"type":"x"}')
    return Delivery.of(event, "prg_1", endpoint_id, NOW)


def test_an_endpoint_is_made_once_changed_by_one_and_removed(store: Store) -> None:
    hooks = store.webhooks
    assert hooks.get("prg_1", "whe_1") is None
    assert hooks.create(HOOK)
    assert hooks.create(HOOK)  # a put whose answer was lost
    assert not hooks.create(replace(HOOK, url="https://other.example/"))
    gone = replace(HOOK, disabled=Disabled.GONE, disabled_at=NOW, revision=2)
    assert hooks.replace(gone, HOOK)
    assert hooks.replace(gone, HOOK)
    assert not hooks.replace(replace(HOOK, description="x", revision=2), HOOK)
    assert hooks.get("prg_1", "whe_1") == gone
    hooks.remove(gone)
    hooks.remove(gone)
    assert hooks.get("prg_1", "whe_1") is None
    assert not hooks.replace(replace(gone, revision=3), gone)


def test_endpoints_are_listed_by_program(store: Store) -> None:
    for program, name in (("prg_1", "whe_2"), ("prg_1", "whe_1"), ("prg_2", "whe_3")):
        assert store.webhooks.create(replace(HOOK, program_id=program, id=name))
    assert [one.id for one in store.webhooks.of_program("prg_1")] == ["whe_1", "whe_2"]
    assert store.webhooks.of_program("prg_3") == []


def test_how_an_endpoint_fares_is_written_by_one_at_a_time(store: Store) -> None:
    hooks = store.webhooks
    fresh = hooks.health("prg_1", "whe_1")
    assert fresh == Health("prg_1", "whe_1")
    first = replace(fresh, strikes=1, failing_since=NOW, revision=1)
    assert hooks.put_health(first)
    assert hooks.put_health(first)
    assert not hooks.put_health(replace(first, strikes=7))
    second = replace(first, strikes=2, revision=2)
    assert hooks.put_health(second)
    assert not hooks.put_health(replace(second, strikes=3))
    assert hooks.health("prg_1", "whe_1") == second
    assert hooks.health("prg_2", "whe_1").strikes == 0
    hooks.remove(HOOK)
    assert hooks.health("prg_1", "whe_1") == fresh


def test_a_delivery_is_added_once_and_noted_by_one(store: Store) -> None:
    hooks = store.webhooks
    made = delivery()
    assert hooks.delivery("prg_1", "whe_1", made.id) is None
    assert hooks.add(made)
    assert hooks.add(made)
    assert not hooks.add(replace(made, body=b"else"))
    attempt = Attempt(NOW, HOOK.url, 12, 500, "oops", "it answered 500")
    noted = made.after(attempt, "t")
    assert hooks.put(noted)
    assert hooks.put(noted)
    assert not hooks.put(made.after(attempt, "u"))
    assert hooks.delivery("prg_1", "whe_1", made.id) == noted
    assert hooks.delivery("prg_1", "whe_2", made.id) is None
    assert not hooks.put(delivery(9).after(attempt, "v"))


def test_deliveries_are_listed_in_the_order_of_their_events_both_ways(store: Store) -> None:
    hooks = store.webhooks
    made = [delivery(number) for number in range(1, 6)]
    for one in [made[2], made[0], made[4], made[1], made[3], delivery(1, "whe_2")]:
        assert hooks.add(one)
    assert hooks.newest("prg_1", "whe_1", None, 2) == [made[4], made[3]]
    assert hooks.newest("prg_1", "whe_1", made[3].id, 9) == made[2::-1]
    assert hooks.oldest("prg_1", "whe_1", "", 2) == made[:2]
    assert hooks.oldest("prg_1", "whe_1", made[1].id, 9) == made[2:]
    assert hooks.newest("prg_1", "whe_3", None, 9) == []
