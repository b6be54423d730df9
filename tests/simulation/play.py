"""What people do in the world: the shop, its stores, its members; again and again, and all at once.

Everything that is sent is sent until it is answered, some of it several times, now or much later.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.adapters.look_book import FolderOfLooks
from chalicelib.domain.errors import Contended, Refusal, Unavailable
from chalicelib.domain.ledger.commands import (
    Adjust,
    CancelOrder,
    Capture,
    LineRefund,
    Redeem,
    RefundOrder,
    Reserve,
    Transfer,
    Void,
)
from chalicelib.domain.ledger.entries import StoredEntry
from chalicelib.domain.members.member import Profile
from chalicelib.domain.orders import Order, OrderLine
from chalicelib.kernel.clock import DAY, HOUR, MINUTE, SECOND
from chalicelib.services import (
    adjustments,
    members,
    orders,
    programs,
    redemptions,
    refunds,
    rights,
    sweeps,
    transfers,
)
from chalicelib.services.appending import Appended
from chalicelib.services.context import Context, Here, enter
from chalicelib.services.refunds import OrderChange
from chalicelib.wiring import LOOKS
from tests.fakes.interference import Crash
from tests.simulation.plain import IDLE, MONTHS, POINTS, STARS, Terms
from tests.simulation.world import PROGRAM, World

Run = Callable[[Context, Here], Any]
SOURCE = "till"
ROUNDS = 40
PLANTED = "pii-{}-"  # what tells of a member

_LOOKS = FolderOfLooks(LOOKS)


@dataclass(eq=False)
class Call:
    """One thing that somebody asks for, however often he has to."""

    what: str
    run: Run
    then: Callable[[StoredEntry], None] = lambda _: None
    same_answer: bool = True
    answers: list[Any] = field(default_factory=list)


class Play:
    """One run of the world."""

    def __init__(self, seed: int, rounds: int = ROUNDS) -> None:
        self.world = World(seed)
        self.random = self.world.random
        self.terms: dict[int, Terms] = {}
        self.calls: list[Call] = []
        self.unanswered: list[Call] = []
        self.done: Counter[str] = Counter()
        self.asked: dict[str, list[Any]] = {}  # commands and contents, by what names them
        self.members: list[str] = []
        self.planted: dict[str, str] = {}  # by member
        self.orders: list[tuple[str, list[Order]]] = []  # by member, every content
        self.of_stores: list[tuple[str, list[Order]]] = []  # those of them that bear times
        self.paid: set[str] = set()
        self.refused: defaultdict[str, set[str]] = defaultdict(set)  # codes, by order
        self.redeemed: list[tuple[str, str]] = []
        self.reserved: list[tuple[str, str]] = []
        self._number = 0
        self._rounds = rounds

    def run(self) -> None:
        """Plays all rounds, then lets everything come to rest."""
        self._publish()
        self.world.now += 4 * DAY
        for _ in range(3):
            self._finish(self._enrol())
        self.world.calm = False
        for _ in range(self._rounds):
            self._round()
        self.world.calm = True
        self._rest()

    def _round(self) -> None:
        world, random = self.world, self.random
        world.now += random.choice([0, SECOND, 7 * MINUTE, HOUR, 9 * HOUR, DAY, 4 * DAY])
        if random.random() < 0.06:
            self._publish()
        sending = [self._anything() for _ in range(random.randint(1, 4))]
        again = [one for one in self.unanswered if random.random() < 0.6]
        again += [random.choice(self.calls) for _ in range(random.randint(0, 2)) if self.calls]
        self.calls += sending
        self.unanswered += sending
        sending += again
        sending += [one for one in sending if random.random() < 0.2]
        random.shuffle(sending)
        works = [self._sent(one) for one in sending]
        works += [self._delivered(message) for message in self._messages()]
        if random.random() < 0.3:
            works.append(self._swept())
        for outcome in world.steps.run(works):
            if isinstance(outcome, BaseException) and not _is_expected(outcome):
                raise outcome
        world.route()

    def _rest(self) -> None:
        """Nothing fails any more; what was not answered is sent once more, and time goes on."""
        for call in [*self.unanswered, *self.random.sample(self.calls, min(9, len(self.calls)))]:
            self._finish(call)
        for wait in (0, 2 * HOUR, 0):
            self.world.now += wait
            self._swept()()
            self.world.route()
            while self.world.queue.kept:
                for message in self._messages(everything=True):
                    self._delivered(message)()

    def _finish(self, call: Call) -> None:
        outcome = self._sent(call)()
        if isinstance(outcome, BaseException):
            raise outcome

    def _sent(self, call: Call) -> Callable[[], Any]:
        """The call as it is worked on by some process; its answer may never come back."""
        context = self.world.process()

        def work() -> Any:
            self.done[call.what] += 1
            try:
                here = enter(context, PROGRAM)
                assert here is not None
                outcome = call.run(context, here)
            except Crash:
                self.world.crashed(context)
                raise
            self._answered(call, outcome)
            return outcome

        return work

    def _answered(self, call: Call, outcome: Any) -> None:
        if call in self.unanswered:
            self.unanswered.remove(call)
        stored = _stored(outcome)
        if stored is None:
            return
        if call.same_answer and call.answers:
            assert stored == call.answers[0], f"{call.what}: another answer than the first time"
        if not call.answers:
            call.then(stored)
        call.answers.append(stored)

    def _messages(self, *, everything: bool = False) -> list[str]:
        """What the queue hands out now: some of it, some twice, in any order."""
        kept, self.world.queue.kept = self.world.queue.kept, []
        out = []
        for message in kept:
            now = everything or self.random.random() < 0.5
            if now:
                out.append(message)
            if not now or (not everything and self.random.random() < 0.2):
                self.world.queue.kept.append(message)
        self.random.shuffle(out)
        return out

    def _delivered(self, message: str) -> Callable[[], Any]:
        context = self.world.process()
        member_id = json.loads(message)["member_id"]

        def work() -> None:
            self.done["settle"] += 1
            try:
                sweeps.settle_member(context, PROGRAM, member_id)
            except (Unavailable, Contended):
                self.world.queue.send([message])
                raise
            except Crash:
                self.world.queue.send([message])
                self.world.crashed(context)
                raise

        return work

    def _swept(self) -> Callable[[], Any]:
        context = self.world.process()

        def work() -> None:
            self.done["sweep"] += 1
            try:
                sweeps.sweep(context, self.world.queue)  # type: ignore[arg-type]
            except Crash:
                self.world.crashed(context)
                raise

        return work

    def _publish(self) -> None:
        """A new version; it is in force before anything else happens."""
        random = self.random
        terms = Terms(
            give=random.randint(1, 3),
            per=random.choice([7, 100, 300]),
            waits_days=random.choice([0, 0, 1, 5]),
            lives=random.choice([None, ("days", 3), ("days", 20), (IDLE, 6), (MONTHS, 1)]),
            clawback=random.choice(["debt", "debt", "clamp", "only_pending"]),
            mug=random.choice([5, 20]),
            beans=random.choice([1, 3]),
        )
        calm, self.world.calm = self.world.calm, True
        context = self.world.process()
        here = enter(context, PROGRAM)
        assert here is not None
        published = programs.publish(context, here, terms.document(), _LOOKS)
        assert isinstance(published, programs.Published), published
        self.terms[published.version.version] = terms
        self.world.now += 20 * SECOND + 2 * MINUTE  # longer than any clock is behind
        self.world.calm = calm

    def _anything(self) -> Call:
        kinds = {
            self._order: 26,
            self._change_order: 14,
            self._of_a_store: 6,
            self._store_changes: 14,
            self._refund: 22,
            self._redeem: 14,
            self._give_back: 6,
            self._reserve: 8,
            self._resolve: 8,
            self._adjust: 8,
            self._transfer: 8,
            self._rename: 3,
            self._restrict: 3,
            self._enrol: 4,
            self._merge: 2,
            self._erase: 2,
        }
        [kind] = self.random.choices(list(kinds), list(kinds.values()))
        return kind()

    def _name(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number}"

    def _member(self) -> str:
        return self.random.choice(self.members)

    def _enrol(self) -> Call:
        name = self._name("member")
        profile = Profile(external_id=name, given_name=PLANTED.format(name))

        def run(context: Context, here: Here) -> Any:
            made = members.enrol(context, here, profile, name)
            if isinstance(made, members.Enrolled) and made.member.id not in self.members:
                self.members.append(made.member.id)
                self.planted[made.member.id] = PLANTED.format(name)
            return None

        return Call("enrol", run)

    def _order(self) -> Call:
        """Sometimes sent for two members by mistake; then it tells of neither."""
        member_id, order_id = self._member(), self._name("order")
        order = self._content(member_id, order_id)
        twice = self.random.random() < 0.03
        if twice:
            nameless = tuple(replace(line, name=None) for line in order.lines)
            order = replace(order, lines=nameless)
        redeemed = [event for one, event in self.redeemed if one == member_id]
        if redeemed and not twice and self.random.random() < 0.3:
            event: Any = _Event(self.random.choice(redeemed))
            taken = redemptions.public_id(redemptions.REDEMPTION, event)
            order = replace(order, redemptions=(taken,))
        self.orders.append((member_id, [order]))
        paid = self.random.random() < 0.75
        if twice:
            other = self._order_call(self._member(), order, paid=paid, editable=False)
            self.calls.append(other)
            self.unanswered.append(other)
        return self._order_call(member_id, order, paid=paid, editable=False)

    def _order_call(self, member_id: str, order: Order, *, paid: bool, editable: bool) -> Call:
        self.asked.setdefault(order.id, []).append(order)
        self.paid |= {order.id} if paid else set()

        def run(context: Context, here: Here) -> Any:
            done = orders.record_order(
                context, here, member_id, order, paid=paid, editable=editable
            )
            if isinstance(done, Refusal):
                self.refused[order.id].add(done.code)
            return done

        return Call("order", run, same_answer=False)

    def _content(self, member_id: str, order_id: str) -> Order:
        random = self.random
        lines = tuple(
            OrderLine(
                id=str(number),
                quantity=random.randint(1, 4),
                unit_price=random.choice([0, 1, 99, 350, 1999]),
                categories=("beans",) if random.random() < 0.4 else (),
                name=self._planted(member_id),
            )
            for number in range(random.randint(1, 3))
        )
        placed_at = self.world.now - random.choice([0, 0, MINUTE, 5 * HOUR, 3 * DAY])
        return Order(source=SOURCE, id=order_id, currency="EUR", placed_at=placed_at, lines=lines)

    def _change_order(self) -> Call:
        """It is paid, edited, confirmed, or sent with another content by mistake."""
        if not self.orders:
            return self._order()
        member_id, contents = self.random.choice(self.orders)
        order = contents[-1]
        if contents[0].updated_at is not None:
            return self._store_changes()
        what = self.random.choice(["pay", "edit", "edit", "confirm", "wrong"])
        if what == "confirm":
            return Call(
                "confirm",
                lambda context, here: orders.confirm_order(context, here, SOURCE, order.id),
            )
        if what == "pay":
            return self._order_call(member_id, order, paid=True, editable=False)
        content = self._content(member_id, order.id)
        if order.lines[0].name is None:
            content = replace(content, lines=order.lines)
        changed = replace(
            content,
            placed_at=order.placed_at,
            redemptions=order.redemptions,
            updated_at=self.world.now,
        )
        if what == "edit":
            contents.append(changed)
        return self._order_call(member_id, changed, paid=True, editable=what == "edit")

    def _of_a_store(self) -> Call:
        """An order whose store says again and again what it is, and when it changed it."""
        member_id, order_id = self._member(), self._name("store-order")
        order = replace(self._content(member_id, order_id), updated_at=self.world.now)
        self.orders.append((member_id, [order]))
        self.of_stores.append(self.orders[-1])
        paid = self.random.random() < 0.5
        return self._order_call(member_id, order, paid=paid, editable=True)

    def _store_changes(self) -> Call:
        """The same at a later time, something else, or something else of the same time; at once
        with what was said before, or long before it arrives."""
        if not self.of_stores:
            return self._of_a_store()
        member_id, contents = self.random.choice(self.of_stores[-6:])
        order = self.random.choice(contents)
        what = self.random.choice(["same", "back", "edit", "edit", "tie"])
        if what in ("edit", "tie"):
            content = self._content(member_id, order.id)
            changed = replace(content, placed_at=order.placed_at, updated_at=self.world.now)
            if what == "tie":
                changed = replace(changed, updated_at=order.updated_at)
        else:
            order = contents[-1] if what == "same" else order
            changed = replace(order, updated_at=self.world.now)
        contents.append(changed)
        paid = self.random.random() < 0.5
        return self._order_call(member_id, changed, paid=paid, editable=True)

    def _refund(self) -> Call:
        """Of an order that came, or will come."""
        if not self.orders or self.random.random() < 0.15:
            later = self._order()
            self.calls.append(later)
            self.unanswered.append(later)
        _, contents = self.random.choice(self.orders[-12:])
        order = self.random.choice(contents)
        if self.random.random() < 0.12:
            return Call(
                "cancel",
                lambda context, here: refunds.cancel_order(
                    context, here, CancelOrder(SOURCE, order.id)
                ),
                same_answer=False,
            )
        command = RefundOrder(SOURCE, order.id, self._name("refund"))
        how = self.random.choice(["lines", "amount", "amount", "rest"])
        if how == "amount":
            most = max(1, order.total)
            command = replace(command, amount=self.random.randint(1, most))
        if how == "lines":
            line = self.random.choice(order.lines)
            refunded = LineRefund(line.id, self.random.randint(1, line.quantity))
            command = replace(command, lines=(refunded,))
        self.asked[command.ref] = [command]
        reason = order.lines[0].name
        return Call(
            "refund",
            lambda context, here: refunds.refund_order(context, here, command, reason),
            same_answer=False,
        )

    def _keyed(self, what: str, member_id: str, command: Any, service: Any, then: Any) -> Call:
        self.asked[command.ref] = [command]
        return Call(what, lambda context, here: service(context, here, member_id, command), then)

    def _redeem(self) -> Call:
        member_id = self._member()
        command = Redeem(self._name("redeem"), "mug", self.random.randint(1, 2))
        keep = self.redeemed
        return self._keyed(
            "redeem",
            member_id,
            command,
            redemptions.redeem,
            lambda stored: keep.append((member_id, stored.event_id)),
        )

    def _give_back(self) -> Call:
        if not self.redeemed:
            return self._redeem()
        member_id, event = self.random.choice(self.redeemed)
        return Call(
            "give back",
            lambda context, here: redemptions.cancel(context, here, member_id, event),
        )

    def _reserve(self) -> Call:
        member_id = self._member()
        lasts = self.random.choice([10 * MINUTE, DAY, 8 * DAY])
        amount = self.random.randint(1, 40)
        command = Reserve(self._name("reserve"), POINTS, amount, None, 1, lasts)
        if self.random.random() < 0.5:
            command = Reserve(command.idempotency_key, None, 0, "mug", 1, lasts)
        keep = self.reserved
        return self._keyed(
            "reserve",
            member_id,
            command,
            redemptions.reserve,
            lambda stored: keep.append((member_id, stored.event_id)),
        )

    def _resolve(self) -> Call:
        if not self.reserved:
            return self._reserve()
        member_id, event = self.random.choice(self.reserved)
        command = self.random.choice(
            [Void(event), Capture(event, None), Capture(event, self.random.randint(1, 10))]
        )
        self.asked.setdefault(command.ref, []).append(command)
        keep = self.redeemed

        def then(stored: StoredEntry) -> None:
            if isinstance(command, Capture):
                keep.append((member_id, stored.event_id))

        return Call(
            "resolve",
            lambda context, here: redemptions.resolve(context, here, member_id, command),
            then,
        )

    def _adjust(self) -> Call:
        member_id = self._member()
        amount = self.random.choice([-60, -5, 3, 25, 80])
        currency = self.random.choice([POINTS, POINTS, STARS])
        debt = self.random.random() < 0.3
        reason = self._planted(member_id)
        command = Adjust(self._name("adjust"), currency, amount, reason, None, debt)
        return self._keyed("adjust", member_id, command, adjustments.adjust, lambda _: None)

    def _transfer(self) -> Call:
        giver, taker = self._member(), self._member()
        amount = self.random.randint(1, 30)
        command = Transfer(self._name("transfer"), taker, POINTS, amount)
        reason = self._planted(giver)
        self.asked[command.ref] = [command]
        return Call(
            "transfer",
            lambda context, here: transfers.transfer(context, here, giver, command, reason),
        )

    def _merge(self) -> Call:
        survivor, loser = self._member(), self._member()
        return Call(
            "merge",
            lambda context, here: transfers.merge(context, here, survivor, loser),
            same_answer=False,
        )

    def _rename(self) -> Call:
        member_id = self._member()
        changes = {"family_name": self._planted(member_id) + self._name("n")}
        return Call(
            "rename", lambda context, here: members.change(context, here, member_id, changes)
        )

    def _restrict(self) -> Call:
        member_id = self._member()
        restricted = self.random.random() < 0.4
        return Call(
            "restrict",
            lambda context, here: rights.restrict(context, here, member_id, restricted),
        )

    def _erase(self) -> Call:
        member_id = self._member()

        return Call("erase", lambda context, here: rights.erase(context, here, member_id))

    def _planted(self, member_id: str) -> str:
        return self.planted[member_id]


@dataclass(frozen=True)
class _Event:
    event_id: str


def _stored(outcome: Any) -> StoredEntry | None:
    if isinstance(outcome, OrderChange):
        return outcome.first.stored
    return outcome.stored if isinstance(outcome, Appended) else None


def _is_expected(error: BaseException) -> bool:
    return isinstance(error, (Unavailable, Contended, Crash))
