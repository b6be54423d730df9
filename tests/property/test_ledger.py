"""Whatever a shop does, in whatever order: the books stay right.

A random shop sends orders, refunds, redemptions and repeats under changing programs. After every
step the promises of the ledger are checked on what is stored.
"""

import copy
from collections import Counter, defaultdict
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.ledger.account import balance_of
from chalicelib.domain.ledger.entries import FIRST_PREV, UNCOUNTED, Kind, LogKey, decode
from chalicelib.kernel.clock import DAY, local_date
from tests.fakes.shop import Shop

PRICES = st.integers(0, 5_000)
LINES = st.lists(
    st.fixed_dictionaries(
        {
            "quantity": st.integers(1, 4),
            "unit_price": PRICES,
            "categories": st.sampled_from([[], ["drinks"], ["beans"]]),
            "gift_card": st.booleans(),
        }
    ),
    min_size=1,
    max_size=4,
)
RATES = st.fixed_dictionaries(
    {
        "give": st.integers(1, 3),
        "per": st.sampled_from([1, 7, 100, 3000]),
        "rounding": st.just("floor"),
        "carry_remainder": st.booleans(),
        "pending": st.sampled_from([None, {"days": 1}, {"days": 20}]),
    }
)
EXPIRIES = st.sampled_from(
    [
        None,
        {"days": 2},
        {"days": 30, "end_of": "month"},
        {"months": 1, "since": "last_activity"},
    ]
)


def program(rates: list[dict[str, Any]], cost: int, expires: Any) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = [
        {"kind": "per_amount", "basis": {"tax": "included", "shipping": "included"}},
        {"kind": "per_unit", "include": {"categories": ["drinks"]}},
        {"kind": "per_amount", "basis": {"gift_card_payments": "excluded"}},
    ]
    return {
        "name": "Any",
        "time_zone": "UTC",
        "money": "EUR",
        "currencies": {"points": {"label": "Points", "expires": expires}},
        "earn": [
            {"id": f"rule_{index}", "currency": "points", **kind, **rate}
            for index, (kind, rate) in enumerate(zip(kinds, rates, strict=True))
        ],
        "rewards": [
            {
                "id": "mug",
                "kind": "product",
                "name": "Mug",
                "cost": {"currency": "points", "amount": cost},
            }
        ],
    }


