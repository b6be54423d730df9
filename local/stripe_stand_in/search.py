"""Search by fields and metadata ("Search"): terms joined by AND, each `field:'value'`.

At Stripe what was just written is found up to a minute later; here it is found at once.
"""

import re

from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.routes import route
from local.stripe_stand_in.shapes import Object
from local.stripe_stand_in.world import World

_TERM = re.compile(r"""\s*(?:metadata\[(["'])(.+?)\1\]|(\w+))\s*:\s*(["'])(.*?)\4\s*""")
_SEARCH = "query limit page"


@route("GET", "/v1/customers/search", _SEARCH)
def search_customers(world: World, params: Params) -> Object:
    """By "Search customers": by `email`, `name`, `phone` and metadata."""
    return _search(world, "customer", params, ("email", "name", "phone"))


@route("GET", "/v1/subscriptions/search", _SEARCH)
def search_subscriptions(world: World, params: Params) -> Object:
    """By "Search subscriptions": by `status` and metadata."""
    return _search(world, "subscription", params, ("status",))


@route("GET", "/v1/invoices/search", _SEARCH)
def search_invoices(world: World, params: Params) -> Object:
    """By "Search invoices": by `customer`, `status` and metadata."""
    return _search(world, "invoice", params, ("customer", "status"))


def _search(world: World, kind: str, params: Params, fields: tuple[str, ...]) -> Object:
    found = world.all(kind)
    for text in params.need("query").split(" AND "):
        term = _TERM.fullmatch(text)
        if term is None or (term[3] and term[3] not in fields):
            raise invalid(f"We were unable to parse your search query: {text}", "query")
        field, value = term[3], term[5]
        found = [
            one for one in found if (one[field] if field else one["metadata"].get(term[2])) == value
        ]
    limit = params.whole("limit", 1) or 10
    start = params.whole("page", 0) or 0
    rows, more = found[::-1][start : start + limit], len(found) > start + limit
    return {
        "object": "search_result",
        "data": rows,
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": f"/v1/{kind}s/search",
    }
