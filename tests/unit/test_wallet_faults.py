"""What goes wrong between an entry and the phones: workers die, Apple or Google is away or slow."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count, repeat
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.adapters.apple.apns import ApnsClient
from chalicelib.adapters.google.wallet import REQUEST_SECONDS
from chalicelib.adapters.http import CONNECT_SECONDS, READ_SECONDS, Http, Response
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.cards.card import Card
from chalicelib.domain.cards.message import Said
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ports import PushResult
from chalicelib.events.google import on_google
from chalicelib.events.router import on_ledger, on_records
from chalicelib.events.wallet import on_wallet
from chalicelib.kernel.clock import DAY, HOUR, MINUTE, SECOND
from chalicelib.services.google_passes import bring
from chalicelib.services.pass_messages import LEASE
from chalicelib.services.passes import PassKey, heard_of_google
from local.apns import PushService
from local.certificates import ISSUER_ID, LOGO_URL, PASS_TYPE_ID, Certificates
from local.google_wallet import GoogleWalletStandIn
from local.processes import free_port
from tests.fakes.interference import Crash, interfered
from tests.fakes.queues import TimedQueue, work_all
from tests.fakes.shop import Queued, Shop, drink
from tests.unit.test_passkit import Phone, Pushes, entry_record, read, stamps

BATCH = {"Wallet": 10, "Google": 5}
NAME = "Planted"
TEXT = "A cake for Planted."


@dataclass
class Google:
    """A Google Wallet that keeps the last card of each member."""

    cards: dict[str, Card] = field(default_factory=dict)
    puts: list[Card] = field(default_factory=list)
    notified: int = 0
    said: list[Said] = field(default_factory=list)
    texts: dict[str, dict[str, Said]] = field(default_factory=dict)  # by member and id
    before: Callable[[], None] = lambda: None

    def put(self, card: Card, *, notify: bool = False) -> None:
        """Keeps it, once what happens before it has happened."""
        self.before()
        self.puts.append(card)
        self.cards[card.member_id] = card
        self.notified += notify
        if card.voided:
            self.texts.pop(card.member_id, None)

    def say(self, card: Card, said: Said) -> None:
        """Adds a message, unless it is there."""
        self.said.append(said)
        self.texts.setdefault(card.member_id, {}).setdefault(said.id, said)

    def save_link(self, card: Card) -> str:
        """Names the member."""
        return f"https://pay.google.com/gp/v/save/{card.member_id}"


class World:
    """A shop whose two wallet queues are those that are deployed."""

    def __init__(self, certificates: Certificates, google: Any = None) -> None:
        parameters = {"apple": json.dumps(certificates.apple)}
        if google is not None:
            parameters["google"] = "{}"
        self.shop = shop = Shop(memory_store(), **parameters)
        shop.publish("coffee_stamps")
        local = {"apns_host": "localhost", "google_wallet_url": "http://127.0.0.1"}
        shop.runtime._settings = replace(shop.runtime._settings, **local)
        self.wallet = TimedQueue.deployed("Wallet", shop.clock, BATCH["Wallet"])
        self.google_queue = TimedQueue.deployed("Google", shop.clock, BATCH["Google"])
        shop.queues = wiring.Queues(
            self.wallet, self.google_queue, Queued(), Queued(), Queued(), Queued(), Queued()
        )
        wiring.install(shop.runtime, shop.queues)
        self.pushes = Pushes()
        self.apple: Any = self.pushes
        shop.runtime.google = google
        self.orders = count()

    @property
    def apple(self) -> Any:
        return self.shop.runtime._push_services["apple"]

    @apple.setter
    def apple(self, service: Any) -> None:
        self.shop.runtime._push_services["apple"] = service

    def member(self, name: str = "ada", *, google: bool = False) -> tuple[str, Phone]:
        """Somebody with his card on an iPhone, and in Google Wallet too where it is wanted."""
        self.shop.clock.at += SECOND  # calls are limited by the minute
        member = self.shop.enrol(external_id=name, given_name=NAME)
        phone = Phone(self.shop, member, name)
        phone.register(name)
        if google:
            links = self.shop.call("GET", f"/v1/members/{member}/passes").json
            path = links["google"].removeprefix("https://shop.test")
            assert self.shop.call("GET", path, key=None).status == 302
        return member, phone

    def order(self, member: str) -> None:
        """One drink, whose entry the stream brings to the queue."""
        number = next(self.orders)
        assert self.shop.order(member, f"order-{number}", drink()).status == 201
        on_ledger({"Records": [entry_record(self.shop, member)]})

    def say(self, member: str, text: str = TEXT) -> None:
        """A message to him, which the stream brings to the queues."""
        body = {"id": "hello", "header": "For you", "body": text, "notify": True}
        path = f"/v1/members/{member}/passes/messages"
        assert self.shop.call("POST", path, body).status == 201
        image = {
            "kind": {"S": "pass_message"},
            "pk": {"S": f"{self.shop.program_id}#pass#{member}"},
            "sk": {"S": "pass_message#hello"},
        }
        on_records({"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": image}}]})

    def erase(self, member: str) -> None:
        """Forgets him, which the stream brings to the queue."""
        assert self.shop.call("DELETE", f"/v1/members/{member}").status == 200
        on_ledger({"Records": [entry_record(self.shop, member)]})

    def work(self, seconds: int = 0) -> None:
        """The workers, for so long."""
        until = self.shop.clock.at + seconds * SECOND
        work_all(self.shop.clock, until, (self.wallet, on_wallet), (self.google_queue, on_google))
        self.shop.clock.at = max(self.shop.clock.at, until)

    def told(self) -> list[str]:
        """Everybody who was pushed, in the order of it."""
        return [one for batch in self.pushes.told for one in batch]


@pytest.fixture
def world(certificates: Certificates) -> World:
    return World(certificates, Google())


def google_of(world: World) -> Google:
    fake: Google = world.shop.runtime.google  # type: ignore[assignment]
    return fake


# --- workers that die ---------------------------------------------------------------------------


@contextmanager
def stepping(world: World, at_step: Callable[[int], None]) -> Iterator[None]:
    """Between each two steps of the workers something may happen: store, queue, Apple, Google."""
    numbers = count()

    def around(name: str, call: Callable[[], Any]) -> Any:
        at_step(next(numbers))
        return call()

    shop, whole = world.shop, world.shop.runtime.context
    apple, google, send = world.apple, google_of(world), world.google_queue.send
    shop.runtime.context = replace(whole, store=interfered(whole.store, around))
    world.apple = _Stepped(apple, "push", around)
    shop.runtime.google = _Stepped(google, "put say", around)  # type: ignore[assignment]
    world.google_queue.send = lambda *args: around("send", partial(send, *args))  # type: ignore
    try:
        yield
    finally:
        shop.runtime.context = whole
        world.apple = apple
        shop.runtime.google = google  # type: ignore[assignment]
        world.google_queue.send = send  # type: ignore[method-assign]


@dataclass
class _Stepped:
    real: Any
    methods: str
    around: Callable[[str, Callable[[], Any]], Any]

    def __getattr__(self, name: str) -> Any:
        target = getattr(self.real, name)
        if name not in self.methods.split():
            return target
        return lambda *args, **options: self.around(name, partial(target, *args, **options))


def test_a_worker_that_dies_at_any_step_loses_nothing_and_doubles_one_push_at_most(
    certificates: Certificates,
) -> None:
    doubled = []
    for step in range(100):
        world = World(certificates, Google())
        member, phone = world.member(google=True)
        world.order(member)
        died = []

        def die(number: int, step: int = step, died: list[int] = died) -> None:
            if number == step and not died:
                died.append(number)
                raise Crash

        with stepping(world, die):
            world.work(HOUR // SECOND)
        if not died:
            break
        told = world.told()
        assert set(told) == {"ada"}
        doubled.append(len(told) - 1)
        assert stamps(read(phone.fetch())) == "1 / 8"
        assert google_of(world).cards[member].balances[0].amount == 1
        issued = world.shop.runtime.context.store.passes.issued(world.shop.program_id, member)
        assert issued is not None
        assert issued.pushed_revision == issued.google_revision == issued.revision
    assert len(doubled) > 15  # so many steps there are
    assert max(doubled) == 1
    assert sum(doubled) <= 4  # only where he died between the push and its mark


def test_a_message_is_said_once_whenever_its_worker_dies(certificates: Certificates) -> None:
    said_twice, steps = 0, 0
    for step in range(100):
        world = World(certificates, Google())
        google = google_of(world)
        member, phone = world.member(google=True)
        assert heard_of_google(
            world.shop.runtime.context, PassKey(world.shop.program_id, member), True, 1
        )
        puts = len(google.puts)
        world.say(member)
        died = []

        def die(number: int, step: int = step, died: list[int] = died) -> None:
            if number == step and not died:
                died.append(number)
                raise Crash

        with stepping(world, die):
            world.work(HOUR // SECOND)
        if not died:
            break
        steps += 1
        assert set(world.told()) == {"ada"}
        assert TEXT in repr(read(phone.fetch())["storeCard"]["backFields"])
        assert list(google.texts[member]) == ["hello"]
        assert len(google.puts) == puts and google.notified == 0  # the object itself is as it was
        said_twice += len(google.said) - 1
    assert steps > 15  # so many steps there are
    assert said_twice <= 1  # only where he died between it and his note; Google has it by its id


def test_a_stream_that_repeats_and_disorders_ends_in_one_push_of_the_latest(
    certificates: Certificates,
) -> None:
    for seed in range(5):
        world, random = World(certificates, Google()), Random(seed)
        phones = dict(world.member(name, google=True) for name in ("ada", "bob", "cyd"))
        records = []
        for member in [*phones] * 3:
            assert world.shop.order(member, f"{next(world.orders)}", drink()).status == 201
            records.append(entry_record(world.shop, member))
        records += random.choices(records, k=9)
        random.shuffle(records)
        for start in range(0, len(records), 4):
            on_ledger({"Records": records[start : start + 4]})
        world.work()
        assert sorted(world.told()) == ["ada", "bob", "cyd"]
        for member, phone in phones.items():
            assert stamps(read(phone.fetch())) == "3 / 8"
            assert google_of(world).cards[member].balances[0].amount == 3
        on_ledger({"Records": records})  # a day later perhaps
        world.work()
        assert len(world.told()) == 3


# --- Apple is away ------------------------------------------------------------------------------


def test_apple_away_for_an_hour_costs_nobody_his_latest_card(
    certificates: Certificates, tmp_path: Path
) -> None:
    world = World(certificates, Google())
    port = free_port()
    world.apple = ApnsClient(
        "localhost",
        port,
        certificates.pass_certificate.encode(),
        certificates.pass_key.encode(),
        PASS_TYPE_ID,
        certificates.apns_authority.encode(),
        clock=world.shop.clock,
    )
    phones = dict(world.member(f"phone{number}", google=number < 3) for number in range(12))
    for _ in range(6):
        for member in phones:
            world.order(member)
        world.work(600)
    amounts = {one.balances[0].amount for one in google_of(world).cards.values()}
    assert amounts == {6}  # Google did not wait
    service = PushService(certificates, tmp_path, port)
    try:
        world.work(180)
    finally:
        world.apple._connection.close()
        service.stop()
    told = [push["token"] for push in service.stats.pushes]
    assert sorted(told) == sorted(phone.device_id for phone in phones.values())
    assert service.stats.connections == 1
    assert {stamps(read(phone.fetch())) for phone in phones.values()} == {"6 / 8"}
    assert world.wallet.next_at is None
    assert world.wallet.dead == []


@dataclass
class Away:
    """A push service, or a Google Wallet, that cannot be reached."""

    asked: int = 0

    def push(self, tokens: Sequence[str]) -> list[PushResult]:  # noqa: ARG002
        self.asked += 1
        raise Unavailable("no network")

    def put(self, card: Card, *, notify: bool = False) -> None:  # noqa: ARG002
        self.asked += 1
        raise Unavailable("no network")


def test_what_apple_did_not_take_within_a_day_is_set_aside_and_never_lost(world: World) -> None:
    (ada, phone), (bob, _) = world.member("ada"), world.member("bob")
    world.apple = Away()
    world.order(ada)
    world.order(bob)
    world.work(DAY // SECOND - 2 * MINUTE // SECOND)
    assert world.wallet.dead == []  # a day is outlasted
    world.work(HOUR // SECOND)
    assert len(world.wallet.dead) == 2
    world.apple = world.pushes
    world.order(bob)  # his next change brings the latest state by itself
    world.work()
    assert world.told() == ["bob"]
    world.wallet.send(world.wallet.dead)  # the operator starts the redrive
    world.work()
    assert world.told() == ["bob", "ada"]
    assert stamps(read(phone.fetch())) == "1 / 8"


def test_while_apple_is_away_google_is_told_once_and_speaks_once(world: World) -> None:
    ada, _ = world.member(google=True)
    key = PassKey(world.shop.program_id, ada)
    assert heard_of_google(world.shop.runtime.context, key, True, 1)
    world.apple = Away()
    world.order(ada)
    world.work(HOUR // SECOND)
    assert world.apple.asked > 15
    assert len(google_of(world).puts) == 2  # when he saved it, and of the order
    assert google_of(world).notified == 1


# --- Google is away, throttles, or is slow ------------------------------------------------------


def test_while_google_is_away_apples_phones_are_told_at_once(world: World) -> None:
    members = [world.member(f"phone{number}", google=True)[0] for number in range(25)]
    google = google_of(world)
    away = Away()
    world.shop.runtime.google = away  # type: ignore[assignment]
    for member in members:
        world.order(member)
    world.work()
    assert sorted(world.told()) == sorted(f"phone{number}" for number in range(25))
    assert away.asked == len(members) // BATCH["Google"]  # one question for each batch
    world.shop.runtime.google = google  # type: ignore[assignment]
    world.work(HOUR // SECOND)
    assert {google.cards[one].balances[0].amount for one in members} == {1}
    assert len(world.told()) == 25


class SlowHttp(Http):
    """Answers as the stand-in does, so many seconds later; or never, which takes as long."""

    def __init__(self, world: World, seconds: int) -> None:
        super().__init__()
        self.world, self.seconds, self.hangs = world, seconds, False

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Moves the clock."""
        self.world.shop.clock.at += self.seconds * SECOND
        if self.hangs:
            raise Unavailable("no answer")
        return super().send(method, url, body, headers)


