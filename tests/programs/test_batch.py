"""Many orders in one call."""

from typing import Any

import pytest

from chalicelib.adapters.memory.store import MemoryOrders
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ports import OrderRecord
from tests.fakes.shop import Reply, Shop, goods


def order(number: int, whose: dict[str, Any], price: int = 1000, **more: Any) -> dict[str, Any]:
    return {
        "source": "till",
        "id": f"o-{number}",
        "currency": "EUR",
        "placed_at": "2026-11-23T10:00:00Z",
        "lines": [{"id": "1", **goods(price)}],
        **whose,
        **more,
    }


def send(shop: Shop, *orders: dict[str, Any]) -> Reply:
    return shop.call("POST", "/v1/orders/batch", {"orders": list(orders)})


def test_each_order_has_the_row_it_would_have_had_alone(points: Shop) -> None:
    ada = points.enrol(email="ada@example.com")
    reply = send(
        points,
        order(1, {"member_id": ada}),
        order(2, {"member": {"email": "ADA@example.com"}}, 250),
        order(3, {"member": {"email": "nobody@example.com"}}),
        order(4, {"member_id": ada}, currency="XXQ"),
        {"id": "o-5"},
        order(6, {"member_id": ada}, source="key"),
        order(1, {"member_id": ada}),
    )
    rows = reply.json["data"]

    assert reply.status == 200
    assert [row["index"] for row in rows] == list(range(7))
    assert [row["status"] for row in rows] == [201, 201, 404, 422, 422, 422, 201]
    assert [row["replayed"] for row in rows] == [False] * 6 + [True]
    assert rows[0]["order"] == rows[6]["order"]
    assert rows[2]["problem"]["code"] == "member_not_found"
    assert rows[4]["problem"]["errors"][0]["field"]
    assert points.balance(ada, "points") == sum(
        effect["amount"] for row in rows[:2] for effect in row["order"]["effects"]
    )


def test_the_same_batch_again_repeats_nothing(points: Shop) -> None:
    members = [points.enrol() for _ in range(20)]
    orders = [order(n, {"member_id": members[n % 20]}) for n in range(100)]
    first = send(points, *orders)
    again = send(points, *orders)

    assert all(row["replayed"] for row in again.json["data"])
    assert [row["order"] for row in again.json["data"]] == [
        row["order"] for row in first.json["data"]
    ]


def test_one_members_orders_are_recorded_in_their_order(points: Shop) -> None:
    members = [points.enrol() for _ in range(5)]
    rows = send(points, *(order(n, {"member_id": members[n % 5]}) for n in range(50))).json["data"]

    for member_id in members:
        mine = [row["order"] for row in rows if row["order"]["member_id"] == member_id]
        assert [one["entry"]["version"] for one in mine] == list(range(2, 12))


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_has_1_to_100_orders(points: Shop, count: int) -> None:
    ada = points.enrol()
    reply = send(points, *(order(n, {"member_id": ada}) for n in range(count)))
    assert (reply.status, reply.code) == (422, "invalid_request")


def test_a_batch_may_be_larger_than_an_order_but_no_order_in_it(points: Shop) -> None:
    ada = points.enrol()
    large = [{"id": str(line), **goods(1), "name": "x" * 480} for line in range(400)]
    too_large = [{"id": str(line), **goods(1), "name": "x" * 480} for line in range(600)]
    reply = send(
        points,
        order(1, {"member_id": ada}, lines=large),
        order(2, {"member_id": ada}, lines=large),
        order(3, {"member_id": ada}, lines=too_large),
    )
    assert [row["status"] for row in reply.json["data"]] == [201, 201, 413]


def test_a_fault_of_one_order_is_told_in_its_row(
    points: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ben = points.enrol(), points.enrol()
    claim = MemoryOrders.claim

    def failing(self: MemoryOrders, record: OrderRecord) -> OrderRecord:
        if record.order.id == "o-2":
            raise Unavailable("throttled")
        return claim(self, record)

    monkeypatch.setattr(MemoryOrders, "claim", failing)
    rows = send(
        points,
        order(1, {"member_id": ada}),
        order(2, {"member_id": ada}),
        order(3, {"member_id": ben}),
    ).json["data"]
    assert [row["status"] for row in rows] == [201, 503, 201]


def test_the_units_of_a_batch_are_those_of_all_its_orders(points: Shop) -> None:
    members = [points.enrol() for _ in range(10)]
    meter = {"regulars-meter": "1"}
    body = {"orders": [order(n, {"member_id": members[n]}) for n in range(10)]}
    reply = points.call("POST", "/v1/orders/batch", body, headers=meter)
    alone = points.call("POST", "/v1/orders", order(99, {"member_id": members[0]}), headers=meter)
    assert int(reply.headers["regulars-write-units"]) == 10 * int(
        alone.headers["regulars-write-units"]
    )
