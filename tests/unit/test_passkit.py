"""Apple's web service, called as phones call it, and the pushes that make them call."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.cards.card import Card
from chalicelib.domain.cards.message import Said
from chalicelib.domain.errors import PushRefused, Unavailable
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.ports import GoogleWallet, PushOutcome, PushResult
from chalicelib.events.router import on_ledger, on_records
from chalicelib.events.wallet import on_wallet
from chalicelib.services.context import Context
from chalicelib.services.google_passes import bring
from chalicelib.services.passes import MOST_DEVICES, PassKey
from chalicelib.services.wallets import Wallets, refresh
from local.certificates import PASS_TYPE_ID, Certificates
from tests.fakes.receiver import stream_record
from tests.fakes.shop import Queued, Reply, Shop, drink


@dataclass
class Pushes:
    """A push service that answers as it is told."""

    told: list[list[str]] = field(default_factory=list)
    outcomes: dict[str, PushResult] = field(default_factory=dict)

    def push(self, tokens: Sequence[str]) -> list[PushResult]:
        """Notes who was told."""
        self.told.append(list(tokens))
        sent = (PushResult(token, PushOutcome.SENT) for token in tokens)
        return [self.outcomes.get(one.token, one) for one in sent]


@dataclass
class Google:
    """A Google Wallet that keeps the last card."""

    cards: list[Card] = field(default_factory=list)
    notified: list[bool] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)

    def say(self, card: Card, said: Said) -> None:  # noqa: ARG002
        """Keeps it."""
        self.said.append(said)

    def put(self, card: Card, *, notify: bool = False) -> None:
        """Keeps it, and whether the phone was to speak."""
        self.cards.append(card)
        self.notified.append(notify)

    def save_link(self, card: Card) -> str:
        """Names the member."""
        return f"https://pay.google.com/gp/v/save/{card.member_id}"


@pytest.fixture
def shop(certificates: Certificates) -> Shop:
    shop = Shop(memory_store(), apple=json.dumps(certificates.apple))
    shop.publish("coffee_stamps")
    return shop


class Phone:
    """One iPhone with one pass."""

    def __init__(self, shop: Shop, member_id: str, device_id: str = "device-1") -> None:
        self.shop = shop
        self.device_id = device_id
        links = shop.call("GET", f"/v1/members/{member_id}/passes").json
        self.link = links["apple"].removeprefix("https://shop.test")
        self.fetched = shop.call("GET", self.link, key=None)
        self.card = read(self.fetched)
        self.serial = self.card["serialNumber"]
        self.auth = {"authorization": f"ApplePass {self.card['authenticationToken']}"}

    @property
    def devices(self) -> str:
        return f"/passkit/v1/devices/{self.device_id}/registrations/{PASS_TYPE_ID}"

    def register(self, token: str = "token1", **headers: str) -> Reply:
        path = f"{self.devices}/{self.serial}"
        body = {"pushToken": token}
        return self.shop.call("POST", path, body, key=None, headers={**self.auth, **headers})

    def unregister(self) -> Reply:
        path = f"{self.devices}/{self.serial}"
        return self.shop.call("DELETE", path, key=None, headers=self.auth)

    def changed(self, tag: str | None = None) -> Reply:
        query = {} if tag is None else {"passesUpdatedSince": tag}
        return self.shop.call("GET", self.devices, key=None, query=query)

    def fetch(self, **headers: str) -> Reply:
        sent = {**self.auth, **{name.replace("_", "-"): value for name, value in headers.items()}}
        path = f"/passkit/v1/passes/{PASS_TYPE_ID}/{self.serial}"
        return self.shop.call("GET", path, key=None, headers=sent)


def read(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200, reply.raw
    assert reply.headers["content-type"] == "application/vnd.apple.pkpass"
    with zipfile.ZipFile(io.BytesIO(reply.raw)) as bundle:
        return dict(json.loads(bundle.read("pass.json")))


def stamps(card: dict[str, Any]) -> str:
    return str(card["storeCard"]["headerFields"][0]["value"])


def work(shop: Shop, member_id: str, pushes: Pushes | None, google: Google | None = None) -> None:
    """What the wallet worker does for one member, and then Google's."""
    worked(shop.runtime.context, PassKey(shop.program_id, member_id), pushes, google)


