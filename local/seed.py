"""The demo of `make run`: a program in test mode, some members, and the keys to try it with."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from infra.package import ROOT
from local.client import Client

PROGRAM = ROOT / "programs" / "coffee_stamps.yaml"
PARTS = """
join:
  ask: [given_name, email]
till:
  buttons:
    - {id: coffee, label: Coffee, unit_price: 380, categories: [drinks]}
    - {id: own_cup, label: Own cup, unit_price: 380, categories: [drinks], labels: [own_cup]}
    - {id: cake, label: Cake, unit_price: 420}
plans:
  club:
    name: Coffee Club
    benefits: [free_refill]
    prices:
      - {id: monthly, every: month, amount: 900}
      - {id: yearly, every: year, amount: 9000}
    refunds: {unused_in_full: true}
referrals:
  qualifies: {order: {min_total: 300, return_days: 0}}
  advocate: {currency: stamps, amount: 2}
  friend: {currency: stamps, amount: 1}
  caps: [{per: lifetime, times: 20}]
  checks: {same_network: "off"} # everybody is on this machine
  share: {text: "A coffee with me? {link}"}
earn:
  - {id: beans, kind: per_unit, currency: stamps, include: {skus: [beans]}}
discounts:
  - {id: five_off, kind: amount, amount: 500, by_code: true}
rewards:
  - id: off_shopify
    kind: discount
    name: 5 € off in the Shopify shop
    discount: five_off
    cost: {currency: stamps, amount: 3}
    voucher: {store: shopify, valid_days: 30}
  - id: off_woocommerce
    kind: discount
    name: 5 € off in the WooCommerce shop
    discount: five_off
    cost: {currency: stamps, amount: 3}
    voucher: {store: woocommerce, valid_days: 30}
multipliers:
  - {id: club_double, currency: stamps, percent: 200, if: {plans: [club]}}
"""  # of the demo, beside those of the named program
MEMBERS = (("Ada", "Lovelace", 6), ("Grace", "Hopper", 3), ("Alan", "Turing", 0))
SOURCE = "webshop"


@dataclass(frozen=True)
class Demo:
    """What the demo was made of, kept for the next run."""

    base_url: str
    program_id: str
    secret_key: str
    publishable_key: str
    webhook_secret: str
    staff_key: str
    member_id: str


def seed(base_url: str, invoke_operator: Callable[[dict[str, Any]], Any], folder: Path) -> Demo:
    """Makes the demo, or finds that of an earlier run in `folder`."""
    file = folder / "demo.json"
    demo = _found(file, base_url) or _made(base_url, invoke_operator)
    file.touch(mode=0o600)
    file.write_text(json.dumps(asdict(demo), indent=1))
    return demo


def load(folder: Path) -> Demo | None:
    """The demo of the last run; None where there was none, or one of an older version."""
    file = folder / "demo.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    return Demo(**kept) if kept.keys() == {one.name for one in fields(Demo)} else None


def members_of(api: Client) -> list[dict[str, str]]:
    """The members of the demo, by name."""
    found = [
        api.do("GET", f"/v1/members?external_id={name.lower()}")["data"][0] for name, *_ in MEMBERS
    ]
    return [{"id": one["id"], "name": one["given_name"]} for one in found]


def order(member_id: str, order_id: str, drinks: int) -> dict[str, Any]:
    """A paid order of some coffees."""
    return {
        "source": SOURCE,
        "id": order_id,
        "member_id": member_id,
        "currency": "EUR",
        "placed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "lines": [
            {
                "id": "1",
                "name": "Flat white",
                "categories": ["drinks"],
                "quantity": drinks,
                "unit_price": 380,
            }
        ],
    }


def _found(file: Path, base_url: str) -> Demo | None:
    demo = load(file.parent)
    if demo is None:
        return None
    known = Client(base_url, demo.secret_key).call("GET", f"/v1/members/{demo.member_id}")
    return Demo(**{**asdict(demo), "base_url": base_url}) if known.status == 200 else None


def _made(base_url: str, invoke_operator: Callable[[dict[str, Any]], Any]) -> Demo:
    made = invoke_operator({"action": "create_program", "name": "Corner Coffee", "mode": "test"})
    shop = Client(base_url, made["secret_key"])
    shop.do("POST", "/v1/programs", _document())
    publishable = shop.do("POST", "/v1/keys", {"kind": "publishable", "name": "web page"})
    webhook = shop.do("POST", "/v1/keys", {"kind": "webhook", "name": SOURCE, "source": SOURCE})
    staff = shop.do("POST", "/v1/keys", {"kind": "staff", "name": "Grace"})
    members = []
    for given_name, family_name, drinks in MEMBERS:
        profile = {
            "external_id": given_name.lower(),
            "given_name": given_name,
            "family_name": family_name,
            "email": f"{given_name.lower()}@example.com",
        }
        members.append(shop.do("POST", "/v1/members", profile)["id"])
        if drinks:
            shop.do("POST", "/v1/orders", order(members[-1], f"demo-{given_name}", drinks))
    return Demo(
        base_url=base_url,
        program_id=made["program_id"],
        secret_key=made["secret_key"],
        publishable_key=publishable["secret"],
        webhook_secret=webhook["secret"],
        staff_key=staff["secret"],
        member_id=members[0],
    )


def _document() -> dict[str, Any]:
    """The named program with the demo's parts; of what both have, the demo's come after."""
    document: dict[str, Any] = yaml.safe_load(PROGRAM.read_text())
    for name, part in yaml.safe_load(PARTS).items():
        document[name] = [*document.get(name, []), *part] if isinstance(part, list) else part
    return document


def lines_of(demo: Demo) -> list[str]:
    """What to show of it."""
    shop = Client(demo.base_url, demo.secret_key)
    token = shop.do("POST", f"/v1/members/{demo.member_id}/tokens")["token"]
    passes = shop.do("GET", f"/v1/members/{demo.member_id}/passes")
    referrals = shop.do("GET", f"/v1/members/{demo.member_id}/referrals")
    url, key = demo.base_url, demo.secret_key
    body = json.dumps({**order(demo.member_id, "curl-1", 1)})
    return [
        "",
        "Keys (test mode: no real phone is ever reached)",
        f"  secret key        {key}",
        f"  publishable key   {demo.publishable_key}",
        f"  webhook secret    {demo.webhook_secret}   (source {SOURCE})",
        f"  member token      {token}",
        "",
        "Open",
        f"  the demo shop     {url}/shop",
        f"  connected stores  {url}/store   (Shopify and WooCommerce)",
        f"  preview of looks  {url}/looks",
        f"  the till          {url}/till   (staff key {demo.staff_key})",
        f"  the join page     {url}/join/{demo.program_id}",
        f"  Ada's link        {referrals['link']}   (who joins by it brings her stamps)",
        f"  the API           {url}/docs",
        f"  Ada's card        {passes['page']}",
        f"  Apple Wallet      {passes['apple']}",
        f"  Google Wallet     {passes['google']}",
        "",
        "Try",
        f"  curl {url}/v1/members/{demo.member_id}/account -H 'Authorization: Bearer {key}'",
        f"  curl {url}/v1/orders -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{body}'",
        f"  curl {url}/v1/me -H 'Authorization: Bearer {token}'",
        "",
        "Or, in another terminal: make demo",
    ]
