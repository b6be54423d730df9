"""What a shop says to one member through his pass; and Google's side of it, on the stand-in."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Contended, Unavailable
from chalicelib.domain.ports import PushOutcome, PushResult
from chalicelib.events.google import on_google
from chalicelib.events.router import on_records
from chalicelib.events.wallet import on_wallet
from chalicelib.kernel.clock import DAY, MINUTE
from chalicelib.services.pass_messages import LEASE, deliver
from chalicelib.services.passes import PassKey, issue
from local.certificates import ISSUER_ID, LOGO_URL, Certificates
from local.google_wallet import GoogleWalletStandIn
from tests.fakes.shop import Queued, Reply, Shop, drink
from tests.unit.test_passkit import Google, Phone, Pushes, read, work
from tests.unit.test_wallets import saved

HELLO = {"id": "hello", "header": "For you", "body": "A cake waits here.", "notify": True}


@pytest.fixture
def shop(certificates: Certificates) -> Shop:
    shop = Shop(memory_store(), apple=json.dumps(certificates.apple))
    shop.publish("coffee_stamps")
    return shop


def say(shop: Shop, member_id: str, **changes: Any) -> Reply:
    path = f"/v1/members/{member_id}/passes/messages"
    return shop.call("POST", path, {**HELLO, **changes})


def on_the_back(phone: Phone) -> dict[str, Any] | None:
    fields = read(phone.fetch())["storeCard"]["backFields"]
    return next((one for one in fields if one["key"] == "message"), None)


def heard(shop: Shop, member_id: str) -> None:
    """The member has saved his card in Google Wallet, and Google has said so."""
    saved(shop, member_id)
    passes = shop.runtime.context.store.passes
    issued = passes.issued(shop.program_id, member_id)
    assert issued is not None
    assert passes.put_issued(replace(issued, google_saved=True), issued.revision)


def key_of(shop: Shop, member_id: str) -> PassKey:
    return PassKey(shop.program_id, member_id)


def test_an_apple_phone_says_it_aloud_and_shows_the_newest_only(shop: Shop) -> None:
    ada = shop.enrol()
    phone, pushes = Phone(shop, ada), Pushes()
    phone.register()
    reply = say(shop, ada)
    assert reply.status == 201, reply.raw
    assert (reply.json["apple"], reply.json["google"]) == ("alert", "none")
    work(shop, ada, pushes)
    assert pushes.told == [["token1"]]
    assert on_the_back(phone) == {
        "key": "message",
        "label": "For you",
        "value": "A cake waits here.",
        "changeMessage": "%@",
    }
    shop.clock.at += MINUTE
    assert say(shop, ada, id="two", body="And tea.", notify=False).json["apple"] == "silent"
    work(shop, ada, pushes)
    field = on_the_back(phone)
    assert field is not None and field["value"] == "And tea." and "changeMessage" not in field
    assert len(pushes.told) == 2


def test_it_happens_once_for_an_id(shop: Shop) -> None:
    ada = shop.enrol()
    phone, pushes = Phone(shop, ada), Pushes()
    phone.register()
    first = say(shop, ada)
    work(shop, ada, pushes)
    shop.clock.at += MINUTE
    again = say(shop, ada)
    work(shop, ada, pushes)
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json == first.json
    assert len(pushes.told) == 1
    other = say(shop, ada, body="Something else")
    assert (other.status, other.code) == (422, "different_request")


def test_it_speaks_the_members_language(shop: Shop) -> None:
    ada = shop.enrol(locale="de")
    phone = Phone(shop, ada)
    document = shop.call("GET", "/v1/programs/1").json["document"]
    shop.call("POST", "/v1/programs", {**document, "languages": ["de"]})
    assert say(shop, ada, body={"en": "Cake", "de": "Kuchen"}).status == 201
    field = on_the_back(phone)
    assert field is not None and (field["label"], field["value"]) == ("For you", "Kuchen")


def test_who_has_no_pass_is_restricted_or_unknown_is_told_nothing(shop: Shop) -> None:
    ada = shop.enrol()
    assert say(shop, ada).code == "no_pass"
    Phone(shop, ada)
    shop.call("PUT", f"/v1/members/{ada}/restriction", {"restricted": True})
    assert say(shop, ada).code == "member_restricted"
    assert say(shop, "mem_x").status == 404
    for wrong in ({"id": ""}, {"body": ""}, {"header": "x" * 81}, {"body": {"deutsch": "x"}}):
        assert say(shop, ada, **wrong).status == 422
    staff = shop.call("POST", "/v1/keys", {"kind": "staff", "name": "Grace"}).json["secret"]
    path = f"/v1/members/{ada}/passes/messages"
    assert shop.call("POST", path, HELLO, key=staff).status == 403


def test_it_is_in_the_audit_log_and_never_in_the_ledger(shop: Shop) -> None:
    ada = shop.enrol()
    Phone(shop, ada)
    say(shop, ada)
    (row,) = [
        one
        for one in shop.call("GET", "/v1/audit_log").json["data"]
        if one["action"] == "passes.send_message"
    ]
    assert row["outcome"] == "done" and "cake" not in json.dumps(row)
    entries = shop.call("GET", f"/v1/members/{ada}/entries").raw
    assert b"cake" not in entries
    assert shop.call("GET", f"/v1/members/{ada}/export").json["messages"][0]["id"] == "hello"


def test_it_goes_with_the_member_and_by_itself_after_thirty_days(shop: Shop) -> None:
    ada = shop.enrol()
    phone = Phone(shop, ada)
    say(shop, ada)
    assert on_the_back(phone) is not None
    shop.clock.at += 30 * DAY
    assert on_the_back(phone) is None
    shop.clock.at += MINUTE
    say(shop, ada, id="two")
    passes = shop.runtime.context.store.passes
    assert len(passes.messages(shop.program_id, ada)) == 2
    shop.call("DELETE", f"/v1/members/{ada}")
    assert passes.messages(shop.program_id, ada) == []
    assert "cake" not in json.dumps(read(phone.fetch()))


# Google


def test_google_is_sent_each_message_once_and_three_alerts_a_day(shop: Shop) -> None:
    ada, google = shop.enrol(), Google()
    heard(shop, ada)
    reach = []
    for number in range(5):
        reach.append(say(shop, ada, id=f"m{number}").json["google"])
        for _ in range(2):
            deliver(shop.runtime.context, google, key_of(shop, ada), f"m{number}")
        shop.clock.at += MINUTE
    assert reach == ["alert"] * 3 + ["silent"] * 2
    assert [(one.id, one.alert) for one in google.said] == [
        *((f"m{number}", True) for number in range(3)),
        ("m3", False),
        ("m4", False),
    ]
    shop.clock.at += DAY
    assert say(shop, ada, id="m5").json["google"] == "alert"
    assert say(shop, ada, id="m6", notify=False).json["google"] == "silent"


def test_a_message_takes_its_alert_from_those_of_the_balance(shop: Shop) -> None:
    ada, google = shop.enrol(), Google()
    heard(shop, ada)
    for number in range(3):
        shop.order(ada, str(number), drink())
        work(shop, ada, None, google)
    assert google.notified == [True] * 3
    assert say(shop, ada).json["google"] == "silent"


def test_a_message_alone_does_not_patch_googles_object(shop: Shop) -> None:
    ada, google = shop.enrol(), Google()
    heard(shop, ada)
    shop.order(ada, "1", drink())
    work(shop, ada, None, google)
    say(shop, ada)
    work(shop, ada, None, google)
    assert len(google.cards) == 1


def test_google_is_not_told_again_while_apple_alone_is_down(shop: Shop) -> None:
    ada, google = shop.enrol(), Google()
    heard(shop, ada)
    Phone(shop, ada).register()
    shop.order(ada, "1", drink())
    busy = Pushes(outcomes={"token1": PushResult("token1", PushOutcome.RETRY, "busy")})
    for _ in range(3):
        with pytest.raises(Unavailable):
            work(shop, ada, busy, google)
    work(shop, ada, Pushes(), google)
    assert (len(google.cards), google.notified) == (1, [True])


def test_a_card_that_changed_while_it_went_out_is_followed_by_the_newest(shop: Shop) -> None:
    ada, google = shop.enrol(), Google()
    heard(shop, ada)

    class Slow(Google):
        def put(self, card: Any, *, notify: bool = False) -> None:
            if not self.cards:
                shop.order(ada, "2", drink())
                work(shop, ada, None, google)  # another worker is faster
            google.put(card, notify=notify)
            super().put(card, notify=notify)

    shop.order(ada, "1", drink())
    work(shop, ada, None, Slow())
    assert [one.balances[0].amount for one in google.cards] == [2, 1, 2]


def test_a_card_that_is_put_twice_because_another_followed_speaks_once(shop: Shop) -> None:
    ada, google = shop.enrol(), Google()
    heard(shop, ada)

    class Slow(Google):
        def put(self, card: Any, *, notify: bool = False) -> None:
            super().put(card, notify=notify)
            if len(self.cards) == 1:
                shop.order(ada, "2", drink())
                issue(shop.runtime.context, key_of(shop, ada))  # a phone fetches it

    google = Slow()
    shop.order(ada, "1", drink())
    work(shop, ada, None, google)
    assert google.notified == [True, False]
    issued = shop.runtime.context.store.passes.issued(shop.program_id, ada)
    assert issued is not None and issued.google_notified == (shop.clock.at,)


def test_a_message_beside_a_change_of_the_card_lets_the_change_speak(shop: Shop) -> None:
    ada, google = shop.enrol(), Google()
    heard(shop, ada)
    shop.order(ada, "1", drink())
    say(shop, ada)
    work(shop, ada, None, google)
    say(shop, ada, id="two")
    work(shop, ada, None, google)
    assert [one.balances[0].amount for one in google.cards] == [1]
    assert google.notified == [True]


def test_who_asks_for_his_card_again_is_sent_every_change_after_it(shop: Shop) -> None:
    ada, google = shop.enrol(), Google()
    heard(shop, ada)
    shop.order(ada, "1", drink())
    work(shop, ada, None, google)
    shop.order(ada, "2", drink())
    saved(shop, ada)  # now Google has two stamps
    shop.refund("2", "1")
    work(shop, ada, None, google)
    assert google.cards[-1].balances[0].amount == 1 and len(google.cards) == 2


def test_a_worker_that_died_is_followed_by_another_after_a_while(shop: Shop) -> None:
    ada, google = shop.enrol(), Google()
    heard(shop, ada)
    say(shop, ada)

    class Dying(Google):
        def say(self, card: Any, said: Any) -> None:  # noqa: ARG002
            raise MemoryError

    with pytest.raises(MemoryError):
        deliver(shop.runtime.context, Dying(), key_of(shop, ada), "hello")
    with pytest.raises(Contended):
        deliver(shop.runtime.context, google, key_of(shop, ada), "hello")
    shop.clock.at += LEASE
    deliver(shop.runtime.context, google, key_of(shop, ada), "hello")
    assert len(google.said) == 1


def test_who_is_erased_while_his_message_goes_out_leaves_nothing_at_google(shop: Shop) -> None:
    ada = shop.enrol(given_name="Ada")
    heard(shop, ada)
    say(shop, ada)

    class Slow(Google):
        def say(self, card: Any, said: Any) -> None:
            shop.call("DELETE", f"/v1/members/{ada}")
            super().say(card, said)

    google = Slow()
    deliver(shop.runtime.context, google, key_of(shop, ada), "hello")
    (nobody,) = google.cards
    assert nobody.voided and nobody.member_name is None
    google.cards.clear()  # the worker died before that, and the message comes again
    deliver(shop.runtime.context, google, key_of(shop, ada), "hello")
    (nobody,) = google.cards
    assert nobody.voided and nobody.member_name is None
    assert len(google.said) == 1


# Through the stream and the queue, to the stand-in


@pytest.fixture
def wallet(shop: Shop, tmp_path: Path) -> Iterator[GoogleWalletStandIn]:
    """Google's stand-in, and the shop that it calls back over HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            reply = shop.call("POST", self.path, body, key=None)
            self.send_response(reply.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with (
        HTTPServer(("127.0.0.1", 0), Handler) as server,
        GoogleWalletStandIn(tmp_path / "google", clock=shop.clock) as stand_in,
    ):
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        account = {
            "service_account": stand_in.service_account,
            "issuer_id": ISSUER_ID,
            "logo_url": LOGO_URL,
        }
        shop.runtime._parameters = {**shop.runtime._parameters, "google": json.dumps(account)}
        shop.runtime._settings = replace(
            shop.runtime._settings,
            base_url=f"http://127.0.0.1:{server.server_port}",
            google_wallet_url=stand_in.url,
        )
        yield stand_in
        server.shutdown()
        thread.join()


def play(wallet: GoogleWalletStandIn, what: str, object_id: str) -> dict[str, Any]:
    """What the demo's phone does: the member saves or deletes his pass."""
    body = json.dumps({"objectId": object_id}).encode()
    with urlopen(Request(f"{wallet.url}/_local/{what}", body), timeout=10) as answer:
        return dict(json.load(answer))


def save_in(shop: Shop, wallet: GoogleWalletStandIn, member_id: str) -> str:
    """The object's id, of a card that was saved."""
    link = shop.call("GET", f"/v1/members/{member_id}/passes").json["google"]
    assert shop.call("GET", link.removeprefix("https://shop.test"), key=None).status == 302
    object_id = f"{ISSUER_ID}.{shop.program_id}.{member_id}"
    assert play(wallet, "save", object_id) == {"answered": 200}
    return object_id


def counts(shop: Shop) -> tuple[int, int, int]:
    row = shop.call("GET", "/v1/wallets").json["google"]
    return row["installed"], row["removed"], row["active"]


def test_the_stand_in_says_what_was_saved_and_deleted(
    shop: Shop, wallet: GoogleWalletStandIn
) -> None:
    ada = shop.enrol()
    object_id = save_in(shop, wallet, ada)
    assert counts(shop) == (1, 0, 1)
    assert wallet.stored("loyaltyObject", object_id)["hasUsers"] is True  # type: ignore[index]
    for event, known in (("delete", (1, 1, 0)), ("delete", (1, 1, 0)), ("save", (2, 1, 1))):
        assert play(wallet, event, object_id) == {"answered": 200}
        assert counts(shop) == known
    other = GoogleWalletStandIn(wallet.folder, clock=shop.clock)  # a restart keeps its root key
    other._server.server_close()
    said = other._callbacks.message("c", object_id, "del", shop.clock.at + MINUTE)
    assert shop.call("POST", "/google/callbacks", said, key=None).status == 200
    assert counts(shop) == (2, 2, 0)


def records_of(shop: Shop, member_id: str, name: str = "INSERT") -> dict[str, Any]:
    image = {
        "kind": {"S": "pass_message"},
        "pk": {"S": f"{shop.program_id}#pass#{member_id}"},
        "sk": {"S": "pass_message#hello"},
    }
    return {"Records": [{"eventName": name, "dynamodb": {"NewImage": image}}]}


def rows_of(queue: Queued) -> dict[str, Any]:
    """All that the queue was ever sent, as its worker gets it."""
    rows = [{"messageId": str(at), "body": body} for at, body in enumerate(queue.messages)]
    return {"Records": rows}


def test_a_message_goes_by_the_queue_to_google_and_is_cleared_at_erasure(
    shop: Shop, wallet: GoogleWalletStandIn
) -> None:
    ada = shop.enrol()
    object_id = save_in(shop, wallet, ada)
    assert say(shop, ada).json["google"] == "alert"
    for_apple, for_google = shop.queues.wallet, shop.queues.google
    assert isinstance(for_apple, Queued) and isinstance(for_google, Queued)
    on_records(records_of(shop, ada, "MODIFY"))
    assert for_apple.messages == for_google.messages == []
    on_records(records_of(shop, ada))
    assert (len(for_apple.messages), len(for_google.messages)) == (1, 1)
    wallet.failures = iter([429])
    assert on_wallet(rows_of(for_apple)) == {"batchItemFailures": []}
    assert len(for_google.messages) == 1  # the object has nothing new of it but the message
    answer = on_google(rows_of(for_google))
    assert answer["batchItemFailures"] == [{"itemIdentifier": "0"}]  # it comes again
    shop.clock.at += LEASE
    for _ in range(2):
        assert on_google(rows_of(for_google)) == {"batchItemFailures": []}
    stored = wallet.stored("loyaltyObject", object_id)
    assert stored is not None
    (message,) = stored["messages"]
    assert (message["header"], message["messageType"]) == ("For you", "TEXT_AND_NOTIFY")
    assert message["displayInterval"]["end"]["date"].startswith("2026-12-2")
    shop.call("DELETE", f"/v1/members/{ada}")
    assert on_wallet(rows_of(for_apple)) == {"batchItemFailures": []}
    assert on_google(rows_of(for_google)) == {"batchItemFailures": []}
    stored = wallet.stored("loyaltyObject", object_id)
    assert stored is not None and "messages" not in stored and stored["state"] == "INACTIVE"
