"""Which function answers which call."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.stripe_stand_in.errors import Refused
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.shapes import Object
from local.stripe_stand_in.world import World

Handler = Callable[..., Object]
ALWAYS = ("expand",)
PAGED = "limit starting_after ending_before created "


@dataclass(frozen=True)
class Route:
    """A call: its address with `{}` for ids, and the names of its parameters."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    known: frozenset[str]


ROUTES: list[Route] = []


def route(method: str, path: str, known: str = "") -> Callable[[Handler], Handler]:
    """Makes a function answer `method path`; `known` are the parameters that it reads."""

    def added(handler: Handler) -> Handler:
        pattern = re.compile(re.escape(path).replace(r"\{\}", "([^/]+)"))
        ROUTES.append(Route(method, pattern, handler, frozenset([*known.split(), *ALWAYS])))
        return handler

    return added


def answer(world: World, method: str, path: str, params: Params) -> Any:
    """What the call is answered with. Raises `Refused`."""
    # A name such as `search` goes before an id in its place.
    for one in sorted(ROUTES, key=lambda route: route.pattern.groups):
        found = one.pattern.fullmatch(path)
        if found and one.method == method:
            params.refuse_unknown(one.known)
            return one.handler(world, params, *found.groups())
    raise Refused(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).")
