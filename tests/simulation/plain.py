"""Every balance, recomputed from what was asked for: slowly, and without any code of the ledger.

It is given the commands in the order in which the ledger took them, and the moment of each; what
the entries say beside that it does not look at. An order is folded anew from all of its commands.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
POINTS, STARS = "points", "stars"
NEVER = date.max
MONTHS, IDLE = "to the month's end", "idle days"
REMEMBERED = 16  # lots whose expiry is remembered


@dataclass(frozen=True)
class Terms:
    """What one version of the program says."""

    give: int
    per: int
    waits_days: int
    lives: tuple[str, int] | None  # ("days", 3), ("idle days", 3), ("to the month's end", 1)
    clawback: str
    mug: int
    beans: int  # units for a star; what is left over of more than one is carried

    def document(self) -> dict[str, Any]:
        """The program that says it."""
        waits = {"days": self.waits_days} if self.waits_days else None
        lives: dict[str, Any] | None = None
        if self.lives:
            how, count = self.lives
            lives = {"days": count} if how != MONTHS else {"months": count, "end_of": "month"}
            lives |= {"since": "last_activity"} if self.renewed else {}
        return {
            "name": "Simulated",
            "time_zone": ZONE.key,
            "money": "EUR",
            "currencies": {
                POINTS: {"label": "Points", "expires": lives, "clawback": self.clawback},
                STARS: {"label": "Stars", "clawback": "clamp"},
            },
            "earn": [
                {
                    "id": "goods",
                    "kind": "per_amount",
                    "currency": POINTS,
                    "give": self.give,
                    "per": self.per,
                    "pending": waits,
                },
                {
                    "id": "beans",
                    "kind": "per_unit",
                    "currency": STARS,
                    "give": 1,
                    "per": self.beans,
                    "carry_remainder": self.beans > 1,
                    "include": {"categories": ["beans"]},
                },
            ],
            "rewards": [
                {
                    "id": "mug",
                    "kind": "product",
                    "name": "Mug",
                    "cost": {"currency": POINTS, "amount": self.mug},
                    "stock": 7,
                }
            ],
        }

    @property
    def renewed(self) -> bool:
        """Whether points live as long as their member does something."""
        return self.lives is not None and self.lives[0] == IDLE

    def ends(self, start: date) -> date:
        """The first day on which points of this day are gone."""
        if self.lives is None:
            return NEVER
        how, count = self.lives
        if how != MONTHS:
            return start + timedelta(days=count)
        month = start.year * 12 + start.month - 1 + count + 1
        return date(month // 12, month % 12 + 1, 1)


def day(at: int) -> date:
    """The business day of a moment."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZONE).date()


def midnight(of: date) -> int:
    """When a day begins."""
    start = datetime(of.year, of.month, of.day, tzinfo=ZONE)
    return round(start.timestamp() * 1000)


@dataclass(frozen=True, order=True)
class Lot:
    """Points that are told apart: when they end, and until when they wait (None: they do not)."""

    currency: str
    ends: date
    waits: date = date.min


@dataclass
class Hold:
    """A reservation."""

    ends_at: int
    currency: str
    lots: list[tuple[Lot, int]]
    stock: int

    @property
    def amount(self) -> int:
        return sum(amount for _, amount in self.lots)