def worked(
    context: Context, key: PassKey, pushes: Pushes | None, google: GoogleWallet | None
) -> None:
    """The same, in any context."""
    queue = Queued()
    refresh(context, Wallets(pushes, None if google is None else queue), key)
    for message in queue.messages:
        assert google is not None
        bring(context, google, PassKey(**json.loads(message)))


def test_the_pass_names_the_service_and_its_own_change(shop: Shop) -> None:
    phone = Phone(shop, shop.enrol(given_name="Ada"))
    assert phone.card["webServiceURL"] == "https://shop.test/passkit"
    assert len(phone.card["authenticationToken"]) >= 16
    assert stamps(phone.card) == "0 / 8"
    assert phone.fetched.headers["last-modified"] == "Mon, 23 Nov 2026 12:00:00 GMT"
    assert "no-store" in phone.fetched.headers["cache-control"]


def test_registering_is_new_once_and_takes_a_new_token_over(shop: Shop) -> None:
    ada = shop.enrol()
    phone = Phone(shop, ada)
    assert phone.register().status == 201
    assert phone.register().status == 200
    assert phone.register("token2").status == 200
    passes = shop.runtime.context.store.passes
    assert [one.push_token for one in passes.registrations_of_member(shop.program_id, ada)] == [
        "token2"
    ]
    assert phone.unregister().status == 200
    assert phone.unregister().status == 200
    assert phone.changed().status == 204


def test_a_pass_is_on_so_many_devices_and_no_more(shop: Shop) -> None:
    ada = shop.enrol()
    phone = Phone(shop, ada)
    for number in range(MOST_DEVICES):
        phone.device_id = f"device-{number}"
        assert phone.register().status == 201
    assert phone.register("token2").status == 200  # one of them
    phone.device_id = "another"
    assert phone.register().status == 429
    phone.device_id = "device-0"
    assert phone.unregister().status == 200
    phone.device_id = "another"
    assert phone.register().status == 201


@pytest.mark.parametrize(
    "authorization", ["", "ApplePass", "ApplePass x", "Bearer {token}", "ApplePass {token}x"]
)
def test_without_the_passs_own_token_nothing_is_done(shop: Shop, authorization: str) -> None:
    phone = Phone(shop, shop.enrol())
    token = phone.card["authenticationToken"]
    phone.auth = {"authorization": authorization.replace("{token}", token)}
    for reply in (phone.register(), phone.unregister(), phone.fetch()):
        assert (reply.status, reply.code) == (401, "unauthorized")


def test_a_token_opens_its_own_pass_only(shop: Shop) -> None:
    ada, bob = (Phone(shop, shop.enrol(external_id=name)) for name in ("ada", "bob"))
    ada.serial = bob.serial
    assert ada.fetch().status == 401
    assert ada.register().status == 401
    ada.serial = "nonsense"
    assert ada.fetch().status == 401


def test_the_list_needs_no_token_and_names_what_changed_since_the_tag(shop: Shop) -> None:
    ada = shop.enrol()
    phone = Phone(shop, ada)
    phone.register()
    first = phone.changed()
    assert first.status == 200
    assert first.json["serialNumbers"] == [phone.serial]
    tag = first.json["lastUpdated"]
    assert isinstance(tag, str)
    assert phone.changed(tag).status == 204

    shop.order(ada, "1", drink())
    work(shop, ada, Pushes())
    again = phone.changed(tag)
    assert again.json["serialNumbers"] == [phone.serial]
    assert again.json["lastUpdated"] != tag
    assert phone.changed(again.json["lastUpdated"]).status == 204
    assert phone.changed("a tag of somebody else").json["serialNumbers"] == [phone.serial]


