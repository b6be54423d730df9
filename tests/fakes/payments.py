"""A shop that sells plans, with the stand-in of Stripe beside it."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from chalicelib.adapters.memory.store import memory_store
from chalicelib.kernel.clock import SECOND, from_rfc3339, to_rfc3339
from chalicelib.services.sweeps import settle_member
from local.stripe_stand_in import SECRET_KEY, WEBHOOK_SECRET, StripeStandIn
from local.stripe_stand_in.webhooks import body_of, signature
from tests.fakes.shop import Reply, Shop

VISA, DECLINED, FAILS_LATER = "4242424242424242", "4000000000000002", "4000000000000341"


class PlanShop(Shop):
    """A shop with `payments`, whose test clock moves Stripe's too."""

    def __init__(self, stand_in: StripeStandIn, store: Any = None, **parameters: str) -> None:
        account = {"secret_key": SECRET_KEY, "webhook_secrets": [WEBHOOK_SECRET]}
        super().__init__(
            store or memory_store(),
            stripe_url=stand_in.url,
            stripe=json.dumps(account),
            **parameters,
        )
        self.stand_in = stand_in
        self.keys = 0
        self.members: list[str] = []

    def set_clock(self, moment: str) -> None:
        """Moves the test clock, and what is due with it."""
        reply = self.call("PUT", "/v1/test_clock", {"now": moment})
        assert reply.status == 200, reply.raw

    def membership(self, member_id: str, what: str, body: Any = None, key: str = "") -> Reply:
        """A call about the member's membership, under a new Idempotency-Key or this one."""
        self.keys += 1
        headers = {"idempotency-key": key or f"key-{self.keys}"}
        path = f"/v1/members/{member_id}/membership/{what}"
        return self.call("POST", path, {} if body is None else body, headers=headers)

    def entitled(self, member_id: str, at: str | None = None) -> Any:
        """What the member is entitled to, now or then."""
        query = {"at": at} if at else {}
        reply = self.call("GET", f"/v1/members/{member_id}/entitlements", query=query)
        assert reply.status == 200, reply.raw
        return reply.json

    def pays(self, member_id: str, price: str, card: str = VISA, plan: str = "prime") -> None:
        """The member starts a plan on the payment page, and Stripe tells us so."""
        reply = self.membership(member_id, "checkout", {"plan": plan, "price": price})
        assert reply.status == 201, reply.raw
        status, _ = visit(reply.json["url"], action="pay", card=card)
        assert status == 303
        self.hear()

    def enrol(self, **fields: Any) -> str:
        """A new member's id."""
        self.members.append(super().enrol(**fields))
        return self.members[-1]

    def hear(self, since: int = 0) -> list[int]:
        """Stripe's messages come, each once and in their order; the statuses of the answers.

        What is due of the members then is noted, as the stream and its queue do.
        """
        answers = [self.tell(one).status for one in self.stand_in.events[since:]]
        for one in self.members:
            settle_member(self.runtime.context, self.program_id, one)
        return answers

    def tell(self, event: dict[str, Any], **headers: str) -> Reply:
        """One message, signed just now."""
        body = body_of(event)
        signed = signature(body, WEBHOOK_SECRET, self.clock.at // SECOND)
        sent = {"stripe-signature": signed, "content-type": "application/json", **headers}
        path = f"/v1/webhooks/stripe/{self.program_id}"
        return self.call("POST", path, body.decode(), key=None, headers=sent)

    def changes(self, member_id: str) -> list[str]:
        """What happened to the membership, oldest first."""
        rows = self.call("GET", f"/v1/members/{member_id}/entries", query={"limit": "100"})
        found = [one["membership"] for one in rows.json["data"] if one["membership"]]
        return found[::-1]

    def charged(self, member_id: str) -> tuple[int, int]:
        """What the member was charged and given back in all, by Stripe's own books."""
        billing = self.runtime.context.store.billings.of(self.program_id, member_id)
        books = self.stand_in.books().get(billing.customer_id, {}) if billing else {}
        charged = sum(one.charged for one in books.values())
        return charged, sum(one.refunded for one in books.values())


def later(moment: str, seconds: int) -> str:
    """So many seconds after a moment."""
    return to_rfc3339(from_rfc3339(moment) + seconds * SECOND)


def visit(url: str, **form: str) -> tuple[int, str]:
    """Opens a page, or sends a form; status, and the page or where it leads."""
    body = urllib.parse.urlencode(form).encode() if form else None
    opener = urllib.request.build_opener(_Stay)
    try:
        with opener.open(url, body) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            place = answer.headers.get("location", "")
            return answer.code, place or answer.read().decode()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Does not follow."""