class Books(RuleBasedStateMachine):
    """The API on the twin, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(memory_store())
        self.orders: dict[str, dict[str, Any]] = {}
        self.refunds: Counter[str] = Counter()
        self.adjustments = 0
        self.replies: dict[str, tuple[Any, Any]] = {}

    @initialize(rates=st.tuples(RATES, RATES, RATES), cost=st.integers(1, 50), expires=EXPIRIES)
    def open(self, rates: Any, cost: int, expires: Any) -> None:
        self.change_the_program(rates, cost, expires)
        self.member = self.shop.enrol()

    @rule(rates=st.tuples(RATES, RATES, RATES), cost=st.integers(1, 50), expires=EXPIRIES)
    def change_the_program(self, rates: Any, cost: int, expires: Any) -> None:
        document = program(list(rates), cost, expires)
        assert self.shop.call("POST", "/v1/programs", document).status == 201

    @rule(minutes=st.integers(-60, 600))  # clocks of two machines differ
    def wait(self, minutes: int) -> None:
        self.shop.clock.at += minutes * 60_000

    @rule(days=st.integers(1, 40))
    def wait_long(self, days: int) -> None:
        self.shop.clock.at += days * DAY

    @rule(amount=st.integers(-60, 60).filter(bool), debt=st.booleans())
    def adjust(self, amount: int, debt: bool) -> None:
        self.adjustments += 1
        reply = self.shop.call(
            "POST",
            f"/v1/members/{self.member}/adjustments",
            {"currency": "points", "amount": amount, "reason": "x", "allow_debt": debt},
            headers={"idempotency-key": f"adjust-{self.adjustments}"},
        )
        assert reply.status == 201 or reply.code == "insufficient_balance", reply.raw

    @rule(lines=LINES, shipping=PRICES, tip=PRICES, gift=PRICES)
    def buy(self, lines: Any, shipping: int, tip: int, gift: int) -> None:
        order_id = str(len(self.orders))
        more: dict[str, Any] = {"shipping": shipping, "tip": tip}
        if gift:
            more["paid_with"] = [{"kind": "gift_card", "amount": gift}]
        reply = self.shop.order(self.member, order_id, *copy.deepcopy(lines), **more)
        assert reply.status == 201, reply.raw
        self.orders[order_id] = {"lines": lines, "more": more, "placed": self.shop.clock.at}

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.orders)))
        lines = self.orders[order_id]["lines"]
        index = data.draw(st.integers(0, len(lines) - 1))
        what = data.draw(
            st.one_of(
                st.just({}),
                st.fixed_dictionaries({"amount": st.integers(1, 9_000)}),
                st.fixed_dictionaries(
                    {
                        "lines": st.tuples(
                            st.fixed_dictionaries(
                                {
                                    "id": st.just(str(index + 1)),
                                    "quantity": st.integers(1, lines[index]["quantity"]),
                                }
                            )
                        )
                    }
                ),
            )
        )
        self.refunds[order_id] += 1
        reply = self.shop.refund(order_id, str(self.refunds[order_id]), **what)
        assert reply.status == 201 or reply.code == "refund_exceeds_order", reply.raw

    @rule(quantity=st.integers(1, 3))
    def redeem(self, quantity: int) -> None:
        key = f"key-{len(self.replies)}"
        reply = self.shop.redeem(self.member, "mug", key, quantity)
        assert reply.status == 201 or reply.code == "insufficient_balance", reply.raw
        if reply.status == 201:
            self.replies[key] = (quantity, reply.json)

    @precondition(lambda self: self.replies)
    @rule(data=st.data())
    def repeat_a_redemption(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.replies)))
        quantity, answer = self.replies[key]
        again = self.shop.redeem(self.member, "mug", key, quantity)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json == answer

    @invariant()
    def the_books_are_right(self) -> None:
        if not hasattr(self, "member"):
            return
        context = self.shop.runtime.context
        key = LogKey(self.shop.program_id, self.member)
        log = context.store.ledger.entries(key, None, 10_000)[::-1]
        assert [stored.version for stored in log] == list(range(1, len(log) + 1))
        assert len({stored.ref for stored in log}) == len(log)
        previous, recorded, balance = FIRST_PREV, 0, 0
        for stored in log:
            entry = decode(stored.body)
            assert stored.prev == previous
            assert entry.recorded_at >= recorded
            previous, recorded = stored.hash, entry.recorded_at
            moved = (one.amount for one in entry.effects if one.state not in UNCOUNTED)
            balance += sum(moved)
            held = balance_of(entry.snapshot, 1)
            assert held.owned == balance
            assert not (held.debt and held.available)
            self._nothing_is_overdue(entry)
            assert all(lot.amount > 0 for lot in entry.snapshot.lots)
            assert all(debt.amount > 0 for debt in entry.snapshot.debts)
            assert len(stored.body) < 4096
        self._refunds_are_exact(log)

    def _nothing_is_overdue(self, entry: Any) -> None:
        """Whoever wrote an entry had settled before what time did; an old order may bring more."""
        today = local_date(entry.recorded_at, ZoneInfo("UTC")).toordinal()
        for lot in entry.snapshot.lots:
            brought = any(moved.bucket == lot.bucket and moved.amount > 0 for moved in entry.moves)
            late = (lot.expires_on and lot.expires_on <= today) or (
                lot.pending_until and lot.pending_until <= today
            )
            assert not late or brought or entry.kind in (Kind.EXPIRED, Kind.CONFIRMED)

    def _refunds_are_exact(self, log: Any) -> None:
        """What refunds took never exceeds what was given, and is all of it in the end."""
        given: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        whole = set()
        for stored in log:
            entry = decode(stored.body)
            order_id = stored.ref.partition("#")[0]
            if entry.refunded is not None and entry.refunded.rest:
                whole.add(order_id)
            if entry.kind in (Kind.ORDER, Kind.REFUND):
                for effect in entry.effects:
                    row = given[order_id, effect.rule]
                    sign = 1 if entry.kind == Kind.ORDER else -1
                    row["points"] += effect.amount
                    row["given"] += max(0, effect.amount)
                    row["weight"] += sign * effect.weight
        carrying = self._carrying_rules(log)
        for (order_id, number), row in given.items():
            assert row["weight"] >= 0
            if order_id in whole:
                assert row["weight"] == 0
            if number not in carrying:
                assert 0 <= row["points"] <= row["given"]
                assert order_id not in whole or row["points"] == 0

    def _carrying_rules(self, log: Any) -> set[int]:
        """These give and take whole points only; what is left over evens out over all orders."""
        catalog = self.shop.runtime.context.catalog
        versions = {decode(stored.body).program_version for stored in log}
        programs = [catalog.version(self.shop.program_id, number) for number in versions]
        return {one.number for each in programs for one in each.earn if one.rate.carry_remainder}


Books.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestBooks = Books.TestCase