@dataclass
class Purse:
    """One member's account."""

    joined_at: int
    lots: Counter[Lot] = field(default_factory=Counter)
    debts: Counter[str] = field(default_factory=Counter)
    gone: Counter[Lot] = field(default_factory=Counter)
    holds: dict[int, Hold] = field(default_factory=dict)
    left: int = 0  # beans, of a star
    stock: int = 0  # mugs that are taken or held

    def balance(self, currency: str) -> tuple[int, int, int, int]:
        """Available, pending, reserved and owed."""
        mine = [(lot, n) for lot, n in self.lots.items() if lot.currency == currency]
        return (
            sum(n for lot, n in mine if lot.waits == date.min),
            sum(n for lot, n in mine if lot.waits != date.min),
            sum(hold.amount for hold in self.holds.values() if hold.currency == currency),
            self.debts[currency],
        )

    def advance(self, now: int) -> None:
        """What time does until `now`, one thing after the other."""
        while True:
            dues: list[tuple[int, int, Any]] = [
                *((midnight(lot.waits), 1, lot.waits) for lot in +self.lots if _waits(lot)),
                *((midnight(lot.ends), 2, lot.ends) for lot in +self.lots if lot.ends != NEVER),
                *((hold.ends_at, 3, number) for number, hold in self.holds.items()),
            ]
            if not dues or min(dues)[0] > now:
                return
            _, what, which = min(dues)
            if what == 3:
                self.end(which, 0)
            for lot in sorted(+self.lots):
                if what == 1 and lot.waits == which:
                    self.give(Lot(lot.currency, lot.ends), self.lots.pop(lot))
                if what == 2 and lot.ends == which:
                    self.gone[Lot(lot.currency, lot.ends)] += self.lots.pop(lot)
            self.forget()

    def forget(self) -> None:
        """Only the last expiries are remembered."""
        known = sorted(((lot, n) for lot, n in self.gone.items() if n), key=lambda row: row[0].ends)
        self.gone = Counter(dict(known[-REMEMBERED:]))

    def give(self, lot: Lot, amount: int) -> int:
        """Pays debts first, unless the points still wait; how many went into the lot."""
        pays = min(amount, self.debts[lot.currency]) if lot.waits == date.min else 0
        self.debts[lot.currency] -= pays
        self.lots[lot] += amount - pays
        return amount - pays

    def take(self, lots: list[Lot], amount: int) -> list[tuple[Lot, int]]:
        """Takes from these lots in turn."""
        taken = []
        for lot in lots:
            part = min(amount, self.lots[lot])
            if part:
                self.lots[lot] -= part
                amount -= part
                taken.append((lot, part))
        return taken

    def spend(self, currency: str, amount: int) -> list[tuple[Lot, int]]:
        """Takes what can be spent, soonest expiry first; the rest is owed."""
        taken = self.take(self.spendable(currency), amount)
        self.debts[currency] += amount - sum(part for _, part in taken)
        return taken

    def spendable(self, currency: str) -> list[Lot]:
        return sorted(
            lot for lot in +self.lots if lot.currency == currency and lot.waits == date.min
        )

    def end(self, number: int, captured: int) -> list[tuple[Lot, int]]:
        """Ends a reservation: so much is spent, the rest comes back; what was spent."""
        spent = []
        hold = self.holds.pop(number)
        if not captured:
            self.stock -= hold.stock
        for lot, amount in hold.lots:
            part = min(captured, amount)
            captured -= part
            if part:
                spent.append((lot, part))
            if amount > part:
                self.give(lot, amount - part)
        return spent

    def renew(self, terms: Terms, active_at: int) -> None:
        """All points live on from an activity."""
        ends = terms.ends(day(active_at))
        for lot in sorted(+self.lots) if terms.renewed else ():
            if lot.currency == POINTS and lot.ends != ends:
                self.lots[Lot(POINTS, ends, lot.waits)] += self.lots.pop(lot)

    def waiting(self, own: list[Lot], *, renewed: bool) -> list[Lot]:
        """Where points that wait are, also if an activity moved them."""
        waits = {lot.waits for lot in own}
        ending = [lot for lot in sorted(self.lots) if renewed and lot.ends != NEVER]
        moved = [lot for lot in ending if lot.waits in waits]
        currency = {lot.currency for lot in own}
        return [*own, *(lot for lot in moved if lot.currency in currency and lot not in own)]

    def claw_back(
        self, sort: Lot, amount: int, own: list[Lot], policy: str, *, renewed: bool
    ) -> int:
        """Takes back what an order gave; how much of it is counted as taken.

        `sort` says of which currency it is, and until when it waits.
        """
        currency, waits = sort.currency, sort.waits
        own = [lot for lot in own if lot.currency == currency]
        where = dict.fromkeys(Lot(currency, lot.ends, waits) for lot in own)
        waiting = self.waiting(list(where), renewed=renewed) if waits != date.min else []
        left = amount - _sum(self.take(waiting, amount))
        if policy == "only_pending":
            return amount - left
        plain = list(dict.fromkeys(Lot(lot.currency, lot.ends) for lot in own))
        left -= _sum(self.take(plain, left))
        lapsed = 0
        lapsing = [lot for lot in self.gone if renewed and lot.currency == currency]
        for lot in dict.fromkeys([*plain, *lapsing]):
            part = min(left, self.gone[lot])
            self.gone[lot] -= part
            left -= part
            lapsed += part
        left -= _sum(self.take(self.spendable(currency), left))
        if policy == "debt":
            self.debts[currency] += left
            left = 0
        return amount - left - lapsed


UNTIL_PAID = date.max


def _waits(lot: Lot) -> bool:
    return lot.waits not in (date.min, UNTIL_PAID)


def _sum(taken: list[tuple[Lot, int]]) -> int:
    return sum(amount for _, amount in taken)


