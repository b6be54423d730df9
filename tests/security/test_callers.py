"""Every route x every caller: who is not named is refused, and nobody sees another's things."""

import base64
import json
import re
from typing import Any

import jwt
import pytest

from app import app
from chalicelib.api.endpoints import Route
from chalicelib.domain.access.callers import Role
from chalicelib.kernel.clock import SECOND, from_rfc3339
from tests.fakes.receiver import Receiver, add_endpoint
from tests.fakes.shop import START, Shop, drink, invoke

PRIVATE = [route for route in app.operations if route.callers]
PUBLIC_NAMES = {
    "receive",
    "receive_order",
    "receive_message",
    "show_page",
    "fetch_apple",
    "save_to_google",
    "register",
    "unregister",
    "list_changed",
    "send_pass",
    "log",
    "health",
    "openapi",
    "docs",
    "show_form",
    "follow_link",
    "show_till",
    "till_script",
    "send_form",
    "show_poster",
    "hear_google",
    "draw_stamps",
}


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def path_of(route: Route, **parameters: str) -> str:
    path = route.path
    for parameter in re.findall(r"{(\w+)}", path):
        path = path.replace("{" + parameter + "}", parameters.get(parameter, "1"))
    return path


def token(shop: Shop, member_id: str) -> str:
    return str(shop.call("POST", f"/v1/members/{member_id}/tokens").json["token"])


def credentials(shop: Shop, member_id: str) -> dict[Role, str]:
    made = shop.call("POST", "/v1/keys", {"kind": "publishable", "name": "page"})
    return {
        Role.SECRET_KEY: shop.key,
        Role.PUBLISHABLE_KEY: made.json["secret"],
        Role.MEMBER: token(shop, member_id),
    }


def test_the_public_routes_are_these_and_no_others() -> None:
    assert {route.name for route in app.operations if not route.callers} == PUBLIC_NAMES


@pytest.mark.parametrize("route", PRIVATE, ids=name)
def test_a_stranger_is_refused_everywhere(coffee: Shop, route: Route) -> None:
    for credential in (None, "rk_test_made_up", "pk_made_up", "a.b.c", "ключ"):
        reply = coffee.call(route.method, path_of(route), key=credential)
        assert (reply.status, reply.code) == (401, "unauthorized")
        assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("route", PRIVATE, ids=name)
def test_every_caller_may_do_what_the_route_says_and_nothing_else(
    coffee: Shop, route: Route
) -> None:
    ada = coffee.enrol(external_id="ada")
    for role, credential in credentials(coffee, ada).items():
        reply = coffee.call(route.method, path_of(route, member_id=ada), key=credential)
        if role in route.callers:
            assert reply.status not in (401, 403, 500), reply.raw
        else:
            assert (reply.status, reply.code) == (403, "forbidden")


@pytest.mark.parametrize("route", [one for one in PRIVATE if "member_id" in one.path], ids=name)
def test_a_members_token_opens_nothing_of_another_member(coffee: Shop, route: Route) -> None:
    ada, bob = coffee.enrol(external_id="ada"), coffee.enrol(external_id="bob")
    reply = coffee.call(route.method, path_of(route, member_id=bob), key=token(coffee, ada))
    assert reply.status == (404 if Role.MEMBER in route.callers else 403)


