"""Random programs: what the engine keeps step by step is what a slow recomputation finds.

The oracle below knows nothing of tallies, entries or snapshots. It has the list of all orders and
asks of each question again what it means: which orders of this period are left, what did they
give, what was spent in the window.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.rules import account, document, earned, opened
from tests.fakes.shop import START

CATEGORIES = ("a", "b", "c")
PERIODS = ("order", "day", "month", "lifetime")
START_DAY = datetime.fromtimestamp(START / 1000, UTC).date()


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.just({}),
        st.just({"channels": ["app"]}),
        st.integers(100, 5000).map(lambda total: {"min_total": total}),
        st.just({"tiers": ["gold"]}),
        st.just({"not": {"tiers": ["gold"]}}),
        st.just({"when": "units % 2 == 0 or channel == 'app'"}),
        st.just({"purchase": {"every": 2}}),
    )


@st.composite
def programs(draw: st.DrawFn) -> dict[str, Any]:
    rules = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["per_amount", "per_unit", "per_order"]))
        rule: dict[str, Any] = {"id": f"r{number}", "kind": kind, "give": draw(st.integers(1, 9))}
        if kind != "per_order":
            rule["per"] = draw(st.integers(1, 400 if kind == "per_amount" else 3))
            rule["rounding"] = draw(st.sampled_from(["floor", "half_up", "ceiling"]))
        if draw(st.booleans()):
            rule["include"] = {"categories": [draw(st.sampled_from(CATEGORIES))]}
        condition = draw(conditions())
        if condition:
            rule["if"] = condition
        if draw(st.booleans()):
            rule["caps"] = [
                {"per": draw(st.sampled_from(PERIODS)), "points": draw(st.integers(1, 60))}
            ]
        rule["priority"] = draw(st.integers(0, 2))
        rules.append(rule)
    multipliers = []
    for number in range(draw(st.integers(0, 2))):
        one: dict[str, Any] = {"id": f"m{number}", "currency": "points"}
        one["percent"] = draw(st.sampled_from([50, 150, 200, 300]))
        if draw(st.booleans()):
            one["include"] = {"categories": [draw(st.sampled_from(CATEGORIES))]}
        condition = draw(conditions())
        if condition:
            one["if"] = condition
        multipliers.append(one)
    window = draw(st.sampled_from(["lifetime", "year", "month", {"rolling_days": 30}]))
    return document(
        *rules,
        multipliers=multipliers,
        evaluation={"multipliers": draw(st.sampled_from(["multiply", "add", "best"]))},
        counters={"spend": {"of": "spend", "window": window}},
        tiers={
            "levels": [
                {"id": "base", "label": "Base"},
                {"id": "gold", "label": "Gold", "at_least": {"spend": draw(st.integers(1, 9000))}},
            ]
        },
    )


LINES = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(1, 4), st.sampled_from(CATEGORIES)),
    min_size=1,
    max_size=3,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), LINES, st.sampled_from(["app", "till"])),
        st.tuples(st.just("refund"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.integers(1, 40)),
    ),
    min_size=1,
    max_size=14,
)


@dataclass
class Bought:
    day: date
    lines: list[tuple[int, int, str]]
    channel: str
    gave: dict[str, int] = field(default_factory=dict)
    returned: bool = False

    @property
    def total(self) -> int:
        return sum(price * count for price, count, _ in self.lines)


@dataclass
class Oracle:
    program: dict[str, Any]
    today: date = START_DAY
    orders: list[Bought] = field(default_factory=list)

    def order(self, lines: list[tuple[int, int, str]], channel: str) -> Bought:
        one = Bought(self.today, lines, channel)
        for rule in self.program["earn"]:
            one.gave[rule["id"]] = self._capped(rule, self._points(rule, one))
        self.orders.append(one)
        return one

    @property
    def left(self) -> list[Bought]:
        return [one for one in self.orders if not one.returned]

    @property
    def points(self) -> int:
        return sum(sum(one.gave.values()) for one in self.left)

    @property
    def gold(self) -> bool:
        needed = self.program["tiers"]["levels"][1]["at_least"]["spend"]
        window = self.program["counters"]["spend"]["window"]
        counted = [one for one in self.left if self._within(one.day, window)]
        return sum(one.total for one in counted) >= needed

    def _within(self, day: date, window: Any) -> bool:
        if window == "lifetime":
            return True
        if window == "day":
            return day == self.today
        if window == "month":
            return (day.year, day.month) == (self.today.year, self.today.month)
        if window == "year":
            return day.year == self.today.year
        return (self.today - day).days < window["rolling_days"]

    def _holds(self, condition: dict[str, Any], one: Bought) -> bool:
        units = sum(count for _, count, _ in one.lines)
        match condition:
            case {"channels": names}:
                return one.channel in names
            case {"min_total": total}:
                return one.total >= total
            case {"tiers": _}:
                return self.gold
            case {"not": _}:
                return not self.gold
            case {"when": _}:
                return units % 2 == 0 or one.channel == "app"
            case {"purchase": {"every": every}}:
                return (len(self.left) + 1) % every == 0
        return True

    def _chosen(self, part: dict[str, Any], category: str) -> bool:
        return "include" not in part or category in part["include"]["categories"]

    def _points(self, rule: dict[str, Any], one: Bought) -> int:
        if not self._holds(rule.get("if", {}), one):
            return 0
        chosen = [line for line in one.lines if self._chosen(rule, line[2])]
        if rule["kind"] == "per_order":
            return int(rule["give"]) if chosen else 0
        whole = Fraction(0)
        for price, count, category in chosen:
            weight = price * count if rule["kind"] == "per_amount" else count
            whole += weight * self._factor(one, category)
        exact = whole * rule["give"] / rule["per"]
        rounding = rule.get("rounding")
        if rounding == "ceiling":
            return ceil(exact)
        return floor(exact + Fraction(1, 2)) if rounding == "half_up" else floor(exact)

    def _factor(self, one: Bought, category: str) -> Fraction:
        percents = [
            Fraction(multiplier["percent"], 100)
            for multiplier in self.program["multipliers"]
            if self._chosen(multiplier, category) and self._holds(multiplier.get("if", {}), one)
        ]
        how = self.program["evaluation"]["multipliers"]
        if not percents:
            return Fraction(1)
        if how == "best":
            return max(percents)
        if how == "add":
            return max(Fraction(0), 1 + sum(percent - 1 for percent in percents))
        product = Fraction(1)
        for percent in percents:
            product *= percent
        return product

    def _capped(self, rule: dict[str, Any], points: int) -> int:
        for cap in rule.get("caps", ()):
            per = cap["per"]
            earlier = [one for one in self.left if per != "order" and self._within(one.day, per)]
            used = sum(one.gave[rule["id"]] for one in earlier)
            points = max(0, min(points, cap["points"] - used))
        return points


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), STEPS)
def test_the_engine_agrees_with_a_recomputation(program: dict[str, Any], steps: list[Any]) -> None:
    shop = opened(program)
    member = shop.enrol()
    oracle = Oracle(program)
    for step in steps:
        if step[0] == "wait":
            shop.clock.at += step[1] * 86_400_000
            oracle.today += timedelta(days=step[1])
        elif step[0] == "order":
            lines = [
                {"quantity": count, "unit_price": price, "categories": [category]}
                for price, count, category in step[1]
            ]
            reply = shop.order(member, str(len(oracle.orders)), *lines, channel=step[2])
            assert earned(reply) == sum(oracle.order(step[1], step[2]).gave.values()), step
        elif step[1] < len(oracle.orders) and not oracle.orders[step[1]].returned:
            assert shop.refund(str(step[1]), "all").status == 201
            oracle.orders[step[1]].returned = True
        found = account(shop, member)
        assert found["balances"]["points"]["available"] == oracle.points
        assert found["tier"]["id"] == ("gold" if oracle.gold else "base")
    again = shop.call("GET", f"/v1/members/{member}/verify")
    assert again.json["valid"] is True, again.raw
