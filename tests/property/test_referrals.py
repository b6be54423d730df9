"""Whatever members do and shops say, referrals never run in a circle, never give more than the
caps, and what comes back is taken back exactly."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chalicelib.domain.ledger.entries import Kind, LogKey, decode
from chalicelib.domain.referrals.referral import Referral, State
from chalicelib.kernel.clock import DAY
from tests.fakes.referrals import code_of, program, settle
from tests.fakes.rules import opened
from tests.fakes.shop import goods

CAP, REWARD = 2, 20
picks = st.integers(0, 10**6)


class Referring(RuleBasedStateMachine):
    """A shop, and people who bring each other."""

    @initialize(
        at=st.sampled_from(["enrolled", "qualified"]),
        days=st.sampled_from([0, 14]),
        forgives=st.booleans(),
    )
    def opens(self, at: str, days: int, forgives: bool) -> None:
        friend = {"currency": "points", "amount": 5, "at": at}
        caps = [{"per": "lifetime", "times": CAP}]
        terms = {"order": {"min_total": 2000, "return_days": days}}
        document = program(
            qualifies=terms, friend=friend, caps=caps, checks={"not_first_order": "off"}
        )
        self.forgives = forgives
        document["currencies"]["points"]["clawback"] = "clamp" if forgives else "debt"
        self.shop = opened(document)
        self.everybody = [self.shop.enrol()]
        self.open = list(self.everybody)
        self.orders: list[str] = []
        self.edges: dict[str, str] = {}

    @rule(advocate=picks, email=st.integers(0, 9))
    def joins(self, advocate: int, email: int) -> None:
        """A friend; or somebody who is a member already, under another's code."""
        code = code_of(self.shop, self.pick(advocate))
        body = {"referral_code": code, "email": f"{email}@example.com"}
        reply = self.shop.call("POST", "/v1/members", body)
        if reply.status == 201 and reply.json["id"] not in self.everybody:
            self.everybody.append(reply.json["id"])
            self.open.append(reply.json["id"])

    @rule(advocate=picks)
    def brings_one_who_counts(self, advocate: int) -> None:
        code = code_of(self.shop, self.pick(advocate))
        friend = self.shop.call("POST", "/v1/members", {"referral_code": code}).json["id"]
        self.everybody.append(friend)
        self.open.append(friend)
        self.buys(-1, 2500)
        self.shop.clock.at += 14 * DAY
        settle(self.shop, friend)

    @rule(advocate=st.integers(0, 1))
    def farms(self, advocate: int) -> None:
        """A friend counts, what he brings is spent, and his order comes back."""
        at = advocate % len(self.open)
        self.brings_one_who_counts(at)
        self.spends(at)
        self.returns(len(self.orders) - 1, None)
        settle(self.shop, self.everybody[-1])

    @rule(member=picks, price=st.sampled_from([1000, 2500]))
    def buys(self, member: int, price: int) -> None:
        order_id = f"o-{len(self.orders)}"
        if self.shop.order(self.pick(member), order_id, goods(price)).status == 201:
            self.orders.append(order_id)

    @rule(order=picks, amount=st.sampled_from([None, 400, 600]))
    def returns(self, order: int, amount: int | None) -> None:
        if self.orders:
            what: dict[str, Any] = {} if amount is None else {"amount": amount}
            self.shop.refund(self.orders[order % len(self.orders)], f"r-{order}", **what)

    @rule(member=picks)
    def spends(self, member: int) -> None:
        """Everything, where nobody owes what is taken back."""
        one = self.pick(member)
        left = self.shop.balance(one, "points")
        if self.forgives and left > 0:
            path = f"/v1/members/{one}/adjustments"
            body = {"currency": "points", "amount": -left, "reason": "spent"}
            key = f"spent-{self.shop.clock.at}-{one}-{left}"
            self.shop.call("POST", path, body, headers={"idempotency-key": key})

    @rule(survivor=picks, other=picks, seldom=st.integers(0, 2))
    def merge(self, survivor: int, other: int, seldom: int) -> None:
        if seldom:
            return
        one, two = self.pick(survivor), self.pick(other)
        reply = self.shop.call("POST", f"/v1/members/{one}/merge", {"member_id": two})
        if reply.status == 200:
            self.open.remove(two)

    @rule(member=picks, seldom=st.integers(0, 3))
    def erase(self, member: int, seldom: int) -> None:
        if len(self.open) > 2 and not seldom:
            gone = self.pick(member)
            assert self.shop.call("DELETE", f"/v1/members/{gone}").status == 200
            self.open.remove(gone)

    @rule(days=st.sampled_from([1, 14]))
    def passes(self, days: int) -> None:
        self.shop.clock.at += days * DAY

    @rule(members=st.lists(picks, max_size=4))
    def looks(self, members: list[int]) -> None:
        settle(self.shop, *(self.everybody[one % len(self.everybody)] for one in members))

    @invariant()
    def nobody_has_two_advocates_or_brings_himself_round(self) -> None:
        for friend in self.everybody:
            found = self.referral(friend)
            if found is None:
                assert friend not in self.edges
                continue
            assert self.edges.setdefault(friend, found.advocate_id) == found.advocate_id
            above, steps = friend, 0
            while above in self.edges:
                above, steps = self.edges[above], steps + 1
                assert above != friend and steps <= len(self.everybody)

    @invariant()
    def nobody_has_more_than_the_caps(self) -> None:
        for member in self.open:
            head = self.ledger.head(LogKey(self.shop.program_id, member), strong=True)
            assert head is not None
            logs = (member, *head.snapshot.merged)
            assert sum(self.rewards(one) for one in logs) <= CAP * len(logs)
            assert sum(self.rewarded(one) for one in logs) <= CAP * REWARD * len(logs)
        for referrer in self.everybody:
            used = self.ledger.used(self.shop.program_id, f"referral#{referrer}")
            assert 0 <= used <= CAP

    def teardown(self) -> None:
        """In the end everything comes back: then nobody has anything of it."""
        if not hasattr(self, "shop") or self.forgives:
            return
        for number, order_id in enumerate(self.orders):
            self.shop.refund(order_id, f"last-{number}")
        settle(self.shop, *self.everybody, *self.everybody)
        owed: dict[str, int] = {}
        for friend in self.everybody:
            found = self.referral(friend)
            if found is not None and found.state is State.REWARDED:
                assert self.is_erased(friend)  # whose orders nobody takes back any more
                advocate = self.survivor(found.advocate_id)
                owed[advocate] = owed.get(advocate, 0) + REWARD
        for member in self.open:
            gifts = self.given_at_once(member)
            assert self.shop.balance(member, "points") == owed.get(member, 0) + gifts, member

    @property
    def ledger(self) -> Any:
        return self.shop.runtime.context.store.ledger

    def pick(self, number: int) -> str:
        return self.open[number % len(self.open)]

    def referral(self, friend: str) -> Referral | None:
        return self.shop.runtime.context.store.referrals.of_friend(self.shop.program_id, friend)

    def entries(self, member: str) -> list[tuple[str, Any]]:
        found = self.ledger.entries(LogKey(self.shop.program_id, member), None, 1000)
        return [(one.ref, decode(one.body)) for one in found]

    def rewards(self, member: str) -> int:
        """How many friends brought something that was not taken back."""
        sign = {Kind.REFERRAL: 1, Kind.REFERRAL_REVERSED: -1}
        of_advocates = [
            sign[Kind(entry.kind)]
            for ref, entry in self.entries(member)
            if entry.kind in sign and "." in ref
        ]
        return sum(of_advocates)

    def rewarded(self, member: str) -> int:
        """The points that an advocate has kept of his rewards, spent or not."""
        return sum(
            effect.amount
            for ref, entry in self.entries(member)
            if entry.kind in (Kind.REFERRAL, Kind.REFERRAL_REVERSED) and "." in ref
            for effect in entry.effects
        )

    def survivor(self, member: str) -> str:
        head = self.ledger.head(LogKey(self.shop.program_id, member), strong=True)
        into = head.snapshot.merged_into
        return self.survivor(into) if into else member

    def is_erased(self, member: str) -> bool:
        path = f"/v1/members/{self.survivor(member)}/account"
        return bool(self.shop.call("GET", path).json["standing"] == "erased")

    def given_at_once(self, member: str) -> int:
        """What friends who never counted keep of what they had at once."""
        head = self.ledger.head(LogKey(self.shop.program_id, member), strong=True)
        kept = 0
        for one in (member, *head.snapshot.merged):
            for ref, entry in self.entries(one):
                if "." not in ref and entry.kind in (Kind.REFERRAL, Kind.REFERRAL_REVERSED):
                    kept += sum(effect.amount for effect in entry.effects)
        return kept


TestReferring = Referring.TestCase
TestReferring.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
