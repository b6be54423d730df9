"""The page of the connected stores: one buys there as a member, and sees what the program hears."""

import secrets
from collections.abc import Callable
from typing import Any

from infra.progress import Failed
from local.client import Client
from local.pages import NOT_FOUND, Answer, Request, file
from local.seed import Demo, members_of
from local.stores import PRICE, DemoStore

_TROUBLES = 4


class StorePages:
    """What lies below `/store`; both shops are connected to the demo's program."""

    def __init__(self, demo: Demo, shops: tuple[DemoStore, ...]) -> None:
        self._api = Client(demo.base_url, demo.secret_key)
        self._shops = {one.kind: one for one in shops}
        self._redeemed: dict[str, dict[str, str]] = {}  # the last one of each shop
        for one in shops:
            one.connect(self._api)
        self._actions: dict[str, Callable[[DemoStore, dict[str, Any]], Any]] = {
            "buy": lambda shop, asked: self._buy(shop, asked, paid=True),
            "order": lambda shop, asked: self._buy(shop, asked, paid=False),
            "change": self._change,
            "ask": self._ask,
            "lose": self._lose,
            "pull": self._pull,
            "redeem": self._redeem,
            "cancel_redemption": self._cancel_redemption,
        }

    def answer(self, request: Request) -> Answer:
        """Obeys the page. What cannot be is shown there as it was said."""
        try:
            return self._answer(request)
        except Failed as failure:
            return Answer.of({"title": str(failure)}, 409)

    def _answer(self, request: Request) -> Answer:
        if request.path == "":
            return file("store.html")
        if request.path == "/members":
            return Answer.of(members_of(self._api))
        if request.path == "/state":
            return Answer.of(self._state(request.query["member"]))
        kind, _, action = request.path.removeprefix("/").partition("/")
        if request.method != "POST" or kind not in self._shops or action not in self._actions:
            return NOT_FOUND
        return Answer.of(self._actions[action](self._shops[kind], request.json))

    def _state(self, member_id: str) -> dict[str, Any]:
        account = self._api.do("GET", f"/v1/members/{member_id}/account")
        shops = [self._seen(one) for one in self._shops.values()]
        return {"balances": account["balances"], "price": PRICE, "shops": shops}

    def _seen(self, shop: DemoStore) -> dict[str, Any]:
        connection = self._api.do("GET", shop.path)
        troubles = self._api.do("GET", f"{shop.path}/troubles?limit={_TROUBLES}")["data"]
        redeemed = self._redeemed.get(shop.kind)
        order = shop.order
        return {
            "kind": shop.kind,
            "webhook_url": shop.webhook_url,
            "lost": shop.are_lost,
            "order": order and _order(order, shop.status),
            "steps": shop.steps,
            "code": redeemed and {**redeemed, "off": shop.stand_in.takes_off(redeemed["code"])},
            "topics": connection["topics"],
            "pull": connection["pull"],
            "troubles": troubles,
        }

    def _buy(self, shop: DemoStore, asked: dict[str, Any], *, paid: bool) -> Any:
        shop.buy(self._email(asked), paid=paid, code=str(asked["code"]))
        return shop.tell()

    def _change(self, shop: DemoStore, asked: dict[str, Any]) -> Any:
        shop.change(str(asked["step"]))
        return shop.tell()

    def _ask(self, shop: DemoStore, asked: dict[str, Any]) -> Any:
        about = {"customer": {"email": self._email(asked)}}
        shop.stand_in.tell("customers/data_request", about)
        return shop.tell()

    def _email(self, asked: dict[str, Any]) -> str:
        return str(self._api.do("GET", f"/v1/members/{asked['member']}")["email"])

    def _lose(self, shop: DemoStore, asked: dict[str, Any]) -> Any:
        shop.are_lost = bool(asked["lost"])
        return []

    def _pull(self, shop: DemoStore, _: dict[str, Any]) -> Any:
        done = self._api.do("POST", f"{shop.path}/pull")
        return [{"topic": "POST /v1/stores/{id}/pull", "status": 202, "outcome": done["status"]}]

    def _redeem(self, shop: DemoStore, asked: dict[str, Any]) -> Any:
        path = f"/v1/members/{asked['member']}/redemptions"
        wanted = {"reward": f"off_{shop.kind}"}
        done = self._api.do("POST", path, wanted, Idempotency_Key=secrets.token_hex(8))
        code = done["voucher"]["code"]
        self._redeemed[shop.kind] = {"code": code, "path": f"{path}/{done['id']}"}
        called = "POST /v1/members/{id}/redemptions"
        return [{"topic": called, "status": 201, "outcome": code}]

    def _cancel_redemption(self, shop: DemoStore, _: dict[str, Any]) -> Any:
        redeemed = self._redeemed.pop(shop.kind, None)
        if redeemed is None:
            raise Failed("There is no code to give back.")
        self._api.do("POST", f"{redeemed['path']}/cancel")
        called = "POST .../redemptions/{id}/cancel"
        return [{"topic": called, "status": 200, "outcome": f"{redeemed['code']} ends"}]


def _order(order: dict[str, Any], status: str) -> dict[str, Any]:
    """What the page shows of an order of either system."""
    (line,) = order["line_items"]
    return {
        "id": order["id"],
        "bags": line.get("current_quantity", line["quantity"]),
        "total": order.get("current_total_price") or order["total"],
        "status": status.replace("_", " "),
        "refunds": len(order["refunds"]),
    }
