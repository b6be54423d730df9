"""The package, deployed on the local cloud, plays the main story from order to second fetch."""

import json
import threading
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from infra.package import ROOT
from local.client import Client
from local.demo import Phone, face
from local.seed import Demo, lines_of, load, order, seed
from tests.e2e.conftest import Deployment

WITHIN_SECONDS = 60
HOUR_HAS_COME = {  # as EventBridge says it ("Scheduled events")
    "version": "0",
    "id": "1",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-23T12:00:00Z",
    "region": "eu-west-1",
    "resources": [],
    "detail": {},
}


@pytest.fixture(scope="module")
def demo(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("seed")
    demo = seed(deployment.base_url, deployment.invoke_operator, folder)
    assert len([line for line in lines_of(demo) if line.startswith("  curl ")]) == 3
    assert load(folder) == demo
    return demo


@pytest.fixture(scope="module")
def shop(demo: Demo) -> Client:
    return Client(demo.base_url, demo.secret_key)


def until(holds: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + WITHIN_SECONDS
    while not holds():
        assert time.monotonic() < ends, f"{what} did not happen within {WITHIN_SECONDS} s"
        time.sleep(0.1)


def test_an_order_becomes_stamps_and_the_card_in_the_phone_changes(
    deployment: Deployment, demo: Demo, shop: Client
) -> None:
    member = shop.do("POST", "/v1/members", {"external_id": "e2e", "given_name": "Mary"})
    member_id = member["id"]
    links = shop.do("GET", f"/v1/members/{member_id}/passes")
    phone = Phone(shop, deployment.apns_folder / "pushes.jsonl")
    assert "Stamps: 0 / 8" in face(phone.add(links["apple"]))
    google = shop.call("GET", links["google"])
    assert google.status == 302
    assert google.headers["location"].startswith("https://pay.google.com/gp/v/save/")

    paid = shop.call("POST", "/v1/orders", order(member_id, "e2e-1", 9))
    assert paid.status == 201, paid.raw
    phone.wait_for_push(0)
    before = phone.modified
    assert "Stamps: 9 / 8" in face(phone.update())
    assert phone.modified != before
    assert phone.fetch().status == 304

    redeemed = shop.do(
        "POST",
        f"/v1/members/{member_id}/redemptions",
        {"reward": "free_drink"},
        Idempotency_Key="e2e",
    )
    assert redeemed["balances"]["stamps"]["available"] == 1
    phone.wait_for_push(1)
    assert "Stamps: 1 / 8" in face(phone.update())

    refund = {"id": "r1", "lines": [{"id": "1", "quantity": 1}], "reason": "cold"}
    taken = shop.do("POST", "/v1/orders/webshop/e2e-1/refunds", refund)
    assert [effect["amount"] for effect in taken["effects"]] == [-1]
    phone.wait_for_push(2)
    assert "Stamps: 0 / 8" in face(phone.update())

    def google_shows_it() -> bool:
        files = (deployment.google_folder / "loyaltyObject").glob(f"*{member_id}*")
        shown = [json.loads(file.read_text())["loyaltyPoints"]["balance"] for file in files]
        return shown == [{"string": "0 / 8"}]

    until(google_shows_it, "Google's object")


def test_google_hears_of_a_saved_pass_and_is_sent_a_message(
    deployment: Deployment, shop: Client
) -> None:
    member_id = shop.do("POST", "/v1/members", {"given_name": "Grace"})["id"]
    links = shop.do("GET", f"/v1/members/{member_id}/passes")
    assert shop.call("GET", links["google"]).status == 302
    (file,) = (deployment.google_folder / "loyaltyObject").glob(f"*.{member_id}.json")
    account = json.loads((deployment.google_folder / "service_account.json").read_text())
    google = Client(account["token_uri"].removesuffix("/token"))
    saved = google.do("POST", "/_local/save", {"objectId": file.stem})
    assert saved == {"answered": 200}
    assert shop.do("GET", "/v1/wallets")["google"]["active"] == 1
    message = {"id": "hello", "header": "For you", "body": "A cake waits here.", "notify": True}
    sent = shop.do("POST", f"/v1/members/{member_id}/passes/messages", message)
    assert (sent["apple"], sent["google"]) == ("none", "alert")
    until(lambda: "A cake waits here." in file.read_text(), "the message at Google")
    assert google.do("POST", "/_local/delete", {"objectId": file.stem}) == {"answered": 200}
    assert shop.do("GET", "/v1/wallets")["google"]["active"] == 0


def test_a_store_sends_a_signed_order_through_the_gateway(demo: Demo, shop: Client) -> None:
    from datetime import UTC, datetime

    from standardwebhooks.webhooks import Webhook

    data = order(demo.member_id, "signed-1", 1)
    body = json.dumps(
        {"type": "order.paid", "data": {k: v for k, v in data.items() if k != "source"}}
    )
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(demo.webhook_secret).sign("msg_1", now, body),
    }
    stranger = Client(demo.base_url)
    for replayed in (None, "true"):
        reply = stranger.call("POST", "/v1/webhooks/orders/webshop", body.encode(), headers)
        assert reply.status == 200, reply.raw
        assert reply.headers.get("idempotent-replayed") == replayed
    forged = {**headers, "webhook-signature": "v1,AAAA"}
    assert stranger.call("POST", "/v1/webhooks/orders/webshop", body.encode(), forged).status == 401


def test_what_nobody_may_call_and_what_is_not_there_are_problems(demo: Demo, shop: Client) -> None:
    for client, path, status in (
        (Client(demo.base_url), "/v1/keys", 401),
        (Client(demo.base_url, "rk_test_forged"), "/v1/keys", 401),
        (shop, "/v1/members/mem_nobody", 404),
        (shop, "/v1/nothing", 404),
    ):
        reply = client.call("GET", path)
        assert reply.status == status, reply.raw
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["code"]


def test_a_new_version_and_the_test_clock_take_effect_at_once(deployment: Deployment) -> None:
    made = deployment.invoke_operator({"action": "create_program", "name": "P", "mode": "test"})
    shop = Client(deployment.base_url, made["secret_key"])
    text = (ROOT / "programs" / "points.yaml").read_bytes()
    version: Any = shop.do("POST", "/v1/programs", text, Content_Type="application/yaml")
    assert version["version"] == 1
    shop.do("PUT", "/v1/test_clock", {"now": "2030-01-01T00:00:00Z"})
    member = shop.do("POST", "/v1/members", {"given_name": "Ada"})
    assert member["joined_at"] == "2030-01-01T00:00:00Z"
    broken = shop.call(
        "POST", "/v1/programs", text.replace(b"EUR", b"EURO"), {"Content-Type": "application/yaml"}
    )
    assert broken.status == 422
    assert [one["line"] for one in broken.json["errors"]] == [4]


def test_the_operator_alone_makes_programs(deployment: Deployment) -> None:
    assert "error" in deployment.invoke_operator({"action": "drop_everything"})
    assert "error" in deployment.invoke_operator({"action": "create_key", "program_id": "prg_x"})


def live_shop(deployment: Deployment) -> Client:
    made = deployment.invoke_operator({"action": "create_program", "name": "L", "mode": "live"})
    shop = Client(deployment.base_url, made["secret_key"])
    text = (ROOT / "programs" / "coffee_stamps.yaml").read_bytes()
    shop.do("POST", "/v1/programs", text, Content_Type="application/yaml")
    return shop


def test_what_time_brings_is_written_down_by_the_hour_and_its_queue(
    deployment: Deployment,
) -> None:
    shop = live_shop(deployment)
    member_id = shop.do("POST", "/v1/members", {"external_id": "due"})["id"]
    shop.do("POST", "/v1/orders", order(member_id, "due-1", 9))
    path = f"/v1/members/{member_id}"
    reserve = {"currency": "stamps", "amount": 2, "expires_in_seconds": 10}
    made = shop.do("POST", path + "/reservations", reserve, Idempotency_Key="due")
    assert made["balances"]["stamps"] == {
        "available": 7,
        "pending": 0,
        "reserved": 2,
        "debt": 0,
    }

    def newest() -> str:
        return str(shop.do("GET", path + "/entries?limit=1")["data"][0]["kind"])

    def released() -> bool:
        done = deployment.cloud.client("lambda").invoke(
            FunctionName=deployment.names["OnHour"], Payload=json.dumps(HOUR_HAS_COME)
        )
        assert "FunctionError" not in done, done["Payload"].read()
        return newest() == "released"

    assert newest() == "reserved"
    until(released, "the release of the reservation")
    assert shop.do("GET", path + "/verify")["valid"]


def test_an_erased_person_is_in_no_table_no_queue_no_log_and_no_wallet(
    deployment: Deployment,
) -> None:
    shop = live_shop(deployment)
    planted = "xplantedx"
    fields = {"external_id": planted, "given_name": planted, "email": f"{planted}@example.com"}
    member_id = shop.do("POST", "/v1/members", fields)["id"]
    path = f"/v1/members/{member_id}"
    assert shop.call("GET", shop.do("GET", path + "/passes")["google"]).status == 302
    bought = order(member_id, "erase-1", 3)
    bought["lines"][0]["name"] = f"for {planted}"
    shop.do("POST", "/v1/orders", bought)
    refund = {"id": "r1", "amount": 1, "reason": f"{planted} was ill"}
    shop.do("POST", "/v1/orders/webshop/erase-1/refunds", refund)
    adjustment = {"currency": "stamps", "amount": 1, "reason": planted}
    shop.do("POST", path + "/adjustments", adjustment, Idempotency_Key="e")
    shop.do("PATCH", path, {"family_name": planted})

    def google_has_it() -> bool:
        files = [file for file in deployment.google_folder.rglob("*") if file.is_file()]
        return any(planted in file.read_text() for file in files)

    assert planted in everything_in_tables(deployment)
    assert google_has_it()
    assert shop.do("DELETE", path)["standing"] == "erased"
    until(lambda: not google_has_it(), "the emptying of Google's object")
    until(lambda: messages_left(deployment) == 0, "the work of the queues")
    assert planted not in everything_in_tables(deployment)
    assert planted not in logs_of(deployment)


def test_what_happens_is_told_to_other_systems_and_told_again_where_they_were_down(
    deployment: Deployment,
) -> None:
    shop = live_shop(deployment)
    came: list[tuple[dict[str, str], str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(500 if len(came) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        asked = {
            "url": f"http://127.0.0.1:{server.server_port}/hooks",
            "event_types": ["order.*"],
        }
        hook = shop.do("POST", "/v1/webhook_endpoints", asked)
        member_id = shop.do("POST", "/v1/members", {"external_id": "hooked"})["id"]
        made = shop.do("POST", "/v1/orders", order(member_id, "hook-1", 3))
        until(lambda: len(came) >= 2, "the second try of a webhook")
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
    assert {headers["webhook-id"] for headers, _ in came} == {made["entry"]["event_id"]}
    for headers, body in came:
        event: Any = Webhook(hook["secret"]).verify(body, headers)
        assert event["data"]["balances"] == made["balances"]
    path = f"/v1/webhook_endpoints/{hook['id']}/deliveries"
    until(
        lambda: [one["status"] for one in shop.do("GET", path)["data"]] == ["delivered"],
        "the note of the delivery",
    )


def everything_in_tables(deployment: Deployment) -> str:
    """All items of all tables, unpacked."""
    client = deployment.cloud.client("dynamodb")
    texts = []
    for name in ("Ledger", "Orders", "Records"):
        for page in client.get_paginator("scan").paginate(TableName=deployment.names[name]):
            for item in page["Items"]:
                lines = item.get("lines")
                texts.append(repr(item))
                texts.append(repr(zlib.decompress(lines["B"])) if lines else "")
    return "".join(texts)


def messages_left(deployment: Deployment) -> int:
    client = deployment.cloud.client("sqs")
    kinds = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = 0
    worked = ("Wallet", "Google", "Due", "Webhooks", "Stores")
    for name in (*worked, "Parked", *(f"{one}Dead" for one in worked)):
        found = client.get_queue_attributes(QueueUrl=deployment.names[name], AttributeNames=kinds)
        left += sum(int(found["Attributes"][kind]) for kind in kinds)
    return left


def logs_of(deployment: Deployment) -> str:
    """What all functions have logged."""
    client = deployment.cloud.client("logs")
    texts = []
    for group in client.describe_log_groups()["logGroups"]:
        found = client.filter_log_events(logGroupName=group["logGroupName"])
        texts += [event["message"] for event in found["events"]]
    assert any("POST /v1/members" in text for text in texts)
    return "".join(texts)
