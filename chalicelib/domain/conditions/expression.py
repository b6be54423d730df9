"""The expressions of `when:`: a small typed language, compiled once.

Compare (`== != < <= > >=`), `and or not`, `in`, `+ - *` and `// %` by a literal that is not zero;
whole numbers, texts in quotes, `True` and `False`, lists of literals, and the names below. It is
read by Python's own parser (`ast`), type-checked when the program is published, and compiled to
closures: nothing in it can loop, call, or reach anything.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from chalicelib.domain.conditions.situation import Situation

Expression = Callable[[Situation], Any]
MAX_DEPTH = 20
MAX_NUMBER = 10**12


class Type(Enum):
    """What an expression is."""

    NUMBER = "a number"
    TEXT = "a text"
    TRUTH = "true or false"
    NUMBERS = "a list of numbers"
    TEXTS = "a list of texts"

    @property
    def python(self) -> type:
        """What a value of it is in Python."""
        return {Type.NUMBER: int, Type.TEXT: str, Type.TRUTH: bool}.get(self, frozenset)


_LIST_OF = {Type.NUMBER: Type.NUMBERS, Type.TEXT: Type.TEXTS}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

NAMES: dict[str, tuple[Type, Expression, str]] = {
    "total": (Type.NUMBER, lambda of: of.total, "what is paid for goods, in minor units"),
    "units": (Type.NUMBER, lambda of: of.units, "how many units the order has"),
    "lines": (Type.NUMBER, lambda of: len(of.order.lines) if of.order else 0, "how many lines"),
    "shipping": (
        Type.NUMBER,
        lambda of: of.order.shipping if of.order else 0,
        "what shipping costs, in minor units",
    ),
    "skus": (Type.TEXTS, lambda of: of.skus, "the SKUs of all lines"),
    "categories": (Type.TEXTS, lambda of: of.categories, "the categories of all lines"),
    "labels": (Type.TEXTS, lambda of: of.labels, "the labels of all lines"),
    "channel": (Type.TEXT, lambda of: of.channel, "the order's channel, or an empty text"),
    "store": (Type.TEXT, lambda of: of.store, "the order's store, or an empty text"),
    "nth": (Type.NUMBER, lambda of: of.known.nth, "which of the member's orders it is, from 1 on"),
    "weekday": (Type.TEXT, lambda of: _WEEKDAYS[of.local.weekday()], "mon to sun"),
    "hour": (Type.NUMBER, lambda of: of.local.hour, "0 to 23"),
    "day": (Type.NUMBER, lambda of: of.local.day, "of the month, 1 to 31"),
    "month": (Type.NUMBER, lambda of: of.local.month, "1 to 12"),
    "year": (Type.NUMBER, lambda of: of.local.year, ""),
    "days_since_joining": (
        Type.NUMBER,
        lambda of: (of.day - of.joined_on).days,
        "whole days since the member joined",
    ),
}


class Untyped(ValueError):
    """An expression that is none: the reason."""


def check_expression(text: str, properties: Mapping[str, Type]) -> str | None:
    """Why an expression cannot be used, None where it can."""
    try:
        compile_expression(text, properties)
    except Untyped as reason:
        return str(reason)
    return None


def compile_expression(text: str, properties: Mapping[str, Type]) -> Expression:
    """The expression as a function. Raises `Untyped`."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Untyped("cannot be read as an expression") from error
    found, expression = _Compiler(properties).compile(tree.body, 0)
    if found is not Type.TRUTH:
        raise Untyped(f"is {found.value}, not true or false")
    return expression


