"""Wallets as the operator sees them, Google's messages, and a change of every card."""

import base64
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.adapters.google.callbacks import GoogleCallbacks
from chalicelib.adapters.http import Response
from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ports import PASS_SHARDS, PushOutcome, PushResult
from chalicelib.events.router import on_records
from chalicelib.kernel.clock import DAY, HOUR, MINUTE, SECOND
from chalicelib.services.passes import PassKey, issue
from chalicelib.services.refreshes import PAGE, SETTLE_SECONDS, Page, refresh_page
from chalicelib.services.wallets import Wallets, refresh_all
from local.certificates import ISSUER_ID, Certificates
from tests.fakes.shop import START, Queued, SetClock, Shop, drink
from tests.unit.test_passkit import Google, Phone, Pushes, read, stamps, work

ISSUER = ISSUER_ID


@pytest.fixture
def shop(certificates: Certificates) -> Shop:
    shop = Shop(memory_store(), apple=json.dumps(certificates.apple))
    shop.publish("coffee_stamps")
    return shop


def wallets(shop: Shop) -> dict[str, Any]:
    return dict(shop.call("GET", "/v1/wallets").json)


def counts(shop: Shop, platform: str = "apple") -> tuple[int, int, int]:
    row = wallets(shop)[platform]
    return row["installed"], row["removed"], row["active"]


def test_a_revoked_link_opens_nothing_and_another_one_does(shop: Shop) -> None:
    ada = shop.enrol()
    phone = Phone(shop, ada)
    path = f"/v1/members/{ada}/passes/revoke"
    links = shop.call("POST", path).json
    assert shop.call("GET", phone.link, key=None).status == 404
    assert phone.fetch().status == 200  # the pass itself goes on
    fresh = links["page"].removeprefix("https://shop.test")
    assert shop.call("GET", fresh, key=None).status == 200
    again = shop.call("POST", path).json["page"]
    assert len({phone.link, links["page"], again}) == 3
    assert shop.call("GET", fresh, key=None).status == 404
    log = shop.call("GET", "/v1/audit_log").json["data"]
    assert [one["action"] for one in log].count("passes.revoke_links") == 2
    assert shop.call("POST", "/v1/members/mem_x/passes/revoke").status == 404


def test_installs_and_removals_are_counted_once_by_device(shop: Shop) -> None:
    ada = shop.enrol()
    phone, watch = Phone(shop, ada), Phone(shop, ada, "device-2")
    for _ in range(3):
        phone.register()
    watch.register()
    assert counts(shop) == (2, 0, 2)
    watch.unregister()
    watch.unregister()
    assert counts(shop) == (2, 1, 1)
    shop.clock.at += HOUR
    phone.unregister()
    assert counts(shop) == (2, 2, 0)
    shop.clock.at += HOUR
    phone.register()
    assert counts(shop) == (3, 2, 1)
    assert counts(shop) == (3, 2, 1)
    page = shop.call("GET", "/v1/wallets/events", query={"limit": "2"}).json
    assert [one["type"] for one in page["data"]] == ["pass.installed", "pass.removed"]
    query = {"limit": "5", "cursor": page["next_cursor"]}
    rest = shop.call("GET", "/v1/wallets/events", query=query).json
    assert len(rest["data"]) == 3 and rest["next_cursor"] is None
    assert {one["member_id"] for one in rest["data"]} == {ada}


def test_an_erased_member_leaves_every_wallet_and_his_pass_is_void(shop: Shop) -> None:
    ada = shop.enrol(given_name="Ada")
    phone = Phone(shop, ada)
    phone.register()
    assert shop.call("DELETE", f"/v1/members/{ada}").status in (200, 204)
    pushes = Pushes()
    work(shop, ada, pushes)
    assert pushes.told == []
    assert counts(shop) == (1, 1, 0)
    card = read(phone.fetch())
    assert card["voided"] is True and "barcodes" not in card
    assert "Ada" not in json.dumps(card)
    work(shop, ada, pushes)
    assert pushes.told == []
    assert phone.changed().status == 204


def test_who_was_merged_away_is_told_once_that_his_pass_is_void(shop: Shop) -> None:
    ada, double = shop.enrol(), shop.enrol()
    old, new = Phone(shop, double, "old"), Phone(shop, ada, "new")
    old.register("old-token")
    new.register("new-token")
    shop.order(ada, "1", drink())
    reply = shop.call("POST", f"/v1/members/{ada}/merge", {"member_id": double})
    assert reply.status in (200, 201), reply.raw
    pushes = Pushes()
    work(shop, ada, pushes)
    assert sorted(one for told in pushes.told for one in told) == ["new-token", "old-token"]
    assert old.changed().status == 200
    assert read(old.fetch())["voided"] is True
    assert stamps(read(new.fetch())) == "1 / 8"
    assert old.changed().status == 204
    shop.order(ada, "2", drink())
    work(shop, ada, pushes)
    assert pushes.told[-1] == ["new-token"]