@contextmanager
def real_google(
    world: World, folder: Path, seconds: int = 0
) -> Iterator[tuple[GoogleWalletStandIn, SlowHttp]]:
    """The adapter, and the stand-in in place of Google."""
    with GoogleWalletStandIn(folder, clock=world.shop.clock) as stand_in:
        shop = world.shop
        about = {"service_account": stand_in.service_account, "issuer_id": ISSUER_ID}
        parameters = {"google": json.dumps({**about, "logo_url": LOGO_URL})}
        shop.runtime._parameters = {**shop.runtime._parameters, **parameters}
        shop.runtime._settings = replace(shop.runtime._settings, google_wallet_url=stand_in.url)
        del shop.runtime.google
        google: Any = shop.runtime.google
        assert google._request_seconds == REQUEST_SECONDS
        google._request_seconds = 0
        google._http = http = SlowHttp(world, seconds)
        google._account._http = http
        yield stand_in, http


def in_google(world: World, stand_in: GoogleWalletStandIn, member: str) -> int:
    stored = stand_in.stored("loyaltyObject", f"{ISSUER_ID}.{world.shop.program_id}.{member}")
    assert stored is not None
    return int(stored["loyaltyPoints"]["balance"]["string"].split(" ")[0])


def test_a_storm_of_429_passes_and_the_latest_state_arrives(world: World, tmp_path: Path) -> None:
    with real_google(world, tmp_path) as (stand_in, _):
        members = [world.member(f"phone{number}", google=True)[0] for number in range(10)]
        before = len(stand_in.requests)
        stand_in.failures = repeat(429)
        for _ in range(3):
            for member in members:
                world.order(member)
            world.work(600)
        storm = len(stand_in.requests) - before
        assert 0 < storm <= 3 * 600 // 360 * 6 + 6  # a batch asks once, and comes every six minutes
        assert len(world.told()) == 30  # Apple's phones heard of each change
        stand_in.failures = iter(())
        world.work(360)
        assert {in_google(world, stand_in, one) for one in members} == {3}
        assert world.google_queue.next_at is None


