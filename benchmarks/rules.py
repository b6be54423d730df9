"""A basket of 20 lines against 200 rules: our engine, and the same rules elsewhere, figures only.

The CPU of one evaluation, warm: as it is done for every order, with a reason for every rule. The
plain Python is what one would write by hand for these very rules, without reasons; zen-engine has
them as expressions. All three must give the same points.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from chalicelib.domain.conditions.situation import Known, Situation
from chalicelib.domain.earning.evaluation import evaluate
from chalicelib.domain.ledger.size import check_size
from chalicelib.domain.orders import Order, OrderLine
from chalicelib.domain.program.checking import check
from chalicelib.domain.program.compiling import compile_program
from chalicelib.domain.program.document import parse
from chalicelib.domain.program.numbers import Numbers
from chalicelib.domain.program.program import Program

RULES, LINES, ROUNDS, CALLS = 200, 20, 7, 100
PLACED_AT = 1_795_435_200_000


def run() -> list[str]:
    """The lines to show."""
    started = time.process_time()
    program = _published()
    published = time.process_time() - started
    basket = _basket()
    plain = {"lines": [_plain(line) for line in basket.lines], "total": sum(basket.goods)}
    zen = _zen()
    ways: dict[str, Callable[[], int]] = {
        "ours": lambda: _ours(program),
        "plain": lambda: _by_hand(plain),
        "zen": lambda: sum(zen(plain).values()),
    }
    points = {name: way() for name, way in ways.items()}
    assert len(set(points.values())) == 1, points
    best = {name: _best(way) for name, way in ways.items()}
    return [
        f"{LINES} lines against {RULES} rules: {best['ours']:.0f} us of CPU (aim < 1000); "
        f"plain Python {best['plain']:.0f} us, zen-engine {best['zen']:.0f} us; "
        f"best of {ROUNDS} x {CALLS}",
        f"publishing {RULES} rules, checked and compiled: {published * 1000:.0f} ms (aim < 1000)",
    ]


def _rules() -> list[dict[str, Any]]:
    """Per amount, of a category each, from a total on; each twentieth by an expression."""
    rules = []
    for number in range(RULES):
        condition: dict[str, Any] = {"min_total": 500 * (number % 50)}
        if number % 20 == 0:
            condition = {"when": f"total >= {500 * (number % 50)} and units > 0"}
        rule = {"id": f"r{number}", "kind": "per_amount", "currency": "points", "per": 100}
        rules.append({**rule, "include": {"categories": [f"c{number % 40}"]}, "if": condition})
    return rules


def _published() -> Program:
    document = parse(
        {
            "name": "Bench",
            "time_zone": "UTC",
            "money": "EUR",
            "currencies": {"points": {"label": "Points"}},
            "earn": _rules(),
        }
    )
    assert not isinstance(document, list)
    numbers = Numbers().extended_by(document)
    assert not check(document)
    assert not check_size(document, numbers)
    return compile_program(document, numbers, 1)


def _basket() -> Order:
    lines = tuple(
        OrderLine(
            str(at), 1 + at % 3, 500 + 37 * at, f"s{at}", None, (f"c{at % 20}", f"c{20 + at % 7}")
        )
        for at in range(LINES)
    )
    return Order("till", "1", "EUR", PLACED_AT, lines)


def _ours(program: Program) -> int:
    """A basket that nothing was worked out of before."""
    situation = Situation(_basket(), program.zone, 0, Known())
    return sum(one.points for one in evaluate(program, situation, {}))


def _plain(line: OrderLine) -> dict[str, Any]:
    return {"categories": list(line.categories), "amount": line.price}


def _by_hand(basket: dict[str, Any]) -> int:
    points = 0
    for number in range(RULES):
        if basket["total"] >= 500 * (number % 50):
            wanted = f"c{number % 40}"
            amounts = (one["amount"] for one in basket["lines"] if wanted in one["categories"])
            points += sum(amounts) // 100
    return points


def _zen() -> Callable[[dict[str, Any]], dict[str, int]]:
    from zen import ZenEngine

    expressions = []
    for number in range(RULES):
        chosen = f"filter(lines, some(#.categories, # == 'c{number % 40}'))"
        amount = f"floor(sum(map({chosen}, #.amount)) / 100)"
        value = f"total >= {500 * (number % 50)} ? {amount} : 0"
        expressions.append({"id": f"r{number}", "key": f"r{number}", "value": value})
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "r", "name": "r", "type": "expressionNode", "content": {"expressions": expressions}},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [
        {"id": "1", "type": "edge", "sourceId": "in", "targetId": "r"},
        {"id": "2", "type": "edge", "sourceId": "r", "targetId": "out"},
    ]
    decision = ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))

    def decide(basket: dict[str, Any]) -> dict[str, int]:
        result: dict[str, int] = decision.evaluate(basket)["result"]
        return result

    return decide


def _best(way: Callable[[], int]) -> float:
    """Microseconds of CPU of one call, in the best round."""
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS):
            way()
        found.append((time.process_time() - started) / CALLS * 1e6)
    return min(found)
