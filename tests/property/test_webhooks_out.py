"""However the stream and the queue repeat and mix what they bring, every event arrives as one."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.ports import Sent
from chalicelib.events.router import on_ledger
from chalicelib.events.webhooks import on_webhooks
from chalicelib.kernel.clock import DAY, SECOND
from chalicelib.services.webhook_deliveries import _asked_to_wait
from tests.fakes.interference import Crash
from tests.fakes.receiver import OK, Came, World, add_endpoint

FAILURES = (Sent(500, "", 5), Sent(302, "", 5), Sent(None, "", 10_000, "no answer in time"))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    orders=st.integers(1, 12),
    fails=st.floats(0, 0.7),
    dies=st.floats(0, 0.2),
)
def test_every_event_arrives_at_least_once_with_one_id_and_one_body(
    seed: int, orders: int, fails: float, dies: float
) -> None:
    random = Random(seed)
    world = World()
    hooks = [add_endpoint(world.shop, url=f"https://{name}.example/") for name in "ab"]
    members = [world.shop.enrol(external_id=str(number)) for number in range(3)]
    for _ in range(orders):
        world.order(random.choice(members))

    def answers(came: Came) -> Sent:
        if random.random() < dies:
            raise Crash
        return random.choice(FAILURES) if random.random() < fails else OK

    world.receiver.answers = answers
    records = world.records(*members)
    mixed = records + random.choices(records, k=random.randrange(len(records)))
    random.shuffle(mixed)
    while mixed:
        cut = random.randint(1, len(mixed))
        on_ledger({"Records": mixed[:cut]})
        mixed = mixed[cut:]
        world.shop.clock.at += random.randrange(5) * SECOND
        if world.queue.work(on_webhooks) and random.random() < 0.3:
            waiting = [one.body for _, _, one in world.queue._waiting]
            world.queue.send(random.sample(waiting, len(waiting) // 2))
    world.pass_time(DAY)
    world.receiver.answers = lambda came: OK  # noqa: ARG005
    world.pass_time(4 * DAY)

    ledger = world.shop.runtime.context.store.ledger
    entries = {
        one.event_id
        for member in members
        for one in ledger.entries(LogKey(world.shop.program_id, member), None, 100)
    }
    for hook, name in zip(hooks, "ab", strict=True):
        arrived = {one.id for one in world.receiver.came if one.url == f"https://{name}.example/"}
        assert arrived == entries
        assert {one["status"] for one in world.deliveries(hook)} == {"delivered"}
        assert {one["event_id"] for one in world.deliveries(hook)} == entries
    assert all(len(bodies) == 1 for bodies in world.receiver.bodies.values())
    assert world.queue.next_at is None
    assert world.queue.dead == []


DATES = st.builds(
    "Mon, {} Nov {} {}:10:00 {}".format,
    st.integers(0, 99),
    st.integers(0, 10**12),
    st.integers(0, 99),
    st.sampled_from(["GMT", "-0000", "+9900", "+99999999999", ""]),
)


@settings(max_examples=500, deadline=None)
@given(header=st.one_of(st.text(), DATES, st.integers().map(str), st.none()))
def test_whatever_a_receiver_says_of_waiting_breaks_nothing(header: str | None) -> None:
    waits = _asked_to_wait(Sent(503, "", 5, retry_after=header), 1_795_435_200_000)
    assert waits is None or waits >= 0
