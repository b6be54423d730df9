"""Messages of Stripe that are not, members who are gone, and things of somebody else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.kernel.clock import HOUR, MINUTE, SECOND, to_rfc3339
from chalicelib.services.sweeps import settle_member
from local.stripe_stand_in import SECRET_KEY, WEBHOOK_SECRET, Before, StripeStandIn
from local.stripe_stand_in.webhooks import body_of, signature
from tests.fakes.payments import VISA, PlanShop, visit
from tests.fakes.shop import Reply
from tests.fakes.stripe_account import client_of
from tests.unit.test_units import METER, grow

START = "2027-01-04T10:00:00Z"


@pytest.fixture
def stand_in() -> Iterator[StripeStandIn]:
    with StripeStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def shop(stand_in: StripeStandIn) -> PlanShop:
    return prime(PlanShop(stand_in))


def prime(shop: PlanShop) -> PlanShop:
    shop.set_clock(START)
    assert shop.publish("amazon_prime").status == 201
    return shop


def send(shop: PlanShop, body: bytes, header: str | None) -> Reply:
    headers = {"content-type": "application/json"}
    if header is not None:
        headers["stripe-signature"] = header
    path = f"/v1/webhooks/stripe/{shop.program_id}"
    return shop.call("POST", path, body, key=None, headers=headers)


def message(shop: PlanShop, kind: str = "customer.subscription.updated", **about: Any) -> bytes:
    event = {"id": "evt_1", "object": "event", "type": kind, "data": {"object": about}}
    return json.dumps(event).encode()


def now(shop: PlanShop) -> int:
    return shop.clock.at // SECOND


def bought(shop: PlanShop, member: str, price: str = "monthly") -> None:
    """Paid on the page, and nobody told us."""
    reply = shop.membership(member, "checkout", {"plan": "prime", "price": price})
    assert visit(reply.json["url"], action="pay", card=VISA)[0] == 303


def customer(shop: PlanShop, member: str) -> str:
    billing = shop.runtime.context.store.billings.of(shop.program_id, member)
    assert billing is not None
    return billing.customer_id


def newest(shop: PlanShop, member: str) -> dict[str, Any]:
    [*_, found] = shop.stand_in.world.all("subscription", customer=customer(shop, member))
    return found


def test_who_forges_a_message_is_told_nothing(shop: PlanShop) -> None:
    body = message(shop, object="subscription", id="sub_1")
    good = signature(body, WEBHOOK_SECRET, now(shop))
    stamp, _, mark = good.partition(",v1=")
    early = signature(body, WEBHOOK_SECRET, now(shop) - 301)
    for why, header in {
        "no header": None,
        "empty": "",
        "another secret": signature(body, "whsec_other", now(shop)),
        "another body": signature(body + b" ", WEBHOOK_SECRET, now(shop)),
        "an older scheme": good.replace("v1=", "v0="),
        "no time": f"v1={mark}",
        "another time": f"t={now(shop) - 1},v1={mark}",
        "no number": f"t=now,v1={mark}",
        "no mark": stamp,
        "old": early,
        "old, with a second time": f"{early},t={now(shop)}",
        "old, with a first time": f"t={now(shop)},{early}",
        "future": signature(body, WEBHOOK_SECRET, now(shop) + 301),
        "far": f"t={10**30},v1={mark}",
        "garbage": "=,=,t,=t;v1",
        "letters": f"t={now(shop)},v1=ключ",
        "long": "t=1," * 5000,
    }.items():
        reply = send(shop, body, header)
        assert (reply.status, reply.code) == (401, "unauthorized"), why
    foreign = json.dumps({**json.loads(body), "account": "acct_1"}).encode()
    reply = send(shop, foreign, signature(foreign, WEBHOOK_SECRET, now(shop)))
    assert (reply.status, reply.code) == (401, "unauthorized")
    for at in (now(shop) - 299, now(shop), now(shop) + 299):
        assert send(shop, body, signature(body, WEBHOOK_SECRET, at)).status == 200
    assert send(shop, body, f"{good},v1=00").status == 200  # two marks while a secret is rotated


def test_a_body_that_is_no_event_is_refused(shop: PlanShop) -> None:
    for body in ("", "{", "[]", "null", '"text"', '{"object":"event"}', '{"id":1,"data":[]}', "é"):
        raw = body.encode()
        reply = send(shop, raw, signature(raw, WEBHOOK_SECRET, now(shop)))
        assert (reply.status, reply.code) == (401, "unauthorized"), body


def test_both_secrets_are_good_while_one_takes_the_others_place(stand_in: StripeStandIn) -> None:
    secrets = {"secret_key": SECRET_KEY, "webhook_secrets": ["whsec_new", WEBHOOK_SECRET]}
    shop = PlanShop(stand_in)
    shop.runtime._parameters = {**shop.runtime._parameters, "stripe": json.dumps(secrets)}
    body = message(shop, "product.created", object="product", id="prod_1")
    for secret, status in (("whsec_new", 200), (WEBHOOK_SECRET, 200), ("whsec_old", 401)):
        assert send(shop, body, signature(body, secret, now(shop))).status == status


def test_strangers_who_guess_are_slowed_down(shop: PlanShop) -> None:
    statuses = {send(shop, b"{}", "t=1,v1=00").status for _ in range(61)}
    assert statuses == {401, 429}
    body = message(shop, "product.created", object="product", id="prod_1")
    signed = signature(body, WEBHOOK_SECRET, now(shop))
    assert send(shop, body, signed).status == 200  # Stripe itself is not


def test_a_message_to_a_program_that_is_not_there_or_sells_nothing(shop: PlanShop) -> None:
    body = message(shop, "product.created", object="product", id="prod_1")
    headers = {
        "content-type": "application/json",
        "stripe-signature": signature(body, WEBHOOK_SECRET, now(shop)),
    }
    path = "/v1/webhooks/stripe/prg_other"
    reply = shop.call("POST", path, body.decode(), key=None, headers=headers)
    assert (reply.status, reply.code) == (401, "unauthorized")


def test_what_matters_to_nobody_is_taken_and_counted(
    shop: PlanShop, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("product.created", "payment_intent.succeeded", "never.heard.of", ""):
        body = message(shop, kind, object="thing", id="x_1")
        reply = send(shop, body, signature(body, WEBHOOK_SECRET, now(shop)))
        assert (reply.status, reply.json["status"]) == (200, "ignored")
    assert capsys.readouterr().out.count('"PaymentMessageIgnored": 1') == 4


def test_another_programs_members_are_not_touched(
    shop: PlanShop, stand_in: StripeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two programs with one Stripe account: each is told everything."""
    other = PlanShop(stand_in, shop.runtime.context.store)
    prime(other)
    ada = other.enrol()
    bought(other, ada)
    capsys.readouterr()
    assert {shop.tell(one).json["status"] for one in stand_in.events} == {"ignored"}
    told = capsys.readouterr().out
    assert "PaymentMessageIgnored" in told
    assert "MembershipUnknown" not in told
    assert other.entitled(ada)["state"] is None
    reply = shop.call("POST", "/v1/memberships/reconcile", {})
    while reply.json["next_cursor"]:
        assert reply.json["found"] == []
        cursor = {"cursor": reply.json["next_cursor"]}
        reply = shop.call("POST", "/v1/memberships/reconcile", cursor)
    assert reply.json["found"] == []
    other.hear()
    assert other.entitled(ada)["state"] == "trialing"