def test_a_device_that_was_told_is_not_told_again_for_another_one(shop: Shop) -> None:
    ada = shop.enrol()
    Phone(shop, ada, "good").register("good")
    Phone(shop, ada, "busy").register("busy")
    shop.order(ada, "1", drink())
    pushes = Pushes(outcomes={"busy": PushResult("busy", PushOutcome.RETRY, "TooManyRequests")})
    with pytest.raises(Unavailable):
        work(shop, ada, pushes)
    pushes.outcomes.clear()
    work(shop, ada, pushes)
    assert [sorted(one) for one in pushes.told] == [["busy", "good"], ["busy"]]
    shop.order(ada, "2", drink())
    work(shop, ada, pushes)
    assert sorted(pushes.told[-1]) == ["busy", "good"]


def test_one_members_trouble_is_not_anothers(shop: Shop) -> None:
    ada, bob = shop.enrol(), shop.enrol()
    for member, token in ((ada, "ada"), (bob, "bob")):
        Phone(shop, member, token).register(token)
        shop.order(member, token, drink())
    keys = [PassKey(shop.program_id, one) for one in (ada, bob)]
    pushes = Pushes(outcomes={"ada": PushResult("ada", PushOutcome.RETRY, "x")})
    failed = refresh_all(shop.runtime.context, Wallets(pushes, None), keys)
    assert list(failed) == [keys[0]]
    assert len(pushes.told) == 1  # all through one exchange

    class Down:
        def push(self, tokens: Any) -> Any:  # noqa: ARG002
            raise Unavailable("no network")

    shop.order(ada, "more", drink())
    failed = refresh_all(shop.runtime.context, Wallets(Down(), None), keys)
    assert list(failed) == [keys[0]]
    assert refresh_all(shop.runtime.context, Wallets(Pushes(), None), keys) == {}


# A change of every card


def republished(shop: Shop) -> list[str]:
    """Publishes another version; the messages it makes."""
    current = shop.call("GET", "/v1/programs").json["data"][0]["version"]
    document = shop.call("GET", f"/v1/programs/{current}").json["document"]
    document["name"] = f"Corner Coffee {current + 1}"
    assert shop.call("POST", "/v1/programs", document).status == 201
    image = {
        "kind": {"S": "version"},
        "pk": {"S": f"program#{shop.program_id}"},
        "sk": {"S": f"version#{current + 1:09d}"},
    }
    queue = shop.queues.wallet
    assert isinstance(queue, Queued)
    queue.messages.clear()
    queue.delays.clear()
    on_records({"Records": [{"dynamodb": {"NewImage": image}}]})
    assert queue.delays == [SETTLE_SECONDS] * PASS_SHARDS
    return list(queue.messages)


def worked(shop: Shop, pushes: Pushes, messages: list[str], dies_at: int = -1) -> int:
    """Works pages until none is left; a worker that dies is given its page again."""
    queue = Queued()
    done = 0
    while messages:
        message = messages.pop(0)
        refresh_page(
            shop.runtime.context, Wallets(pushes, None), queue, Page(**json.loads(message))
        )
        done += 1
        if done == dies_at:
            messages.append(message)
        messages += queue.messages
        queue.messages.clear()
    return done


def test_a_new_version_reaches_every_phone_page_by_page(shop: Shop) -> None:
    members = [shop.enrol(given_name=f"M{number}") for number in range(PASS_SHARDS * PAGE + 9)]
    for number, member in enumerate(members):
        shop.clock.at += 2 * SECOND  # calls are limited by the minute
        Phone(shop, member, f"device-{number}").register(f"token-{number}")
    pushes = Pushes()
    done = worked(shop, pushes, republished(shop), dies_at=2)
    told = [one for batch in pushes.told for one in batch]
    assert sorted(told) == sorted(f"token-{number}" for number in range(len(members)))
    assert max(map(len, pushes.told)) <= PAGE
    assert done > PASS_SHARDS
    progress = wallets(shop)["refresh"]
    assert (progress["version"], progress["done"]) == (2, len(members))
    assert progress["ended_at"] is not None