@dataclass
class Bill:
    """An order as it stands: what it says, and what was given for it."""

    terms: Terms
    content: Any = None  # the order that was sent last
    given: dict[str, int] = field(default_factory=dict)
    paid: bool = False
    confirmed: bool = False
    units: Counter[str] = field(default_factory=Counter)  # that came back, by line
    amount: int = 0  # that came back beside them
    rest: bool = False
    net: Counter[str] = field(default_factory=Counter)
    own: dict[Lot, None] = field(default_factory=dict)  # where its points went

    def weights(self, currency: str) -> list[int]:
        lines = self.content.lines
        if currency == STARS:
            return [line.quantity if "beans" in line.categories else 0 for line in lines]
        return [line.quantity * line.unit_price for line in lines]

    def total(self) -> int:
        return sum(self.weights(POINTS))

    def back(self, currency: str) -> Fraction:
        """The share of the weights that came back."""
        weights, lines = self.weights(currency), self.content.lines
        prices = self.weights(POINTS)
        money = self.amount + sum(
            price * self.units[line.id] // line.quantity
            for price, line in zip(prices, lines, strict=True)
        )
        if self.rest or (self.total() and money == self.total()):
            return Fraction(1)
        if not sum(weights):
            return Fraction(0)
        of_lines = sum(
            Fraction(weight * self.units[line.id], line.quantity)
            for weight, line in zip(weights, lines, strict=True)
        )
        share = of_lines / sum(weights) + Fraction(self.amount, self.total() or 1)
        return min(Fraction(1), share)

    def is_back(self) -> bool:
        return self.back(POINTS) == 1

    def earned(self, currency: str) -> int:
        """What the content gives by itself."""
        weight = sum(self.weights(currency))
        if currency == STARS:
            return weight // self.terms.beans
        return weight * self.terms.give // self.terms.per

    def kept(self) -> int:
        """The beans that count and did not come back."""
        weight = sum(self.weights(STARS)) if self.given else 0
        return weight - int(weight * self.back(STARS))

    def worth(self, currency: str) -> int:
        """What is left of that after what came back."""
        given = self.given.get(currency, 0)
        return given - int(given * self.back(currency) // 1)

    def waits(self, currency: str) -> date:
        if self.confirmed:
            return date.min
        if not self.paid:
            return UNTIL_PAID
        if currency == STARS or not self.terms.waits_days:
            return date.min
        return day(self.content.placed_at) + timedelta(days=self.terms.waits_days)

    def lot(self, currency: str, waits: date) -> Lot:
        placed = day(self.content.placed_at)
        ends = self.terms.ends(placed) if currency == POINTS else NEVER
        return Lot(currency, ends, waits)


class Plain:
    """All members, and what happened to them."""

    def __init__(self) -> None:
        self.purses: dict[str, Purse] = {}
        self.bills: dict[str, Bill] = {}
        self.merged: dict[str, str] = {}
        self._spent: dict[str, tuple[list[tuple[Lot, int]], int]] = {}  # by event
        self._sent: dict[str, list[tuple[Lot, int]]] = {}

    def whose(self, member_id: str) -> str:
        """Who has the account now."""
        while member_id in self.merged:
            member_id = self.merged[member_id]
        return member_id

    def record(self, member_id: str, content: Any, *, paid: bool, terms: Terms) -> None:
        """An order, or another content of it."""
        purse = self.purses[member_id]
        bill = self.bills.setdefault(content.id, Bill(terms))
        first = bill.content is None
        worth = {} if first else {one: bill.worth(one) for one in (POINTS, STARS)}
        kept = 0 if first else bill.kept()
        waited = {} if first else {one: bill.waits(one) for one in (POINTS, STARS)}
        before = Counter(purse.lots)
        if not first:
            were = {line.id for line in bill.content.lines}
            sizes = {line.id: line.quantity for line in content.lines if line.id in were}
            bill.units = Counter({k: min(n, sizes.get(k, 0)) for k, n in bill.units.items()})
            will_wait = self._waits_then(bill, content, paid)
            self._release(purse, bill, waited, will_wait)
        bill.content = content
        bill.paid = bill.paid or paid
        counts = content.placed_at >= purse.joined_at // 1000 * 1000
        bill.given = {one: bill.earned(one) for one in (POINTS, STARS)} if counts else {}
        for currency in (POINTS, STARS):
            change = bill.worth(currency) - worth.get(currency, 0)
            self._change(purse, bill, currency, change, bill.kept() - kept)
        if first and counts:
            purse.renew(bill.terms, content.placed_at)
        self._own(purse, bill, before)

    def edit(self, member_id: str, content: Any) -> None:
        self.record(member_id, content, paid=False, terms=self.bills[content.id].terms)

    def confirm(self, member_id: str, order_id: str) -> None:
        purse, bill = self.purses[member_id], self.bills[order_id]
        before = Counter(purse.lots)
        waited = {one: bill.waits(one) for one in (POINTS, STARS)}
        self._release(purse, bill, waited, dict.fromkeys(waited, date.min))
        bill.confirmed = True
        self._own(purse, bill, before)

    def refund(
        self, member_id: str, order_id: str, lines: dict[str, int], amount: int, *, rest: bool
    ) -> None:
        purse, bill = self.purses[member_id], self.bills[order_id]
        worth = {one: bill.worth(one) for one in (POINTS, STARS)}
        kept = bill.kept()
        bill.units.update(lines)
        bill.amount += amount
        bill.rest = bill.rest or rest
        for currency in (POINTS, STARS):
            change = bill.worth(currency) - worth[currency]
            self._change(purse, bill, currency, change, bill.kept() - kept)

    def redeem(self, member_id: str, event: str, quantity: int, terms: Terms, now: int) -> None:
        purse = self.purses[member_id]
        purse.renew(terms, now)
        self._spent[event] = (purse.spend(POINTS, terms.mug * quantity), quantity)
        purse.stock += quantity

    def give_back(self, member_id: str, event: str) -> None:
        lots, stock = self._spent[event]
        for lot, amount in lots:
            self.purses[member_id].give(lot, amount)
        self.purses[member_id].stock -= stock

    def reserve(
        self, member_id: str, number: int, currency: str, amount: int, ends_at: int, stock: int
    ) -> None:
        purse = self.purses[member_id]
        purse.holds[number] = Hold(ends_at, currency, purse.spend(currency, amount), stock)
        purse.stock += stock

    def resolve(self, member_id: str, event: str, number: int, captured: int | None) -> None:
        purse = self.purses[member_id]
        hold = purse.holds[number]
        amount = hold.amount if captured is None else captured
        self._spent[event] = (purse.end(number, amount), hold.stock)

    def adjust(self, member_id: str, currency: str, amount: int, ends: date) -> None:
        if amount < 0:
            self.purses[member_id].spend(currency, -amount)
        else:
            self.purses[member_id].give(Lot(currency, ends), amount)

    def send(self, member_id: str, event: str, currency: str, amount: int) -> None:
        self._sent[event] = self.purses[member_id].spend(currency, amount)

    def receive(self, member_id: str, event: str) -> None:
        for lot, amount in sorted(self._sent.pop(event)):
            self.purses[member_id].give(lot, amount)

    def take_over(self, member_id: str, other_id: str) -> None:
        purse, other = self.purses[member_id], self.purses[other_id]
        for currency, owed in sorted(other.debts.items()):
            purse.spend(currency, owed)
        for lot, amount in sorted((+other.lots).items()):
            purse.give(lot, amount)
        purse.gone.update(other.gone)
        purse.stock += other.stock
        purse.left += other.left
        purse.joined_at = min(purse.joined_at, other.joined_at)
        self.merged[other_id] = member_id
        self.purses[other_id] = Purse(other.joined_at)

    def erase(self, member_id: str) -> None:
        stock = self.purses[member_id].stock
        self.purses[member_id] = Purse(self.purses[member_id].joined_at, stock=stock)

    def _waits_then(self, bill: Bill, content: Any, paid: bool) -> dict[str, date]:
        then = Bill(bill.terms, content, paid=bill.paid or paid, confirmed=bill.confirmed)
        return {one: then.waits(one) for one in (POINTS, STARS)}

    def _release(
        self, purse: Purse, bill: Bill, waited: dict[str, date], waits: dict[str, date]
    ) -> None:
        for currency in (POINTS, STARS):
            was, now = waited[currency], waits[currency]
            if bill.net[currency] <= 0 or was in (now, date.min):
                continue
            renewed = bill.terms.renewed and currency == POINTS
            left = bill.net[currency]
            for lot in purse.waiting([bill.lot(currency, was)], renewed=renewed):
                released = min(left, purse.lots[lot])
                purse.lots[lot] -= released
                purse.give(Lot(lot.currency, lot.ends, now), released)
                left -= released

    def _change(self, purse: Purse, bill: Bill, currency: str, points: int, beans: int) -> None:
        if currency == STARS and bill.terms.beans > 1:
            purse.left += beans
            points = purse.left // bill.terms.beans
            points = 0 if beans <= 0 < points else points
            purse.left -= points * bill.terms.beans
        if points < 0:
            policy = bill.terms.clawback if currency == POINTS else "clamp"
            renewed = bill.terms.renewed and currency == POINTS
            sort = bill.lot(currency, bill.waits(currency))
            own = list(bill.own)
            bill.net[currency] -= purse.claw_back(sort, -points, own, policy, renewed=renewed)
        else:
            purse.give(bill.lot(currency, bill.waits(currency)), points)
            bill.net[currency] += points

    def _own(self, purse: Purse, bill: Bill, before: Counter[Lot]) -> None:
        """Remembers where points of the order went."""
        for lot in sorted(purse.lots):
            if purse.lots[lot] > before[lot]:
                bill.own[lot] = None
