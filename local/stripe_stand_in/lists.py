"""Lists, one page at a time ("Pagination"), and the objects that an answer is expanded by."""

import operator
from collections.abc import Callable, Iterable
from typing import Any

from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.shapes import Object, listed, shown
from local.stripe_stand_in.world import World

MOST_ROWS = 100
DEEPEST = 4  # levels ("Expanding responses")
_COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
# Fields that hold an id, and of what. Where the name is the kind itself it is not listed.
_HOLDS = {
    "default_payment_method": "payment_method",
    "latest_invoice": "invoice",
    "latest_charge": "charge",
    "pending_setup_intent": "setup_intent",
    "test_clock": "test_helpers.test_clock",
    "discounts": "discount",
}
# Fields that an object has only when they are asked for ("Includable").
_INCLUDED: dict[tuple[str, str], Callable[[World, str], Any]] = {}


def included(kind: str, field: str) -> Callable[..., Any]:
    """Makes a function of the object's id give a field that is shown only when expanded."""

    def added(function: Callable[[World, str], Any]) -> Callable[[World, str], Any]:
        _INCLUDED[kind, field] = function
        return function

    return added


def within(params: Params, name: str, value: int) -> bool:
    """Whether a time is as `created` or `created[gte]` ... ask."""
    if isinstance(params.tree.get(name), str):
        return value == params.whole(name)
    bounds = params.child(name)
    bounds.refuse_unknown(_COMPARE)
    return all(_COMPARE[how](value, bounds.whole(how) or 0) for how in bounds.tree)


def page(params: Params, url: str, rows: Iterable[Object], param_id: str = "id") -> Object:
    """A page of what `rows` has, given oldest first and shown newest first."""
    found = [row for row in rows if within(params, "created", row.get("created", 0))][::-1]
    limit = params.whole("limit", 1) or 10
    if limit > MOST_ROWS:
        raise invalid(f"This value must be at most {MOST_ROWS}.", "limit")
    ids = [row[param_id] for row in found]
    if after := params.text("starting_after"):
        found = found[_place(ids, after, "starting_after") + 1 :]
        shown_rows, more = found[:limit], len(found) > limit
    elif before := params.text("ending_before"):
        found = found[: _place(ids, before, "ending_before")]
        shown_rows, more = found[-limit:], len(found) > limit
    else:
        shown_rows, more = found[:limit], len(found) > limit
    return listed(url, shown_rows) | {"has_more": more}


def _place(ids: list[str], one: str, param: str) -> int:
    if one not in ids:
        raise invalid(f"No such object: '{one}'", param, "resource_missing")
    return ids.index(one)


def expanded(world: World, answer: Object, params: Params) -> Object:
    """A copy of the answer with what `expand` asks for in the place of ids."""
    copy: Object = shown(answer)
    for path in params.texts("expand"):
        steps = path.split(".")
        if len([step for step in steps if step != "data"]) > DEEPEST:
            raise invalid(f"You cannot expand more than {DEEPEST} levels.", "expand")
        _expand(world, copy, steps, path)
    return copy


def _expand(world: World, thing: Any, steps: list[str], path: str) -> None:
    if isinstance(thing, list):
        for row in thing:
            _expand(world, row, steps, path)
        return
    if not steps or not isinstance(thing, dict):
        return
    name, rest = steps[0], steps[1:]
    include = _INCLUDED.get((thing.get("object", ""), name))
    if include and name not in thing:
        thing[name] = shown(include(world, thing["id"]))
    if name not in thing:
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    thing[name] = _resolved(world, name, thing[name])
    _expand(world, thing[name], rest, path)


def _resolved(world: World, name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_resolved(world, name, row) for row in value]
    if not isinstance(value, str):
        return value
    held = world.find(_HOLDS.get(name, name), value)
    return value if held is None else shown(held)
