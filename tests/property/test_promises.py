"""Promises about points that hold for every sequence of calls."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.ledger.account import Head, balance_of
from chalicelib.domain.ledger.entries import Kind, LogKey, decode
from chalicelib.domain.program.expiry import NEVER
from chalicelib.kernel.clock import DAY, local_date
from tests.fakes.shop import Reply, Shop
from tests.property.test_ledger import EXPIRIES, LINES, RATES, program

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
UTC = ZoneInfo("UTC")
PROGRAMS = st.tuples(st.tuples(RATES, RATES, RATES), st.integers(1, 20))


def opened(rates: Sequence[Any], cost: int, expires: Any = None) -> Shop:
    shop = Shop(memory_store())
    publish(shop, rates, cost, expires)
    return shop


def publish(shop: Shop, rates: Sequence[Any], cost: int, expires: Any = None) -> None:
    assert shop.call("POST", "/v1/programs", program(list(rates), cost, expires)).status == 201


def state(shop: Shop, member_id: str) -> Any:
    """The account and what its rules have left over."""
    key = LogKey(shop.program_id, member_id)
    head = shop.runtime.context.store.ledger.head(key, strong=True)
    assert head is not None
    snapshot = head.snapshot
    return (snapshot.lots, snapshot.debts, snapshot.remainders, snapshot.holds)


@SETTINGS
@given(
    before=PROGRAMS,
    edits=st.lists(PROGRAMS, max_size=2),
    first=LINES,
    lines=LINES,
    data=st.data(),
)
def test_fault_24_refunds_in_any_split_after_any_edit_of_the_program_restore_what_was(
    before: Any, edits: Any, first: Any, lines: Any, data: st.DataObject
) -> None:
    shop = opened(*before)
    ada = shop.enrol()
    shop.order(ada, "first", *first)
    was = state(shop, ada)
    assert shop.order(ada, "second", *lines).status == 201
    for number in range(data.draw(st.integers(0, 4))):
        if edits and number == 1:
            publish(shop, *edits[0])
        amount = data.draw(st.integers(1, 3_000))
        index = data.draw(st.integers(1, len(lines)))
        by_line = {"lines": [{"id": str(index), "quantity": 1}]}
        what = by_line if data.draw(st.booleans()) else {"amount": amount}
        shop.refund("second", f"r{number}", **what)
    for edit in edits:
        publish(shop, *edit)
    rest = shop.refund("second", "rest")
    assert rest.status == 201 or rest.code == "refund_exceeds_order"
    assert state(shop, ada) == was


def call(shop: Shop, member_id: str, what: str, body: Any, key: str) -> Reply:
    path = f"/v1/members/{member_id}/{what}"
    return shop.call("POST", path, body, headers={"idempotency-key": key})


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "refund", "redeem", "reserve", "end", "transfer", "merge"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.integers(1, 60),
        LINES,
    ),
    min_size=3,
    max_size=25,
)


class Bazaar:
    """Three members, and all that they did."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.members = [shop.enrol(external_id=name) for name in ("ada", "ben", "eve")]
        self.orders: list[str] = []
        self.redeemed: list[tuple[str, str]] = []
        self.reserved: list[tuple[str, str]] = []
        self.count = 0

    def do(self, what: str, one: int, other: int, amount: int, lines: Any) -> None:
        self.count += 1
        key, shop = f"k{self.count}", self.shop
        member_id, second = self.members[one], self.members[other]
        if what == "buy" and shop.order(member_id, key, *lines).status == 201:
            self.orders.append(key)
        if what == "refund" and self.orders:
            shop.refund(self.orders[amount % len(self.orders)], key, amount=amount * 20)
        if what == "redeem":
            reply = shop.redeem(member_id, "mug", key)
            if reply.status == 201:
                self.redeemed.append((member_id, reply.json["id"]))
        if what == "reserve":
            body = {"currency": "points", "amount": amount}
            reply = call(shop, member_id, "reservations", body, key)
            if reply.status == 201:
                self.reserved.append((member_id, reply.json["id"]))
        if what == "end" and self.reserved:
            self.end(*self.reserved[amount % len(self.reserved)], captured=amount % 3 == 0)
        if what == "transfer" and member_id != second:
            body = {"currency": "points", "amount": amount, "to_member_id": second}
            call(shop, member_id, "transfers", body, key)
        if what == "merge" and member_id != second and self.count % 4 == 0:
            shop.call("POST", f"/v1/members/{member_id}/merge", {"member_id": second})

    def end(self, member_id: str, reservation: str, *, captured: bool) -> None:
        how = "capture" if captured else "void"
        path = f"/v1/members/{member_id}/reservations/{reservation}/{how}"
        reply = self.shop.call("POST", path, {} if captured else None)
        if reply.status == 200 and captured:
            self.redeemed.append((member_id, reply.json["redemption"]))

    def undo(self) -> None:
        """Everything is given back, and every order is cancelled."""
        for member_id, reservation in self.reserved:
            self.end(member_id, reservation, captured=False)
        for member_id, redemption in self.redeemed:
            path = f"/v1/members/{member_id}/redemptions/{redemption}/cancel"
            assert self.shop.call("POST", path).status == 200
        for order_id in self.orders:
            assert self.shop.call("POST", f"/v1/orders/till/{order_id}/cancel").status == 200

    def logs(self) -> list[Any]:
        ledger = self.shop.runtime.context.store.ledger
        keys = (LogKey(self.shop.program_id, one) for one in self.members)
        return [ledger.entries(key, None, 10_000) for key in keys]

    def total(self) -> int:
        """What all members have together, less what they owe."""
        return sum(balance_of(Head.of(log[0]).snapshot, 1).owned for log in self.logs())


WITHOUT_CARRYING = st.tuples(
    *([RATES.map(lambda rate: {**rate, "carry_remainder": False, "pending": None})] * 3)
)


@SETTINGS
@given(rates=WITHOUT_CARRYING, cost=st.integers(1, 20), steps=STEPS)
def test_no_sequence_of_calls_makes_points_from_nothing(rates: Any, cost: int, steps: Any) -> None:
    """Whatever was done: once all is given back, nobody has a point or owes one in sum."""
    bazaar = Bazaar(opened(rates, cost))
    for step in steps:
        bazaar.do(*step)
    bazaar.undo()
    assert bazaar.total() == 0


_SPENDING = (Kind.REDEMPTION, Kind.RESERVED, Kind.TRANSFER_SENT)


@SETTINGS
@given(
    rates=st.tuples(RATES, RATES, RATES),
    cost=st.integers(1, 20),
    expires=EXPIRIES,
    steps=STEPS,
    waits=st.lists(st.sampled_from([0, 1, 7, 30, 400]), min_size=25, max_size=25),
)
def test_no_path_spends_points_that_are_over(
    rates: Any, cost: int, expires: Any, steps: Any, waits: Any
) -> None:
    bazaar = Bazaar(opened(rates, cost, expires))

    for step, hours in zip(steps, waits, strict=False):
        bazaar.shop.clock.at += hours * DAY // 24
        bazaar.do(*step)
    for log in bazaar.logs():
        for entry in (decode(stored.body) for stored in log):
            today = local_date(entry.recorded_at, UTC).toordinal()
            taken = [lot for lot in entry.moves if lot.amount < 0]
            for lot in taken if entry.kind in _SPENDING else ():
                renewed = any(one.amount > 0 for one in entry.moves)
                assert lot.expires_on == NEVER or lot.expires_on > today or renewed
                assert lot.pending_until == 0 or renewed