@pytest.fixture(scope="module")
def functions(template: dict[str, Any]) -> Any:
    return template["Resources"]


def source(functions: Any, name: str) -> Any:
    return functions[f"On{name}"]["Properties"]["Events"][f"On{name}SqsEventSource"]["Properties"]


@pytest.mark.parametrize("name", ["Wallet", "Google"])
def test_the_queues_of_these_tests_are_those_that_are_deployed(functions: Any, name: str) -> None:
    assert source(functions, name)["BatchSize"] == BATCH[name]
    queue = functions[name]["Properties"]
    tries = queue["RedrivePolicy"]["maxReceiveCount"]
    assert queue["VisibilityTimeout"] * tries == DAY // SECOND
    assert queue["MessageRetentionPeriod"] > 2 * DAY // SECOND


@pytest.mark.parametrize(("seconds", "hangs"), [(5, False), (CONNECT_SECONDS + READ_SECONDS, True)])
def test_a_slow_google_is_worked_within_the_time_of_the_function(
    world: World, tmp_path: Path, functions: Any, seconds: int, hangs: bool
) -> None:
    with real_google(world, tmp_path) as (stand_in, http):
        members = [world.member(f"phone{number}", google=True)[0] for number in range(5)]
        google: Any = world.shop.runtime.google
        google._classes_put.clear()  # a new process: a token, the class, five objects
        google._account.forget_token()
        http.seconds, http.hangs = seconds, hangs
        for member in members:
            world.order(member)
        began = world.shop.clock.at
        assert world.wallet.work(on_wallet) == 5
        assert world.shop.clock.at == began and len(world.told()) == 5
        assert world.google_queue.work(on_google) == 5
        taken = (world.shop.clock.at - began) // SECOND
        assert taken <= functions["OnGoogle"]["Properties"]["Timeout"]
        assert taken == (seconds if hangs else 35)
        http.hangs = False
        world.work(HOUR // SECOND)
        assert {in_google(world, stand_in, one) for one in members} == {1}


def test_messages_to_a_slow_google_are_worked_within_the_time_of_the_function(
    world: World, tmp_path: Path, functions: Any
) -> None:
    with real_google(world, tmp_path) as (stand_in, http):
        members = [world.member(f"phone{number}", google=True)[0] for number in range(5)]
        google: Any = world.shop.runtime.google
        google._account.forget_token()  # a new process: a token, and for each a look and a message
        http.seconds = 5
        for member in members:
            world.say(member)
        began = world.shop.clock.at
        assert world.google_queue.work(on_google) == 5
        taken = (world.shop.clock.at - began) // SECOND
        assert taken == 55 <= functions["OnGoogle"]["Properties"]["Timeout"]
        assert functions["OnGoogle"]["Properties"]["Timeout"] < LEASE // SECOND
        world.work()
        for member in members:
            object_id = f"{ISSUER_ID}.{world.shop.program_id}.{member}"
            stored = stand_in.stored("loyaltyObject", object_id)
            assert stored is not None and len(stored["messages"]) == 1


def test_no_worker_asks_google_more_often_than_google_allows(
    world: World, tmp_path: Path, functions: Any
) -> None:
    workers = source(functions, "Google")["ScalingConfig"]["MaximumConcurrency"]
    assert workers / REQUEST_SECONDS <= 20 * 0.8  # and some are left for links
    with real_google(world, tmp_path) as (stand_in, _):
        google: Any = world.shop.runtime.google
        google._request_seconds = 0.05
        began, before = time.monotonic(), len(stand_in.requests)
        world.member(google=True)
        asked = sum("/token" not in one["path"] for one in stand_in.requests[before:])
        assert asked == 4  # the class and the object: a patch in vain, then an insert
        assert time.monotonic() - began >= asked * 0.05


# --- two workers at once, and an erasure --------------------------------------------------------


def test_an_old_card_that_is_put_late_is_put_right(world: World) -> None:
    ada, _ = world.member(google=True)
    google, context = google_of(world), world.shop.runtime.context
    key = PassKey(world.shop.program_id, ada)
    world.order(ada)

    def another() -> None:
        google.before = lambda: None
        world.order(ada)
        bring(context, google, key)

    google.before = another
    bring(context, google, key)
    assert [one.balances[0].amount for one in google.puts] == [0, 2, 1, 2]


def test_an_old_card_that_is_put_by_a_worker_that_dies_is_put_right(world: World) -> None:
    ada, _ = world.member(google=True)
    google, context = google_of(world), world.shop.runtime.context
    old = google.cards[ada]
    world.order(ada)

    def another_and_die() -> None:
        google.before = lambda: None
        bring(context, google, PassKey(world.shop.program_id, ada))
        assert google.cards[ada].balances[0].amount == 1
        google.cards[ada] = old  # what the dying one sent arrives all the same
        raise Crash

    google.before = another_and_die
    world.work()
    assert google.cards[ada] == old
    world.work(HOUR // SECOND)
    assert google.cards[ada].balances[0].amount == 1


def test_of_two_workers_at_any_step_the_newest_card_wins(certificates: Certificates) -> None:
    for step in range(100):
        world = World(certificates, Google())
        google, whole = google_of(world), world.shop.runtime.context
        ada, phone = world.member(google=True)
        key = PassKey(world.shop.program_id, ada)
        world.order(ada)
        met = _At(step, partial(_order_and_bring, world, google, key))
        racing = replace(whole, store=interfered(whole.store, met))
        bring(racing, google, key)
        if not met.done:
            break
        assert google.cards[ada].balances[0].amount == 2, step
        world.work()
        assert google.cards[ada].balances[0].amount == 2
        assert stamps(read(phone.fetch())) == "2 / 8"
    assert step > 5


@dataclass
class _At:
    """Around calls of the store: something happens before one of them."""

    step: int
    what: Callable[[], None]
    seen: int = 0
    done: bool = False

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:  # noqa: ARG002
        self.seen += 1
        if self.seen > self.step and not self.done:
            self.done = True
            self.what()
        return call()


def _order_and_bring(world: World, google: Google, key: PassKey) -> None:
    world.order(key.member_id)
    bring(world.shop.runtime.context, google, key)


def _erase_at(
    step: int, world: World, member: str, seen: list[tuple[int, int, int]], number: int
) -> None:
    """At one step, once; what had been sent by then."""
    if number == step and not seen:
        google = google_of(world)
        seen.append((len(world.told()), len(google.puts), len(google.said)))
        world.erase(member)


def test_an_erasure_at_any_step_is_the_last_word(certificates: Certificates) -> None:
    pushed_late, named_late, said_late, steps = [], [], [], 0
    for step in range(100):
        world = World(certificates, Google())
        google = google_of(world)
        member, phone = world.member(google=True)
        world.order(member)
        world.say(member)
        seen: list[tuple[int, int, int]] = []

        erase = partial(_erase_at, step, world, member, seen)

        with stepping(world, erase):
            world.work(HOUR // SECOND)
        if not seen:
            break
        steps += 1
        [(pushes, puts, said)] = seen
        assert google.cards[member].voided
        assert NAME not in repr(google.cards) + repr(google.texts)
        pushed_late += world.told()[pushes:]
        named_late += [one for one in google.puts[puts:] if NAME in repr(one)]
        said_late += google.said[said:]
        passes = world.shop.runtime.context.store.passes
        assert passes.issued(world.shop.program_id, member) is None
        assert passes.registrations_of_member(world.shop.program_id, member) == []
        assert read(phone.fetch())["voided"] is True
    assert steps > 15
    # What was on its way in that very moment: an empty push, a card and a message that are taken
    # out after it.
    assert len(pushed_late) <= 1
    assert len(named_late) <= 1
    assert len(said_late) <= 1