def test_a_change_whose_clock_is_behind_is_not_missed(shop: Shop) -> None:
    ada, bob = shop.enrol(external_id="ada"), shop.enrol(external_id="bob")
    for member in (ada, bob):
        phone = Phone(shop, member)
        phone.register()
    shop.clock.at += 100_000
    shop.order(ada, "1", drink())
    work(shop, ada, Pushes())
    tag = phone.changed().json["lastUpdated"]
    shop.clock.at -= 5_000
    shop.order(bob, "2", drink())
    work(shop, bob, Pushes())
    assert phone.serial in phone.changed(tag).json["serialNumbers"]


def test_phones_of_one_address_do_not_slow_each_other_down(shop: Shop) -> None:
    phones = [Phone(shop, shop.enrol(), f"device-{number}") for number in range(8)]
    assert {phone.changed().status for phone in phones * 10} == {204}
    statuses = [phones[0].changed().status for _ in range(55)]
    assert (statuses[0], statuses[-1]) == (204, 429)


def test_two_changes_within_one_second_are_two_changes(shop: Shop) -> None:
    ada = shop.enrol()
    phone = Phone(shop, ada)
    phone.register()
    tags, times = {phone.changed().json["lastUpdated"]}, {phone.fetched.headers["last-modified"]}
    for number in range(3):
        shop.order(ada, str(number), drink())
        fetched = phone.fetch()
        assert stamps(read(fetched)) == f"{number + 1} / 8"
        times.add(fetched.headers["last-modified"])
        tags.add(phone.changed().json["lastUpdated"])
    assert (len(tags), len(times)) == (4, 4)


def test_a_pass_that_did_not_change_is_not_sent_again(shop: Shop) -> None:
    ada = shop.enrol()
    phone = Phone(shop, ada)
    modified = phone.fetched.headers["last-modified"]
    shop.clock.at += 3_600_000
    unchanged = phone.fetch(if_modified_since=modified)
    assert (unchanged.status, unchanged.raw) == (304, b"")
    shop.order(ada, "1", drink())
    changed = phone.fetch(if_modified_since=modified)
    assert stamps(read(changed)) == "1 / 8"
    assert changed.headers["last-modified"] == "Mon, 23 Nov 2026 13:00:00 GMT"
    assert phone.fetch(if_modified_since="whenever").status == 200


def test_a_phone_that_complains_is_heard(shop: Shop) -> None:
    reply = shop.call("POST", "/passkit/v1/log", {"logs": ["bad\nline", "x" * 5000]}, key=None)
    assert reply.status == 200
    shop.clock.at += 1
    shop.call("POST", "/passkit/v1/log", {"logs": ["later"]}, key=None)
    heard = shop.call("GET", "/v1/wallets/log", query={"limit": "1"}).json
    assert [one["text"] for one in heard["data"]] == ["later"]
    query = {"limit": "5", "cursor": heard["next_cursor"]}
    rest = shop.call("GET", "/v1/wallets/log", query=query).json
    assert sorted(one["text"] for one in rest["data"]) == ["bad\nline", "x" * 1000]
    assert shop.call("GET", "/v1/wallets/log", key=None).status == 401
    assert shop.call("POST", "/passkit/v1/log", {"logs": 1}, key=None).status == 422


def test_a_link_that_was_not_made_by_us_opens_nothing(shop: Shop) -> None:
    phone = Phone(shop, shop.enrol())
    link = phone.link.removesuffix("/apple")
    for wrong in (link[:-1] + ("A" if link[-1] != "A" else "B"), "/p/x", "/p/a.b.c"):
        for wallet in ("", "/apple", "/google"):
            assert shop.call("GET", wrong + wallet, key=None).status == 404


