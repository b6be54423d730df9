"""Keys with scopes, and the log of who did what."""

from typing import Any

import pytest

from chalicelib.kernel.clock import SECOND
from tests.fakes.shop import Reply, Shop, goods


def scoped(shop: Shop, *scopes: str, key: str = "") -> str:
    reply = shop.call(
        "POST", "/v1/keys", {"kind": "secret", "name": "till", "scopes": list(scopes)}, key=key
    )
    assert reply.status == 201, reply.raw
    assert reply.json["scopes"] == list(scopes)
    return str(reply.json["secret"])


def test_a_key_with_scopes_may_do_what_they_say_and_nothing_else(points: Shop) -> None:
    ada = points.enrol()
    till = scoped(points, "orders:write", "members:read")
    order: dict[str, Any] = {
        "source": "till",
        "id": "1",
        "member_id": ada,
        "currency": "EUR",
        "placed_at": "2026-11-23T10:00:00Z",
        "lines": [{"id": "1", **goods(100)}],
    }
    for method, path, body, status in (
        ("POST", "/v1/orders", order, 201),
        ("GET", f"/v1/members/{ada}", None, 200),
        ("PATCH", f"/v1/members/{ada}", {"given_name": "A"}, 403),
        ("POST", f"/v1/members/{ada}/tokens", None, 403),
        ("DELETE", f"/v1/members/{ada}", None, 403),
        ("POST", "/v1/keys", {"kind": "secret", "name": "more"}, 403),
        ("GET", "/v1/audit_log", None, 403),
    ):
        assert points.call(method, path, body, key=till).status == status, path


def test_who_may_write_may_read(points: Shop) -> None:
    clerk = scoped(points, "members:write")
    ada = points.enrol()
    assert points.call("GET", f"/v1/members/{ada}", key=clerk).status == 200


def make(shop: Shop, key: str, kind: str, **more: Any) -> Reply:
    return shop.call("POST", "/v1/keys", {"kind": kind, "name": "n", **more}, key=key)


def test_a_key_hands_out_no_more_than_it_may_do_itself(points: Shop) -> None:
    porter = scoped(points, "keys:write", "entries:read")
    assert make(points, porter, "secret", scopes=["entries:read"]).status == 201
    for kind, more in (
        ("secret", {}),
        ("secret", {"scopes": ["orders:write"]}),
        ("webhook", {"source": "webshop"}),
        ("publishable", {}),
    ):
        assert make(points, porter, kind, **more).code == "forbidden"
    powerful = make(points, "", "secret").json["id"]
    humble = make(points, "", "secret", scopes=["entries:read"]).json["id"]
    rotate = {"generation": 1}
    for key_id, status in ((powerful, 403), (humble, 200)):
        reply = points.call("POST", f"/v1/keys/{key_id}/rotate", rotate, key=porter)
        assert reply.status == status


@pytest.mark.parametrize("scopes", [["order:write"], ["orders:delete"], ["*"], ["orders"]])
def test_a_scope_that_is_none_is_refused(points: Shop, scopes: list[str]) -> None:
    assert make(points, "", "secret", scopes=scopes).status == 422


def test_only_secret_keys_have_scopes(points: Shop) -> None:
    assert make(points, "", "publishable", scopes=["members:write"]).status == 422


@pytest.fixture
def points(points: Shop) -> Shop:
    """Time goes on from call to call, so that the log has an order."""
    call = points.call

    def later(*args: Any, **options: Any) -> Reply:
        points.clock.at += SECOND
        return call(*args, **options)

    points.call = later  # type: ignore[method-assign]
    points.clock.at += SECOND
    return points


def log(shop: Shop, **query: str) -> list[dict[str, Any]]:
    reply = shop.call("GET", "/v1/audit_log", query=query)
    assert reply.status == 200
    return list(reply.json["data"])


def test_the_audit_log_tells_who_did_what_and_what_it_was_before(points: Shop) -> None:
    ada = points.enrol(given_name="Ada", email="ada@example.com")
    clerk = scoped(points, "members:write", "adjustments:write")
    points.call("PATCH", f"/v1/members/{ada}", {"given_name": "Eda"}, key=clerk)
    gift = {"currency": "points", "amount": 10, "reason": "sorry"}
    points.call(
        "POST",
        f"/v1/members/{ada}/adjustments",
        gift,
        key=clerk,
        headers={"idempotency-key": "k"},
    )
    too_much = {"currency": "points", "amount": -99, "reason": "x"}
    points.call(
        "POST",
        f"/v1/members/{ada}/adjustments",
        too_much,
        key=clerk,
        headers={"idempotency-key": "k2"},
    )
    refused, given, changed, made, *_ = log(points)

    assert (changed["action"], changed["target"]) == ("members.change", f"/v1/members/{ada}")
    assert (changed["before"], changed["after"]) == (
        {"given_name": "Ada"},
        {"given_name": "Eda"},
    )
    assert {changed["key_name"], given["key_name"]} == {"till"}
    assert made["key_name"] == "operator"
    assert made["after"]["scopes"] == ["members:write", "adjustments:write"]
    assert (given["outcome"], given["after"]["amount"], given["after"]["reason"]) == (
        "done",
        10,
        "sorry",
    )
    assert (refused["outcome"], refused["after"]) == ("insufficient_balance", None)


def test_the_audit_log_has_no_secret(points: Shop) -> None:
    secret = scoped(points, "entries:read")
    assert secret not in points.call("GET", "/v1/audit_log").raw.decode()


def test_what_was_begun_and_cut_off_is_in_the_log(
    points: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = points.enrol(given_name="Ada")

    def dies(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("chalicelib.services.members.change", dies)
    points.call("PATCH", f"/v1/members/{ada}", {"given_name": "Eda"})
    assert [log(points)[0][name] for name in ("action", "outcome")] == ["members.change", "begun"]


def test_the_log_comes_in_pages_and_is_the_programs_own(points: Shop) -> None:
    for _ in range(5):
        points.call("POST", "/v1/keys", {"kind": "publishable", "name": "page"})
    seen: list[str] = []
    cursor = None
    while cursor is not None or not seen:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = points.call("GET", "/v1/audit_log", query=query).json
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [row["id"] for row in log(points)]
    assert len(seen) == 6  # and the publication

    stranger = Shop(points.runtime.context.store)
    assert log(stranger) == []


@pytest.mark.parametrize(
    "action",
    [
        "programs.publish",
        "programs.set_test_clock",
        "keys.create",
        "keys.rotate",
        "keys.revoke",
        "members.change",
        "members.merge",
        "consents.give_consents",
        "rights.restrict",
        "rights.erase",
        "adjustments.adjust",
        "transfers.transfer",
        "webhook_endpoints.create",
        "webhook_endpoints.change",
        "webhook_endpoints.remove",
        "webhook_endpoints.rotate",
        "webhook_endpoints.replay_period",
    ],
)
def test_every_operation_of_an_operator_is_logged(action: str) -> None:
    from app import app

    assert action in {f"{one.tag}.{one.name}" for one in app.operations if one.audited}
