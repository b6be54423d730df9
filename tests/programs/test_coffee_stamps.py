"""The stamp card, played over the API."""

from tests.fakes.shop import Shop, drink, goods


def test_eight_drinks_are_a_free_one(coffee: Shop) -> None:
    ada = coffee.enrol(external_id="ada")
    for number in range(7):
        assert coffee.order(ada, str(number), drink()).status == 201
    assert coffee.redeem(ada, "free_drink", "too-early").code == "insufficient_balance"
    coffee.order(ada, "7", drink())
    account = coffee.call("GET", f"/v1/members/{ada}/account").json
    assert account["stamps"] == {"stamps": {"collected": 8, "goal": 8}}

    redeemed = coffee.redeem(ada, "free_drink", "now")
    assert redeemed.status == 201
    assert redeemed.json["effects"] == [
        {
            "currency": "stamps",
            "amount": -8,
            "state": "available",
            "rule": None,
            "why": "1 x A free drink",
        }
    ]
    assert coffee.balance(ada, "stamps") == 0


def test_cake_and_the_free_drink_itself_earn_nothing(coffee: Shop) -> None:
    ada = coffee.enrol(external_id="ada")
    reply = coffee.order(
        ada, "1", drink(2), goods(420, categories=["cakes"]), drink(price=0, labels=["free"])
    )
    assert [effect["amount"] for effect in reply.json["effects"]] == [2]


def test_a_redemption_is_taken_once_for_ever(coffee: Shop) -> None:
    ada = coffee.enrol(external_id="ada")
    coffee.order(ada, "1", drink(16))
    first = coffee.redeem(ada, "free_drink", "till-7")
    again = coffee.redeem(ada, "free_drink", "till-7")
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert coffee.balance(ada, "stamps") == 8
    assert coffee.redeem(ada, "free_drink", "till-7", quantity=2).code == "different_request"


def test_a_refund_after_the_stamps_were_spent_is_debt_that_the_next_drink_pays(
    coffee: Shop,
) -> None:
    ada = coffee.enrol(external_id="ada")
    coffee.order(ada, "1", drink(9))
    coffee.redeem(ada, "free_drink", "now")
    refund = coffee.refund("1", "r1", lines=[{"id": "1", "quantity": 3}])
    assert refund.json["balances"]["stamps"] == {
        "available": 0,
        "pending": 0,
        "reserved": 0,
        "debt": 2,
    }
    assert coffee.order(ada, "2", drink(5)).json["balances"]["stamps"]["available"] == 3


def test_the_card_of_a_new_version_keeps_earlier_stamps(coffee: Shop) -> None:
    ada = coffee.enrol(external_id="ada")
    coffee.order(ada, "1", drink(8))
    document = (
        coffee.call("GET", "/v1/programs/1")
        .raw.replace(b'"goal":8', b'"goal":10')
        .replace(b'"amount":8', b'"amount":10')
    )
    import json

    published = coffee.call("POST", "/v1/programs", json.loads(document)["document"])
    assert published.json["version"] == 2
    assert coffee.balance(ada, "stamps") == 8
    assert coffee.redeem(ada, "free_drink", "now").code == "insufficient_balance"
    coffee.order(ada, "2", drink(2))
    assert coffee.redeem(ada, "free_drink", "later").status == 201