def test_an_older_change_gives_way_to_a_newer_one(shop: Shop) -> None:
    ada = shop.enrol()
    Phone(shop, ada).register()
    older, newer = republished(shop), republished(shop)
    pushes = Pushes()
    worked(shop, pushes, older)
    assert pushes.told == []
    worked(shop, pushes, newer)
    assert pushes.told == [["token1"]]
    early = Page(shop.program_id, 9, 0)
    with pytest.raises(Unavailable):
        refresh_page(shop.runtime.context, Wallets(pushes, None), Queued(), early)


# Google


class GoogleKeys:
    """Google's keys, and messages signed with them."""

    def __init__(self, clock: SetClock) -> None:
        self.root, self.between = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.clock = clock
        self.asked = 0
        self.down = False

    def send(self, method: str, url: str, body: bytes, headers: Any) -> Response:  # noqa: ARG002
        """The list of root keys."""
        self.asked += 1
        if self.down:
            raise Unavailable("no network")
        row = {
            "keyValue": public(self.root),
            "protocolVersion": "ECv2SigningOnly",
            "keyExpiration": str(self.clock.at + 400 * DAY),
        }
        return Response(200, {}, json.dumps({"keys": [row]}).encode())

    def message(self, object_id: str, event: str, at: int, **changes: Any) -> bytes:
        """One message, as Google would send it."""
        expires = str(changes.pop("key_until", self.clock.at + DAY))
        signed_key = json.dumps({"keyValue": public(self.between), "keyExpiration": expires})
        said = {
            "classId": f"{ISSUER}.x",
            "objectId": object_id,
            "eventType": event,
            "expTimeMillis": at,
            "nonce": "n",
        }
        text = json.dumps(said)
        issuer = changes.pop("issuer", ISSUER)
        envelope = {
            "protocolVersion": "ECv2SigningOnly",
            "intermediateSigningKey": {
                "signedKey": signed_key,
                "signatures": [signed(self.root, "Google", "ECv2SigningOnly", signed_key)],
            },
            "signedMessage": text,
            "signature": signed(self.between, "GooglePayPasses", issuer, "ECv2SigningOnly", text),
        }
        return json.dumps({**envelope, **changes}).encode()


def public(key: ec.EllipticCurvePrivateKey) -> str:
    form = PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, form)).decode()


def signed(key: ec.EllipticCurvePrivateKey, *parts: str) -> str:
    raw = [part.encode() for part in parts]
    data = b"".join(struct.pack("<I", len(one)) + one for one in raw)
    return base64.b64encode(key.sign(data, ec.ECDSA(SHA256()))).decode()


@pytest.fixture
def google(shop: Shop) -> GoogleKeys:
    keys = GoogleKeys(shop.clock)
    shop.runtime.google_callbacks = GoogleCallbacks(ISSUER, keys, shop.clock)  # type: ignore
    return keys


def hear(shop: Shop, body: bytes) -> int:
    return shop.call("POST", "/google/callbacks", body, key=None).status


def saved(shop: Shop, member_id: str) -> None:
    """The member has asked for his card in Google Wallet."""
    issue(shop.runtime.context, PassKey(shop.program_id, member_id), google=True)


def test_google_says_what_is_in_a_wallet_in_any_order_and_often(
    shop: Shop, google: GoogleKeys
) -> None:
    ada = shop.enrol()
    saved(shop, ada)
    name = f"{ISSUER}.{shop.program_id}.{ada}"
    first, then, last = (shop.clock.at + one * MINUTE for one in (1, 2, 3))
    for at, event, known in (
        (first, "save", (1, 0, 1)),
        (first, "save", (1, 0, 1)),
        (last, "del", (1, 1, 0)),
        (then, "save", (1, 1, 0)),  # came late
        (last, "del", (1, 1, 0)),
        (last + 1, "save", (2, 1, 1)),
    ):
        assert hear(shop, google.message(name, event, at)) == 200
        assert counts(shop, "google") == known
    assert hear(shop, google.message(f"{ISSUER}.prg_other.mem_x", "save", first)) == 200
    assert google.asked == 1


@pytest.mark.parametrize(
    "forge",
    [
        lambda _it, body: body.replace(b'\\"save\\"', b'\\"del\\"'),
        lambda it, _: it.message(f"{ISSUER}.a.b", "save", it.clock.at + 1, issuer="1"),
        lambda it, _: it.message(f"{ISSUER}.a.b", "save", it.clock.at - 1),
        lambda it, _: it.message(f"{ISSUER}.a.b", "eaten", it.clock.at + 1),
        lambda it, _: it.message(f"{ISSUER}.a.b", "save", 9 * START, key_until=it.clock.at),
        lambda it, _: it.message(f"{ISSUER}.a.b", "save", 9 * START, protocolVersion="ECv1"),
        lambda it, _: it.message(f"{ISSUER}.a.b", "save", 9 * START, signature="AAAA"),
        lambda it, _: it.message(f"{ISSUER}.a.b", "save", 9 * START, signature="é"),
        lambda it, _: it.message(f"{ISSUER}.a.b", "save", 9 * START, intermediateSigningKey=1),
        lambda _it, _: b"[" * 10_000,
        lambda _it, _: b"[]",
        lambda _it, _: b"\xff",
        lambda _it, _: b"",
    ],
)
def test_what_is_not_googles_is_refused(
    shop: Shop, google: GoogleKeys, forge: Callable[[GoogleKeys, bytes], bytes]
) -> None:
    body = google.message(f"{ISSUER}.a.b", "save", shop.clock.at + MINUTE)
    assert hear(shop, body) == 200
    assert hear(shop, forge(google, body)) == 401