def test_fault_36_another_programs_things_are_not_there(coffee: Shop) -> None:
    ada = coffee.enrol(external_id="ada")
    coffee.order(ada, "1", drink())
    coffee.runtime.webhook_sender = Receiver(coffee.clock)
    hook = f"/v1/webhook_endpoints/{add_endpoint(coffee).id}"
    sent = coffee.call("POST", f"{hook}/test").json["id"]
    wish = {"kind": "members", "format": "csv"}
    imported = coffee.call("POST", "/v1/imports", wish).json["id"]
    exported = coffee.call("POST", "/v1/exports", {}).json["id"]
    other = Shop(coffee.runtime.context.store)
    other.publish("coffee_stamps")
    key_id = coffee.call("GET", "/v1/keys").json["data"][0]["id"]
    for method, path, body in (
        ("GET", f"/v1/members/{ada}", None),
        ("PATCH", f"/v1/members/{ada}", {"given_name": "Eve"}),
        ("GET", f"/v1/members/{ada}/account", None),
        ("GET", f"/v1/members/{ada}/entries", None),
        ("GET", f"/v1/members/{ada}/passes", None),
        ("POST", f"/v1/members/{ada}/tokens", None),
        ("POST", "/v1/orders/till/1/confirm", None),
        ("POST", f"/v1/keys/{key_id}/rotate", {"generation": 1}),
        ("POST", f"/v1/keys/{key_id}/revoke", None),
        ("GET", f"/v1/imports/{imported}", None),
        ("GET", f"/v1/imports/{imported}/errors", None),
        ("POST", f"/v1/imports/{imported}/start", None),
        ("GET", f"/v1/exports/{exported}", None),
        ("GET", f"{hook}", None),
        ("PATCH", f"{hook}", {"enabled": False}),
        ("DELETE", f"{hook}", None),
        ("POST", f"{hook}/rotate", {"generation": 1}),
        ("POST", f"{hook}/test", None),
        ("GET", f"{hook}/deliveries", None),
        ("POST", f"{hook}/deliveries/{sent}/replay", None),
        ("POST", f"{hook}/replay", {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}),
    ):
        assert other.call(method, path, body).status == 404, path
    assert other.refund("1", "r").status == 202  # an order of its own, that may come yet
    assert other.order(ada, "2", drink()).status == 404
    assert other.redeem(ada, "free_drink", "k").status == 404
    assert other.call("GET", "/v1/members", query={"external_id": "ada"}).json["data"] == []
    assert other.call("GET", "/v1/imports").json["data"] == []
    assert other.call("GET", "/v1/exports").json["data"] == []
    assert coffee.balance(ada, "stamps") == 1


