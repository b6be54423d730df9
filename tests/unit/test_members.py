"""Members: enrolled once, found by what is theirs alone, changed field by field."""

from typing import Any

import pytest

from tests.fakes.shop import Shop, drink

ADA: dict[str, Any] = {
    "external_id": "ada",
    "email": "Ada@Example.com",
    "phone": "+49 (151) 123-4567",
    "given_name": "Ada",
    "birthday": "1990-02-28",
    "country": "DE",
    "locale": "de-DE",
    "attributes": {"size": "L", "visits": 3, "vegan": True},
    "consents": [{"purpose": "mail", "granted": True, "version": "2026-01"}],
    "terms_version": "7",
}


def test_a_member_is_read_as_he_enrolled(coffee: Shop) -> None:
    made = coffee.call("POST", "/v1/members", ADA)
    assert made.status == 201
    read = coffee.call("GET", f"/v1/members/{made.json['id']}").json
    assert read == made.json
    consent = {"purpose": "mail", "granted": True, "version": "2026-01"}
    assert read["consents"] == [{**consent, "given_at": "2026-11-23T12:00:00Z", "source": "shop"}]
    assert {name: read[name] for name in ADA if name != "consents"} == {
        name: value for name, value in ADA.items() if name != "consents"
    }


@pytest.mark.parametrize(
    "query",
    [
        {"email": "ada@example.COM"},
        {"phone": "+491511234567"},
        {"phone": "+49 151 1234567"},
        {"external_id": "ada"},
    ],
)
def test_a_member_is_found_however_it_is_written(coffee: Shop, query: dict[str, str]) -> None:
    made = coffee.call("POST", "/v1/members", ADA).json
    found = coffee.call("GET", "/v1/members", query=query).json
    assert [one["id"] for one in found["data"]] == [made["id"]]


def test_finding_needs_exactly_one_thing(coffee: Shop) -> None:
    assert coffee.call("GET", "/v1/members").status == 422
    query = {"email": "ada@example.com", "external_id": "ada"}
    assert coffee.call("GET", "/v1/members", query=query).status == 422
    assert coffee.call("GET", "/v1/members", query={"external_id": "ADA"}).json["data"] == []


def test_the_same_enrolment_again_is_the_same_member_even_after_a_change(coffee: Shop) -> None:
    made = coffee.call("POST", "/v1/members", ADA)
    coffee.call("PATCH", f"/v1/members/{made.json['id']}", {"given_name": "Augusta"})
    again = coffee.call("POST", "/v1/members", ADA)
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert (again.json["id"], again.json["given_name"]) == (made.json["id"], "Augusta")
    other = coffee.call("POST", "/v1/members", {**ADA, "given_name": "Eve"})
    assert (other.status, other.code) == (409, "member_exists")


def test_an_idempotency_key_makes_one_member_without_any_identity(coffee: Shop) -> None:
    headers = {"idempotency-key": "form-1"}
    first = coffee.call("POST", "/v1/members", {"given_name": "Ada"}, headers=headers)
    again = coffee.call("POST", "/v1/members", {"given_name": "Ada"}, headers=headers)
    assert again.json == first.json
    other = coffee.call("POST", "/v1/members", {"given_name": "Bob"}, headers=headers)
    assert other.code == "different_request"
    assert coffee.enrol() != coffee.enrol()


def test_only_the_named_fields_change_and_null_empties(coffee: Shop) -> None:
    ada = coffee.call("POST", "/v1/members", ADA).json
    path = f"/v1/members/{ada['id']}"
    changed = coffee.call("PATCH", path, {"given_name": None, "email": "new@example.com"}).json
    assert changed == {**ada, "given_name": None, "email": "new@example.com"}
    assert coffee.call("GET", "/v1/members", query={"email": ADA["email"]}).json["data"] == []
    assert coffee.call("PATCH", path, {}).json == changed
    bob = coffee.enrol(email=ADA["email"])
    taken = coffee.call("PATCH", f"/v1/members/{bob}", {"external_id": "ada"})
    assert (taken.status, taken.code) == (409, "member_exists")
    assert taken.json["errors"][0]["field"] == "external_id"
    assert coffee.call("PATCH", "/v1/members/mem_x", {"given_name": "x"}).status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [({"email": "no"}, "email"), ({"joined_at": "x"}, "joined_at"), ({"phone": "1"}, "phone")],
)
def test_a_bad_change_is_refused(coffee: Shop, body: dict[str, Any], field: str) -> None:
    path = f"/v1/members/{coffee.enrol()}"
    reply = coffee.call("PATCH", path, body)
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, field)


def test_me_is_all_that_an_app_opens_with(coffee: Shop) -> None:
    ada = coffee.enrol(given_name="Ada")
    coffee.order(ada, "1", drink(2))
    token = coffee.call("POST", f"/v1/members/{ada}/tokens").json
    assert token["expires_at"] == "2026-11-23T13:00:00Z"
    me = coffee.call("GET", "/v1/me", key=token["token"]).json
    assert me["member"]["given_name"] == "Ada"
    assert me["account"]["stamps"] == {"stamps": {"collected": 2, "goal": 8}}
    quoted = coffee.call(
        "POST",
        "/v1/quotes",
        {"currency": "EUR", "lines": [{"id": "1", **drink(3)}]},
        key=token["token"],
    )
    assert quoted.json["effects"][0]["amount"] == 3


def test_entries_tell_the_whole_story_with_their_hashes(coffee: Shop) -> None:
    ada = coffee.enrol()
    coffee.order(ada, "1", drink(9))
    coffee.redeem(ada, "free_drink", "k")
    coffee.refund("1", "r", lines=[{"id": "1", "quantity": 1}], reason="it was cold")
    told = coffee.call("GET", f"/v1/members/{ada}/entries").json
    rows = [(one["version"], one["kind"], one["ref"], one["note"]) for one in told["data"]]
    assert rows == [
        (4, "refund", "till:1#refund:r", "it was cold"),
        (3, "redemption", "key:k#redeem", None),
        (2, "order", "till:1#paid", None),
        (1, "enrolled", f"enrol:{ada}#enrolled", None),
    ]
    assert told["next_cursor"] is None
    assert len({one["hash"] for one in told["data"]}) == 4