def test_the_page_shows_the_card_and_needs_nothing_from_elsewhere(shop: Shop) -> None:
    ada = shop.enrol(given_name="<Ada>")
    shop.order(ada, "1", drink(3))
    phone = Phone(shop, ada)
    page = shop.call("GET", phone.link.removesuffix("/apple"), key=None)
    text = page.raw.decode()
    assert page.headers["x-robots-tag"] == "noindex"
    assert "&lt;Ada&gt;" in text
    assert "<script" not in text
    assert "3 / 8" in text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "Apple Wallet" in text
    assert "Google" not in text


def test_a_wallet_that_is_not_set_up_is_told_so(shop: Shop) -> None:
    ada = shop.enrol()
    links = shop.call("GET", f"/v1/members/{ada}/passes").json
    assert links["google"] is None
    path = links["page"].removeprefix("https://shop.test") + "/google"
    assert shop.call("GET", path, key=None).code == "not_configured"


# --- pushes -----------------------------------------------------------------------------------


def test_a_push_goes_out_when_the_card_changed_and_only_then(shop: Shop) -> None:
    ada, pushes = shop.enrol(), Pushes()
    Phone(shop, ada).register("one")
    Phone(shop, ada, "device-2").register("two")
    work(shop, ada, pushes)
    assert pushes.told == [], "the phones have this card"
    shop.order(ada, "1", drink())
    for _ in range(3):
        work(shop, ada, pushes)
    assert pushes.told == [["one", "two"]]
    shop.order(ada, "2", {"quantity": 1, "unit_price": 500, "categories": ["cakes"]})
    work(shop, ada, pushes)
    assert len(pushes.told) == 1, "cake changes nothing on the card"


def test_many_changes_are_one_push_of_the_latest_state(shop: Shop) -> None:
    ada, pushes = shop.enrol(), Pushes()
    phone = Phone(shop, ada)
    phone.register()
    for number in range(5):
        shop.order(ada, str(number), drink())
    work(shop, ada, pushes)
    work(shop, ada, pushes)
    assert pushes.told == [["token1"]]
    assert stamps(read(phone.fetch())) == "5 / 8"


def test_a_member_without_a_pass_is_nobodys_business(shop: Shop) -> None:
    ada, pushes, google = shop.enrol(), Pushes(), Google()
    shop.order(ada, "1", drink())
    work(shop, ada, pushes, google)
    assert (pushes.told, google.cards) == ([], [])


def test_a_device_that_is_gone_is_forgotten_unless_it_came_back_later(shop: Shop) -> None:
    ada = shop.enrol()
    Phone(shop, ada, "old").register("old")
    gone_at = shop.clock.at + 1000
    shop.clock.at += 2000
    Phone(shop, ada, "back").register("back")
    Phone(shop, ada, "bad").register("bad")
    pushes = Pushes()
    for token, since in (("old", gone_at), ("back", gone_at), ("bad", None)):
        pushes.outcomes[token] = PushResult(token, PushOutcome.GONE, "Unregistered", since)
    shop.order(ada, "1", drink())
    work(shop, ada, pushes)
    passes = shop.runtime.context.store.passes
    left = passes.registrations_of_member(shop.program_id, ada)
    assert [one.device_id for one in left] == ["back"]


def test_a_push_that_did_not_get_through_is_tried_again(shop: Shop) -> None:
    ada = shop.enrol()
    Phone(shop, ada).register()
    shop.order(ada, "1", drink())
    pushes = Pushes(outcomes={"token1": PushResult("token1", PushOutcome.RETRY, "Shutdown")})
    with pytest.raises(Unavailable):
        work(shop, ada, pushes)
    pushes.outcomes.clear()
    work(shop, ada, pushes)
    work(shop, ada, pushes)
    assert pushes.told == [["token1"], ["token1"]]


