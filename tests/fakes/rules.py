"""Programs and calls that the stories of rules share."""

import json
from typing import Any

from standardwebhooks import Webhook

from chalicelib.adapters.memory.store import memory_store
from chalicelib.kernel.clock import from_rfc3339, to_datetime, to_rfc3339
from tests.fakes.shop import Reply, Shop


def document(*earn: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A program of these earn rules, in points and EUR; `parts` are added or replaced."""
    return {
        "name": "Corner Shop",
        "time_zone": "UTC",
        "money": "EUR",
        "currencies": {"points": {"label": "Points"}},
        "earn": [{"currency": "points", **rule} for rule in earn],
        **parts,
    }


def rule(rule_id: str, kind: str = "per_amount", **more: Any) -> dict[str, Any]:
    """One earn rule."""
    return {"id": rule_id, "kind": kind, **more}


def opened(program: dict[str, Any]) -> Shop:
    """A shop with a program."""
    shop = Shop(memory_store())
    publish(shop, program)
    return shop


def publish(shop: Shop, program: dict[str, Any]) -> Reply:
    """Publishes a version, which is in force from now on."""
    reply = shop.call("POST", "/v1/programs", program)
    assert reply.status == 201, reply.raw
    return reply


def at(shop: Shop, moment: str) -> None:
    """Moves the shop's clock."""
    shop.clock.at = from_rfc3339(moment)


def account(shop: Shop, member: str) -> Any:
    """What the member has."""
    reply = shop.call("GET", f"/v1/members/{member}/account")
    assert reply.status == 200, reply.raw
    return reply.json


def earned(reply: Reply, currency: str = "points") -> int:
    """What an order, an activity or a quote gives of a currency."""
    assert reply.status in (200, 201), reply.raw
    return sum(one["amount"] for one in reply.json["effects"] if one["currency"] == currency)


def quote(shop: Shop, *lines: dict[str, Any], **more: Any) -> Reply:
    """What an order would earn."""
    body = {
        "currency": "EUR",
        "lines": [{"id": str(index), **line} for index, line in enumerate(lines, 1)],
        **more,
    }
    return shop.call("POST", "/v1/quotes", body)


def does(shop: Shop, member: str, activity_id: str, activity: str, **properties: Any) -> Reply:
    """Records an activity of now."""
    body = {
        "source": "app",
        "id": activity_id,
        "member_id": member,
        "type": activity,
        "occurred_at": to_rfc3339(shop.clock.at),
        "properties": properties,
    }
    return shop.call("POST", "/v1/activities", body)


def why(reply: Reply, rule_id: str) -> str:
    """Why a rule gives what it gives in a quote."""
    return str(next(one["why"] for one in reply.json["explain"] if one["rule"] == rule_id))


def edited(shop: Shop, member: str, order_id: str, *lines: dict[str, Any], **more: Any) -> Reply:
    """A store says another content of an order, by its signed webhook."""
    made = shop.call("POST", "/v1/keys", {"kind": "webhook", "name": "till", "source": "till"})
    data = {
        "id": order_id,
        "member_id": member,
        "currency": "EUR",
        "lines": [{"id": str(index), **line} for index, line in enumerate(lines, 1)],
        **more,
    }
    body = json.dumps({"type": "order.paid", "data": data})
    stamp = to_datetime(shop.clock.at)
    message = f"msg_{order_id}_{len(body)}"
    signature = Webhook(made.json["secret"]).sign(message, stamp, body)
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(int(stamp.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }
    return shop.call("POST", "/v1/webhooks/orders/till", body, key=None, headers=headers)
