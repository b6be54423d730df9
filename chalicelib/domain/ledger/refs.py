"""Refs: the natural key of what caused an entry, `<source>:<id>#<event>`.

A ref is in a member's log at most once, for ever. `story_of` an order is the prefix that all
refs of that order share; the `#` at its end keeps order 12 apart from order 123.
"""

PAID = "paid"
RESERVED_SOURCES = frozenset({"key", "time", "enrol"})


def _escape(identifier: str) -> str:
    return identifier.replace("%", "%25").replace("#", "%23")


def order_key(source: str, order_id: str) -> str:
    """`shopify:123`: one order among all orders of a program."""
    return f"{source}:{_escape(order_id)}"


def story_of(source: str, order_id: str) -> str:
    """The prefix of every ref of an order."""
    return f"{order_key(source, order_id)}#"


def paid(source: str, order_id: str) -> str:
    """The ref of an order's payment."""
    return story_of(source, order_id) + PAID


def refund(source: str, order_id: str, refund_id: str) -> str:
    """The ref of one refund of an order."""
    return f"{story_of(source, order_id)}refund:{_escape(refund_id)}"


def keyed(idempotency_key: str, kind: str) -> str:
    """The ref of a call that has no identifier of its own, only its Idempotency-Key."""
    return f"key:{_escape(idempotency_key)}#{kind}"


def enrolled(member_id: str) -> str:
    """The ref of the first entry of every log."""
    return f"enrol:{member_id}#enrolled"
