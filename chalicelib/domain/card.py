"""What a member's card shows, the same in every wallet.

A look (a folder in `passes/`) places these values; it decides nothing. The card's digest says
whether a phone would see any difference: a push goes out only when the digest changes.
"""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from chalicelib.domain.ledger.account import balance_of
from chalicelib.domain.ledger.entries import Snapshot
from chalicelib.domain.members.member import Member
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.program.program import Currency, Program
from chalicelib.domain.texts import text_in
from chalicelib.kernel.canonical import fingerprint
from chalicelib.kernel.clock import Instant, local_date
from chalicelib.kernel.formats import format_day, format_money, format_number


@dataclass(frozen=True)
class CardBalance:
    """One currency on the card. With a `goal` it is drawn as stamps: `7 / 8`."""

    currency: str  # the program's name of it: points, stamps
    label: str  # as members read it
    amount: int  # available, or minus the debt
    goal: int | None = None
    text: str | None = None  # the amount as members read it, where it is money
    expires: str | None = None  # what is gone next, and when, as members read it

    def values(self, name: str) -> dict[str, str | int]:
        """What the placeholders that start with `name` stand for."""
        values: dict[str, str | int] = {}
        shown: str | int
        if self.text is not None:
            shown = self.text
            values = {name: shown, f"{name}.progress": shown}
        elif self.goal is None:
            shown = self.amount
            values = {name: shown, f"{name}.amount": shown}
        else:
            shown = f"{self.amount} / {self.goal}"
            values = {name: self.amount, f"{name}.goal": self.goal, f"{name}.progress": shown}
        if self.expires is not None:
            values[f"{name}.expires"] = self.expires
        return {**values, f"{name}.label": self.label, f"{name}.shown": shown}


@dataclass(frozen=True)
class Card:
    """The face of one member's pass."""

    program_id: str
    program_name: str
    member_id: str  # what its barcode says
    look: str  # the folder in passes/
    language: str
    member_name: str | None
    balances: tuple[CardBalance, ...]
    voided: bool = False
    tier: str | None = None  # as members read it
    tier_progress: str | None = None  # how far it is to the next: `450 / 500`

    @property
    def serial(self) -> str:
        """The pass's serial number: one among the passes of every program."""
        return f"{self.program_id}.{self.member_id}"

    @property
    def digest(self) -> bytes:
        """16 bytes that differ when the card does."""
        fields = _without(asdict(self), "tier", "tier_progress")
        fields["balances"] = [_without(one, "text", "expires") for one in fields["balances"]]
        return fingerprint(fields)

    @property
    def values(self) -> dict[str, str | int]:
        """What the placeholders of a look stand for.

        `{points}` is the amount of the currency `points`, `{points.label}` its label and
        `{stamps.progress}` a currency with a goal as `7 / 8`. A look for any program asks for the
        `{first}` and the `{second}` currency instead; `.shown` is the progress where there is a
        goal, and otherwise the amount. `{tier}` is the tier, `{tier.progress}` how far it is to the
        next as `450 / 500`. `.expires` is what of a currency is gone next and when, as the member's
        language writes it. What the card does not have is absent, and a look leaves
        out the field that asks for it.
        """
        values: dict[str, str | int] = {
            "program_name": self.program_name,
            "member_id": self.member_id,
            "language": self.language,
        }
        if self.member_name:
            values["member_name"] = self.member_name
        if self.tier:
            values["tier"] = self.tier
        if self.tier_progress:
            values["tier.progress"] = self.tier_progress
        for balance in self.balances:
            values |= balance.values(balance.currency)
        for place, balance in zip(("first", "second"), self.balances, strict=False):
            values |= balance.values(place)
        return values


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """Without what is not there: a card that has nothing new is what it ever was."""
    return {name: one for name, one in fields.items() if one is not None or name not in names}


@dataclass(frozen=True)
class IssuedPass:
    """What the wallets were last given of one member's card."""

    program_id: str
    member_id: str
    revision: int  # 1, 2, 3, ...: one for each change of the card
    digest: bytes
    modified_at: Instant  # whole seconds, later with every revision: the Last-Modified
    pushed_revision: int = 0  # the revision that every phone was told of
    google: bool = False  # whether the member has asked for it in Google Wallet


def card_of(program: Program, member: Member, snapshot: Snapshot, now: Instant) -> Card:
    """The card of a member as the newest version of the program shows it, in his language."""
    locale = member.profile.locale
    language = program.language_for(locale)
    tier, progress = _tier(program, snapshot, local_date(now, program.zone).toordinal(), language)
    balances = []
    for currency in program.currencies:
        balance = balance_of(snapshot, currency.number)
        amount = balance.available - balance.debt
        label = text_in(currency.label, language, program.language)
        text = format_money(amount, program.money, language) if currency.money else None
        expires = _expires(program, currency, snapshot, language)
        balances.append(CardBalance(currency.name, label, amount, currency.goal, text, expires))
    return Card(
        program_id=member.program_id,
        program_name=program.name,
        member_id=member.id,
        look=program.look,
        language=language,
        member_name=member.profile.display_name,
        balances=tuple(balances),
        tier=tier,
        tier_progress=progress,
    )


def _expires(program: Program, currency: Currency, snapshot: Snapshot, language: str) -> str | None:
    """What of a currency is gone next: `120 · 1 Jul 2027`."""
    ending = [
        lot
        for lot in snapshot.lots
        if lot.currency == currency.number and lot.expires_on != NEVER and not lot.pending_until
    ]
    if not ending:
        return None
    day = min(lot.expires_on for lot in ending)
    amount = sum(lot.amount for lot in ending if lot.expires_on == day)
    shown = (
        format_money(amount, program.money, language)
        if currency.money
        else format_number(amount, language)
    )
    return f"{shown} \u00b7 {format_day(date.fromordinal(day), language)}"


def _tier(
    program: Program, snapshot: Snapshot, today: int, language: str
) -> tuple[str | None, str | None]:
    """The tier, and how far the first counter of the next one is."""
    tiers = program.tiers
    if tiers is None:
        return None, None
    tier = tiers.tier(snapshot.held, today)
    following = tiers.above(tier)
    progress = None
    if following is not None:
        counter, needed = following.needs[0]
        progress = f"{counter.value(snapshot.tallies, today)} / {needed}"
    return text_in(tier.label, language, program.language) if tier else None, progress
