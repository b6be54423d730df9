"""Refs: the natural key of what caused an entry, `<source>:<id>#<event>`.

A ref is in a member's log at most once, for ever. `story_of` an order is the prefix that all
refs of that order share; the `#` at its end keeps order 12 apart from order 123.
"""

PENDING = "pending"
PAID = "paid"
CONFIRMED = "confirm"
CANCELLED = "cancel"

# What no order may name as its source: these are the sources of our own refs.
RESERVED_SOURCES = frozenset(
    {
        "activity",
        "calendar",
        "enrol",
        "hold",
        "key",
        "benefit",
        "member",
        "merge",
        "redemption",
        "referral",
        "stripe",
        "time",
        "transfer",
    }
)


def _escape(identifier: str) -> str:
    return identifier.replace("%", "%25").replace("#", "%23")


def _unescape(identifier: str) -> str:
    return identifier.replace("%23", "#").replace("%25", "%")


def order_key(source: str, order_id: str) -> str:
    """`shopify:123`: one order among all orders of a program."""
    return f"{source}:{_escape(order_id)}"


def story_of(source: str, order_id: str) -> str:
    """The prefix of every ref of an order."""
    return f"{order_key(source, order_id)}#"


def order_named(key: str) -> tuple[str, str]:
    """The source and the id of an order, by its key."""
    source, _, order_id = key.partition(":")
    return source, _unescape(order_id)


def of_order(source: str, order_id: str, event: str) -> str:
    """The ref of what can happen to an order once: pending, paid, confirm or cancel."""
    return story_of(source, order_id) + event


def refund(source: str, order_id: str, refund_id: str) -> str:
    """The ref of one refund of an order."""
    return f"{story_of(source, order_id)}refund:{_escape(refund_id)}"


def edit(source: str, order_id: str, content: bytes) -> str:
    """The ref of an order's new content, by its fingerprint: the same content again is the same."""
    return f"{story_of(source, order_id)}edit:{content.hex()}"


def activity(source: str, activity_id: str) -> str:
    """The ref of an activity, by the id that its source gave it."""
    return f"activity:{source}:{_escape(activity_id)}#done"


def birthday(year: int) -> str:
    """The ref of a birthday: one a year, whatever day the profile says."""
    return f"calendar:birthday#{year}"


def benefit(source: str, use_id: str) -> str:
    """The ref of one use of a paid plan's benefit, by the id that its source gave it."""
    return f"benefit:{source}:{_escape(use_id)}#used"


def membership(subscription: str, cause: str) -> str:
    """The ref of a change of a membership, by what made us look: an event, a call, a sweep."""
    return f"stripe:{_escape(subscription)}#{_escape(cause)}"


def keyed(idempotency_key: str, kind: str) -> str:
    """The ref of a call that has no identifier of its own, only its Idempotency-Key."""
    return f"key:{_escape(idempotency_key)}#{kind}"


def enrolled(member_id: str) -> str:
    """The ref of the first entry of every log."""
    return f"enrol:{member_id}#enrolled"


def resolved(event_id: str) -> str:
    """The ref of the end of a reservation, made by the entry of this event."""
    return f"hold:{event_id}#resolved"


def given_back(event_id: str) -> str:
    """The ref of the return of what a redemption took."""
    return f"redemption:{event_id}#cancelled"


def received(event_id: str) -> str:
    """The ref, at the receiver, of a transfer that the sender's event is."""
    return f"transfer:{event_id}#received"


def referral(key: str) -> str:
    """The prefix of what one referral gives to one side: to the advocate by the event that caused
    it, to the friend by his own id."""
    return f"referral:{key}#"


def merged(member_id: str) -> str:
    """The ref of the take-over of another member's account."""
    return f"merge:{member_id}#merged"


def closed(survivor_id: str) -> str:
    """The ref of the end of an account that another took over."""
    return f"merge:{survivor_id}#closed"


def stands(event: str, version: int) -> str:
    """The ref of a change of the member's standing: restricted, unrestricted, erased."""
    return f"member:{version}#{event}"