def test_a_subscription_of_nobody_is_told_to_a_person(
    shop: PlanShop, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = shop.enrol()
    bought(shop, ada)
    gone = {"metadata": {"regulars_member": "mem_gone"}}
    client_of(shop.stand_in).subscriptions.update(newest(shop, ada)["id"], gone)
    assert set(shop.hear()) == {200}
    assert "MembershipUnknown" in capsys.readouterr().out
    assert shop.entitled(ada)["state"] is None


def test_a_price_in_tiers_of_another_business_stops_nothing(shop: PlanShop) -> None:
    ada = shop.enrol()
    bought(shop, ada)
    price = newest(shop, ada)["items"]["data"][0]["price"]
    price |= {"unit_amount": None, "lookup_key": None}
    assert set(shop.hear()) == {200}
    assert shop.entitled(ada)["state"] is None


def test_stripe_that_cannot_be_reached_has_its_message_come_again(shop: PlanShop) -> None:
    ada = shop.enrol()
    bought(shop, ada)
    [event] = [one for one in shop.stand_in.events if "session.completed" in one["type"]]
    for _ in range(2):  # the library tries twice
        shop.stand_in.fail_next("GET", "/v1/subscriptions/", Before(503))
    reply = shop.tell(event)
    assert (reply.status, reply.code) == (503, "unavailable")
    assert shop.tell(event).status == 200
    assert shop.entitled(ada)["state"] == "trialing"


def test_a_restricted_member_buys_nothing_and_can_still_leave(shop: PlanShop) -> None:
    ada, bob = shop.enrol(), shop.enrol()
    shop.pays(ada, "monthly")
    for member in (ada, bob):
        path = f"/v1/members/{member}/restriction"
        assert shop.call("PUT", path, {"restricted": True}).status == 200
    wish = {"plan": "prime", "price": "monthly"}
    for what in ("checkout", "subscription"):
        assert shop.membership(bob, what, wish).code == "member_restricted"
    assert shop.membership(ada, "preview", {**wish, "price": "yearly"}).code == "member_restricted"
    assert shop.membership(ada, "cancel").status == 200
    assert shop.membership(ada, "cancel", {"when": "now"}).json["membership"]["state"] == "ended"


def erase(shop: PlanShop, member: str) -> Reply:
    return shop.call("DELETE", f"/v1/members/{member}")


def test_the_export_names_the_customer(shop: PlanShop) -> None:
    ada = shop.enrol()
    assert shop.call("GET", f"/v1/members/{ada}/export").json["customers"] == []
    shop.pays(ada, "monthly")
    exported = shop.call("GET", f"/v1/members/{ada}/export").json
    assert exported["customers"] == [{"member_id": ada, "stripe_customer": customer(shop, ada)}]


def test_who_is_erased_is_no_customer_and_pays_no_more(shop: PlanShop) -> None:
    ada, eva = shop.enrol(email="ada@example.com", given_name="Ada"), shop.enrol()
    for member in (eva, ada):
        shop.pays(member, "monthly")
        shop.membership(member, "cancel", {"when": "now"})
    bought(shop, ada)
    assert shop.call("POST", f"/v1/members/{ada}/merge", {"member_id": eva}).status == 200
    customers = [customer(shop, one) for one in (ada, eva)]
    assert erase(shop, ada).status == 200
    world = shop.stand_in.world
    for one in customers:
        assert world.find("customer", one) is None
        assert {sub["status"] for sub in world.all("subscription", customer=one)} == {"canceled"}
    billings = shop.runtime.context.store.billings
    assert billings.of_program(shop.program_id, None, 10) == []
    assert set(shop.hear()) == {200}
    assert erase(shop, ada).status == 200
    wish = {"plan": "prime", "price": "monthly"}
    assert shop.membership(ada, "checkout", wish).code == "member_erased"
    assert billings.of_program(shop.program_id, None, 10) == []


def test_a_customer_whom_stripe_could_not_forget_is_forgotten_an_hour_later(
    shop: PlanShop,
) -> None:
    ada = shop.enrol(email="ada@example.com")
    shop.pays(ada, "monthly")
    cus = customer(shop, ada)
    for _ in range(4):  # each call is made twice
        shop.stand_in.fail_next("DELETE", f"/v1/customers/{cus}", Before(503))
    assert erase(shop, ada).status == 200
    assert shop.call("GET", f"/v1/members/{ada}").status == 404
    assert shop.stand_in.world.find("customer", cus) is not None
    context = shop.runtime.context
    settle_member(context, shop.program_id, ada)  # as the stream has it done
    row = context.store.dues.of(shop.program_id, ada)
    assert row is not None
    later = to_rfc3339(row.at + MINUTE)
    failing = shop.call("PUT", "/v1/test_clock", {"now": later})
    assert failing.status == 503  # and the row stays for the next hour
    assert context.store.dues.of(shop.program_id, ada) == row
    shop.set_clock(to_rfc3339(row.at + HOUR))
    assert shop.stand_in.world.find("customer", cus) is None
    assert context.store.billings.of(shop.program_id, ada) is None
    assert context.store.dues.of(shop.program_id, ada) is None


def test_a_member_acts_for_himself_alone(shop: PlanShop, stand_in: StripeStandIn) -> None:
    ada, bob = shop.enrol(), shop.enrol()
    shop.pays(ada, "monthly")
    token = shop.call("POST", f"/v1/members/{bob}/tokens").json["token"]
    staff = shop.call("POST", "/v1/keys", {"kind": "staff", "name": "till"}).json["secret"]
    other = prime(PlanShop(stand_in, shop.runtime.context.store))
    at = shop.entitled(ada)["at"]
    wish = {"plan": "prime", "price": "yearly"}
    calls: list[tuple[str, str, Any]] = [
        ("GET", "entitlements", None),
        ("GET", "invoices", None),
        ("GET", "membership/refund", None),
        ("POST", "membership/checkout", wish),
        ("POST", "membership/subscription", wish),
        ("POST", "membership/preview", wish),
        ("POST", "membership/change", {**wish, "previewed_at": at}),
        ("POST", "membership/cancel", {"when": "now"}),
        ("POST", "membership/pause", {}),
        ("POST", "membership/resume", None),
        ("POST", "membership/portal", {}),
    ]
    headers = {"idempotency-key": "k"}
    before = len(stand_in.requests)
    for method, what, body in calls:
        path = f"/v1/members/{ada}/{what}"
        for key, status in ((token, 404), (staff, 403), (other.key, 404), (None, 401)):
            reply = shop.call(method, path, body, key=key, headers=headers)
            assert reply.status == status, (what, key, reply.raw)
    use = {"source": "shop", "id": "1", "benefit": "video"}
    for key in (token, staff):
        reply = shop.call("POST", f"/v1/members/{ada}/benefit_uses", use, key=key)
        assert reply.status in (403, 404)
    assert shop.call("POST", "/v1/memberships/reconcile", {}, key=token).status == 403
    assert len(stand_in.requests) == before  # nobody asked Stripe for anything
    own = shop.call("POST", f"/v1/members/{ada}/tokens").json["token"]
    found = shop.call("GET", f"/v1/members/{ada}/entitlements", key=own)
    assert found.json["state"] == "trialing"
    path = f"/v1/members/{ada}/membership/cancel"
    assert shop.call("POST", path, {}, key=own, headers=headers).status == 200


def test_the_entitlement_question_is_one_read_however_long_the_log_is(shop: PlanShop) -> None:
    ada = shop.enrol()
    shop.pays(ada, "monthly")
    path = f"/v1/members/{ada}/entitlements"
    answers = []
    for length in (10, 5_000):
        grow(shop, ada, length)
        asked = len(shop.stand_in.requests)
        reply = shop.call("GET", path, headers=METER)
        answers.append((reply.json, reply.headers["regulars-read-units"]))
        assert float(reply.headers["regulars-read-units"]) <= 1
        assert reply.headers["regulars-write-units"] == "0"
        assert len(shop.stand_in.requests) == asked
    assert answers[0] == answers[1]


def test_no_secret_of_stripe_is_ever_logged(
    shop: PlanShop, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    ada = shop.enrol()
    shop.pays(ada, "monthly")
    for _ in range(2):
        shop.stand_in.fail_next("POST", "/v1/subscriptions/", Before(401))
    assert shop.membership(ada, "cancel").status == 500
    body = body_of(shop.stand_in.events[0])
    send(shop, body, signature(body, "whsec_other", now(shop)))
    told = caplog.text + "".join(capsys.readouterr())
    assert "Stripe refuses us" in told
    for secret in (SECRET_KEY, WEBHOOK_SECRET):
        assert secret not in told