def test_forged_messages_do_not_make_us_ask_google_each_time(
    shop: Shop, google: GoogleKeys
) -> None:
    google.down = True
    body = google.message(f"{ISSUER}.a.b", "save", shop.clock.at + HOUR)
    assert [hear(shop, body) for _ in range(3)] == [503] * 3
    assert google.asked == 1
    google.down = False
    shop.clock.at += 2 * MINUTE
    assert hear(shop, body) == 200


def test_a_phone_speaks_at_most_three_times_a_day_and_only_of_a_saved_pass(
    shop: Shop, google: GoogleKeys
) -> None:
    ada = shop.enrol()
    saved(shop, ada)
    wallet = Google()

    def orders(*numbers: int) -> None:
        for number in numbers:
            shop.clock.at += SECOND
            shop.order(ada, str(number), drink())
            work(shop, ada, None, wallet)

    orders(0)
    name = f"{ISSUER}.{shop.program_id}.{ada}"
    hear(shop, google.message(name, "save", shop.clock.at + MINUTE))
    orders(1, 2, 3, 4)
    assert wallet.notified == [False, True, True, True, False]
    shop.clock.at += DAY
    orders(5)
    assert wallet.notified[-1] is True


def test_pictures_of_stamps_are_for_everybody_and_for_ever(shop: Shop) -> None:
    path = "/stamps/classic/8/5/1f4037-f6efe2.png"
    reply = shop.call("GET", path, key=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    assert reply.raw.startswith(b"\x89PNG") and "immutable" in reply.headers["cache-control"]
    for bad in (
        "/stamps/classic/8/9/1f4037-f6efe2.png",
        "/stamps/classic/51/1/1f4037-f6efe2.png",
        "/stamps/classic/0/0/1f4037-f6efe2.png",
        "/stamps/classic/8/5/green.png",
        "/stamps/nowhere/8/5/1f4037-f6efe2.png",
        "/stamps/..%2Fclassic/8/5/1f4037-f6efe2.png",
    ):
        assert shop.call("GET", bad, key=None).status == 404, bad


def test_a_certificate_of_a_programs_own_makes_its_passes(certificates: Certificates) -> None:
    own = {**certificates.apple, "pass_type_id": "pass.own"}
    store = memory_store()
    first = Shop(store, apple=json.dumps(certificates.apple))
    first.publish("coffee_stamps")
    ada = first.enrol()
    assert Phone(first, ada).card["passTypeIdentifier"] == certificates.apple["pass_type_id"]
    parameters = {**first.runtime._parameters, f"apple.{first.program_id}": json.dumps(own)}
    first.runtime._parameters = parameters
    first.runtime._builders.clear()
    assert Phone(first, ada).card["passTypeIdentifier"] == "pass.own"
    assert len(first.runtime.apple_certificates) == 2
    assert wallets(first)["apple"]["certificate_expires_at"] > "2030"


def test_figures_for_alarms_are_lines_that_cloudwatch_reads(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    from chalicelib.events.time import on_hour
    from chalicelib.events.wallet import on_wallet

    on_hour()
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["AppleCertificateDays"] > 3000
    about = line["_aws"]["CloudWatchMetrics"][0]
    assert (about["Namespace"], about["Metrics"]) == (
        "Regulars",
        [{"Name": "AppleCertificateDays"}],
    )
    ada = shop.enrol()
    Phone(shop, ada).register()
    shop.order(ada, "1", drink())
    refused = PushResult("token1", PushOutcome.REFUSED, "BadCertificate")
    shop.runtime._push_services["apple"] = Pushes(outcomes={"token1": refused})
    shop.runtime._settings = replace(shop.runtime._settings, apns_host="localhost")
    body = json.dumps({"program_id": shop.program_id, "member_id": ada})
    answer = on_wallet({"Records": [{"messageId": "1", "body": body}]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["PushRefused"] == 1