_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CALCULATE: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class _Compiler:
    def __init__(self, properties: Mapping[str, Type]) -> None:
        self._properties = properties

    def compile(self, node: ast.expr, depth: int) -> tuple[Type, Expression]:
        """The type of a part of an expression, and the function that it is."""
        if depth > MAX_DEPTH:
            raise Untyped("is nested too deeply")
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise Untyped(f"{ast.unparse(node)} is no part of this language")
        found: tuple[Type, Expression] = method(node, depth + 1)
        return found

    def _constant(self, node: ast.Constant, depth: int) -> tuple[Type, Expression]:  # noqa: ARG002
        value = node.value
        if isinstance(value, bool):
            return Type.TRUTH, lambda _: value
        if isinstance(value, int) and abs(value) <= MAX_NUMBER:
            return Type.NUMBER, lambda _: value
        if isinstance(value, str):
            return Type.TEXT, lambda _: value
        raise Untyped(f"{ast.unparse(node)} is no whole number, text, True or False")

    def _name(self, node: ast.Name, depth: int) -> tuple[Type, Expression]:  # noqa: ARG002
        name = node.id
        if name in self._properties:
            of = self._properties[name]
            default = {Type.NUMBER: 0, Type.TEXT: "", Type.TRUTH: False}[of]
            return of, lambda situation: situation.property(name, default)
        if name not in NAMES:
            known = ", ".join(sorted({*NAMES, *self._properties}))
            raise Untyped(f"{name} is not known; there are {known}")
        found, expression, _ = NAMES[name]
        return found, expression

    def _list(self, node: ast.List, depth: int) -> tuple[Type, Expression]:
        if not node.elts:
            raise Untyped("a list is empty")
        parts = [self.compile(one, depth) for one in node.elts]
        types = {found for found, _ in parts}
        if len(types) > 1 or parts[0][0] not in _LIST_OF:
            raise Untyped(f"{ast.unparse(node)} is no list of numbers or of texts")
        if not all(isinstance(one, ast.Constant) for one in node.elts):
            raise Untyped(f"{ast.unparse(node)} holds more than literals")
        values = frozenset(one.value for one in node.elts if isinstance(one, ast.Constant))
        return _LIST_OF[parts[0][0]], lambda _: values

    _tuple = _list

    def _unaryop(self, node: ast.UnaryOp, depth: int) -> tuple[Type, Expression]:
        found, part = self.compile(node.operand, depth)
        if isinstance(node.op, ast.Not):
            self._must(found is Type.TRUTH, node)
            return Type.TRUTH, lambda of: not part(of)
        self._must(isinstance(node.op, ast.USub) and found is Type.NUMBER, node)
        return Type.NUMBER, lambda of: -part(of)

    def _boolop(self, node: ast.BoolOp, depth: int) -> tuple[Type, Expression]:
        parts = [self.compile(one, depth) for one in node.values]
        self._must(all(found is Type.TRUTH for found, _ in parts), node)
        tests = [part for _, part in parts]
        if isinstance(node.op, ast.And):
            return Type.TRUTH, lambda of: all(test(of) for test in tests)
        return Type.TRUTH, lambda of: any(test(of) for test in tests)

    def _binop(self, node: ast.BinOp, depth: int) -> tuple[Type, Expression]:
        calculate = _CALCULATE.get(type(node.op))
        if calculate is None:
            raise Untyped(f"{ast.unparse(node)}: there are + - * // %")
        (one, left), (other, right) = (
            self.compile(node.left, depth),
            self.compile(node.right, depth),
        )
        self._must(one is Type.NUMBER and other is Type.NUMBER, node)
        if isinstance(node.op, (ast.FloorDiv, ast.Mod)) and not (
            isinstance(node.right, ast.Constant) and node.right.value
        ):
            raise Untyped(f"{ast.unparse(node)}: a divisor is a number that is not zero")
        return Type.NUMBER, lambda of: calculate(left(of), right(of))

    def _compare(self, node: ast.Compare, depth: int) -> tuple[Type, Expression]:
        parts = [self.compile(one, depth) for one in (node.left, *node.comparators)]
        tests = [
            self._comparison(node, sign, left, right)
            for sign, left, right in zip(node.ops, parts, parts[1:], strict=False)
        ]
        if len(tests) == 1:
            return Type.TRUTH, tests[0]
        return Type.TRUTH, lambda of: all(test(of) for test in tests)

    def _comparison(
        self,
        node: ast.Compare,
        sign: ast.cmpop,
        one: tuple[Type, Expression],
        other: tuple[Type, Expression],
    ) -> Expression:
        (left_type, left), (right_type, right) = one, other
        if isinstance(sign, (ast.In, ast.NotIn)):
            self._must(_LIST_OF.get(left_type) is right_type, node)
            if isinstance(sign, ast.In):
                return lambda of: left(of) in right(of)
            return lambda of: left(of) not in right(of)
        compare = _COMPARE.get(type(sign))
        if compare is None:
            raise Untyped(f"{ast.unparse(node)} is no part of this language")
        ordered = not isinstance(sign, (ast.Eq, ast.NotEq))
        same = left_type is right_type and left_type not in _LIST_OF.values()
        self._must(same and not (ordered and left_type is not Type.NUMBER), node)
        return lambda of: compare(left(of), right(of))

    @staticmethod
    def _must(types: bool, node: ast.expr) -> None:
        if not types:
            raise Untyped(f"{ast.unparse(node)} does not type")
