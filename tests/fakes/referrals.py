"""Members who bring each other, for the tests of referrals."""

from typing import Any

from chalicelib.services.sweeps import settle_member
from tests.fakes.rules import document, rule
from tests.fakes.shop import Reply, Shop, goods

POINTS = {"currency": "points", "amount": 20}
JOIN = {"ask": ["given_name", "email", "phone"]}
WELCOME = {"currency": "points", "amount": 5}


def program(**referrals: Any) -> dict[str, Any]:
    """A point a euro, and points for who brings friends that buy for 20 euros."""
    terms = {
        "qualifies": {"order": {"min_total": 2000, "within_days": 60, "return_days": 14}},
        "advocate": POINTS,
        "friend": WELCOME,
        **referrals,
    }
    reward = {"id": "mug", "kind": "product", "name": "Mug", "voucher": {}}
    return document(rule("spend", per=100), referrals=terms, rewards=[reward], join=JOIN)


def code_of(shop: Shop, member_id: str) -> str:
    """The code that a member hands out."""
    return str(advocate(shop, member_id)["code"])


def advocate(shop: Shop, member_id: str) -> Any:
    """What a member has brought, as the shop sees it."""
    reply = shop.call("GET", f"/v1/members/{member_id}/referrals")
    assert reply.status == 200, reply.raw
    return reply.json


def joins(shop: Shop, code: str, **fields: Any) -> Reply:
    """Somebody enrols with a code."""
    reply = shop.call("POST", "/v1/members", {"referral_code": code, **fields})
    assert reply.status == 201, reply.raw
    return reply


def brings(shop: Shop, advocate_id: str, **fields: Any) -> str:
    """A friend of a member enrols."""
    friend = str(joins(shop, code_of(shop, advocate_id), **fields).json["id"])
    settle(shop, friend)
    return friend


def buys(shop: Shop, friend_id: str, order_id: str, price: int = 2500, **more: Any) -> Reply:
    """An order, and what follows from it."""
    reply = shop.order(friend_id, order_id, goods(price), **more)
    settle(shop, friend_id)
    return reply


def settle(shop: Shop, *member_ids: str) -> None:
    """What the queue does after an entry of these members."""
    for member_id in member_ids:
        settle_member(shop.runtime.context, shop.program_id, member_id)


def referral(shop: Shop, friend_id: str) -> Any:
    """The referral that brought a member."""
    reply = shop.call("GET", f"/v1/referrals/{friend_id}")
    assert reply.status == 200, reply.raw
    return reply.json


def state(shop: Shop, friend_id: str) -> tuple[str, list[str]]:
    """Its state, and why."""
    found = referral(shop, friend_id)
    return found["state"], found["reasons"]
