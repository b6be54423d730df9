"""What only one member may have, asked for by many at once."""

from tests.races.corner import Corner, at_once

SPELLINGS = ("ada@example.com", "Ada@Example.com", " ada@example.com", "ADA@EXAMPLE.COM")


def found(corner: Corner, email: str) -> list[str]:
    reply = corner.insist("GET", f"/v1/members?email={email}")
    return [one["id"] for one in reply.json["data"]]


def test_one_email_in_many_spellings_makes_one_member(corner: Corner) -> None:
    replies = at_once(
        lambda number: corner.insist("POST", "/v1/members", {"email": SPELLINGS[number % 4]})
    )
    ids = {reply.json["id"] for reply in replies if reply.status == 201}
    assert len(ids) == 1
    assert {reply.code for reply in replies if reply.status != 201} == {"member_exists"}
    assert found(corner, "ada@example.com") == list(ids)
    assert corner.mistakes(*ids) == []


def test_one_key_enrols_one_member(corner: Corner) -> None:
    body = {"given_name": "Ada", "email": "ada@example.com"}
    replies = at_once(lambda _: corner.insist("POST", "/v1/members", body, "k"))
    assert {reply.status for reply in replies} == {201}
    assert len({reply.raw for reply in replies}) == 1
    assert found(corner, "ada@example.com") == [replies[0].json["id"]]


def test_an_email_that_two_change_to_is_one_members(corner: Corner) -> None:
    pair = [corner.enrol(name) for name in ("ada", "bob")]
    replies = at_once(
        lambda number: corner.insist(
            "PATCH", f"/v1/members/{pair[number % 2]}", {"email": SPELLINGS[0]}
        )
    )
    winners = {reply.json["id"] for reply in replies if reply.status == 200}
    assert len(winners) == 1
    assert {reply.code for reply in replies if reply.status != 200} == {"member_exists"}
    assert found(corner, SPELLINGS[0]) == list(winners)


def test_changes_of_one_member_at_once_are_all_made(corner: Corner) -> None:
    """All of them change to the same e-mail address, and each adds something of its own."""
    fields = ["given_name", "family_name", "birthday", "country", "locale", "phone"]
    values = ["Ada", "Lovelace", "1990-12-10", "GB", "en-GB", "+4915112345678"]
    ada = corner.enrol("ada")

    def change(number: int) -> int:
        body = {"email": "ada@example.com", fields[number]: values[number]}
        return corner.insist("PATCH", f"/v1/members/{ada}", body).status

    assert set(at_once(change, len(fields))) == {200}
    now = corner.insist("GET", f"/v1/members/{ada}").json
    assert [now[field] for field in fields] == values
    assert found(corner, "ada@example.com") == [ada]


def test_an_address_goes_round(corner: Corner) -> None:
    """Who gives it up and who takes it at the same moment: never two, and never nobody's claim."""
    everybody = [corner.enrol(f"m{number}") for number in range(4)]

    def take_and_leave(number: int) -> None:
        path = f"/v1/members/{everybody[number % 4]}"
        for email in ("shared@example.com", None, "shared@example.com"):
            assert corner.insist("PATCH", path, {"email": email}).status in (200, 409)

    at_once(take_and_leave)
    emails = [corner.insist("GET", f"/v1/members/{one}").json["email"] for one in everybody]
    having = [one for one, email in zip(everybody, emails, strict=True) if email]
    assert len(having) <= 1
    assert found(corner, "shared@example.com") == having