def test_a_refused_certificate_is_an_alarm_and_not_a_success(shop: Shop) -> None:
    ada = shop.enrol()
    Phone(shop, ada).register()
    shop.order(ada, "1", drink())
    refused = PushResult("token1", PushOutcome.REFUSED, "BadCertificate")
    with pytest.raises(PushRefused, match="BadCertificate"):
        work(shop, ada, Pushes(outcomes={"token1": refused}))


def test_google_is_told_once_the_member_saved_the_card(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    google = Google()
    monkeypatch.setattr(shop.runtime, "google", google, raising=False)
    ada = shop.enrol(given_name="Ada")
    links = shop.call("GET", f"/v1/members/{ada}/passes").json
    saved = shop.call("GET", links["google"].removeprefix("https://shop.test"), key=None)
    assert (saved.status, saved.headers["location"]) == (
        302,
        f"https://pay.google.com/gp/v/save/{ada}",
    )
    work(shop, ada, None, google)
    assert [one.balances[0].amount for one in google.cards] == [0]
    shop.order(ada, "1", drink(2))
    work(shop, ada, None, google)
    assert [one.balances[0].amount for one in google.cards] == [0, 2]


def test_a_test_program_never_reaches_a_real_phone(shop: Shop) -> None:
    from chalicelib.domain.program.program import Mode

    live, test = (
        shop.runtime.wallets(shop.program_id, Mode.LIVE, Queued()),
        shop.runtime.wallets(shop.program_id, Mode.TEST, Queued()),
    )
    assert live.apple is not None
    assert test.apple is None
    local = replace(shop.runtime._settings, apns_host="localhost")
    shop.runtime._settings = local
    assert shop.runtime.wallets(shop.program_id, Mode.TEST, Queued()).apple is not None


# --- the streams and the queue ----------------------------------------------------------------


def entry_record(shop: Shop, member_id: str) -> dict[str, Any]:
    first = shop.runtime.context.store.ledger.entry(LogKey(shop.program_id, member_id), 1)
    assert first is not None
    return stream_record(first)


def test_the_router_names_each_member_once(shop: Shop) -> None:
    ada, bob = shop.enrol(external_id="ada"), shop.enrol(external_id="bob")
    on_ledger({"Records": [entry_record(shop, one) for one in (ada, bob, ada)]})
    assert [json.loads(one) for one in shop.queues.wallet.messages] == [
        {"program_id": shop.program_id, "member_id": ada},
        {"program_id": shop.program_id, "member_id": bob},
    ]


def test_a_changed_profile_is_routed_too_and_other_records_are_not(shop: Shop) -> None:
    image = {"pk": {"S": f"{shop.program_id}#member#mem_1"}, "kind": {"S": "member"}}
    key = {"pk": {"S": "key#1"}, "kind": {"S": "key"}}
    removed: dict[str, Any] = {"eventName": "REMOVE", "dynamodb": {"Keys": {}}}
    on_records({"Records": [{"dynamodb": {"NewImage": one}} for one in (image, key)] + [removed]})
    assert len(shop.queues.wallet.messages) == 1


def test_fault_11_a_record_that_nobody_can_read_is_parked_and_holds_nothing_up(shop: Shop) -> None:
    ada = shop.enrol()
    broken = {"eventID": "1", "dynamodb": {"Keys": {"pk": {"S": "nonsense"}}}}
    on_ledger({"Records": [broken, entry_record(shop, ada)]})
    assert json.loads(shop.queues.parked.messages[0])["eventID"] == "1"
    assert len(shop.queues.wallet.messages) == 1


def test_the_worker_names_the_messages_that_failed(shop: Shop) -> None:
    ada = shop.enrol()
    good = json.dumps({"program_id": shop.program_id, "member_id": ada})
    gone = json.dumps({"program_id": "prg_gone", "member_id": ada})
    bodies = {"1": good, "2": "{", "3": gone}
    records = [{"messageId": number, "body": body} for number, body in bodies.items()]
    assert on_wallet({"Records": records}) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
