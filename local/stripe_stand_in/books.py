"""What was charged, given back and kept as credit: for tests that add money up."""

from dataclasses import dataclass

from local.stripe_stand_in.world import World


@dataclass
class Account:
    """The sums of one customer in one currency, in minor units.

    `paid_invoices` is the sum of the totals of paid invoices, so
    `charged == paid_invoices + credit`: a total below 0 becomes credit, and credit pays the next.
    """

    charged: int = 0
    refunded: int = 0
    disputed: int = 0  # taken back by banks, and not won again
    credit: int = 0
    paid_invoices: int = 0


def books(world: World) -> dict[str, dict[str, Account]]:
    """By customer and currency."""
    found: dict[str, dict[str, Account]] = {}

    def account(customer: str, currency: str) -> Account:
        return found.setdefault(customer, {}).setdefault(currency, Account())

    for charge in world.all("charge", status="succeeded"):
        account(charge["customer"], charge["currency"]).charged += charge["amount"]
    for refund in world.all("refund"):
        account(refund["customer"], refund["currency"]).refunded += refund["amount"]
    for dispute in world.all("dispute"):
        customer = world.get("charge", dispute["charge"])["customer"]
        if dispute["status"] != "won":
            account(customer, dispute["currency"]).disputed += dispute["amount"]
    for invoice in world.all("invoice", status="paid"):
        account(invoice["customer"], invoice["currency"]).paid_invoices += invoice["total"]
    for customer in world.all("customer"):
        if customer["balance"]:
            account(customer["id"], customer["currency"]).credit -= customer["balance"]
    return found