def forged(**changes: Any) -> dict[str, Any]:
    claims = {"aud": "regulars", "sub": "mem_1", "iat": 0, "exp": START // 1000 + 60}
    return {**claims, **changes}


def test_fault_35_a_token_that_is_expired_forged_or_unsigned_is_no_token(coffee: Shop) -> None:
    ada = coffee.enrol(external_id="ada")
    good = token(coffee, ada)
    claims = jwt.decode(good, options={"verify_signature": False})
    key = coffee.runtime.context.keyring.key("member tokens")
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    body = good.split(".")[1]
    bad = {
        "another key": jwt.encode(claims, b"k" * 32, algorithm="HS256"),
        "alg none": f"{header}.{body}.",
        "alg none with our signature": f"{header}.{body}.{good.split('.')[2]}",
        "another algorithm": jwt.encode(claims, key + key, algorithm="HS512"),
        "no expiry": jwt.encode(
            {name: value for name, value in claims.items() if name != "exp"}, key, "HS256"
        ),
        "another audience": jwt.encode({**claims, "aud": "else"}, key, "HS256"),
        "another program": jwt.encode({**claims, "program": "prg_x"}, key, "HS256"),
    }
    for why, text in bad.items():
        assert coffee.call("GET", "/v1/me", key=text).code == "unauthorized", why
    assert coffee.call("GET", "/v1/me", key=good).json["member"]["id"] == ada
    coffee.clock.at += 3_600_000
    assert coffee.call("GET", "/v1/me", key=good).code == "unauthorized"


def test_tokens_go_by_the_real_clock_and_not_by_the_test_clock(coffee: Shop) -> None:
    ada = coffee.enrol(external_id="ada")
    good = token(coffee, ada)
    coffee.call("PUT", "/v1/test_clock", {"now": "2028-01-01T00:00:00Z"})
    assert coffee.call("GET", "/v1/me", key=good).status == 200


def test_a_token_minted_by_a_clock_that_is_ahead_is_good(coffee: Shop) -> None:
    """Two processes, their clocks some seconds apart: the second is asked at once."""
    ada = coffee.enrol()
    coffee.clock.at = from_rfc3339("2099-01-01T00:00:05Z")
    key = token(coffee, ada)
    coffee.clock.at -= 5 * SECOND
    assert coffee.call("GET", "/v1/me", key=key).status == 200


def test_a_revoked_key_is_refused_within_a_minute(coffee: Shop) -> None:
    made = coffee.call("POST", "/v1/keys", {"kind": "secret", "name": "till"}).json
    assert made["secret"].startswith("rk_test_")
    assert coffee.call("GET", "/v1/keys", key=made["secret"]).status == 200
    assert coffee.call("POST", f"/v1/keys/{made['id']}/revoke").json["revoked_at"]
    coffee.clock.at += 60_000
    assert coffee.call("GET", "/v1/keys", key=made["secret"]).status == 401
    again = coffee.call("POST", f"/v1/keys/{made['id']}/rotate", {"generation": 1})
    assert again.code == "key_revoked"


def test_a_rotated_secret_stays_good_for_a_day(coffee: Shop) -> None:
    made = coffee.call("POST", "/v1/keys", {"kind": "secret", "name": "till"}).json
    path = f"/v1/keys/{made['id']}/rotate"
    rotated = coffee.call("POST", path, {"generation": 1})
    assert rotated.json["generation"] == 2
    repeated = coffee.call("POST", path, {"generation": 1})
    assert (repeated.json["secret"], repeated.headers["idempotent-replayed"]) == (None, "true")
    for secret in (made["secret"], rotated.json["secret"]):
        assert coffee.call("GET", "/v1/keys", key=secret).status == 200
    coffee.clock.at += 24 * 3_600_000
    assert coffee.call("GET", "/v1/keys", key=made["secret"]).status == 401
    assert coffee.call("GET", "/v1/keys", key=rotated.json["secret"]).status == 200
    assert coffee.call("POST", path, {"generation": 9}).code == "wrong_generation"


def test_no_secret_is_ever_stored_or_listed(coffee: Shop) -> None:
    made = coffee.call("POST", "/v1/keys", {"kind": "secret", "name": "till"}).json
    listed = coffee.call("GET", "/v1/keys")
    assert made["secret"] not in listed.raw.decode()
    assert made["secret"] not in repr(coffee.runtime.context.store.keys.get(made["id"]))


def test_making_a_key_twice_makes_one_and_shows_its_secret_once(coffee: Shop) -> None:
    body = {"kind": "secret", "name": "till"}
    headers = {"idempotency-key": "once"}
    first = coffee.call("POST", "/v1/keys", body, headers=headers)
    again = coffee.call("POST", "/v1/keys", body, headers=headers)
    assert again.json == {**first.json, "secret": None}
    other = coffee.call("POST", "/v1/keys", {**body, "name": "else"}, headers=headers)
    assert other.code == "different_request"


def test_a_publishable_key_learns_nothing_of_who_is_a_member(coffee: Shop) -> None:
    made = coffee.call("POST", "/v1/keys", {"kind": "publishable", "name": "page"}).json
    coffee.enrol(email="ada@example.com")
    answers = [
        coffee.call("POST", "/v1/members", {"email": email, "given_name": "x"}, key=made["secret"])
        for email in ("ada@example.com", "new@example.com", "new@example.com")
    ]
    assert {(one.status, one.raw) for one in answers} == {(202, b'{"status":"accepted"}')}
    assert len({tuple(sorted(one.headers.items())) for one in answers}) == 1
    found = coffee.call("GET", "/v1/members", query={"email": "NEW@example.com"})
    assert len(found.json["data"]) == 1


def test_a_publishable_key_is_good_on_its_pages_only(coffee: Shop) -> None:
    made = coffee.call(
        "POST",
        "/v1/keys",
        {"kind": "publishable", "name": "page", "origins": ["https://shop.example"]},
    ).json
    path = "/v1/programs/current"
    for origin, status in (("https://shop.example", 200), ("https://evil.example", 403)):
        reply = coffee.call("GET", path, key=made["secret"], headers={"origin": origin})
        assert reply.status == status
    assert coffee.call("GET", path, key=made["secret"]).status == 403


def test_strangers_are_slowed_down(coffee: Shop) -> None:
    statuses = [coffee.call("GET", "/p/a.b.c", key=None).status for _ in range(61)]
    assert statuses == [404] * 60 + [429]
    coffee.clock.at += 60_000
    assert coffee.call("GET", "/p/a.b.c", key=None).status == 404


def test_chalices_own_errors_are_problems_too(coffee: Shop) -> None:
    reply = coffee.call("POST", "/v1/orders", "x", headers={"content-type": "text/plain"})
    assert (reply.status, reply.code) == (415, "unsupported_media_type")
    reply = invoke(app, "DELETE", "/v1/orders", "", {}, {})
    assert (reply.status, reply.code) == (405, "method_not_allowed")


def test_a_fault_tells_nothing_of_our_insides(
    coffee: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the password is tiger")

    monkeypatch.setattr(coffee.runtime.context.store.ledger, "head", broken)
    reply = coffee.call("GET", f"/v1/members/{'m'}/account")
    assert (reply.status, reply.code) == (500, "internal_error")
    assert b"tiger" not in reply.raw
    assert coffee.key not in caplog.text


def test_what_is_sent_is_json_with_the_right_headers(coffee: Shop) -> None:
    reply = coffee.call("GET", "/v1/health", key=None)
    assert json.loads(reply.raw)["status"] == "ok"
    assert reply.headers["cache-control"] == "no-store"
